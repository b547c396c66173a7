// What the programs ask for on the command line: a Budget, a flag of its name
// for each field; the server and which of its models; what it is to send.
#ifndef MRE_CLIENT_CONSOLE_REQUEST_FLAGS_H_
#define MRE_CLIENT_CONSOLE_REQUEST_FLAGS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cc/client.h"
#include "proto/mre/v1/anytime.pb.h"

namespace CLI {
class App;
}  // namespace CLI

namespace mre {

// One of each field of mre.v1.Budget; 0: no limit.
struct BudgetFlags {
  friend bool operator==(const BudgetFlags&, const BudgetFlags&) = default;

  uint32_t max_steps = 0;
  uint64_t max_macs = 0;
  std::string max_time;  // "5ms"; empty, like "0": no limit.
  float min_confidence = 0;
  float min_ray_coverage = 0;
  uint32_t stable_steps = 0;
  float theta_out = 0;  // 0: the model's, as theta_decay.
  float theta_decay = 0;
};

// Adds the flags to `app`; `budget` must outlive its parsing.
void AddBudgetFlags(CLI::App& app, BudgetFlags& budget);

// The same flags without their dashes, as in "max_steps=2,max_time=5ms".
// INVALID_ARGUMENT, saying which fields there are, for anything else.
absl::StatusOr<BudgetFlags> ParseBudgetFields(absl::string_view text);

// INVALID_ARGUMENT, naming the flag, for values that no budget can have.
absl::StatusOr<v1::Budget> MakeBudget(const BudgetFlags& flags);

struct ServerFlags {
  std::string server = "127.0.0.1:8001";
  std::string connect_timeout = "5s";
  std::string deadline;  // "1s"; empty: none.

  bool tls = false;
  std::string ca_cert;  // These three: PEM files.
  std::string client_cert;
  std::string client_key;
  std::string server_name;
  std::string token_file;  // Empty: the environment's MRE_TOKEN, if set.
  bool allow_plaintext_token = false;

  std::string model;  // Empty: the only one that is ready.
  int64_t model_version = 0;
  std::string model_label;  // Empty: by model_version.
};

// INVALID_ARGUMENT, naming the flag, for what is no length of time, or a file
// of a token that cannot be read.
absl::StatusOr<ClientOptions> MakeClientOptions(const ServerFlags& flags);
absl::StatusOr<CallOptions> MakeCallOptions(const ServerFlags& flags);

struct OutputFlags {
  uint32_t top_k = 0;
  uint32_t every = 0;
  std::string delivery = "all";  // Or "latest".
};

// These add flags to `app`; what they fill must outlive its parsing.
//
// --server, --connect_timeout, --deadline, as a group of their own, and what
// TLS and tokens need, as another.
void AddConnectionFlags(CLI::App& app, ServerFlags& flags);
// --model, --model_version.
void AddModelFlags(CLI::App& app, ServerFlags& flags, const std::string& group);
// --top_k.
void AddTopKFlag(CLI::App& app, OutputFlags& flags, const std::string& group);
// --every, --delivery: of predictions before the last.
void AddStepFlags(CLI::App& app, OutputFlags& flags, const std::string& group);

// The group of AddConnectionFlags, for what else belongs there.
inline constexpr char kConnectionGroup[] = "Connection";

// INVALID_ARGUMENT, naming the flag, for what cannot be.
absl::StatusOr<v1::Output> MakeOutput(const OutputFlags& flags);

}  // namespace mre

#endif  // MRE_CLIENT_CONSOLE_REQUEST_FLAGS_H_
