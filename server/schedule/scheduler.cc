#include "server/schedule/scheduler.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/math/parallel.h"

namespace mre {
namespace {

// How often rows that wait for their readers are looked at without being
// woken: their budget of time may run out.
constexpr absl::Duration kPausedPoll = absl::Milliseconds(5);

// When a request that waits must be answered at the latest.
absl::Time Deadline(const Request& request) {
  if (request.stop_requested()) return absl::InfinitePast();
  const absl::Duration limit = request.budget().max_time;
  return limit > absl::ZeroDuration() ? request.admitted() + limit
                                      : absl::InfiniteFuture();
}

constexpr absl::Duration kLeastRetry = absl::Milliseconds(1);
constexpr absl::Duration kMostRetry = absl::Seconds(5);

}  // namespace

Scheduler::Scheduler(const Options& options)
    : options_(options), thread_([this] { Run(); }) {}

Scheduler::~Scheduler() {
  {
    absl::MutexLock lock(&mu_);
    shutdown_ = true;
    work_.Signal();
  }
  thread_.join();
}

absl::Status Scheduler::Submit(std::shared_ptr<Request> request) {
  const int64_t rows = request->spec().rows;
  absl::MutexLock lock(&mu_);
  if (draining_) {
    return absl::UnavailableError("the server is shutting down");
  }
  const int64_t queued = queued_rows_.load();
  if (queued + rows > options_.max_queued_rows) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the queue is full: ", queued, " rows wait, the request has ", rows,
        ", the limit is ", options_.max_queued_rows, "; retry later"));
  }
  request->Admit(options_.clock->Now(), this);
  const absl::Time deadline = Deadline(*request);
  first_deadline_ = std::min(first_deadline_, deadline);
  queue_.push_back({std::move(request), deadline});
  queued_rows_.fetch_add(rows);
  work_.Signal();
  return absl::OkStatus();
}

void Scheduler::Drain(absl::Duration limit) {
  absl::MutexLock lock(&mu_);
  draining_ = true;
  drain_deadline_ = options_.clock->Now() + limit;
  woken_ = true;
  work_.Signal();
  while (!queue_.empty() || active_rows_.load() > 0) drained_.Wait(&mu_);
}

absl::Duration Scheduler::RetryAfter() const {
  absl::MutexLock lock(&mu_);
  if (queue_.empty()) return kLeastRetry;
  // The oldest waiter's age: about how long it takes to get through the queue.
  const absl::Duration age =
      options_.clock->Now() - queue_.front().request->admitted();
  return std::clamp(age, kLeastRetry, kMostRetry);
}

void Scheduler::Wake() {
  absl::MutexLock lock(&mu_);
  woken_ = true;
  work_.Signal();
}

void Scheduler::Reconsider() {
  absl::MutexLock lock(&mu_);
  reconsider_ = true;
  woken_ = true;
  work_.Signal();
}

void Scheduler::Run() {
  SetThreads(options_.threads);
  bool rows_paused = false;
  while (AwaitWork(rows_paused)) {
    AdmitFromQueue();
    bool progressed = false;
    paused_rows_ = 0;
    for (auto& [model, lane] : lanes_) progressed |= RunLane(lane);
    NotifyTouched();
    rows_paused = !progressed;
  }
}

bool Scheduler::HasPlace() const {
  const int64_t active = active_rows_.load();
  return active - paused_rows_ < options_.max_active_rows &&
         active < options_.max_active_rows + options_.max_queued_rows;
}

bool Scheduler::AwaitWork(bool rows_paused) {
  // A moment, not a time to wait: who submits meanwhile must not put it off.
  const absl::Time poll = absl::Now() + kPausedPoll;
  absl::MutexLock lock(&mu_);
  while (true) {
    const int64_t active = active_rows_.load();
    if (shutdown_) return false;
    if (queue_.empty() && active == 0) drained_.SignalAll();
    const bool can_admit = !queue_.empty() && HasPlace();
    const bool can_step = active > 0 && !rows_paused;
    if (woken_ || can_admit || can_step) break;
    if (active == 0) {
      work_.Wait(&mu_);
    } else if (work_.WaitWithDeadline(&mu_, poll)) {
      break;
    }
  }
  drain_deadline_seen_ = drain_deadline_;
  return true;
}

