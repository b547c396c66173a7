// A unary call that is answered with the last prediction of each row, in either
// protocol.
#ifndef MRE_SERVER_SERVICE_FINAL_CALL_H_
#define MRE_SERVER_SERVICE_FINAL_CALL_H_

#include <grpcpp/grpcpp.h>

#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "server/schedule/request.h"
#include "server/service/call.h"

namespace mre {

// The life of such a call. A protocol's own constructor checks its message and
// then calls Begin; the scheduler then calls OnReady, gRPC's threads call the
// other reactions. Deletes itself. Locks are taken in the order: the request's
// listener lock, mu_, the scheduler's lock, the request's outbox.
class FinalCall : public grpc::ServerUnaryReactor,
                  public OpenCall,
                  public Request::Listener {
 public:
  void OnReady() override;
  void OnCancel() override;
  void OnDone() override;

 protected:
  FinalCall(const CallContext& context, grpc::CallbackServerContext* rpc,
            Method method);

  // Once, at the end of the constructor: submits the request, or ends the call
  // with what is wrong with it.
  void Begin(const absl::StatusOr<Checked>& checked);
  // Fills the response from the last prediction of each row, in order of rows.
  virtual void Answer(const std::vector<Prediction>& finals) = 0;

  const CallContext& context() const { return context_; }
  CallRecord* record() { return &record_; }

 private:
  void End(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const CallContext& context_;
  grpc::CallbackServerContext* const rpc_;
  CallRecord record_;
  std::shared_ptr<Request> request_;  // constant once submitted; may be null

  absl::Mutex mu_;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;  // set with the one Finish
  std::vector<Prediction> finals_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_FINAL_CALL_H_
