// The models that a server serves, read from a directory:
// <root>/<model name>/<version: positive integer>/model.safetensors
//
// Versions come and go while others are served. A new one is loaded and run
// once aside, on a thread of low priority, and then takes its place in one
// moment; who has the old one keeps it until its last row ends. A version that
// cannot be loaded changes nothing but what is said of it.
#ifndef MRE_SERVER_REPOSITORY_REPOSITORY_H_
#define MRE_SERVER_REPOSITORY_REPOSITORY_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "model/base/bell.h"
#include "server/repository/files.h"
#include "server/repository/model_settings.h"
#include "server/repository/model_table.h"
#include "server/repository/served_model.h"
#include "server/repository/version_plan.h"

namespace mre {

// Thread-safe.
class Repository {
 public:
  enum class Control {
    kNone,      // serves what is there at the start
    kPoll,      // serves what is there now
    kExplicit,  // serves what Load and Unload say
  };

  // Told of versions that come and go, on the loading thread (at the start: on
  // the one that opens the repository). Must not call the repository.
  class Observer {
   public:
    virtual ~Observer() = default;
    // Before anybody can find it.
    virtual void Added(const ServedModel& served) = 0;
    // Nobody can find it any more. Called again and again until all have let
    // go of it: who keeps something of an idle model is to let go.
    virtual void Retired(const ServedModel& served) = 0;
    // It is gone: `served` no longer points to anything.
    virtual void Removed(const ServedModel* served) = 0;
  };

  using Settings = std::map<std::string, ModelSettings>;

  struct Options {
    LoadOptions load;
    Control control = Control::kNone;
    // With kExplicit what is loaded at the start; "*" is every model.
    std::vector<std::string> load_models;
    VersionPolicy versions;  // of models whose settings say nothing
    absl::Duration poll = absl::Seconds(15);
    // Read at the start, at every poll and every Load; null: none. When it
    // fails later, what it said before stays.
    std::function<absl::StatusOr<Settings>()> settings;
    Observer* observer = nullptr;  // null: none; else outlives the repository
  };

  // Loads what is to be served at the start. A checkpoint that is refused is
  // logged and listed as kFailed; the others are served. Errors: NOT_FOUND when
  // the root is not there, lacks one of load_models, or, with kNone, holds no
  // model at all; UNAVAILABLE when it cannot be read; FAILED_PRECONDITION when,
  // with kNone, every one was refused or could not be read;
  // UNIMPLEMENTED when the CPU lacks the precision; and what `settings` says.
  static absl::StatusOr<std::unique_ptr<Repository>> Open(Options options);
  // As Stop, and waits for a version that is being loaded. Rows that still run
  // keep their models, of which the observer hears no more.
  ~Repository();

  // From now on nothing is loaded or let go; commands that wait, and later
  // ones, end with UNAVAILABLE.
  void Stop();

  // As those of ModelTable.
  absl::StatusOr<std::shared_ptr<const ServedModel>> Find(
      absl::string_view name, int64_t version,
      absl::string_view label = {}) const {
    return table_.Find(name, version, label);
  }
  std::vector<VersionStatus> List() const { return table_.List(); }
  std::vector<ModelTable::LoadCounts> load_counts() const {
    return table_.load_counts();
  }

  // What List says, with the versions that are on their way out, and with
  // kExplicit those that could be loaded, as they were when the loading thread
  // looked last (every `poll`).
  std::vector<VersionStatus> Index() const;
  // As that of ModelTable, of all that Index says; with 0 and no label the
  // newest of those when none is ready or was refused.
  absl::StatusOr<VersionStatus> Get(absl::string_view name, int64_t version,
                                    absl::string_view label = {}) const;
  // Models whose directories could not be read when it looked last, with the
  // reason. What was served of them before is served on.
  std::map<std::string, std::string> unreadable() const;

  using Done = std::function<void(absl::Status)>;
  // With kExplicit: serves the versions of the model that its policy wants, as
  // their files are now. `done` is called once, on the loading thread or at
  // once: with an error when a version that was to be loaded was refused
  // (what was served before is served on), NOT_FOUND, UNAVAILABLE with another
  // control, when a file cannot be read, and when Stop came first,
  // RESOURCE_EXHAUSTED when too many commands wait.
  void Load(absl::string_view name, Done done);
  // Nobody finds the model any more when `done` is called; rows of it end as
  // they would have.
  void Unload(absl::string_view name, Done done);

 private:
  struct Command {
    std::string name;
    bool load = false;
    Done done;
  };

  explicit Repository(Options options) : options_(std::move(options)) {}

  void Enqueue(Command command);
  absl::Status LoadAtStart();

  // Of the loading thread.
  void Run();
  // One without `done` when none waits.
  Command NextCommand();
  bool stopped() const;
  void Poll();
  absl::Status LoadNow(const std::string& name);
  absl::Status UnloadNow(const std::string& name);
  absl::Status ReadSettings();
  absl::StatusOr<RepositoryScan> Scan();
  // Brings what is served of a model in line with the files that are there: the
  // snapshot's `files`, `awaited` and `retry`. The first refusal of this call;
  // UNAVAILABLE when Stop cut it short.
  absl::Status Reconcile(const std::string& name, VersionSnapshot now);
  absl::Status LoadVersion(const std::string& name, int64_t version);
  // Labels follow the settings once the versions that they name are served.
  void MoveLabels(const std::string& name);
  // Those that a label names, or will.
  std::set<int64_t> LabelledVersions(const std::string& name) const;
  // Lets versions that are not among `keep` go.
  void Retire(const std::string& name, const VersionSnapshot& now,
              const std::vector<int64_t>& keep);
  void Retire(std::shared_ptr<const ServedModel> served);
  // Frees what nobody uses any more.
  void Reap();
  void ListRetired();

  const Options options_;
  ModelTable table_;

  mutable absl::Mutex mu_;
  Bell work_;
  std::deque<Command> commands_ ABSL_GUARDED_BY(mu_);
  bool shutdown_ ABSL_GUARDED_BY(mu_) = false;
  // Names and versions of retired_, for the index.
  std::vector<std::pair<std::string, int64_t>> leaving_ ABSL_GUARDED_BY(mu_);
  // What the last scan found.
  std::vector<std::pair<std::string, int64_t>> on_disk_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::string> unreadable_ ABSL_GUARDED_BY(mu_);

  // Of the loading thread; before it starts of the one that opens.
  Settings settings_;
  std::string poll_error_;      // of the last poll; logged once
  RepositoryScan last_scan_;    // of the last poll
  std::set<std::string> told_;  // of RepositoryScan::skipped
  // By model: labels whose version is not served; logged once.
  std::map<std::string, std::string> label_warnings_;
  // Cannot be found any more, and may still be in use.
  std::vector<std::shared_ptr<const ServedModel>> retired_;
  std::thread thread_;  // with kNone none
};

}  // namespace mre

#endif  // MRE_SERVER_REPOSITORY_REPOSITORY_H_
