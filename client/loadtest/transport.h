// How requests get to the server: by one of the three methods, over several
// connections.
#ifndef MRE_CLIENT_LOADTEST_TRANSPORT_H_
#define MRE_CLIENT_LOADTEST_TRANSPORT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cc/async_calls.h"
#include "client/cc/client.h"
#include "client/loadtest/session_lane.h"
#include "proto/mre/v1/anytime.pb.h"

namespace mre {

enum class Method {
  kPredict,      // Predict: the final prediction.
  kStream,       // PredictStream: every step.
  kInteractive,  // PredictInteractive: every step, many requests a stream.
};

struct TransportOptions {
  ClientOptions client;
  int connections = 1;
  Method method = Method::kStream;
  // kInteractive: the streams that stay open, spread over the connections.
  int sessions = 1;
  // kPredict and kStream: of each request.
  CallOptions call;
};

// Thread-safe.
class Transport {
 public:
  // As Client::Connect, for all connections.
  static absl::StatusOr<std::unique_ptr<Transport>> Connect(
      const TransportOptions& options);

  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  // Ends what runs, and waits until every listener has been told.
  ~Transport();

  // For calls that wait.
  const Client& client() const { return *clients_.front(); }

  // Starts `request`, of one row; connections take turns by `index`. The
  // listener is told of its updates and of its end, and of that perhaps before
  // this returns.
  void Start(uint64_t index, v1::PredictRequest request,
             CallListener* listener);

  // Ends the requests that run now.
  void CancelAll();

 private:
  explicit Transport(const TransportOptions& options) : options_(options) {}

  const TransportOptions options_;
  std::vector<std::unique_ptr<Client>> clients_;
  // Each one on the client of its place.
  std::vector<std::unique_ptr<AsyncCalls>> calls_;
  std::vector<std::unique_ptr<SessionLane>> lanes_;
};

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_TRANSPORT_H_
