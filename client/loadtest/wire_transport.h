// Requests over the wire: by one of the three methods, over several
// connections.
#ifndef MRE_CLIENT_LOADTEST_WIRE_TRANSPORT_H_
#define MRE_CLIENT_LOADTEST_WIRE_TRANSPORT_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cc/async_calls.h"
#include "client/cc/client.h"
#include "client/loadtest/session_lane.h"
#include "client/loadtest/transport.h"
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
class WireTransport final : public Transport {
 public:
  // As Client::Connect, for all connections.
  static absl::StatusOr<std::unique_ptr<WireTransport>> Connect(
      const TransportOptions& options);

  WireTransport(const WireTransport&) = delete;
  WireTransport& operator=(const WireTransport&) = delete;
  // Ends what runs, and waits until every listener has been told.
  ~WireTransport() override;

  // For calls that wait.
  const Client& client() const { return *clients_.front(); }

  // Connections take turns by `index`.
  void Start(uint64_t index, v1::PredictRequest request,
             CallListener* listener) override;
  void CancelAll() override;

 private:
  explicit WireTransport(const TransportOptions& options) : options_(options) {}

  const TransportOptions options_;
  std::vector<std::unique_ptr<Client>> clients_;
  // Each one on the client of its place.
  std::vector<std::unique_ptr<AsyncCalls>> calls_;
  std::vector<std::unique_ptr<SessionLane>> lanes_;
};

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_WIRE_TRANSPORT_H_
