#include "server/schedule/lane.h"

#include <algorithm>
#include <span>
#include <utility>

#include "server/schedule/brownout.h"

namespace mre {
namespace {

Engine::Options Report(ModelTelemetry* telemetry) {
  Engine::Options options;
  options.context = telemetry;
  options.on_expert_batch = [](void* context, int64_t expert, int64_t rows) {
    static_cast<ModelTelemetry*>(context)->ExpertRan(expert, rows);
  };
  return options;
}

// True when somebody takes predictions before the last. Who does not cannot
// change the budget either.
bool Watched(const Request::Spec& spec) {
  return spec.delivery != Delivery::kFinal;
}

}  // namespace

Lane::Lane(std::shared_ptr<const PackedModel> model, ModelTelemetry* telemetry,
           const Options& options)
    : options_(options),
      telemetry_(telemetry),
      engine_(Engine::Create(std::move(model), Report(telemetry))),
      step_cap_(engine_->model().max_steps()),
      tally_(engine_->model().max_steps() + 1) {}

void Lane::Begin(std::shared_ptr<Request> request, uint32_t row,
                 absl::Time now) {
  const Request::Spec& spec = request->spec();
  Row active;
  active.row = row;
  active.budget_version = request->budget_version();
  active.budget = request->budget();
  active.quiet = IsQuiet(active.budget, Watched(spec));
  active.handle =
      engine_->Begin(request->input(row), {spec.sampled, spec.seed, row},
                     active.budget.thresholds, active.quiet);
  const absl::Duration queued = now - request->admitted();
  telemetry_->RowStarted(queued);
  request->RowBegun(queued);
  active.request = std::move(request);
  rows_.push_back(std::move(active));
}

bool Lane::Sweep(const Pass& pass, News& news) {
  const absl::Time now = options_.clock->Now();
  drain_deadline_ = pass.drain_deadline;
  const uint32_t cap =
      StepCap(pass.level, options_.step_floor, engine_->model().max_steps());
  if (std::exchange(step_cap_, cap) != cap) telemetry_->StepCapChanged(cap);
  if (pass.look_at_paused) {
    rows_.insert(rows_.begin(), std::make_move_iterator(paused_.begin()),
                 std::make_move_iterator(paused_.end()));
    paused_.clear();
  }
  swept_ = static_cast<int64_t>(rows_.size()) - left_;
  stepping_.clear();
  begun_ = 0;
  size_t kept = 0;
  bool any_left = false;
  for (Row& row : rows_) {
    if (row.request == nullptr) continue;
    const RowSnapshot snapshot = Look(row, now);
    const RowDecision decision = DecideRow(snapshot);
    switch (decision.action) {
      case RowAction::kStep: {
        stepping_.push_back({kept, snapshot.begun ? StepsAhead(snapshot) : 1});
        if (snapshot.begun) ++begun_;
        Row& place = rows_[kept++];
        if (&place != &row) place = std::move(row);
        continue;
      }
      case RowAction::kPause:
        paused_.push_back(std::move(row));
        continue;
      case RowAction::kFinish:
        Deliver(row, decision.reason, now);
        break;
      case RowAction::kDrop:
        break;
    }
    Leave(row);
    any_left = true;
  }
  rows_.resize(kept);
  left_ = 0;
  Flush(news);
  return any_left;
}

bool Lane::StepFresh(News& news) {
  Step(begun_, stepping_.size(), news);
  return begun_ < stepping_.size();
}

bool Lane::StepBegun(News& news) {
  Step(0, begun_, news);
  // What was computed ahead is there; to show it now costs nothing more, and
  // all goes in one message.
  size_t count = begun_;
  while ((count = KeepComputed(count)) > 0) Step(0, count, news);
  return begun_ > 0;
}

size_t Lane::KeepComputed(size_t count) {
  const absl::Time now = options_.clock->Now();
  size_t kept = 0;
  for (size_t i = 0; i < count; ++i) {
    Row& row = rows_[stepping_[i].row];
    if (row.request == nullptr || engine_->Unshown(row.handle) == 0 ||
        DecideRow(Look(row, now)).action != RowAction::kStep) {
      continue;
    }
    stepping_[kept++] = stepping_[i];
  }
  return kept;
}

void Lane::PlanAhead(size_t first, size_t end) {
  const int64_t computing =
      std::count_if(handles_.begin(), handles_.end(),
                    [&](int handle) { return engine_->Unshown(handle) == 0; });
  const int most = measured_ ? MostAhead(computing, step_) : 1;
  ahead_.clear();
  for (size_t i = first; i < end; ++i) {
    ahead_.push_back(std::min(stepping_[i].may_ahead, most));
  }
}

int64_t Lane::ComputedSteps() const {
  int64_t steps = 0;
  for (const int handle : handles_) {
    steps += engine_->progress(handle).step + engine_->Unshown(handle);
  }
  return steps;
}

void Lane::Step(size_t first, size_t end, News& news) {
  if (first == end) return;
  const absl::Time start = options_.clock->Now();
  handles_.clear();
  uint64_t spent_before = 0;
  for (size_t i = first; i < end; ++i) {
    handles_.push_back(rows_[stepping_[i].row].handle);
    spent_before += engine_->progress(handles_.back()).macs;
  }
  const bool fresh = !rows_[stepping_[first].row].begun;
  PlanAhead(first, end);
  const int64_t before = ComputedSteps();
  engine_->Step(handles_, ahead_);
  const absl::Time now = options_.clock->Now();
  const int64_t computed = ComputedSteps() - before;
  if (!fresh && computed > 0) {
    const absl::Duration step = (now - start) / static_cast<double>(computed);
    step_ += std::exchange(measured_, true) ? (step - step_) / 4 : step;
  }
  uint64_t spent = 0;
  uint32_t lowest = engine_->model().max_steps();
  uint32_t highest = 0;
  for (size_t i = first; i < end; ++i) {
    Row& row = rows_[stepping_[i].row];
    Progress progress = engine_->progress(row.handle);
    progress.elapsed = now - row.request->admitted();
    spent += progress.macs;
    lowest = std::min(lowest, row.next_step);
    highest = std::max(highest, progress.step);
    ++tally_[row.next_step].first;
    // A quiet row goes several steps at once.
    for (; row.next_step <= progress.step; ++row.next_step) {
      ++tally_[row.next_step].rows;
      tally_[row.next_step].elapsed += progress.elapsed;
    }
    if (!row.begun) telemetry_->FirstPrediction(progress.elapsed);
    row.begun = true;
    StopReason reason = CheckBudget(row.budget, progress);
    if (reason == StopReason::kNone && progress.step >= step_cap_) {
      reason = StopReason::kOverload;
    }
    const bool final = reason != StopReason::kNone;
    if (row.request->Wants(progress.step, final)) {
      Deliver(row, reason, now);
    }
    if (final) {
      Leave(row);
      ++left_;
    }
  }
  const std::span<StepTally> tally =
      std::span(tally_).subspan(lowest, highest - lowest + 1);
  telemetry_->Stepped({.rows = static_cast<int64_t>(end - first),
                       .computed = fresh || computed > 0,
                       .macs = spent - spent_before,
                       .took = now - start,
                       .first_step = lowest,
                       .steps = tally});
  std::fill(tally.begin(), tally.end(), StepTally());
  Flush(news);
}

RowSnapshot Lane::Look(Row& row, absl::Time now) const {
  Request& request = *row.request;
  const uint32_t version = request.budget_version();
  if (row.budget_version != version) {
    row.budget_version = version;
    row.budget = request.budget();
    engine_->Retune(row.handle, row.budget.thresholds);
  }
  RowSnapshot snapshot;
  snapshot.cancelled = request.cancelled();
  snapshot.begun = row.begun;
  snapshot.stop_requested = request.stop_requested();
  snapshot.drain_expired = now >= drain_deadline_;
  snapshot.budget = row.budget;
  snapshot.watched = Watched(request.spec());
  snapshot.quiet = row.quiet;
  snapshot.rows = swept_;
  snapshot.step_cap = step_cap_;
  if (row.begun) {
    snapshot.outbox_full = request.OutboxFull(row.row);
    snapshot.progress = engine_->progress(row.handle);
    snapshot.progress.elapsed = now - request.admitted();
  }
  return snapshot;
}

void Lane::Deliver(const Row& row, StopReason reason, absl::Time now) {
  Progress progress = engine_->progress(row.handle);
  progress.elapsed = now - row.request->admitted();
  const auto probabilities = engine_->probabilities(row.handle);
  Prediction prediction;
  prediction.row = row.row;
  prediction.step = progress.step;
  prediction.expert = engine_->step_info(row.handle).expert;
  prediction.experts = engine_->step_info(row.handle).experts;
  prediction.macs = progress.macs;
  prediction.elapsed = progress.elapsed;
  prediction.ray_coverage = progress.ray_coverage;
  prediction.probabilities.assign(probabilities.begin(), probabilities.end());
  prediction.stop_reason = reason;
  deliveries_.emplace_back(row.request, std::move(prediction));
  if (reason != StopReason::kNone) {
    int64_t asked = progress.step;
    if (reason == StopReason::kOverload) {
      asked +=
          StepsLeft(row.budget, progress, engine_->model().max_steps() - asked);
    }
    telemetry_->RowFinished(reason, progress, UnshownMacs(row),
                            static_cast<uint32_t>(asked));
  }
}

void Lane::Flush(News& news) {
  for (auto& [request, prediction] : deliveries_) {
    if (request->Put(std::move(prediction))) ++news.complete;
    if (request->Touch()) news.touched.push_back(std::move(request));
  }
  deliveries_.clear();
}

uint64_t Lane::UnshownMacs(const Row& row) const {
  return static_cast<uint64_t>(engine_->Unshown(row.handle)) *
         engine_->model().cost().OneStep();
}

void Lane::Leave(Row& row) {
  const uint64_t unshown = UnshownMacs(row);
  if (unshown > 0) telemetry_->RanInVain(unshown);
  engine_->End(row.handle);
  row.request = nullptr;
}

}  // namespace mre
