// What the library's files share of gRPC. Not for users of the library, whose
// headers (client.h, interactive_session.h, async_calls.h) show no gRPC.
#ifndef MRE_CLIENT_CC_CONNECTION_H_
#define MRE_CLIENT_CC_CONNECTION_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cc/client.h"
#include "proto/mre/v1/anytime.grpc.pb.h"

namespace mre {

// The channel and the stub on it. Thread-safe, as both are.
class Connection {
 public:
  // An empty `token` is none.
  Connection(std::shared_ptr<grpc::Channel> channel, const std::string& token)
      : channel_(std::move(channel)),
        stub_(v1::AnytimeInference::NewStub(channel_)),
        authorization_(token.empty() ? "" : "Bearer " + token) {}

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  v1::AnytimeInference::Stub& stub() const { return *stub_; }

  // Applies `options`, and the token, to a call that has not begun.
  void Configure(const CallOptions& options, grpc::ClientContext& call) const {
    if (!authorization_.empty()) {
      call.AddMetadata("authorization", authorization_);
    }
    if (options.timeout == absl::InfiniteDuration()) return;
    call.set_deadline(absl::ToChronoTime(absl::Now() + options.timeout));
  }

 private:
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::AnytimeInference::Stub> stub_;
  const std::string authorization_;  // the header's value; secret
};

}  // namespace mre

#endif  // MRE_CLIENT_CC_CONNECTION_H_
