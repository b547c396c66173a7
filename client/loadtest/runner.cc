#include "client/loadtest/runner.h"

#include <sys/prctl.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace mre {
namespace {

constexpr Nanos kForEver = std::numeric_limits<Nanos>::max();
// A request that was due in the window may start this much after its end, so
// that the last ones are not lost to a late timer.
constexpr Nanos kGrace = 50'000'000;
// A closed loop's place whose request failed waits before the next one, so that
// a server that refuses is not asked as fast as it can refuse.
constexpr Nanos kRest = 10'000'000;

Nanos ToNanos(absl::Duration duration) {
  return absl::ToInt64Nanoseconds(duration);
}

}  // namespace

// One request, from its start to its end.
class Runner::Call : public CallListener {
 public:
  Call(Runner* runner, Record record)
      : runner_(runner), record_(std::move(record)) {}

  void OnUpdate(const v1::PredictUpdate& update) override {
    const Nanos now = NowNanos();
    for (const v1::Prediction& prediction : update.predictions()) {
      runner_->recorder_.Add(prediction, now, record_);
    }
  }
  void OnDone(const absl::Status& status) override {
    runner_->Ended(this, status);
    delete this;
  }

  Record& record() { return record_; }

 private:
  Runner* const runner_;
  Record record_;
};

Runner::Runner(const LoadOptions& options, const ClassMix* mix,
               const Inputs* inputs, Transport* transport, Recorder* recorder)
    : options_(options),
      mix_(*mix),
      inputs_(*inputs),
      transport_(*transport),
      recorder_(*recorder) {}

Runner::~Runner() {
  Stop();
  if (thread_.joinable()) thread_.join();
  AwaitEnded(absl::InfiniteDuration());
}

void Runner::Start(Nanos start) {
  const Nanos from = start + ToNanos(options_.warmup);
  const Nanos to =
      options_.requests > 0 ? kForEver : from + ToNanos(options_.duration);
  {
    absl::MutexLock lock(&mu_);
    state_.from = from;
    state_.to = to;
  }
  recorder_.OpenWindow(from, to);
  thread_ = std::thread([this, start] {
    prctl(PR_SET_TIMERSLACK, 1);  // Wake up on time: by default 50 us late.
    if (options_.arrivals.has_value()) {
      RunOpen(start);
    } else {
      RunClosed();
    }
    absl::MutexLock lock(&mu_);
    stopping_ = true;
    stopped_ = true;
  });
}

void Runner::Stop() {
  absl::MutexLock lock(&mu_);
  if (stopping_) return;
  stopping_ = true;
  state_.to = std::clamp(NowNanos(), state_.from, state_.to);
  recorder_.CloseWindow(state_.to);
}

bool Runner::AwaitStopped(absl::Duration limit) {
  absl::MutexLock lock(&mu_);
  return mu_.AwaitWithTimeout(absl::Condition(&stopped_), limit);
}

bool Runner::AwaitEnded(absl::Duration limit) {
  const auto idle = [this] {
    mu_.AssertHeld();
    return state_.in_flight == 0;
  };
  absl::MutexLock lock(&mu_);
  return mu_.AwaitWithTimeout(absl::Condition(&idle), limit);
}

void Runner::CancelAll(const absl::Status& reason) {
  {
    absl::MutexLock lock(&mu_);
    cancel_reason_ = reason;
  }
  transport_.CancelAll();
}

Runner::State Runner::state() const {
  absl::MutexLock lock(&mu_);
  return state_;
}

// A mutex waits by the wall clock: when that is set, it wakes up early.
bool Runner::AwaitUntil(const absl::Condition& condition, Nanos time) {
  while (!condition.Eval()) {
    const Nanos left = time - NowNanos();
    if (left <= 0) return false;
    mu_.AwaitWithTimeout(condition, absl::Nanoseconds(left));
  }
  return true;
}

bool Runner::SleepUntil(Nanos time) {
  absl::MutexLock lock(&mu_);
  return !AwaitUntil(absl::Condition(&stopping_), time);
}

bool Runner::AwaitPlace(Nanos due) {
  const auto free_or_stopping = [this] {
    mu_.AssertHeld();
    return stopping_ || state_.in_flight < options_.max_in_flight;
  };
  absl::MutexLock lock(&mu_);
  if (!free_or_stopping()) {
    if (due >= state_.from) ++state_.held_back;
    AwaitUntil(absl::Condition(&free_or_stopping),
               state_.to == kForEver ? kForEver : state_.to + kGrace);
  }
  return !stopping_ && state_.in_flight < options_.max_in_flight;
}

