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

// With no more rows than this the engine thread tells a request itself: it has
// nothing better to do, and to hand over takes longer than a step.
constexpr int64_t kToldHere = 1;

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
  const int64_t queued = queue_.rows();
  if (queued + rows > options_.max_queued_rows) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the queue is full: ", queued, " rows wait, the request has ", rows,
        ", the limit is ", options_.max_queued_rows, "; retry later"));
  }
  const absl::Time now = options_.clock->Now();
  const absl::Duration waited = queue_.Waited(request->spec().client, now);
  if (waited > options_.max_wait) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the server is overloaded: a row of this client has waited for ",
        absl::FormatDuration(absl::Trunc(waited, absl::Milliseconds(1))),
        ", the limit is ", absl::FormatDuration(options_.max_wait),
        "; retry later"));
  }
  request->Admit(now, this);
  queue_.Push(std::move(request));
  queued_rows_.store(queue_.rows());
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
  // About how long it takes to get through the queue.
  return std::clamp(queue_.Waited(options_.clock->Now()), kLeastRetry,
                    kMostRetry);
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
    rows_paused = !RunLanes();
  }
}

bool Scheduler::RunLanes() {
  bool progressed = false;
  for (auto& [model, lane] : lanes_) progressed |= lane->Sweep(pass_, touched_);
  for (auto& [model, lane] : lanes_) progressed |= lane->StepFresh(touched_);
  NotifyTouched();
  for (auto& [model, lane] : lanes_) progressed |= lane->StepBegun(touched_);
  NotifyTouched();
  paused_rows_ = 0;
  for (auto& [model, lane] : lanes_) paused_rows_ += lane->paused_rows();
  return progressed;
}

bool Scheduler::HasPlace() const {
  const int64_t active = active_rows_.load();
  return active - paused_rows_ + notifier_.backlog() <
             options_.max_active_rows &&
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
    if (active == 0 && queue_.empty()) {
      work_.Wait(&mu_);
    } else if (work_.WaitWithDeadline(&mu_, poll)) {
      break;
    }
  }
  pass_.drain_deadline = drain_deadline_;
  return true;
}

void Scheduler::AdmitFromQueue() {
  const absl::Time now = options_.clock->Now();
  {
    absl::MutexLock lock(&mu_);
    pass_.look_at_paused = std::exchange(woken_, false) || now >= next_look_;
    if (pass_.look_at_paused) next_look_ = now + kPausedPoll;
    if (std::exchange(reconsider_, false)) queue_.Reconsider();
    while (!queue_.empty() && HasPlace()) {
      starting_.push_back(queue_.Pop());
      active_rows_.fetch_add(1);
    }
    // They need step 0 only, and get it over the limit.
    const size_t taken = starting_.size();
    queue_.PopExpired(now, starting_);
    active_rows_.fetch_add(static_cast<int64_t>(starting_.size() - taken));
    queued_rows_.store(queue_.rows());
    pass_.level = NextLevel(options_.brownout,
                            {.waited = queue_.Waited(now),
                             .rows = queue_.rows(),
                             .limit = options_.max_queued_rows},
                            pass_.level);
  }
  for (const RowQueue::Row& row : starting_) Begin(row, now);
  starting_.clear();  // an idle engine holds no request
}

void Scheduler::Begin(const RowQueue::Row& row, absl::Time now) {
  const Request::Spec& spec = row.request->spec();
  std::unique_ptr<Lane>& lane = lanes_[spec.model.get()];
  if (lane == nullptr) {
    lane = std::make_unique<Lane>(
        spec.model, spec.telemetry,
        Lane::Options{.stall_limit = options_.stall_limit,
                      .step_floor = options_.brownout.floor,
                      .clock = options_.clock});
  }
  lane->Begin(row.request, row.row, now);
}

void Scheduler::NotifyTouched() {
  // Before anyone is told: who has its last prediction is counted no more.
  int64_t rows = 0;
  for (const auto& [model, lane] : lanes_) rows += lane->rows();
  active_rows_.store(rows);
  if (touched_.empty()) return;
  if (rows <= kToldHere && touched_.size() == 1) {
    touched_.front()->Notify();
    touched_.clear();
  } else {
    notifier_.Push(touched_);
  }
}

}  // namespace mre
