#include "model/compare/compare.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/compare/gnuplot.h"
#include "model/compare/plan.h"
#include "model/compare/plan_data.h"
#include "model/compare/plan_plots.h"
#include "model/compare/plan_report.h"
#include "model/compare/plan_time.h"
#include "model/compare/planned_training.h"
#include "model/io/checkpoint.h"
#include "model/math/parallel.h"
#include "model/train/progress.h"

namespace mre {
namespace {

template <typename... Texts>
void Tell(const Texts&... texts) {
  std::fputs(absl::StrCat("mre-train: ", texts..., "\n").c_str(), stderr);
}

// Keeps a second process out of the directory; the system drops it with the
// process, however that ends.
class DirectoryLock {
 public:
  DirectoryLock() = default;
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;
  ~DirectoryLock() {
    if (file_ >= 0) close(file_);
  }

  absl::Status Take(const std::string& directory) {
    file_ = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file_ < 0) return absl::ErrnoToStatus(errno, directory);
    if (flock(file_, LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat("--out: another mre-train compare works in ", directory));
  }

 private:
  int file_ = -1;
};

// One comparison under way.
class Comparison {
 public:
  Comparison(const CompareCommand& command, Plan plan)
      : command_(command), plan_(std::move(plan)), data_(command.data_dirs) {
    const std::string root = command.out + "/runs";
    // One seed of every run first: early results compare like with like.
    for (const uint64_t seed : plan_.seeds) {
      for (const PlannedRun& run : plan_.runs) {
        trainings_.push_back(
            std::make_unique<PlannedTraining>(plan_, run, seed, root));
      }
    }
    results_.resize(trainings_.size());
  }

  // Finds out what is there.
  absl::Status Look() {
    for (size_t i = 0; i < trainings_.size(); ++i) {
      ASSIGN_OR_RETURN(results_[i], trainings_[i]->Done());
    }
    return absl::OkStatus();
  }

  // Reports after each seed. ABORTED at the end when trainings failed.
  absl::Status TrainMissing(const std::atomic<bool>& stop) {
    RETURN_IF_ERROR(CheckAllData());
    bool news = false;
    for (size_t i = 0; i < trainings_.size(); ++i) {
      PlannedTraining& training = *trainings_[i];
      if (news && i % plan_.runs.size() == 0) {
        RETURN_IF_ERROR(WriteReport());
        news = false;
      }
      if (!IsMissing(i)) continue;
      news = true;
      TellProgress(training, i);
      RETURN_IF_ERROR(LoadDataOf(training.options()));
      auto result = training.Train(data_.get(), stop);
      // A training that diverges is no reason to do without the others.
      if (absl::IsAborted(result.status())) {
        failed_.push_back(
            absl::StrCat(training.title(), ": ", result.status().message()));
        Tell(failed_.back());
        continue;
      }
      RETURN_IF_ERROR(result.status());
      results_[i] = *std::move(result);
      if (!results_[i]) {
        return absl::CancelledError(absl::StrCat(
            "stopped in ", training.title(),
            ", its state is saved; the same command goes on from there"));
      }
      RETURN_IF_ERROR(RemoveWorseModels(training.run()));
    }
    if (failed_.empty()) return absl::OkStatus();
    return absl::AbortedError(absl::StrCat(
        failed_.size(), " of ", trainings_.size(), " trainings failed"));
  }

  absl::Status WriteReport() {
    PlanResults results;
    results.command = command_.command_line;
    results.failed = failed_;
    for (const PlannedRun& run : plan_.runs) {
      RETURN_IF_ERROR(RemoveWorseModels(run.name));
      for (size_t i = 0; i < trainings_.size(); ++i) {
        if (trainings_[i]->run() == run.name && results_[i]) {
          results.results.push_back(*results_[i]);
        }
      }
    }
    RETURN_IF_ERROR(MeasureDifficulty(results));
    std::string lines;
    for (const RunResult& result : results.results) {
      absl::StrAppend(&lines, FormatResult(result), "\n");
    }
    RETURN_IF_ERROR(
        WriteFileAtomically(command_.out + "/results.jsonl", lines));
    ASSIGN_OR_RETURN(const std::vector<std::string> plots, Draw(results));
    const std::string report = command_.out + "/report.md";
    RETURN_IF_ERROR(
        WriteFileAtomically(report, FormatPlanReport(plan_, results, plots)));
    std::printf("%d of %d trainings done; wrote %s\n",
                static_cast<int>(results.results.size()),
                static_cast<int>(trainings_.size()), report.c_str());
    std::fflush(stdout);
    return absl::OkStatus();
  }

