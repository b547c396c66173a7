#include "server/schedule/notifier.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace mre {
namespace {

// So many are told between two calls of on_told.
constexpr size_t kSome = 32;

}  // namespace

Notifier::Notifier(std::function<void()> on_told)
    : on_told_(std::move(on_told)), thread_([this] { Run(); }) {}

Notifier::~Notifier() {
  {
    absl::MutexLock lock(&mu_);
    shutdown_ = true;
  }
  thread_.join();
}

void Notifier::Push(std::vector<std::shared_ptr<Request>>& requests) {
  absl::MutexLock lock(&mu_);
  if (waiting_.empty()) {
    waiting_.swap(requests);
  } else {
    std::move(requests.begin(), requests.end(), std::back_inserter(waiting_));
  }
  requests.clear();
}

void Notifier::TellNow(Request& request) {
  request.Notify();
  if (request.ToldComplete()) owed_.fetch_sub(1);
}

void Notifier::Run() {
  std::vector<std::shared_ptr<Request>> told;
  while (true) {
    {
      absl::MutexLock lock(&mu_, absl::Condition(this, &Notifier::HasWork));
      if (waiting_.empty()) return;
      told.swap(waiting_);
    }
    for (size_t i = 0; i < told.size(); ++i) {
      TellNow(*told[i]);
      if ((i + 1) % kSome == 0 || i + 1 == told.size()) on_told_();
    }
    told.clear();
  }
}

}  // namespace mre
