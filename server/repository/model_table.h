// What is served now, and what is known of each version: where those who load
// and those who look up meet.
#ifndef MRE_SERVER_REPOSITORY_MODEL_TABLE_H_
#define MRE_SERVER_REPOSITORY_MODEL_TABLE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "server/repository/files.h"
#include "server/repository/served_model.h"

namespace mre {

enum class VersionState {
  kLoading,    // for the first time
  kReady,      // can be asked for
  kFailed,     // was refused; `reason` says why
  kUnloading,  // cannot be asked for any more, rows of it still run
  kUnloaded,   // is there to be loaded
};

// "READY", "UNAVAILABLE", ..., as the Open Inference Protocol's index has them.
absl::string_view VersionStateName(VersionState state);

struct VersionStatus {
  std::string name;
  int64_t version = 0;
  VersionState state = VersionState::kUnloaded;
  // Why it is not ready; of a ready one why a newer file is not served.
  std::string reason;
  std::shared_ptr<const ServedModel> served;  // when kReady
};

// Thread-safe.
class ModelTable {
 public:
  // ---- For those who look up.

  // The given version; with 0 and no label the newest one that is ready. Errors
  // say what there is instead: INVALID_ARGUMENT, NOT_FOUND, UNAVAILABLE when it
  // is there and not ready.
  absl::StatusOr<std::shared_ptr<const ServedModel>> Find(
      absl::string_view name, int64_t version, absl::string_view label) const;
  // The same, but a version that is not ready is found too; with 0 and no label
  // the newest when none is ready.
  absl::StatusOr<VersionStatus> Get(absl::string_view name, int64_t version,
                                    absl::string_view label) const;
  // In order of name, then version.
  std::vector<VersionStatus> List() const;

  // How many times a version of the model was loaded, and refused.
  struct LoadCounts {
    std::string name;
    int64_t loaded = 0;
    int64_t refused = 0;
  };
  std::vector<LoadCounts> load_counts() const;

  // ---- For the one who loads.

  // From now on listed as kLoading, unless it is listed already.
  void Begin(const std::string& name, int64_t version);
  // Serves it, loaded from the file of `stamp`. What was served before under
  // this name and version, or null.
  std::shared_ptr<const ServedModel> Serve(
      std::shared_ptr<const ServedModel> served, const FileStamp& stamp);
  // Its file cannot be served; what is served of it stays. False, and not
  // counted again, when this is known: a file that still cannot be read (it has
  // no stamp) for the same reason.
  bool Refuse(const std::string& name, int64_t version, const FileStamp& stamp,
              const std::string& reason);
  // Forgets the version. What was served of it, or null.
  std::shared_ptr<const ServedModel> Withdraw(const std::string& name,
                                              int64_t version);
  void SetLabels(const std::string& name,
                 const std::map<std::string, int64_t>& labels);
  std::map<std::string, int64_t> LabelsOf(const std::string& name) const;

  // The files that the model's versions were loaded from, and those that were
  // refused.
  struct Files {
    std::map<int64_t, FileStamp> loaded;
    std::map<int64_t, FileStamp> refused;
  };
  Files FilesOf(const std::string& name) const;
  // Models of which something is listed.
  std::set<std::string> Names() const;

 private:
  struct Version {
    std::shared_ptr<const ServedModel> served;
    FileStamp loaded;  // when served
    bool failed = false;
    FileStamp refused;   // when failed
    std::string reason;  // when failed
  };
  struct Model {
    std::map<int64_t, Version> versions;
    std::map<std::string, int64_t> labels;
    int64_t loads = 0;
    int64_t refusals = 0;
  };

  static VersionStatus StatusOf(absl::string_view name, int64_t version,
                                const Version& entry);
  absl::StatusOr<const Model*> FindModel(absl::string_view name) const
      ABSL_SHARED_LOCKS_REQUIRED(mu_);

  mutable absl::Mutex mu_;
  // A model of which no version is listed stays for its counts and labels.
  std::map<std::string, Model, std::less<>> models_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mre

#endif  // MRE_SERVER_REPOSITORY_MODEL_TABLE_H_
