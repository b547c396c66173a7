#include "model/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "model/base/rng.h"
#include "model/base/status_macros.h"
#include "model/net/kinds.h"
#include "model/train/recipe.h"

namespace mre {
namespace {

using nlohmann::ordered_json;

// Streams of random numbers of one run.
constexpr uint64_t kParamsStream = 1;
constexpr uint64_t kBatchesStream = 2;
constexpr uint64_t kNoiseStream = 3;

uint64_t SeedOf(const FitOptions& options, uint64_t stream) {
  return Mix64(Mix64(options.seed) + stream);
}

Batches::Options BatchOptions(const FitOptions& options) {
  return {.batch = options.batch,
          .augment = *ParseAugmentation(options.augment),
          .seed = SeedOf(options, kBatchesStream)};
}

int64_t TotalSteps(const FitOptions& options, int64_t steps_an_epoch) {
  const int64_t steps = options.epochs * steps_an_epoch;
  return options.max_updates > 0 ? std::min(options.max_updates, steps) : steps;
}

std::vector<double> Accuracies(const Evaluation& evaluation) {
  std::vector<double> values;
  for (const StepQuality& step : evaluation.steps) {
    values.push_back(step.accuracy);
  }
  return values;
}

}  // namespace

Trainer::Trainer(const FitOptions& options, const Dataset& data,
                 const Split& evaluated, std::string evaluated_name,
                 std::string state_path, RunLog& log, ProgressBar& progress)
    : options_(options),
      config_(MakeConfig(options, InputStatistics(data), data.classes)),
      network_(NewNetwork(config_, PrecisionOf(options))),
      data_(absl::StrCat(absl::Hex(Fingerprint(data.train), absl::kZeroPad16))),
      exit_weights_(*ParseExitWeights(options.exit_weights, options.max_steps)),
      adam_{.weight_decay = options.weight_decay,
            .router_rate = options.router_lr,
            .shared_rate = options.shared_lr},
      schedule_(*ParseSchedule(options.schedule)),
      evaluated_(evaluated),
      evaluated_name_(std::move(evaluated_name)),
      state_path_(std::move(state_path)),
      log_(log),
      progress_(progress),
      batches_(data.train, config_.input, BatchOptions(options)),
      total_steps_(TotalSteps(options, batches_.per_epoch())) {
  state_.params = network_->InitialParams(SeedOf(options, kParamsStream));
  state_.adam.first.resize(network_->table().total, 0.0f);
  state_.adam.second.resize(network_->table().total, 0.0f);
  if (options.shared_lr > 0) {
    state_.adam.shared_first.resize(SharedSize(network_->table()), 0.0f);
    state_.adam.shared_second = state_.adam.shared_first;
  }
  if (options.ema > 0) state_.average = state_.params;
}

absl::Status Trainer::Resume(SavedRun run) {
  if (run.data != data_ || FormatConfig(run.config) != FormatConfig(config_)) {
    return absl::InvalidArgumentError(
        "--resume: the state was made from other data (images, labels, their "
        "order or the names of the classes differ)");
  }
  if (run.state.step > total_steps_) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--resume: expected a state of at most ", total_steps_,
        " steps, got one of ", run.state.step, ": the data are not the same"));
  }
  state_ = std::move(run.state);
  return absl::OkStatus();
}

absl::StatusOr<bool> Trainer::Run(const std::atomic<bool>& stop) {
  // A resumed run goes on counting where its log ends.
  begin_ = absl::Now() - absl::Seconds(log_.seconds());
  progress_.Start(state_.step, total_steps_);
  if (state_.step == 0) {
    ordered_json start;
    start["step"] = 0;
    start["event"] = "start";
    start["recipe"] = ordered_json::parse(FormatRecipe(options_));
    start["parameters"] = network_->table().total;
    start["total_steps"] = total_steps_;
    RETURN_IF_ERROR(log_.Write(start.dump()));
  }
  while (state_.step < total_steps_) {
    if (stop.load(std::memory_order_relaxed)) {
      RETURN_IF_ERROR(Save());
      return false;
    }
    RETURN_IF_ERROR(Step());
    if (state_.step % options_.log_every == 0) RETURN_IF_ERROR(LogStep());
    if (state_.step % batches_.per_epoch() == 0 ||
        state_.step == total_steps_) {
      RETURN_IF_ERROR(EndEpoch());
    } else if (options_.save_every > 0 &&
               state_.step % options_.save_every == 0) {
      RETURN_IF_ERROR(Save());
    }
  }
  // A run resumed at its very end has not evaluated yet.
  if (evaluation_.steps.empty()) {
    evaluation_ =
        Evaluate({config_, weights()}, evaluated_, options_.max_steps);
  }
  return true;
}

