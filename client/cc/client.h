// A client of mre-server.
//
//   ASSIGN_OR_RETURN(auto client, mre::Client::Connect({"127.0.0.1:8001"}));
//   mre::v1::PredictRequest request;  // model_name, input, budget ...
//   RETURN_IF_ERROR(client->Stream(request, [](const auto& update) {
//     for (const auto& prediction : update.predictions()) Show(prediction);
//     return true;  // false: enough, cancel
//   }));
//
// The protocol's messages (proto/mre/v1/anytime.proto) are the data types.
//
// Errors: the server's status code and message as they are, whatever the call.
// UNAVAILABLE also stands for a lost or refused connection, DEADLINE_EXCEEDED
// for CallOptions.timeout. Nothing is retried here; RetryAfter() tells when the
// server wants to be asked again.
#ifndef MRE_CLIENT_CC_CLIENT_H_
#define MRE_CLIENT_CC_CLIENT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cc/interactive_session.h"
#include "proto/mre/v1/anytime.pb.h"

namespace mre {

struct ClientOptions {
  struct Tls {
    bool on = false;
    // PEM files. Of the authorities that the server's certificate must come
    // from; empty: those of the system.
    std::string ca_cert_file;
    // Both or neither, for servers that ask for them.
    std::string client_cert_file;
    std::string client_key_file;
    // What the certificate must be of; empty: the target's host.
    std::string server_name;
  };

  // HOST:PORT of the server. The connection is direct (no HTTP proxy).
  // Several with commas between are used in turn, but for those that
  // do not answer or whose health is not SERVING.
  std::string target = "127.0.0.1:8001";
  Tls tls;
  // Sent with each call, as `authorization: Bearer TOKEN`; empty: none. Without
  // TLS it is sent to loopback only, unless allowed.
  std::string token;
  bool allow_plaintext_token = false;
  // Connect() tries this long until the connection stands.
  absl::Duration connect_timeout = absl::Seconds(5);
  // The largest message that is sent or accepted, in bytes.
  int max_message_bytes = 64 << 20;
};

struct CallOptions {
  // The call ends with DEADLINE_EXCEEDED when this has passed. (A Budget's
  // max_time instead ends a row with its best prediction and OK.)
  absl::Duration timeout = absl::InfiniteDuration();
};

// Which version of a model: a number (0: the newest that is ready), or what the
// server's configuration calls it.
struct ModelVersion {
  ModelVersion(int64_t number = 0)  // NOLINT(google-explicit-constructor)
      : number(number) {}
  ModelVersion(int64_t number, std::string label)
      : number(number), label(std::move(label)) {}

  int64_t number = 0;
  std::string label;  // empty: by number
};

// What grpc.health.v1 says of a service.
enum class ServingStatus { kUnknown, kServing, kNotServing };

// One connection, shared with no other client. Thread-safe: any number of calls
// may run at once on it (async_calls.h: without a thread each). It reconnects
// by itself when the connection is lost; calls made meanwhile fail with
// UNAVAILABLE.
class Client {
 public:
  // UNAVAILABLE, with the reason as far as gRPC gives it, when no connection
  // stands within connect_timeout; INVALID_ARGUMENT for options that cannot
  // work, such as a target without a port, or a certificate's file that cannot
  // be read.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(
      const ClientOptions& options);

  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  // REQUIRES: no call runs and every session is gone.
  ~Client();

  // The final prediction of each row of the request.
  absl::StatusOr<v1::PredictUpdate> Predict(const v1::PredictRequest& request,
                                            const CallOptions& call = {}) const;

  // Calls `on_update` on the calling thread with each update, in order, and
  // returns when the stream has ended. Cancels the call and returns OK as soon
  // as `on_update` returns false. A slow `on_update` holds the stream up
  // (Output.delivery says what then happens to the steps).
  absl::Status Stream(
      const v1::PredictRequest& request,
      absl::FunctionRef<bool(const v1::PredictUpdate&)> on_update,
      const CallOptions& call = {}) const;

  // A stream on which many requests run and can be steered. The timeout is the
  // whole session's. This Client must outlive the session.
  std::unique_ptr<InteractiveSession> OpenSession(
      const CallOptions& call = {}) const;

  absl::StatusOr<v1::ListModelsResponse> ListModels(
      const CallOptions& call = {}) const;
  // The given version, ready or not: look at its `state`. With 0 the newest
  // that is ready, or when none is the newest. NOT_FOUND when there is none.
  absl::StatusOr<v1::ModelInfo> GetModel(const std::string& name,
                                         const ModelVersion& version = {},
                                         const CallOptions& call = {}) const;

  // A model to send requests to. With an empty name, the only one that is
  // ready: NOT_FOUND when there is none, INVALID_ARGUMENT naming them when
  // there are several. UNAVAILABLE, saying why, when the model is not ready.
  absl::StatusOr<v1::ModelInfo> FindModel(const std::string& name,
                                          const ModelVersion& version = {},
                                          const CallOptions& call = {}) const;

  // Has the server load what its policy wants of a model, as the files are now,
  // or let go of it; returns when it has. The server must be started with
  // --model_control_mode=explicit, and the token have the scope admin.
  absl::Status LoadModel(const std::string& name,
                         const CallOptions& call = {}) const;
  absl::Status UnloadModel(const std::string& name,
                           const CallOptions& call = {}) const;

  // The health of `service` ("": the server as a whole). NOT_FOUND when the
  // server knows no such service.
  absl::StatusOr<ServingStatus> Health(const std::string& service = "",
                                       const CallOptions& call = {}) const;

 private:
  friend class AsyncCalls;

  explicit Client(std::unique_ptr<Connection> connection);

  const std::unique_ptr<Connection> connection_;
};

// How long the server asked the client to wait before it tries again, when
// `status` is from a call of this library and the server said so. The message
// says the same in words.
std::optional<absl::Duration> RetryAfter(const absl::Status& status);

}  // namespace mre

#endif  // MRE_CLIENT_CC_CLIENT_H_
