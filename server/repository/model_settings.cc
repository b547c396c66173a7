#include "server/repository/model_settings.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace mre {
namespace {

constexpr size_t kMaxModelName = 128;

}  // namespace

absl::StatusOr<VersionPolicy> ParseVersionPolicy(absl::string_view text) {
  const absl::Status bad = absl::InvalidArgumentError(absl::StrCat(
      "expected latest, latest:N, all, or versions such as 1,3, got \"",
      text.substr(0, kMaxModelName), "\""));
  VersionPolicy policy;
  if (text == "latest") return policy;
  if (text == "all") {
    policy.kind = VersionPolicy::Kind::kAll;
    return policy;
  }
  if (absl::string_view count = text; absl::ConsumePrefix(&count, "latest:")) {
    if (!absl::SimpleAtoi(count, &policy.latest) || policy.latest < 1) {
      return bad;
    }
    return policy;
  }
  policy.kind = VersionPolicy::Kind::kSpecific;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    int64_t version = 0;
    if (!absl::SimpleAtoi(part, &version) || version < 1) return bad;
    policy.specific.push_back(version);
  }
  std::sort(policy.specific.begin(), policy.specific.end());
  return policy;
}

bool IsModelName(absl::string_view name) {
  if (name.empty() || name.size() > kMaxModelName || name.front() == '.')
    return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
  });
}

bool IsVersionLabel(absl::string_view label) {
  return IsModelName(label) && absl::ascii_isalpha(label.front());
}

std::vector<int64_t> VersionsToServe(const VersionPolicy& policy,
                                     const std::set<int64_t>& labelled,
                                     const std::set<int64_t>& available,
                                     const std::set<int64_t>& refused) {
  std::vector<int64_t> versions;
  int64_t latest = 0;  // so many of the newest so far
  for (auto it = available.rbegin(); it != available.rend(); ++it) {
    if (refused.contains(*it)) continue;
    const bool wanted = policy.kind == VersionPolicy::Kind::kAll ||
                        (policy.kind == VersionPolicy::Kind::kLatest &&
                         latest < policy.latest) ||
                        (policy.kind == VersionPolicy::Kind::kSpecific &&
                         std::binary_search(policy.specific.begin(),
                                            policy.specific.end(), *it));
    ++latest;
    if (wanted || labelled.contains(*it)) versions.push_back(*it);
  }
  return versions;
}

}  // namespace mre
