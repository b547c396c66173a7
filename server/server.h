// The whole server: models, scheduler, gRPC and metrics, put together.
#ifndef MRE_SERVER_SERVER_H_
#define MRE_SERVER_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/config.h"

namespace mre {

// Thread-safe.
class Server {
 public:
  // Loads the models, runs each once, and listens; a port that is taken is
  // found before. When it returns, the server
  // serves and its health says so. Leaves the calling thread's products on
  // config.threads threads (SetThreads).
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      const ServerConfig& config);
  // Ends calls that are still open.
  virtual ~Server() = default;

  // Turns health to NOT_SERVING, refuses new requests with UNAVAILABLE, lets
  // running rows finish within config.drain_seconds, ends those that remain
  // with their best so far (DRAINING), waits for their answers to be sent, and
  // stops listening. Call once.
  virtual void Drain() = 0;

  // "mre-server ready grpc=HOST:PORT metrics=HOST:PORT models=N"
  virtual std::string ReadyLine() const = 0;
};

}  // namespace mre

#endif  // MRE_SERVER_SERVER_H_
