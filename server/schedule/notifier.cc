#include "server/schedule/notifier.h"

#include <iterator>

namespace mre {

Notifier::Notifier() : thread_([this] { Run(); }) {}

Notifier::~Notifier() {
  {
    absl::MutexLock lock(&mu_);
    shutdown_ = true;
  }
  thread_.join();
}

void Notifier::Push(std::vector<std::shared_ptr<Request>>& requests) {
  backlog_.fetch_add(static_cast<int64_t>(requests.size()));
  absl::MutexLock lock(&mu_);
  if (waiting_.empty()) {
    waiting_.swap(requests);
  } else {
    std::move(requests.begin(), requests.end(), std::back_inserter(waiting_));
  }
  requests.clear();
}

void Notifier::Run() {
  std::vector<std::shared_ptr<Request>> told;
  while (true) {
    {
      absl::MutexLock lock(&mu_, absl::Condition(this, &Notifier::HasWork));
      if (waiting_.empty()) return;
      told.swap(waiting_);
    }
    for (const auto& request : told) {
      request->Notify();
      backlog_.fetch_sub(1);
    }
    told.clear();
  }
}

}  // namespace mre
