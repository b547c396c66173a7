// One interactive stream that carries the requests of many listeners.
#ifndef MRE_CLIENT_LOADTEST_SESSION_LANE_H_
#define MRE_CLIENT_LOADTEST_SESSION_LANE_H_

#include <memory>
#include <string>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "client/cc/async_calls.h"
#include "proto/mre/v1/anytime.pb.h"

namespace mre {

// Thread-safe. A stream that has ended, and with it all its requests, is opened
// anew for the next one.
class SessionLane : private CallListener {
 public:
  // `calls` must outlive this.
  explicit SessionLane(AsyncCalls* calls) : calls_(calls) {}
  SessionLane(const SessionLane&) = delete;
  SessionLane& operator=(const SessionLane&) = delete;
  // Ends the stream and waits until every listener has been told.
  ~SessionLane() override;

  // Starts `request`, of one row; its request_id differs from those that run.
  // The listener is told of its updates, then of its end, and of that perhaps
  // before this returns. REQUIRES: not called by a listener that is told of an
  // error.
  void Start(const v1::PredictRequest& request, CallListener* listener);

  // Ends the stream, and so the requests that run now.
  void Cancel();

 private:
  void OnUpdate(const v1::PredictUpdate& update) override;
  void OnDone(const absl::Status& status) override;

  // Takes the listener of a request that ends; null: there is none.
  CallListener* Take(const std::string& id);

  AsyncCalls* const calls_;
  absl::Mutex mu_;
  std::unique_ptr<AsyncSession> session_ ABSL_GUARDED_BY(mu_);
  bool ended_ ABSL_GUARDED_BY(mu_) = true;
  std::unordered_map<std::string, CallListener*> open_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_SESSION_LANE_H_
