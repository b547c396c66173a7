// What is to be done so that the right versions of a model are served.
#ifndef MRE_SERVER_REPOSITORY_VERSION_PLAN_H_
#define MRE_SERVER_REPOSITORY_VERSION_PLAN_H_

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "model/base/file_stamp.h"
#include "server/repository/model_settings.h"
#include "server/repository/model_table.h"

namespace mre {

// The files that a look acts on, after the one before: what is being written,
// and what is gone, is left until it has been the same for two looks; meanwhile
// what was loaded before counts as unchanged. So it does while its directory is
// there and its file (a stamp of zeros) is not, or cannot be looked at. Pure.
std::map<int64_t, FileStamp> SettledFiles(
    const std::map<int64_t, FileStamp>& now,
    const std::map<int64_t, FileStamp>& before,
    const std::map<int64_t, FileStamp>& loaded);

// All that the plan follows from.
struct VersionSnapshot {
  VersionPolicy policy = {};
  std::set<int64_t> labelled = {};          // have a label, or will have
  std::map<int64_t, FileStamp> files = {};  // those that are there
  std::set<int64_t> awaited = {};           // of those, without a file yet
  ModelTable::Files known = {};             // those that were loaded, refused
  std::set<int64_t> tried = {};             // no more in this attempt
  bool retry = false;  // what was refused before is tried again
};

struct VersionPlan {
  std::vector<int64_t> serve;  // newest first
  int64_t load = 0;            // of those, the next to be loaded; 0: none
};

// A version whose file was refused, and has not changed since, or is awaited,
// is not served; what was loaded of it before is. Pure.
VersionPlan PlanVersions(const VersionSnapshot& snapshot);

}  // namespace mre

#endif  // MRE_SERVER_REPOSITORY_VERSION_PLAN_H_
