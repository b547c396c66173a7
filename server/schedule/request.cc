#include "server/schedule/request.h"

#include <algorithm>
#include <utility>

namespace mre {

Request::Request(Spec spec, Listener* listener)
    : input_(std::move(spec.input)),
      spec_(std::move(spec)),
      listener_(listener),
      budget_(spec_.budget),
      waiting_(spec_.rows, 0),
      rows_left_(spec_.rows) {}

std::span<const float> Request::input(uint32_t row) const {
  const size_t size = spec_.model->config().input.size();
  return std::span(input_).subspan(row * size, size);
}

bool Request::Take(std::vector<Prediction>& out) {
  out.clear();
  bool resume = false;
  bool finished = false;
  {
    absl::MutexLock lock(&mu_);
    out.swap(outbox_);
    std::fill(waiting_.begin(), waiting_.end(), 0);
    resume = std::exchange(paused_, false);
    finished = rows_left_ == 0;
  }
  if (resume) waker_->Wake();
  return finished;
}

void Request::Cancel() {
  cancelled_.store(true, std::memory_order_release);
  if (waker_ != nullptr) waker_->Reconsider();
}

void Request::Stop() {
  stop_requested_.store(true, std::memory_order_release);
  waker_->Reconsider();
}

void Request::SetBudget(const Budget& budget) {
  {
    absl::MutexLock lock(&mu_);
    budget_ = budget;
    budget_version_.fetch_add(1, std::memory_order_release);
  }
  waker_->Reconsider();
}

void Request::Detach() {
  absl::MutexLock lock(&listener_mu_);
  listener_ = nullptr;
}

void Request::Admit(absl::Time now, Waker* waker) {
  admitted_ = now;
  waker_ = waker;
}

Budget Request::budget() const {
  absl::MutexLock lock(&mu_);
  return budget_;
}

bool Request::OutboxFull(uint32_t row) {
  if (spec_.delivery != Delivery::kAll) return false;
  absl::MutexLock lock(&mu_);
  if (waiting_[row] < kOutboxSteps) return false;
  paused_ = true;
  return true;
}

bool Request::Wants(uint32_t step, bool final) const {
  if (final) return true;
  return spec_.delivery != Delivery::kFinal && step % spec_.every == 0;
}

Request::Spent Request::spent() const {
  absl::MutexLock lock(&mu_);
  Spent spent = spent_;
  spent.queued = absl::Nanoseconds(longest_queued_ns_.load());
  return spent;
}

bool Request::Put(Prediction prediction) {
  absl::MutexLock lock(&mu_);
  if (prediction.final()) {
    spent_.steps += prediction.step;
    spent_.macs += prediction.macs;
  }
  const bool complete = prediction.final() && --rows_left_ == 0;
  PutInOutbox(std::move(prediction));
  return complete;
}

void Request::PutInOutbox(Prediction prediction) {
  const uint32_t row = prediction.row;
  if (spec_.delivery != Delivery::kAll) {
    if (waiting_[row] > 0) {
      outbox_[waiting_[row] - 1] = std::move(prediction);
    } else {
      outbox_.push_back(std::move(prediction));
      waiting_[row] = static_cast<uint32_t>(outbox_.size());
    }
    return;
  }
  if (prediction.final()) {
    // A row that ends between two steps repeats its last prediction as final;
    // if that one still waits, it becomes the final one.
    const auto same =
        std::find_if(outbox_.begin(), outbox_.end(), [&](const Prediction& p) {
          return p.row == row && p.step == prediction.step;
        });
    if (same != outbox_.end()) {
      *same = std::move(prediction);
      return;
    }
  }
  ++waiting_[row];
  outbox_.push_back(std::move(prediction));
}

bool Request::ToldComplete() {
  absl::MutexLock lock(&mu_);
  return rows_left_ == 0 && !std::exchange(told_complete_, true);
}

void Request::Notify() {
  touched_.store(false, std::memory_order_release);
  absl::MutexLock lock(&listener_mu_);
  if (listener_ != nullptr) listener_->OnReady();
}

}  // namespace mre
