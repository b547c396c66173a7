#include "client/loadtest/wire_transport.h"

#include <utility>

#include "absl/memory/memory.h"
#include "model/base/status_macros.h"

namespace mre {

absl::StatusOr<std::unique_ptr<WireTransport>> WireTransport::Connect(
    const TransportOptions& options) {
  auto transport = absl::WrapUnique(new WireTransport(options));
  for (int i = 0; i < options.connections; ++i) {
    ASSIGN_OR_RETURN(auto connected, Client::Connect(options.client));
    transport->clients_.push_back(std::move(connected));
    transport->calls_.push_back(
        std::make_unique<AsyncCalls>(transport->clients_.back().get()));
  }
  if (options.method == Method::kInteractive) {
    for (int i = 0; i < options.sessions; ++i) {
      transport->lanes_.push_back(std::make_unique<SessionLane>(
          transport->calls_[i % options.connections].get()));
    }
  }
  return transport;
}

WireTransport::~WireTransport() {
  lanes_.clear();
  calls_.clear();
}

void WireTransport::Start(uint64_t index, v1::PredictRequest request,
                          CallListener* listener) {
  if (options_.method == Method::kInteractive) {
    lanes_[index % lanes_.size()]->Start(request, listener);
    return;
  }
  AsyncCalls& calls = *calls_[index % calls_.size()];
  if (options_.method == Method::kPredict) {
    calls.Predict(std::move(request), options_.call, listener);
  } else {
    calls.Stream(std::move(request), options_.call, listener);
  }
}

void WireTransport::CancelAll() {
  for (const auto& lane : lanes_) lane->Cancel();
  for (const auto& calls : calls_) calls->CancelAll();
}

}  // namespace mre