 private:
  // Whether this training is still to be made.
  bool IsMissing(size_t i) const {
    return !results_[i] &&
           (command_.only.empty() || command_.only == trainings_[i]->run());
  }

  // Reads all that is to be learned from once, so that a plan does not end
  // after hours at files that are not there. From the last to the first, which
  // is needed next.
  absl::Status CheckAllData() {
    std::set<std::string> checked;
    for (size_t i = trainings_.size(); i-- > 0;) {
      const FitOptions& options = trainings_[i]->options();
      if (!IsMissing(i) || !checked.insert(PlanData::KeyOf(options)).second)
        continue;
      RETURN_IF_ERROR(LoadDataOf(options));
    }
    return absl::OkStatus();
  }

  void TellProgress(const PlannedTraining& training, size_t index) const {
    std::vector<TrainingTime> times;
    int64_t done = 0;
    for (size_t i = 0; i < trainings_.size(); ++i) {
      TrainingTime time{trainings_[i]->run(), std::nullopt};
      if (results_[i]) {
        time.seconds = results_[i]->seconds + results_[i]->evaluation_seconds;
      }
      if (results_[i]) ++done;
      times.push_back(std::move(time));
    }
    const std::optional<double> left = SecondsLeft(times);
    Tell("training ", index + 1, " of ", times.size(), ": ", training.title(),
         " (", done, " done, ", FormatSeconds(SecondsSpent(times)),
         " spent, about ", left ? FormatSeconds(*left) : "?", " left)");
  }

  // Has the data of these options at hand, and all that is known of them
  // checked.
  absl::Status LoadDataOf(const FitOptions& options) {
    ASSIGN_OR_RETURN(const bool other, data_.Load(options));
    if (!other) return absl::OkStatus();
    RETURN_IF_ERROR(CheckSameData());
    return CheckModelsFit();
  }

  // All that is to learn from these data, lest a plan ends after hours at one
  // that cannot be made.
  absl::Status CheckModelsFit() const {
    for (const auto& training : trainings_) {
      if (PlanData::KeyOf(training->options()) != data_.key()) continue;
      RETURN_IF_ERROR(CheckModelFits(training->options(), data_.get().data));
    }
    return absl::OkStatus();
  }

  // What is done must have learnt from the data that are here now.
  absl::Status CheckSameData() const {
    const std::string now = absl::StrCat(
        absl::Hex(Fingerprint(data_.get().data.train), absl::kZeroPad16));
    for (size_t i = 0; i < trainings_.size(); ++i) {
      if (!results_[i] || results_[i]->data == now ||
          PlanData::KeyOf(trainings_[i]->options()) != data_.key()) {
        continue;
      }
      return absl::FailedPreconditionError(
          absl::StrCat(trainings_[i]->title(),
                       " was trained on other data than are here now; use "
                       "another --out"));
    }
    return absl::OkStatus();
  }

  // Checkpoints are large: only that of a run's best seed stays.
  absl::Status RemoveWorseModels(const std::string& run) {
    if (command_.keep_models) return absl::OkStatus();
    const PlannedTraining* best = BestTraining(run);
    for (size_t i = 0; i < trainings_.size(); ++i) {
      const PlannedTraining& training = *trainings_[i];
      if (training.run() != run || !results_[i] || &training == best) continue;
      RETURN_IF_ERROR(training.RemoveCheckpoint());
    }
    return absl::OkStatus();
  }

  // The one of the run's best seed; null when none is done.
  const PlannedTraining* BestTraining(const std::string& run) const {
    std::vector<RunResult> done;
    for (const auto& result : results_) {
      if (result) done.push_back(*result);
    }
    const RunResult* best = BestOf(done, run);
    for (size_t i = 0; i < trainings_.size() && best != nullptr; ++i) {
      if (trainings_[i]->run() == run &&
          trainings_[i]->options().seed == best->seed) {
        return trainings_[i].get();
      }
    }
    return nullptr;
  }

  // The training's model, and its data in data_. None for a checkpoint that an
  // earlier plan with more seeds did not keep: it is missed in one table, and
  // no reason to have no report.
  absl::StatusOr<std::optional<Model>> LoadModelAndData(
      const PlannedTraining& training) {
    RETURN_IF_ERROR(LoadDataOf(training.options()));
    absl::StatusOr<Model> model = LoadCheckpoint(training.checkpoint());
    if (model.ok()) return std::optional<Model>(*std::move(model));
    if (!absl::IsNotFound(model.status())) return model.status();
    Tell("note: ", training.title(),
         " has no checkpoint any more, so that the "
         "report leaves out the steps that it uses");
    return std::optional<Model>();
  }

