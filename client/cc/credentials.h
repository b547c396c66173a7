// How a client shows who it is and checks who it talks to: ClientOptions ->
// gRPC's credentials. Not for users of the library.
#ifndef MRE_CLIENT_CC_CREDENTIALS_H_
#define MRE_CLIENT_CC_CREDENTIALS_H_

#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cc/client.h"

namespace mre {

// INVALID_ARGUMENT for options that contradict each other, a file that cannot
// be read, or a token that would cross a network in the clear. Sets what the
// server is called in `args` where that is not the target's host.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeCredentials(
    const ClientOptions& options, grpc::ChannelArguments& args);

}  // namespace mre

#endif  // MRE_CLIENT_CC_CREDENTIALS_H_