void Scheduler::AdmitFromQueue() {
  const absl::Time now = options_.clock->Now();
  {
    absl::MutexLock lock(&mu_);
    look_at_paused_ = std::exchange(woken_, false) || now >= next_look_;
    if (look_at_paused_) next_look_ = now + kPausedPoll;
    if (std::exchange(reconsider_, false)) ReconsiderQueue();
    while (!queue_.empty() && HasPlace()) {
      TakeNext(queue_.front());
      if (queue_.front().Empty()) queue_.pop_front();
    }
    if (now >= first_deadline_) {
      // Who may not wait any longer needs step 0 only, and gets it over the
      // limit.
      for (Waiting& waiting : queue_) {
        while (waiting.deadline <= now && !waiting.Empty()) TakeNext(waiting);
      }
      std::erase_if(queue_,
                    [](const Waiting& waiting) { return waiting.Empty(); });
      FindFirstDeadline();
    }
    Lower(now);
  }
  for (const Starting& starting : starting_) Begin(starting, now);
  starting_.clear();  // an idle engine holds no request
}

void Scheduler::Lower(absl::Time now) {
  QueueSnapshot queue;
  if (!queue_.empty()) queue.waited = now - queue_.front().request->admitted();
  queue.rows = queued_rows_.load();
  queue.limit = options_.max_queued_rows;
  level_ = NextLevel(options_.brownout, queue, level_);
}

void Scheduler::ReconsiderQueue() {
  // Requests whose clients have gone make room at once.
  std::erase_if(queue_, [this](const Waiting& waiting) {
    if (!waiting.request->cancelled()) return false;
    queued_rows_.fetch_sub(waiting.request->spec().rows - waiting.next);
    return true;
  });
  for (Waiting& waiting : queue_) waiting.deadline = Deadline(*waiting.request);
  FindFirstDeadline();
}

void Scheduler::FindFirstDeadline() {
  first_deadline_ = absl::InfiniteFuture();
  for (const Waiting& waiting : queue_) {
    first_deadline_ = std::min(first_deadline_, waiting.deadline);
  }
}

void Scheduler::TakeNext(Waiting& waiting) {
  starting_.push_back({waiting.request, waiting.next++});
  // In this order, so that who reads queued_rows first, then active_rows, never
  // misses the row.
  active_rows_.fetch_add(1);
  queued_rows_.fetch_sub(1);
}

void Scheduler::Begin(const Starting& starting, absl::Time now) {
  const auto& [request, row] = starting;
  const Request::Spec& spec = request->spec();
  Lane& lane = lanes_[spec.model.get()];
  if (lane.engine == nullptr) {
    lane.telemetry = spec.telemetry;
    Engine::Options options;
    options.context = lane.telemetry;
    options.on_expert_batch = [](void* context, int64_t expert, int64_t rows) {
      static_cast<ModelTelemetry*>(context)->ExpertRan(expert, rows);
    };
    lane.engine = Engine::Create(spec.model, options);
    lane.step_cap = spec.model->max_steps();
  }
  ActiveRow active;
  active.request = request;
  active.row = row;
  active.budget_version = request->budget_version();
  active.budget = request->budget();
  active.handle =
      lane.engine->Begin(request->input(row), {spec.sampled, spec.seed, row},
                         active.budget.thresholds);
  lane.rows.push_back(std::move(active));
  lane.telemetry->RowStarted(now - request->admitted());
  if (row + 1 == spec.rows) request->DropInput();
}

void Scheduler::SetStepCap(Lane& lane) const {
  const uint32_t cap = StepCap(level_, options_.brownout.floor,
                               lane.engine->model().max_steps());
  if (std::exchange(lane.step_cap, cap) != cap) {
    lane.telemetry->StepCapChanged(cap);
  }
}

