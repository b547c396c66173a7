// The classes of clients that the load stands for: what each asks, and which
// share of the requests it sends.
#ifndef MRE_CLIENT_LOADTEST_CLASS_MIX_H_
#define MRE_CLIENT_LOADTEST_CLASS_MIX_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/console/request_flags.h"
#include "proto/mre/v1/anytime.pb.h"

namespace mre {

struct ClientClass {
  std::string name;
  double share = 1;  // Above 0; relative to the other classes'.
  v1::Budget budget;
};

// NAME:SHARE or NAME:SHARE:FIELD=VALUE,..., a field being one of Budget's:
// "fast:3:max_steps=2,max_time=5ms". INVALID_ARGUMENT, quoting the text and
// saying what was expected, for anything else.
absl::StatusOr<ClientClass> ParseClass(absl::string_view text);

// At least one class, of names that differ.
class ClassMix {
 public:
  // One class "default" with the budget of the plain flags when `classes` is
  // empty; otherwise those classes, and INVALID_ARGUMENT when there is a plain
  // budget too or two have one name.
  static absl::StatusOr<ClassMix> Make(const std::vector<std::string>& classes,
                                       const BudgetFlags& plain);

  const std::vector<ClientClass>& classes() const { return classes_; }

  // The class, as an index of classes(), of the request `index`: drawn by the
  // shares, and a function of its arguments alone.
  size_t ClassOf(uint64_t seed, uint64_t index) const;

 private:
  explicit ClassMix(std::vector<ClientClass> classes);

  std::vector<ClientClass> classes_;
  std::vector<double> upto_;  // Sums of the shares, up to each class.
};

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_CLASS_MIX_H_