  // The steps that the best seed of each run uses, against the loss of the best
  // seed of the reference. A run on other images has none, nor has the
  // reference, which would be its own judge.
  absl::Status MeasureDifficulty(PlanResults& results) {
    const PlannedTraining* reference = BestTraining(plan_.reference);
    if (reference == nullptr || plan_.min_confidence == 0) {
      return absl::OkStatus();
    }
    const FitOptions& judge = reference->options();
    ASSIGN_OR_RETURN(const std::optional<Model> judging,
                     LoadModelAndData(*reference));
    if (!judging) return absl::OkStatus();
    const std::vector<double> loss =
        Observe(*judging, data_.get().evaluated, {.steps = judge.max_steps})
            .last_loss();
    Budget budget;
    budget.min_confidence = static_cast<float>(plan_.min_confidence);
    for (const PlannedRun& run : plan_.runs) {
      const PlannedTraining* training = BestTraining(run.name);
      if (training == nullptr || training == reference ||
          run.options.dataset != judge.dataset ||
          run.options.validation != judge.validation ||
          run.options.window != judge.window) {
        continue;
      }
      ASSIGN_OR_RETURN(const std::optional<Model> model,
                       LoadModelAndData(*training));
      if (!model) continue;
      const Outcomes outcomes = Observe(*model, data_.get().evaluated,
                                        {.steps = run.options.max_steps});
      results.difficulty[run.name] = ReportStop(budget, outcomes, loss);
    }
    return absl::OkStatus();
  }

  // Writes scripts and data, and has gnuplot draw them. The images' paths.
  absl::StatusOr<std::vector<std::string>> Draw(const PlanResults& results) {
    const std::string directory = command_.out + "/plots";
    RETURN_IF_ERROR(MakeDirectories(directory));
    std::vector<std::string> drawn;
    bool able = true;
    for (const Plot& plot : MakePlots(plan_, results)) {
      const std::string path = directory + "/" + plot.name;
      RETURN_IF_ERROR(WriteFileAtomically(path + ".gp", plot.script));
      RETURN_IF_ERROR(WriteFileAtomically(path + ".dat", plot.data));
      if (!able) continue;
      const absl::Status status = RunGnuplot(directory, plot.name + ".gp");
      if (!status.ok()) {
        able = false;
        Tell("note: no further plots, for ", status.message(),
             absl::IsNotFound(status) ? " (Debian: gnuplot-nox)" : "",
             "; their scripts and data are in ", directory);
        continue;
      }
      drawn.push_back(absl::StrCat("plots/", plot.name, ".svg"));
    }
    return drawn;
  }

  const CompareCommand& command_;
  const Plan plan_;
  std::vector<std::unique_ptr<PlannedTraining>> trainings_;
  std::vector<std::optional<RunResult>> results_;  // of trainings_
  std::vector<std::string> failed_;                // trainings, and why
  PlanData data_;
};

}  // namespace

absl::Status RunCompare(const CompareCommand& command,
                        const std::atomic<bool>& stop) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(command.plan));
  absl::StatusOr<Plan> plan = ParsePlan(text);
  if (!plan.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--plan: ", command.plan, ": ", plan.status().message()));
  }
  if (!command.only.empty() && plan->Find(command.only) == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("--only: the plan has no run \"", command.only, "\""));
  }
  RETURN_IF_ERROR(CheckDataDirs(command.data_dirs, *plan));
  RETURN_IF_ERROR(UseThreads(command.threads));
  RETURN_IF_ERROR(MakeDirectories(command.out));
  DirectoryLock lock;
  RETURN_IF_ERROR(lock.Take(command.out));
  Comparison comparison(command, *std::move(plan));
  RETURN_IF_ERROR(comparison.Look());
  absl::Status trained = comparison.TrainMissing(stop);
  if (!trained.ok() && !absl::IsCancelled(trained) &&
      !absl::IsAborted(trained)) {
    return trained;
  }
  if (absl::IsCancelled(trained)) Tell("state saved; writing the report");
  RETURN_IF_ERROR(comparison.WriteReport());
  return trained;
}

}  // namespace mre