bool Scheduler::RunLane(Lane& lane) {
  SetStepCap(lane);
  if (lane.rows.empty()) return false;
  const bool any_left = Sweep(lane, options_.clock->Now());
  if (stepping_.empty()) return any_left;
  // Rows that begin go first and by themselves: their first prediction does not
  // wait until others have been computed ahead.
  const size_t begun = static_cast<size_t>(
      std::partition_point(stepping_.begin(), stepping_.end(),
                           [&](size_t i) { return lane.rows[i].begun; }) -
      stepping_.begin());
  StepRows(lane, begun, stepping_.size());
  if (begun > 0) {
    NotifyTouched();
    StepRows(lane, 0, begun);
  }
  std::erase_if(lane.rows,
                [](const ActiveRow& row) { return row.request == nullptr; });
  return true;
}

bool Scheduler::Sweep(Lane& lane, absl::Time now) {
  stepping_.clear();
  may_ahead_.clear();
  size_t kept = 0;
  const auto keep = [&](ActiveRow& row) {
    ActiveRow& place = lane.rows[kept++];
    if (&place != &row) place = std::move(row);
  };
  for (ActiveRow& row : lane.rows) {
    if (!look_at_paused_ && row.paused_since != absl::InfiniteFuture()) {
      ++paused_rows_;
      keep(row);
      continue;
    }
    const RowSnapshot snapshot = Look(lane, row, now);
    const RowDecision decision = DecideRow(snapshot);
    if (decision.action == RowAction::kFinish) {
      Deliver(lane, row, decision.reason, now);
    }
    if (decision.action == RowAction::kAbandon) row.request->Abandon();
    if (decision.action == RowAction::kFinish ||
        decision.action == RowAction::kDrop ||
        decision.action == RowAction::kAbandon) {
      Leave(lane, row);
      continue;
    }
    if (decision.action == RowAction::kStep) {
      stepping_.push_back(kept);
      may_ahead_.push_back(snapshot.begun ? StepsAhead(snapshot) : 1);
    }
    if (decision.action == RowAction::kPause) ++paused_rows_;
    keep(row);
  }
  const bool any_left = kept < lane.rows.size();
  lane.rows.resize(kept);
  return any_left;
}

void Scheduler::PlanAhead(const Lane& lane, size_t first, size_t end) {
  const int64_t computing = std::count_if(
      handles_.begin(), handles_.end(),
      [&](int handle) { return lane.engine->Unshown(handle) == 0; });
  const int most = MostAhead(computing, lane.step);
  ahead_.clear();
  for (size_t i = first; i < end; ++i) {
    ahead_.push_back(std::min(may_ahead_[i], most));
  }
}

int64_t Scheduler::UnshownSteps(const Lane& lane) const {
  int64_t steps = 0;
  for (const int handle : handles_) steps += lane.engine->Unshown(handle);
  return steps;
}

void Scheduler::StepRows(Lane& lane, size_t first, size_t end) {
  if (first == end) return;
  const absl::Time start = options_.clock->Now();
  handles_.clear();
  uint64_t spent_before = 0;
  for (size_t i = first; i < end; ++i) {
    handles_.push_back(lane.rows[stepping_[i]].handle);
    spent_before += lane.engine->progress(handles_.back()).macs;
  }
  const bool fresh = !lane.rows[stepping_[first]].begun;
  PlanAhead(lane, first, end);
  const int64_t unshown_before = UnshownSteps(lane);
  lane.engine->Step(handles_, ahead_);
  const absl::Time now = options_.clock->Now();
  // Each row has shown one; what is not there any more was computed before.
  const int64_t computed = UnshownSteps(lane) - unshown_before +
                           static_cast<int64_t>(handles_.size());
  if (!fresh && computed > 0) {
    const absl::Duration step = (now - start) / static_cast<double>(computed);
    lane.step +=
        lane.step == absl::ZeroDuration() ? step : (step - lane.step) / 4;
  }
  uint64_t spent = 0;
  for (size_t i = first; i < end; ++i) {
    ActiveRow& row = lane.rows[stepping_[i]];
    Progress progress = lane.engine->progress(row.handle);
    progress.elapsed = now - row.request->admitted();
    spent += progress.macs;
    if (!row.begun) lane.telemetry->FirstPrediction(progress.elapsed);
    row.begun = true;
    StopReason reason = CheckBudget(row.budget, progress);
    if (reason == StopReason::kNone && progress.step >= lane.step_cap) {
      reason = StopReason::kOverload;
    }
    const bool final = reason != StopReason::kNone;
    if (row.request->Wants(progress.step, final)) {
      Deliver(lane, row, reason, now);
    }
    if (final) Leave(lane, row);
  }
  lane.telemetry->Stepped(static_cast<int64_t>(end - first),
                          spent - spent_before, now - start);
}

