// Protobuf messages for reuse. A cleared message keeps its parts, so that
// filling it again allocates next to nothing; a PredictUpdate of every step is
// several hundred allocations.
#ifndef MRE_SERVER_SERVICE_MESSAGE_POOL_H_
#define MRE_SERVER_SERVICE_MESSAGE_POOL_H_

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace mre {

// Thread-safe. Keeps at most kMostKept messages, each of which was at most
// kLargestKept bytes when it was last serialized.
template <typename Message>
class MessagePool {
 public:
  static constexpr size_t kMostKept = 256;
  static constexpr int kLargestKept = 16 << 10;

  // An empty one.
  std::unique_ptr<Message> Take() {
    {
      absl::MutexLock lock(&mu_);
      if (!kept_.empty()) {
        std::unique_ptr<Message> message = std::move(kept_.back());
        kept_.pop_back();
        return message;
      }
    }
    return std::make_unique<Message>();
  }

  // Null is ignored.
  void Give(std::unique_ptr<Message> message) {
    if (message == nullptr || message->GetCachedSize() > kLargestKept) return;
    message->Clear();
    absl::MutexLock lock(&mu_);
    if (kept_.size() < kMostKept) kept_.push_back(std::move(message));
  }

  size_t kept() const {
    absl::MutexLock lock(&mu_);
    return kept_.size();
  }

 private:
  mutable absl::Mutex mu_;
  std::vector<std::unique_ptr<Message>> kept_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_MESSAGE_POOL_H_
