#include "server/repository/repository.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "model/base/clock.h"
#include "model/base/log.h"
#include "model/base/status_macros.h"
#include "model/base/utf8.h"
#include "model/math/parallel.h"

namespace mre {
namespace {

constexpr size_t kMostCommands = 1024;

// How often models that were let go are looked at.
constexpr absl::Duration kReapPoll = absl::Milliseconds(50);

// So much less of the CPU than the engine gets, where there is too little.
constexpr int kLoadingNice = 10;

std::string Label(absl::string_view name, int64_t version) {
  return absl::StrCat(name, " version ", version);
}

absl::Status ShuttingDown() {
  return absl::UnavailableError("the server is shutting down");
}

// An error as it is logged, listed, and told to clients: a file may give its
// reason any length, and answers have room for so much.
absl::Status Shortened(absl::Status status) {
  constexpr size_t kMost = 512;
  constexpr absl::string_view kCut = "...";
  const absl::string_view text = status.message();
  if (text.size() <= kMost) return status;
  return absl::Status(
      status.code(), absl::StrCat(Utf8Prefix(text, kMost - kCut.size()), kCut));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Repository>> Repository::Open(Options options) {
  if (options.load.precision == Precision::kBf16 && !CpuHasBf16()) {
    return absl::UnimplementedError(
        "precision bf16: this CPU has neither AVX512-BF16 nor AMX");
  }
  std::unique_ptr<Repository> repository(new Repository(std::move(options)));
  RETURN_IF_ERROR(repository->LoadAtStart());
  if (repository->options_.control != Control::kNone) {
    repository->thread_ = std::thread([r = repository.get()] { r->Run(); });
  }
  return repository;
}

Repository::~Repository() {
  Stop();
  if (thread_.joinable()) thread_.join();
}

void Repository::Stop() {
  std::deque<Command> left;
  {
    absl::MutexLock lock(&mu_);
    shutdown_ = true;
    left.swap(commands_);
  }
  work_.Ring();
  for (const Command& command : left) {
    command.done(ShuttingDown());
  }
}

bool Repository::stopped() const {
  absl::MutexLock lock(&mu_);
  return shutdown_;
}

std::vector<VersionStatus> Repository::Index() const {
  std::vector<VersionStatus> index = table_.List();
  const auto listed = [&](absl::string_view name, int64_t version) {
    return std::any_of(index.begin(), index.end(), [&](const auto& status) {
      return status.name == name && status.version == version;
    });
  };
  absl::MutexLock lock(&mu_);
  for (const auto& [name, version] : leaving_) {
    if (listed(name, version)) continue;
    index.push_back({.name = name,
                     .version = version,
                     .state = VersionState::kUnloading,
                     .reason = "rows of it still run",
                     .served = nullptr});
  }
  if (options_.control == Control::kExplicit) {
    for (const auto& [name, version] : on_disk_) {
      if (listed(name, version)) continue;
      index.push_back({.name = name,
                       .version = version,
                       .state = VersionState::kUnloaded,
                       .reason = "not loaded",
                       .served = nullptr});
    }
  }
  std::sort(index.begin(), index.end(), [](const auto& a, const auto& b) {
    return std::tie(a.name, a.version) < std::tie(b.name, b.version);
  });
  return index;
}

absl::StatusOr<VersionStatus> Repository::Get(absl::string_view name,
                                              int64_t version,
                                              absl::string_view label) const {
  auto found = table_.Get(name, version, label);
  if (!absl::IsNotFound(found.status()) || !label.empty()) return found;
  const std::vector<VersionStatus> index = Index();
  const auto other =
      std::find_if(index.rbegin(), index.rend(), [&](const auto& status) {
        return status.name == name &&
               (version == 0 || status.version == version);
      });
  if (other != index.rend()) return *other;
  return found;
}

std::map<std::string, std::string> Repository::unreadable() const {
  absl::MutexLock lock(&mu_);
  return unreadable_;
}

void Repository::Load(absl::string_view name, Done done) {
  Enqueue({.name = std::string(name), .load = true, .done = std::move(done)});
}

void Repository::Unload(absl::string_view name, Done done) {
  Enqueue({.name = std::string(name), .load = false, .done = std::move(done)});
}

void Repository::Enqueue(Command command) {
  absl::Status refusal;
  if (options_.control != Control::kExplicit) {
    refusal = absl::UnavailableError(
        "models are not loaded and unloaded by call: start the server with "
        "--model_control_mode=explicit");
  } else if (!IsModelName(command.name)) {
    refusal = absl::InvalidArgumentError(
        "model_name: expected letters, digits, '.', '_' and '-', not starting "
        "with a dot");
  } else {
    absl::MutexLock lock(&mu_);
    if (shutdown_) {
      refusal = ShuttingDown();
    } else if (commands_.size() >= kMostCommands) {
      refusal = absl::ResourceExhaustedError("too many commands wait");
    } else {
      commands_.push_back(std::move(command));
      work_.Ring();
      return;
    }
  }
  command.done(std::move(refusal));
}

absl::Status Repository::LoadAtStart() {
  RETURN_IF_ERROR(ReadSettings());
  ASSIGN_OR_RETURN(last_scan_, Scan());
  const std::string& root = options_.load.root;
  for (const std::string& name : options_.load_models) {
    if (name == "*" || last_scan_.models.contains(name) ||
        last_scan_.unreadable.contains(name)) {
      continue;
    }
    return absl::NotFoundError(
        absl::StrCat("--load_model: no model \"", name, "\" below ", root));
  }
  const auto wanted = [this](const std::string& name) {
    if (options_.control != Control::kExplicit) return true;
    return std::any_of(
        options_.load_models.begin(), options_.load_models.end(),
        [&](const std::string& load) { return load == "*" || load == name; });
  };
  for (const auto& [name, files] : last_scan_.models) {
    if (!wanted(name)) continue;
    VersionSnapshot now = {.files = files};
    // Only who polls will see that the file has come.
    if (options_.control == Control::kPoll)
      now.awaited = last_scan_.empty[name];
    // What is refused is logged and listed.
    (void)Reconcile(name, std::move(now));
  }
  if (options_.control != Control::kNone) return absl::OkStatus();
  const std::vector<VersionStatus> index = table_.List();
  const size_t unreadable = last_scan_.unreadable.size();
  if (index.empty() && unreadable == 0) {
    return absl::NotFoundError(absl::StrCat(
        "no model below ", root, ": expected ", ModelFilePath("", "<name>", 1),
        LooksLikeAModel(root)
            ? "; it looks like a model itself: did you mean its parent?"
            : ""));
  }
  if (std::none_of(index.begin(), index.end(), [](const auto& status) {
        return status.state == VersionState::kReady;
      })) {
    return absl::FailedPreconditionError(
        absl::StrCat("all ", index.size() + unreadable, " models below ", root,
                     " were refused"));
  }
  return absl::OkStatus();
}

void Repository::Run() {
  // Of this thread, which is how Linux takes it. It may not be allowed.
  (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kLoadingNice);
  SetThreads(1);
  const Clock& clock = *Clock::Real();
  absl::Time next_poll = clock.Now() + options_.poll;
  while (!stopped()) {
    if (const Command command = NextCommand(); command.done != nullptr) {
      command.done(Shortened(command.load ? LoadNow(command.name)
                                          : UnloadNow(command.name)));
    } else {
      absl::Duration limit = next_poll - clock.Now();
      if (!retired_.empty()) limit = std::min(limit, kReapPoll);
      work_.Wait(limit);
    }
    if (clock.Now() >= next_poll) {
      if (options_.control == Control::kPoll) {
        Poll();
      } else {
        (void)Scan();  // for the index
      }
      next_poll = clock.Now() + options_.poll;
    }
    Reap();
  }
}

Repository::Command Repository::NextCommand() {
  absl::MutexLock lock(&mu_);
  if (commands_.empty()) return {};
  Command command = std::move(commands_.front());
  commands_.pop_front();
  return command;
}

void Repository::Poll() {
  const absl::Status settings = ReadSettings();
  auto scan = Scan();
  const absl::Status status = settings.ok() ? scan.status() : settings;
  if (!status.ok() && poll_error_ != status.message()) {
    Log(Severity::kError,
        absl::StrCat("the repository is served as it was: ", status.message()));
  }
  poll_error_ = std::string(status.message());
  // A directory that cannot be read is no reason to unload what it held.
  if (!scan.ok()) return;
  std::set<std::string> names = table_.Names();
  for (const auto& [name, files] : scan->models) names.insert(name);
  for (const std::string& name : names) {
    if (stopped()) return;
    // Nor one model's.
    if (scan->unreadable.contains(name)) {
      scan->models[name] = last_scan_.models[name];
      continue;
    }
    (void)Reconcile(
        name,
        {.files = SettledFiles(scan->models[name], last_scan_.models[name],
                               table_.FilesOf(name).loaded),
         // Somebody has made the directory and is about to write.
         .awaited = scan->empty[name]});
  }
  last_scan_ = *std::move(scan);
}

absl::Status Repository::LoadNow(const std::string& name) {
  // Whatever is wrong with the file of settings, it is not the caller's doing.
  if (const absl::Status status = ReadSettings(); !status.ok()) {
    return absl::UnavailableError(status.message());
  }
  ASSIGN_OR_RETURN(const RepositoryScan scan, Scan());
  if (const auto why = scan.unreadable.find(name);
      why != scan.unreadable.end()) {
    return absl::UnavailableError(why->second);
  }
  const auto files = scan.models.find(name);
  if (files == scan.models.end()) {
    return absl::NotFoundError(
        absl::StrCat("model_name: no model \"", name, "\" in the repository"));
  }
  return Reconcile(name, {.files = files->second, .retry = true});
}

absl::Status Repository::UnloadNow(const std::string& name) {
  if (!table_.Names().contains(name)) {
    return absl::NotFoundError(
        absl::StrCat("model_name: model \"", name, "\" is not loaded"));
  }
  return Reconcile(name, {});
}

absl::Status Repository::ReadSettings() {
  if (options_.settings == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(settings_, options_.settings());
  return absl::OkStatus();
}

absl::StatusOr<RepositoryScan> Repository::Scan() {
  ASSIGN_OR_RETURN(RepositoryScan scan, ScanRepository(options_.load.root));
  std::set<std::string> told;
  const auto tell = [&](Severity severity, std::string line) {
    if (!told_.contains(line)) Log(severity, line);
    told.insert(std::move(line));
  };
  for (const std::string& line : scan.skipped) {
    tell(Severity::kWarning, absl::StrCat("skipping ", line));
  }
  for (const auto& [name, reason] : scan.unreadable) {
    tell(Severity::kError, absl::StrCat("refused ", name, ": ", reason));
  }
  told_ = std::move(told);
  absl::MutexLock lock(&mu_);
  unreadable_ = scan.unreadable;
  on_disk_.clear();
  for (const auto& [name, files] : scan.models) {
    for (const auto& [version, stamp] : files) {
      on_disk_.emplace_back(name, version);
    }
  }
  return scan;
}

absl::Status Repository::Reconcile(const std::string& name,
                                   VersionSnapshot now) {
  const auto settings = settings_.find(name);
  now.policy = settings != settings_.end()
                   ? settings->second.versions.value_or(options_.versions)
                   : options_.versions;
  const auto plan = [&] {
    now.labelled = LabelledVersions(name);
    now.known = table_.FilesOf(name);
    return PlanVersions(now);
  };
  absl::Status first;
  for (int64_t next = 0; (next = plan().load) != 0 && !stopped();) {
    now.tried.insert(next);
    absl::Status status = LoadVersion(name, next);
    if (first.ok()) first = std::move(status);
  }
  MoveLabels(name);  // which lets go of the versions that they named
  if (stopped()) return ShuttingDown();
  Retire(name, now, plan().serve);
  return first;
}

void Repository::Retire(const std::string& name, const VersionSnapshot& now,
                        const std::vector<int64_t>& keep) {
  const ModelTable::Files known = table_.FilesOf(name);
  // What was refused stays listed while its file is there.
  for (const auto& [version, stamp] : known.refused) {
    if (known.loaded.contains(version)) continue;
    if (!now.files.contains(version) || now.awaited.contains(version)) {
      Retire(table_.Withdraw(name, version));
    }
  }
  // Where none of those that are wanted can be served, what is served stays.
  if (keep.empty() && !now.files.empty()) return;
  for (const auto& [version, stamp] : known.loaded) {
    if (std::find(keep.begin(), keep.end(), version) == keep.end()) {
      Retire(table_.Withdraw(name, version));
    }
  }
}

std::set<int64_t> Repository::LabelledVersions(const std::string& name) const {
  std::set<int64_t> versions;
  const auto settings = settings_.find(name);
  if (settings == settings_.end()) return versions;
  const std::map<std::string, int64_t> now = table_.LabelsOf(name);
  for (const auto& [label, version] : settings->second.labels) {
    versions.insert(version);
    // Until it can move.
    const auto it = now.find(label);
    if (it != now.end()) versions.insert(it->second);
  }
  return versions;
}

void Repository::MoveLabels(const std::string& name) {
  const auto settings = settings_.find(name);
  std::map<std::string, int64_t> labels;
  if (settings != settings_.end()) labels = settings->second.labels;
  const std::map<std::string, int64_t> before = table_.LabelsOf(name);
  const ModelTable::Files known = table_.FilesOf(name);
  std::string warning;
  for (auto& [label, version] : labels) {
    const auto old = before.find(label);
    const bool was = old != before.end();
    if (!known.loaded.contains(version)) {
      absl::StrAppend(&warning, warning.empty() ? "" : "; ", "label ", label,
                      " of ", Label(name, version), ", which is not served");
      if (was) version = old->second;
    } else if (was && old->second != version) {
      Log(Severity::kInfo,
          absl::StrCat("label ", label, " of ", name, " moves from version ",
                       old->second, " to ", version));
    }
  }
  if (labels != before) table_.SetLabels(name, labels);
  std::string& told = label_warnings_[name];
  if (!warning.empty() && warning != told) Log(Severity::kWarning, warning);
  told = warning;
}

absl::Status Repository::LoadVersion(const std::string& name, int64_t version) {
  table_.Begin(name, version);
  FileStamp stamp;
  auto served = LoadServedModel(options_.load, name, version, &stamp);
  if (!served.ok()) {
    absl::Status refusal = Shortened(served.status());
    const std::string reason(refusal.message());
    if (table_.Refuse(name, version, stamp, reason)) {
      Log(Severity::kError,
          absl::StrCat("refused ", Label(name, version), ": ", reason));
    }
    return refusal;
  }
  const uint64_t parameters = (*served)->parameters;
  const absl::string_view precision =
      PrecisionName((*served)->model->precision());
  if (options_.observer != nullptr) options_.observer->Added(**served);
  Retire(table_.Serve(*std::move(served), stamp));
  Log(Severity::kInfo, absl::StrCat("loaded ", Label(name, version), ", ",
                                    parameters, " parameters, ", precision));
  return absl::OkStatus();
}

void Repository::Retire(std::shared_ptr<const ServedModel> served) {
  if (served == nullptr) return;
  Log(Severity::kInfo,
      absl::StrCat("letting go of ", Label(served->name, served->version)));
  retired_.push_back(std::move(served));
  ListRetired();
}

void Repository::ListRetired() {
  absl::MutexLock lock(&mu_);
  leaving_.clear();
  for (const auto& served : retired_) {
    leaving_.emplace_back(served->name, served->version);
  }
}

void Repository::Reap() {
  if (retired_.empty()) return;
  for (auto& served : retired_) {
    if (options_.observer != nullptr) options_.observer->Retired(*served);
    // Nobody can find it, so nobody can come to share these again.
    if (served.use_count() > 1 || served->model.use_count() > 1) continue;
    const ServedModel* gone = served.get();
    const std::string label = Label(served->name, served->version);
    served = nullptr;
    if (options_.observer != nullptr) options_.observer->Removed(gone);
    Log(Severity::kInfo, absl::StrCat("freed ", label));
  }
  std::erase(retired_, nullptr);
  ListRetired();
}

}  // namespace mre
