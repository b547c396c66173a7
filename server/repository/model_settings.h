// How one model of the repository is to be served: which of its versions, and
// what they are called besides their numbers.
#ifndef MRE_SERVER_REPOSITORY_MODEL_SETTINGS_H_
#define MRE_SERVER_REPOSITORY_MODEL_SETTINGS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mre {

struct VersionPolicy {
  enum class Kind {
    kLatest,    // the `latest` newest
    kAll,       // every one that is there
    kSpecific,  // those of `specific` that are there
  };
  Kind kind = Kind::kLatest;
  int64_t latest = 1;             // at least 1
  std::vector<int64_t> specific;  // ascending, positive
};

// "latest", "latest:N", "all", or versions such as "1,3". INVALID_ARGUMENT says
// what was expected.
absl::StatusOr<VersionPolicy> ParseVersionPolicy(absl::string_view text);

struct ModelSettings {
  std::optional<VersionPolicy> versions;  // none: the repository's
  std::map<std::string, int64_t> labels;  // "stable" -> 3
};

// Labels: model names that begin with a letter, for versions are numbers.
bool IsVersionLabel(absl::string_view label);

// Model names: letters, digits, '.', '_' and '-', not starting with a dot, at
// most 128 characters.
bool IsModelName(absl::string_view name);

// The versions to serve, newest first, of those that are `available`: what the
// policy wants, and what is `labelled`. Those that are `refused` (their files
// cannot be served) do not count: an older one takes the place of a newest that
// is damaged. Pure.
std::vector<int64_t> VersionsToServe(const VersionPolicy& policy,
                                     const std::set<int64_t>& labelled,
                                     const std::set<int64_t>& available,
                                     const std::set<int64_t>& refused);

}  // namespace mre

#endif  // MRE_SERVER_REPOSITORY_MODEL_SETTINGS_H_
