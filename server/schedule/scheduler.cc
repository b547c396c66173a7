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
    : options_(options), notifier_([this] {
        absl::MutexLock lock(&mu_);
        work_.SignalAll();  // Places may be free.
      }) {
  for (int i = 0; i < options_.threads; ++i) {
    workers_.push_back(std::make_unique<Worker>());
  }
  // When all are there, for each looks at the others' rows.
  for (const auto& worker : workers_) {
    worker->thread = std::thread([this, &worker = *worker] { Run(worker); });
  }
}

Scheduler::~Scheduler() {
  {
    absl::MutexLock lock(&mu_);
    shutdown_ = true;
    work_.SignalAll();
  }
  for (const auto& worker : workers_) worker->thread.join();
}

int64_t Scheduler::active_rows() const {
  int64_t rows = 0;
  for (const auto& worker : workers_) rows += worker->active.load();
  return rows;
}

absl::Status Scheduler::Submit(std::shared_ptr<Request> request) {
  const int64_t rows = request->spec().rows;
  absl::MutexLock lock(&mu_);
  if (draining_) {
    return absl::UnavailableError("the server is shutting down");
  }
  // Complete answers that wait to be written count too: nothing else would
  // bound them.
  const int64_t untold = untold_requests();
  if (queue_.rows() + untold + rows > options_.max_queued_rows) {
    return Refuse(absl::StrCat(
        "the queue is full: ", queue_.rows(), " rows wait and ", untold,
        " answers to be sent, the request has ", rows, ", the limit is ",
        options_.max_queued_rows, "; retry later"));
  }
  const absl::Time now = options_.clock->Now();
  const absl::Duration waited = queue_.Waited(request->spec().client, now);
  if (waited > options_.max_wait) {
    return Refuse(absl::StrCat(
        "the server is overloaded: a row of this client has waited for ",
        absl::FormatDuration(absl::Trunc(waited, absl::Milliseconds(1))),
        ", the limit is ", absl::FormatDuration(options_.max_wait),
        "; retry later"));
  }
  request->Admit(now, this);
  queue_.Push(std::move(request));
  queued_rows_.store(queue_.rows());
  work_.SignalAll();
  return absl::OkStatus();
}

absl::Status Scheduler::Refuse(const std::string& why) {
  refused_.fetch_add(1, std::memory_order_relaxed);
  return absl::ResourceExhaustedError(why);
}

Scheduler::Overload Scheduler::overload() const {
  return {.lowered = lowered_workers_.load() > 0,
          .lowerings = lowerings_.load(),
          .refused = refused_.load()};
}

void Scheduler::CountLowered(bool lowered) {
  if (!lowered) {
    lowered_workers_.fetch_sub(1);
  } else if (lowered_workers_.fetch_add(1) == 0) {
    lowerings_.fetch_add(1);
  }
}

void Scheduler::Drain(absl::Duration limit) {
  absl::MutexLock lock(&mu_);
  draining_ = true;
  drain_deadline_ = options_.clock->Now() + limit;
  WakeAll();
  while (!queue_.empty() || active_rows() > 0) drained_.Wait(&mu_);
}

absl::Duration Scheduler::RetryAfter() const {
  absl::MutexLock lock(&mu_);
  // About how long it takes to get through the queue.
  return std::clamp(queue_.Waited(options_.clock->Now()), kLeastRetry,
                    kMostRetry);
}

void Scheduler::Forget(const PackedModel* model) {
  std::vector<std::unique_ptr<Lane>> forgotten;  // freed without the lock
  absl::MutexLock lock(&mu_);
  forgotten.swap(forgotten_);
  for (const auto& worker : workers_) worker->forget.push_back(model);
  WakeAll();
}

void Scheduler::Wake() {
  absl::MutexLock lock(&mu_);
  WakeAll();
}

void Scheduler::Reconsider() {
  absl::MutexLock lock(&mu_);
  reconsider_ = true;
  WakeAll();
}

void Scheduler::WakeAll() {
  for (const auto& worker : workers_) worker->woken = true;
  work_.SignalAll();
}

void Scheduler::Run(Worker& worker) {
  SetThreads(1);  // of a product
  bool rows_paused = false;
  while (AwaitWork(worker, rows_paused)) {
    AdmitFromQueue(worker);
    rows_paused = !RunLanes(worker);
  }
}

bool Scheduler::RunLanes(Worker& worker) {
  bool progressed = false;
  for (auto& [model, lane] : worker.lanes) {
    progressed |= lane->Sweep(worker.pass, worker.news);
  }
  for (auto& [model, lane] : worker.lanes) {
    progressed |= lane->StepFresh(worker.news);
  }
  TellNews(worker);
  for (auto& [model, lane] : worker.lanes) {
    progressed |= lane->StepBegun(worker.news);
  }
  TellNews(worker);
  int64_t paused = 0;
  for (auto& [model, lane] : worker.lanes) paused += lane->paused_rows();
  worker.paused.store(paused);
  return progressed;
}

