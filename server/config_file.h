// The configuration file: one JSON object whose keys are the flags' names, and
// "models". Comments (// and /* */) are allowed.
//
//   {
//     "model_repository": "/srv/models",
//     "grpc_port": 8001,
//     "brownout": "on",
//     "models": {"fashion-mnist": {"versions": "latest:2",
//                                  "labels": {"stable": 1, "canary": 2}}}
//   }
//
// What is read here is the file alone; server/config.cc holds it against the
// flags.
#ifndef MRE_SERVER_CONFIG_FILE_H_
#define MRE_SERVER_CONFIG_FILE_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/repository/model_settings.h"

namespace mre {

inline constexpr size_t kMaxConfigBytes = 1 << 20;
// Brackets that may be open at once; "models" needs 4.
inline constexpr int kMaxConfigDepth = 8;

// What a key is given: numbers and booleans as their JSON text.
struct ConfigValue {
  enum class Kind { kText, kInteger, kNumber, kBoolean };
  Kind kind = Kind::kText;
  std::string text;  // without control characters
};

struct ConfigFile {
  struct Entry {
    std::string key;
    bool is_list = false;
    std::vector<ConfigValue> values;  // exactly one unless it is a list
  };
  std::vector<Entry> entries;  // in the file's order; "models" is not one
  std::map<std::string, ModelSettings> models;
};

// INVALID_ARGUMENT lists all that is wrong, a line each, with the key in front.
absl::StatusOr<ConfigFile> ParseConfigFile(absl::string_view text);

// The same for who has more to check: what could be read, and what is wrong.
ConfigFile ReadConfigFile(absl::string_view text,
                          std::vector<std::string>& problems);

// The key "models" of a file, which may be read again while the server runs;
// the other keys are not held against the flags. The file's name begins each
// line of an error.
absl::StatusOr<std::map<std::string, ModelSettings>> ReadModelSettings(
    const std::string& config_file);

}  // namespace mre

#endif  // MRE_SERVER_CONFIG_FILE_H_
