// Calls that do not hold a thread: what happens to them is told to a listener,
// on threads of gRPC's. Thousands of them may be in flight at once.
//
//   mre::AsyncCalls calls(client.get());
//   calls.Stream(request, {}, &listener);  // returns at once
//
// Client (client.h) has the calls that wait, which are simpler to use.
#ifndef MRE_CLIENT_CC_ASYNC_CALLS_H_
#define MRE_CLIENT_CC_ASYNC_CALLS_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "client/cc/client.h"
#include "proto/mre/v1/anytime.pb.h"

namespace mre {

// What one call tells. Its methods are called one at a time, each on any
// thread, and must not wait: they hold up a thread of gRPC's.
class CallListener {
 public:
  virtual ~CallListener() = default;

  // The next update, in order. `update` is gone when this returns.
  virtual void OnUpdate(const v1::PredictUpdate& update) = 0;

  // The call has ended: OK, or an error as Client's calls return it. Called
  // once, as the last; it may delete the listener and may start other calls.
  virtual void OnDone(const absl::Status& status) = 0;
};

// One open stream of many requests. It opens them without waiting and does not
// steer them: for that there is InteractiveSession. Its listener gets the
// updates of all requests and OnDone when the stream has ended. Thread-safe.
class AsyncSession {
 public:
  AsyncSession(const AsyncSession&) = delete;
  AsyncSession& operator=(const AsyncSession&) = delete;
  // Cancels the stream and waits until the listener's OnDone has returned.
  // REQUIRES: not called by that listener.
  ~AsyncSession();

  // Starts `request` under its request_id. What the transport does not take at
  // once waits here, without a limit. INVALID_ARGUMENT for an empty id;
  // UNAVAILABLE when the stream has ended (OnDone says why).
  absl::Status Open(const v1::PredictRequest& request);

  // Ends the stream at once; OnDone gets CANCELLED.
  void Cancel();

 private:
  friend class AsyncCalls;
  class Stream;

  explicit AsyncSession(std::unique_ptr<Stream> stream);

  const std::unique_ptr<Stream> stream_;
};

// The calls in flight on one client. Thread-safe.
class AsyncCalls {
 public:
  // `client` must outlive this.
  explicit AsyncCalls(const Client* client);
  AsyncCalls(const AsyncCalls&) = delete;
  AsyncCalls& operator=(const AsyncCalls&) = delete;
  // Cancels what runs and waits until every listener's OnDone has returned.
  ~AsyncCalls();

  // As Client::Predict: one update, then OnDone. `listener` must live until its
  // OnDone, which may be called before this returns.
  void Predict(v1::PredictRequest request, const CallOptions& options,
               CallListener* listener);

  // As Client::Stream: the updates, then OnDone.
  void Stream(v1::PredictRequest request, const CallOptions& options,
              CallListener* listener);

  // The session is not one of this object's calls: it ends by itself or by its
  // own methods, before the client does.
  std::unique_ptr<AsyncSession> OpenSession(const CallOptions& options,
                                            CallListener* listener);

  // Ends the calls that run now; each gets its OnDone, with CANCELLED unless
  // it had ended otherwise.
  void CancelAll();

 private:
  class Registry;
  class Call;
  class PredictCall;
  class StreamCall;

  const Connection& connection_;
  const std::unique_ptr<Registry> registry_;
};

}  // namespace mre

#endif  // MRE_CLIENT_CC_ASYNC_CALLS_H_