RowSnapshot Scheduler::Look(const Lane& lane, ActiveRow& row,
                            absl::Time now) const {
  Request& request = *row.request;
  const uint32_t version = request.budget_version();
  if (row.budget_version != version) {
    row.budget_version = version;
    row.budget = request.budget();
    lane.engine->Retune(row.handle, row.budget.thresholds);
  }
  RowSnapshot snapshot;
  snapshot.cancelled = request.cancelled();
  snapshot.begun = row.begun;
  snapshot.stop_requested = request.stop_requested();
  snapshot.drain_expired = now >= drain_deadline_seen_;
  snapshot.budget = row.budget;
  snapshot.watched = request.spec().delivery != Delivery::kFinal;
  snapshot.rows = static_cast<int64_t>(lane.rows.size());
  snapshot.step_cap = lane.step_cap;
  if (row.begun) {
    snapshot.outbox_full = request.OutboxFull(row.row);
    row.paused_since = snapshot.outbox_full ? std::min(row.paused_since, now)
                                            : absl::InfiniteFuture();
    snapshot.stalled = now - row.paused_since >= options_.stall_limit;
    snapshot.progress = lane.engine->progress(row.handle);
    snapshot.progress.elapsed = now - request.admitted();
  }
  return snapshot;
}

void Scheduler::Deliver(const Lane& lane, const ActiveRow& row,
                        StopReason reason, absl::Time now) {
  Progress progress = lane.engine->progress(row.handle);
  progress.elapsed = now - row.request->admitted();
  const auto probabilities = lane.engine->probabilities(row.handle);
  Prediction prediction;
  prediction.row = row.row;
  prediction.step = progress.step;
  prediction.expert = lane.engine->step_info(row.handle).expert;
  prediction.experts = lane.engine->step_info(row.handle).experts;
  prediction.macs = progress.macs;
  prediction.elapsed = progress.elapsed;
  prediction.ray_coverage = progress.ray_coverage;
  prediction.probabilities.assign(probabilities.begin(), probabilities.end());
  prediction.stop_reason = reason;
  row.request->Put(std::move(prediction));
  if (touched_.empty() || touched_.back() != row.request) {
    touched_.push_back(row.request);
  }
  if (reason != StopReason::kNone) {
    int64_t asked = progress.step;
    if (reason == StopReason::kOverload) {
      asked += StepsLeft(row.budget, progress,
                         lane.engine->model().max_steps() - asked);
    }
    lane.telemetry->RowFinished(reason, progress, UnshownMacs(lane, row),
                                static_cast<uint32_t>(asked));
  }
}

uint64_t Scheduler::UnshownMacs(const Lane& lane, const ActiveRow& row) {
  return static_cast<uint64_t>(lane.engine->Unshown(row.handle)) *
         lane.engine->model().cost().OneStep();
}

void Scheduler::Leave(Lane& lane, ActiveRow& row) {
  const uint64_t unshown = UnshownMacs(lane, row);
  if (unshown > 0) lane.telemetry->RanInVain(unshown);
  lane.engine->End(row.handle);
  row.request = nullptr;
  active_rows_.fetch_sub(1);
}

void Scheduler::NotifyTouched() {
  for (const auto& request : touched_) request->Notify();
  touched_.clear();
}

}  // namespace mre