bool Scheduler::HasPlace(const Worker& worker) const {
  int64_t rows = queue_.rows();
  for (const auto& other : workers_) rows += other->stepping();
  const int64_t stepping = worker.stepping();
  return stepping < Share(rows) &&
         stepping + Share(untold_requests()) <
             Share(options_.max_active_rows) &&
         worker.active.load() <
             Share(options_.max_active_rows + options_.max_queued_rows);
}

bool Scheduler::AwaitWork(Worker& worker, bool rows_paused) {
  // A moment, not a time to wait: who submits meanwhile must not put it off. It
  // is one of the time of day, for absl waits by that: see Wake.
  const absl::Time poll = absl::Now() + kPausedPoll;
  absl::MutexLock lock(&mu_);
  while (true) {
    const int64_t active = worker.active.load();
    if (shutdown_) return false;
    if (queue_.empty() && active_rows() == 0) drained_.SignalAll();
    const bool can_admit = !queue_.empty() && HasPlace(worker);
    const bool can_step = active > 0 && !rows_paused;
    if (worker.woken || can_admit || can_step) break;
    // Another thread may have emptied the queue during this one's last pass:
    // its level is from before, and only a pass brings it down.
    if (active == 0 && queue_.empty() && worker.pass.level <= 0) {
      work_.Wait(&mu_);
    } else if (work_.WaitWithDeadline(&mu_, poll)) {
      break;
    }
  }
  worker.pass.drain_deadline = drain_deadline_;
  return true;
}

void Scheduler::AdmitFromQueue(Worker& worker) {
  const absl::Time now = options_.clock->Now();
  std::vector<RowQueue::Row>& starting = worker.starting;
  std::vector<const PackedModel*> forget;
  {
    absl::MutexLock lock(&mu_);
    Lane::Pass& pass = worker.pass;
    forget.swap(worker.forget);
    pass.look_at_paused =
        std::exchange(worker.woken, false) || now >= worker.next_look;
    if (pass.look_at_paused) worker.next_look = now + kPausedPoll;
    if (std::exchange(reconsider_, false)) queue_.Reconsider();
    while (!queue_.empty() && HasPlace(worker)) {
      worker.active.fetch_add(1);
      starting.push_back(queue_.Pop());
    }
    // They need step 0 only, and get it over the limit; no more of them in a
    // pass than have places, for else whoever asks for no time at all would be
    // served before all others.
    const size_t taken = starting.size();
    queue_.PopExpired(now, Share(options_.max_active_rows), starting);
    worker.active.fetch_add(static_cast<int64_t>(starting.size() - taken));
    queued_rows_.store(queue_.rows());
    const bool lowered = pass.level > 0;
    pass.level = NextLevel(options_.brownout,
                           {.waited = queue_.Waited(now),
                            .rows = queue_.rows(),
                            .limit = options_.max_queued_rows},
                           pass.level);
    if ((pass.level > 0) != lowered) CountLowered(!lowered);
  }
  if (!forget.empty()) ForgetLanes(worker, forget);
  for (const RowQueue::Row& row : starting) Begin(worker, row, now);
  starting.clear();  // an idle engine holds no request
}

void Scheduler::ForgetLanes(Worker& worker,
                            const std::vector<const PackedModel*>& models) {
  for (const PackedModel* model : models) {
    const auto lane = worker.lanes.find(model);
    if (lane == worker.lanes.end() || lane->second->rows() > 0) continue;
    absl::MutexLock lock(&mu_);
    forgotten_.push_back(std::move(lane->second));
    worker.lanes.erase(lane);
  }
}

void Scheduler::Begin(Worker& worker, const RowQueue::Row& row,
                      absl::Time now) {
  const Request::Spec& spec = row.request->spec();
  std::unique_ptr<Lane>& lane = worker.lanes[spec.model.get()];
  if (lane == nullptr) {
    lane = std::make_unique<Lane>(
        spec.model, spec.telemetry,
        Lane::Options{.step_floor = options_.brownout.floor,
                      .clock = options_.clock});
  }
  lane->Begin(row.request, row.row, now);
}

void Scheduler::TellNews(Worker& worker) {
  // A row may be counted for a moment after its client has its last prediction:
  // the notifier may have taken it with one before.
  int64_t rows = 0;
  for (const auto& [model, lane] : worker.lanes) rows += lane->rows();
  worker.active.store(rows);
  Lane::News& news = worker.news;
  notifier_.Owe(std::exchange(news.complete, 0));
  if (news.touched.empty()) return;
  if (rows <= kToldHere && news.touched.size() == 1) {
    notifier_.TellNow(*news.touched.front());
    news.touched.clear();
  } else {
    notifier_.Push(news.touched);
  }
}

}  // namespace mre
