// Checks of what clients send that both protocols share, on native values. Pure
// functions; each error is INVALID_ARGUMENT and names the field, as the
// protocol at hand calls it, and what was expected.
#ifndef MRE_SERVER_SERVICE_CHECKS_H_
#define MRE_SERVER_SERVICE_CHECKS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/engine/packed_model.h"
#include "model/engine/stop_rules.h"

namespace mre {

// "FIELD: expected EXPECTED"
absl::Status Invalid(absl::string_view field, absl::string_view expected);

// What a client sent, for an error: between quotation marks, in part if it is
// long, and without bytes that are not ASCII. (It may be cut within a letter.)
std::string QuoteSent(absl::string_view text);

// A text of ours as a string field may hold it. It may repeat a name in part,
// and one cut within a letter is no UTF-8: then what is not ASCII is escaped.
std::string FieldText(absl::string_view text);

// Names of requests are repeated in every answer: a longer one is refused.
inline constexpr size_t kMaxRequestId = 256;
absl::Status CheckId(absl::string_view id, absl::string_view field);

// The number of rows in a tensor of the given shape: [rows, model's input
// shape], or, if a row may stand alone, the model's input shape.
absl::StatusOr<uint32_t> CountRows(std::span<const int64_t> shape,
                                   const InputConfig& input, int64_t max_rows,
                                   bool may_stand_alone,
                                   absl::string_view field);

// Little-endian bytes as values. `element`: 1 (UINT8) or 4 (FP32) bytes.
absl::StatusOr<std::vector<float>> ReadValues(absl::string_view data,
                                              int64_t element, int64_t count,
                                              const InputConfig& input,
                                              absl::string_view field);

// Refuses what no model was trained for: numbers that are not finite, and those
// so far out that they would overflow inside of it.
absl::Status CheckValues(std::span<const float> values,
                         const InputConfig& input, absl::string_view field);

// What a protocol calls a field of its budget.
using BudgetField = std::string (*)(absl::string_view name);

// That each limit is one the model can keep; max_time is the caller's to check.
absl::Status CheckLimits(const Budget& budget, const PackedModel& model,
                         BudgetField field);

// The priority of a request's rows; 0 stands for the default.
absl::StatusOr<uint32_t> CheckPriority(uint64_t priority,
                                       absl::string_view field);

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_CHECKS_H_
