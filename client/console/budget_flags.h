// A Budget on the command line: a flag of its name for each field.
#ifndef MRE_CLIENT_CONSOLE_BUDGET_FLAGS_H_
#define MRE_CLIENT_CONSOLE_BUDGET_FLAGS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
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

// INVALID_ARGUMENT, naming the flag, for values that no budget can have.
absl::StatusOr<v1::Budget> MakeBudget(const BudgetFlags& flags);

}  // namespace mre

#endif  // MRE_CLIENT_CONSOLE_BUDGET_FLAGS_H_