absl::Status Trainer::Step() {
  const int64_t epoch = state_.step / batches_.per_epoch();
  batches_.Load(epoch, state_.step % batches_.per_epoch());
  PassOptions pass;
  pass.steps = options_.max_steps;
  pass.noise = static_cast<float>(options_.noise);
  pass.balance = options_.balance;
  pass.expert_cost = options_.expert_cost;
  pass.arrival = options_.arrival;
  pass.labels = batches_.labels();
  pass.step_weights = exit_weights_;
  pass.temperature = static_cast<float>(options_.temperature);
  pass.seed = Mix64(SeedOf(options_, kNoiseStream) + state_.step);
  pass.router = RouterTrainingOf(options_);
  const Exits exits =
      network_->Forward(state_.params, batches_.x(), batches_.rows(), pass);
  dlogits_.resize(exits.logits.size());
  const double loss = ExitLoss(
      exits, config_.num_classes(), batches_.labels().data(), exit_weights_,
      dlogits_.data(), static_cast<float>(options_.distillation));
  if (!std::isfinite(loss)) return Diverged("loss");
  gradient_.assign(network_->table().total, 0.0f);
  network_->Backward(state_.params, batches_.x(), dlogits_.data(), gradient_);
  rate_ = LearningRate(schedule_, options_.lr, state_.step, total_steps_);
  norm_ = ClipByNorm(options_.clip, gradient_);
  if (!std::isfinite(norm_)) return Diverged("gradient");
  AdamWStep(adam_, network_->table(), rate_, gradient_, state_.adam,
            state_.params);
  if (options_.ema > 0) {
    UpdateAverage(options_.ema, state_.step, state_.params, state_.average);
  }
  ++state_.step;
  state_.log_loss += loss;
  ++state_.log_steps;
  state_.epoch_loss += loss;
  progress_.Update(state_.step,
                   absl::StrFormat("epoch %d/%d  loss %.4f", epoch + 1,
                                   options_.epochs, loss));
  return absl::OkStatus();
}

absl::Status Trainer::Diverged(absl::string_view what) const {
  return absl::AbortedError(
      absl::StrCat("the ", what, " is not finite at step ", state_.step,
                   ": training diverged; try a lower --lr, or --clip above 0"));
}

absl::Status Trainer::LogStep() {
  ordered_json line;
  line["step"] = state_.step;
  line["event"] = "train";
  line["loss"] = state_.log_loss / static_cast<double>(state_.log_steps);
  line["lr"] = rate_;
  line["gradient_norm"] = norm_;
  line["seconds"] = absl::ToDoubleSeconds(absl::Now() - begin_);
  state_.log_loss = 0;
  state_.log_steps = 0;
  return log_.Write(line.dump());
}

absl::Status Trainer::EndEpoch() {
  // The last epoch may be cut short.
  const int64_t epoch = (state_.step - 1) / batches_.per_epoch() + 1;
  const int64_t steps = state_.step - (epoch - 1) * batches_.per_epoch();
  evaluation_ = Evaluate({config_, weights()}, evaluated_, options_.max_steps);
  ordered_json line;
  line["step"] = state_.step;
  line["event"] = "epoch";
  line["epoch"] = epoch;
  line["loss"] = state_.epoch_loss / static_cast<double>(steps);
  line["evaluated_on"] = evaluated_name_;
  line["accuracy"] = Accuracies(evaluation_);
  line["least_use"] = evaluation_.least_use();
  line["seconds"] = absl::ToDoubleSeconds(absl::Now() - begin_);
  RETURN_IF_ERROR(log_.Write(line.dump()));
  progress_.Line(absl::StrFormat(
      "epoch %d/%d  loss %.4f  %s accuracy %.4f @0  %.4f @1  %.4f @%d  left %s",
      epoch, options_.epochs, line["loss"].get<double>(), evaluated_name_,
      evaluation_.steps[0].accuracy, evaluation_.steps[1].accuracy,
      evaluation_.steps.back().accuracy, options_.max_steps,
      progress_.TimeLeft(state_.step)));
  state_.epoch_loss = 0;
  return Save();
}

absl::Status Trainer::Save() const {
  return SaveRun({options_, config_, data_, state_}, state_path_);
}

const std::vector<float>& Trainer::weights() const {
  return options_.ema > 0 ? state_.average : state_.params;
}

std::string Trainer::TrainingRecord() const {
  ordered_json record = ordered_json::parse(FormatRecipe(options_));
  record.erase("kind");  // the config around it says so
  record["evaluated_on"] = evaluated_name_;
  record["accuracy"] = Accuracies(evaluation_);
  return record.dump();
}

Model Trainer::Result() const {
  Model model{config_, weights()};
  model.config.training = TrainingRecord();
  return model;
}

}  // namespace mre
