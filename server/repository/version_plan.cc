#include "server/repository/version_plan.h"

namespace mre {
namespace {

// True when the file as it is now cannot be served.
bool IsRefused(const VersionSnapshot& now, int64_t version) {
  const auto it = now.known.refused.find(version);
  if (it == now.known.refused.end()) return false;
  if (now.tried.contains(version)) return true;
  return !now.retry && it->second == now.files.at(version);
}

bool IsToBeLoaded(const VersionSnapshot& now, int64_t version) {
  if (now.tried.contains(version) || IsRefused(now, version)) return false;
  const auto it = now.known.loaded.find(version);
  return it == now.known.loaded.end() || it->second != now.files.at(version) ||
         // What is said of a file that was refused meanwhile is to go.
         (now.retry && now.known.refused.contains(version));
}

}  // namespace

std::map<int64_t, FileStamp> SettledFiles(
    const std::map<int64_t, FileStamp>& now,
    const std::map<int64_t, FileStamp>& before,
    const std::map<int64_t, FileStamp>& loaded) {
  std::map<int64_t, FileStamp> settled;
  for (const auto& [version, stamp] : now) {
    const auto seen = before.find(version);
    const auto old = loaded.find(version);
    const bool same = seen != before.end() && seen->second == stamp;
    const bool can_be_read = stamp != FileStamp();
    if (old != loaded.end() && !(same && can_be_read)) {
      settled[version] = old->second;
    } else if (same) {
      settled[version] = stamp;
    }
  }
  for (const auto& [version, stamp] : loaded) {
    if (!now.contains(version) && before.contains(version)) {
      settled[version] = stamp;
    }
  }
  return settled;
}

VersionPlan PlanVersions(const VersionSnapshot& now) {
  std::set<int64_t> available;
  std::set<int64_t> refused;
  for (const auto& [version, stamp] : now.files) {
    available.insert(version);
    if (!now.known.loaded.contains(version) &&
        (now.awaited.contains(version) || IsRefused(now, version))) {
      refused.insert(version);
    }
  }
  VersionPlan plan;
  plan.serve = VersionsToServe(now.policy, now.labelled, available, refused);
  for (const int64_t version : plan.serve) {
    if (!IsToBeLoaded(now, version)) continue;
    plan.load = version;
    break;
  }
  return plan;
}

}  // namespace mre
