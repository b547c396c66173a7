// Many requests on one stream, each of which can be stopped or given another
// budget while it runs (rpc PredictInteractive).
#ifndef MRE_CLIENT_CC_INTERACTIVE_SESSION_H_
#define MRE_CLIENT_CC_INTERACTIVE_SESSION_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/mre/v1/anytime.pb.h"

namespace mre {

class Connection;  // client/cc/connection.h
struct CallOptions;

// One open stream; made by Client::OpenSession().
//
//   auto session = client->OpenSession();
//   RETURN_IF_ERROR(session->Open(request));       // request_id "a"
//   ASSIGN_OR_RETURN(auto update, session->Read());  // the first steps of "a"
//   RETURN_IF_ERROR(session->Stop("a"));
//   RETURN_IF_ERROR(session->CloseWrites());
//   // Read() until it gives nullopt.
//
// Thread-safety: one thread may write (Open, SetBudget, Stop, CloseWrites)
// while another one reads (Read); Cancel may be called from any thread.
//
// Errors: a write that fails says only that the session has ended; the reason
// is what Read() returns. Writing after CloseWrites() is FAILED_PRECONDITION.
class InteractiveSession {
 public:
  InteractiveSession(const InteractiveSession&) = delete;
  InteractiveSession& operator=(const InteractiveSession&) = delete;
  // Cancels what still runs and waits for the stream to end.
  // REQUIRES: no other method runs.
  ~InteractiveSession();

  // Starts `request` under its request_id, which must not be empty and names
  // it from now on.
  absl::Status Open(const v1::PredictRequest& request);
  // Replaces the budget of the request `id`.
  absl::Status SetBudget(const std::string& id, const v1::Budget& budget);
  // Ends the request `id`: its rows send their best prediction as final.
  absl::Status Stop(const std::string& id);
  // Says that nothing more is written. The server ends the stream when every
  // open request has ended.
  absl::Status CloseWrites();

  // Waits for the next update. nullopt: the stream has ended well. An error is
  // how the session ended; CANCELLED after Cancel(). Once it has ended, every
  // further call returns the same.
  absl::StatusOr<std::optional<v1::PredictUpdate>> Read();

  // Ends the session at once.
  void Cancel();

 private:
  friend class Client;
  struct Call;

  InteractiveSession(const Connection& connection, const CallOptions& options);
  absl::Status Write(const v1::PredictControl& control);

  const std::unique_ptr<Call> call_;
};

}  // namespace mre

#endif  // MRE_CLIENT_CC_INTERACTIVE_SESSION_H_