void Runner::RunOpen(Nanos start) {
  Arrivals arrivals(*options_.arrivals);
  while (true) {
    const Nanos due = start + arrivals.Next();
    if (due >= state().to || !SleepUntil(due) || !AwaitPlace(due)) break;
    std::optional<uint64_t> index;
    {
      absl::MutexLock lock(&mu_);
      const Nanos now = NowNanos();
      if (due < state_.from && now >= state_.from) {
        // The window does not wait for a backlog of the warmup.
        arrivals.Pop();
        continue;
      }
      if (state_.to == kForEver || now <= state_.to + kGrace)
        index = Admit(due);
    }
    if (!index.has_value()) break;
    Launch(*index, due);
    arrivals.Pop();
  }
  const State end = state();
  if (end.to == kForEver) return;  // All requests that were asked for ran.
  uint64_t not_started = 0;  // Counted without the lock: there may be millions.
  for (; start + arrivals.Next() < end.to; arrivals.Pop()) {
    if (start + arrivals.Next() >= end.from) ++not_started;
  }
  absl::MutexLock lock(&mu_);
  state_.not_started = not_started;
}

void Runner::RunClosed() {
  // The first ones, then those that have rested.
  for (int i = 0; i < options_.concurrency; ++i) {
    const Nanos now = NowNanos();
    std::optional<uint64_t> index;
    {
      absl::MutexLock lock(&mu_);
      index = Admit(now);
    }
    if (!index.has_value()) break;
    Launch(*index, now);
  }
  while (true) {
    Nanos wake = 0;
    {
      absl::MutexLock lock(&mu_);
      wake = std::min(state_.to, NowNanos() + kRest);
      if (!resting_.empty()) wake = std::min(wake, resting_.front());
    }
    if (!SleepUntil(wake)) return;
    const Nanos now = NowNanos();
    while (true) {
      std::optional<uint64_t> index;
      {
        absl::MutexLock lock(&mu_);
        if (now >= state_.to) return;
        if (resting_.empty() || resting_.front() > now) break;
        resting_.pop_front();
        index = Admit(now);
      }
      if (!index.has_value()) return;
      Launch(*index, now);
    }
  }
}

std::optional<uint64_t> Runner::Admit(Nanos now) {
  if (stopping_ || now >= state_.to) return std::nullopt;
  if (now >= state_.from) {
    ++state_.started;
    if (state_.started == options_.requests) stopping_ = true;  // The last.
  }
  ++state_.in_flight;
  return next_index_++;
}

void Runner::Launch(uint64_t index, Nanos intended) {
  Record record;
  record.index = index;
  record.client_class = mix_.ClassOf(options_.seed, index);
  record.label = inputs_.LabelOf(index);
  v1::PredictRequest request = options_.request;
  request.set_request_id(absl::StrCat(index));
  *request.mutable_budget() = mix_.classes()[record.client_class].budget;
  *request.mutable_input() = inputs_.TensorOf(index);
  record.intended = intended;
  record.started = NowNanos();
  transport_.Start(index, std::move(request),
                   new Call(this, std::move(record)));
}

void Runner::Ended(Call* call, const absl::Status& status) {
  Record& record = call->record();
  const Nanos now = NowNanos();
  record.End(status, now);
  std::optional<absl::Status> cancel_reason;
  if (absl::IsCancelled(record.status)) {
    absl::MutexLock lock(&mu_);
    cancel_reason = cancel_reason_;
    if (cancel_reason.has_value()) ++state_.cancelled;
  }
  if (cancel_reason.has_value()) record.status = *cancel_reason;
  recorder_.End(record);

  std::optional<uint64_t> next;
  Nanos next_start = 0;
  {
    absl::MutexLock lock(&mu_);
    next_start = NowNanos();  // Under the lock: Stop() is before or after it.
    state_.last_end = std::max(state_.last_end, now);
    if (!options_.arrivals.has_value()) {
      if (record.status.ok()) {
        next = Admit(next_start);
      } else {
        resting_.push_back(next_start + kRest);
      }
    }
    --state_.in_flight;
  }
  if (next.has_value()) Launch(*next, next_start);
}

}  // namespace mre
