// What the subcommands do first.
#ifndef MRE_CLIENT_CLI_SETUP_H_
#define MRE_CLIENT_CLI_SETUP_H_

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "client/cc/client.h"
#include "client/cli/flags.h"
#include "client/cli/input.h"
#include "proto/mre/v1/anytime.pb.h"

namespace mre {

// Print `status` to stderr (a call's with the name of its code) and return the
// exit code that goes with it.
int FailCall(const absl::Status& status);
int FailUsage(const absl::Status& status);

// Everything that a prediction needs.
struct Setup {
  std::unique_ptr<Client> client;
  CallOptions call;
  v1::ModelInfo model;
  v1::PredictRequest request;   // Without input and request_id.
  std::vector<Sample> samples;  // At least one.

  // The request for the i-th sample; its request_id is the sample's name.
  v1::PredictRequest RequestFor(size_t i) const;
};

// Connects to --server. kExitOk, or the exit code after it has said on stderr
// what is wrong.
int Connect(const Flags& flags, std::unique_ptr<Client>& client);

// Checks the flags, reads the input, connects and finds the model. kExitOk, or
// the exit code after it has said on stderr what is wrong.
int Prepare(const Flags& flags, Setup& setup);

}  // namespace mre

#endif  // MRE_CLIENT_CLI_SETUP_H_
