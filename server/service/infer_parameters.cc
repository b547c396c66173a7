#include "server/service/infer_parameters.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "server/service/checks.h"

namespace mre {
namespace {

using inference::InferParameter;

// As it came, for errors.
std::string Show(const InferParameter& value) {
  switch (value.parameter_choice_case()) {
    case InferParameter::kBoolParam:
      return value.bool_param() ? "true" : "false";
    case InferParameter::kInt64Param:
      return absl::StrCat(value.int64_param());
    case InferParameter::kStringParam:
      return QuoteSent(value.string_param());
    case InferParameter::kDoubleParam:
      return absl::StrCat(value.double_param());
    case InferParameter::kUint64Param:
      return absl::StrCat(value.uint64_param());
    case InferParameter::PARAMETER_CHOICE_NOT_SET:
      break;
  }
  return "nothing";
}

absl::Status Unfit(absl::string_view name, absl::string_view expected,
                   const InferParameter& value) {
  return Invalid(ParameterName(name),
                 absl::StrCat(expected, ", got ", Show(value)));
}

// An integer from 0 to `most`, from any type that can hold one; a double has to
// be whole.
absl::StatusOr<uint64_t> Integer(absl::string_view name,
                                 const InferParameter& value, uint64_t most) {
  uint64_t number = 0;
  bool fits = false;
  switch (value.parameter_choice_case()) {
    case InferParameter::kInt64Param:
      fits = value.int64_param() >= 0;
      number = static_cast<uint64_t>(value.int64_param());
      break;
    case InferParameter::kUint64Param:
      fits = true;
      number = value.uint64_param();
      break;
    case InferParameter::kStringParam:
      fits = absl::SimpleAtoi(value.string_param(), &number);
      break;
    case InferParameter::kDoubleParam: {
      // Beyond 2^53 not every integer is a double.
      const double real = value.double_param();
      fits = real >= 0 && real <= 0x1p53 && real == std::floor(real);
      if (fits) number = static_cast<uint64_t>(real);
      break;
    }
    default:
      break;
  }
  if (fits && number <= most) return number;
  return Unfit(
      name, absl::StrCat("an integer from 0 to ", most, ", or a string of one"),
      value);
}

absl::StatusOr<float> Number(absl::string_view name,
                             const InferParameter& value) {
  double number = std::numeric_limits<double>::quiet_NaN();
  switch (value.parameter_choice_case()) {
    case InferParameter::kDoubleParam:
      number = value.double_param();
      break;
    case InferParameter::kInt64Param:
      number = static_cast<double>(value.int64_param());
      break;
    case InferParameter::kUint64Param:
      number = static_cast<double>(value.uint64_param());
      break;
    case InferParameter::kStringParam:
      if (!absl::SimpleAtod(value.string_param(), &number)) {
        number = std::numeric_limits<double>::quiet_NaN();
      }
      break;
    default:
      break;
  }
  // False for NaN. What is in range is the model's to say.
  if (std::abs(number) <= std::numeric_limits<float>::max()) {
    return static_cast<float>(number);
  }
  return Unfit(name, "a number, or a string of one", value);
}

absl::StatusOr<bool> Bool(absl::string_view name, const InferParameter& value) {
  switch (value.parameter_choice_case()) {
    case InferParameter::kBoolParam:
      return value.bool_param();
    case InferParameter::kInt64Param:
      if (value.int64_param() == 0 || value.int64_param() == 1) {
        return value.int64_param() == 1;
      }
      break;
    case InferParameter::kUint64Param:
      if (value.uint64_param() <= 1) return value.uint64_param() == 1;
      break;
    case InferParameter::kStringParam: {
      bool parsed = false;
      if (absl::SimpleAtob(value.string_param(), &parsed)) return parsed;
      break;
    }
    default:
      break;
  }
  return Unfit(name, R"(a bool, 0 or 1, or "true" or "false")", value);
}

// A time in microseconds, at most what a Duration of nanoseconds can hold.
absl::StatusOr<absl::Duration> Microseconds(absl::string_view name,
                                            const InferParameter& value) {
  constexpr uint64_t kMost = std::numeric_limits<int64_t>::max() / 1000;
  ASSIGN_OR_RETURN(const uint64_t us, Integer(name, value, kMost));
  return absl::Microseconds(static_cast<int64_t>(us));
}

// That there is no sequence.
absl::Status NoSequence(absl::string_view name, const InferParameter& value) {
  const bool none =
      (value.has_int64_param() && value.int64_param() == 0) ||
      (value.has_uint64_param() && value.uint64_param() == 0) ||
      (value.has_string_param() && value.string_param().empty()) ||
      (value.has_bool_param() && !value.bool_param());
  if (none) return absl::OkStatus();
  return Unfit(name, "none, for models here keep no state between requests",
               value);
}

absl::StatusOr<uint32_t> Steps(absl::string_view name,
                               const InferParameter& value) {
  ASSIGN_OR_RETURN(const uint64_t steps,
                   Integer(name, value, std::numeric_limits<uint32_t>::max()));
  return static_cast<uint32_t>(steps);
}

constexpr uint64_t kAny = std::numeric_limits<uint64_t>::max();

absl::Status Read(absl::string_view name, const InferParameter& value,
                  InferParameters& to, absl::Duration& timeout) {
  Budget& budget = to.budget;
  if (name == "max_steps") {
    ASSIGN_OR_RETURN(budget.max_steps, Steps(name, value));
  } else if (name == "max_macs") {
    ASSIGN_OR_RETURN(budget.max_macs, Integer(name, value, kAny));
  } else if (name == "max_time_us") {
    ASSIGN_OR_RETURN(budget.max_time, Microseconds(name, value));
  } else if (name == "min_confidence") {
    ASSIGN_OR_RETURN(budget.min_confidence, Number(name, value));
  } else if (name == "min_ray_coverage") {
    ASSIGN_OR_RETURN(budget.min_ray_coverage, Number(name, value));
  } else if (name == "stable_steps") {
    ASSIGN_OR_RETURN(budget.stable_steps, Steps(name, value));
  } else if (name == "theta_out") {
    ASSIGN_OR_RETURN(budget.thresholds.theta_out, Number(name, value));
  } else if (name == "theta_decay") {
    ASSIGN_OR_RETURN(budget.thresholds.theta_decay, Number(name, value));
  } else if (name == "sampled") {
    ASSIGN_OR_RETURN(to.sampled, Bool(name, value));
  } else if (name == "seed") {
    ASSIGN_OR_RETURN(to.seed, Integer(name, value, kAny));
  } else if (name == "timeout") {
    ASSIGN_OR_RETURN(timeout, Microseconds(name, value));
  } else if (name == "priority") {
    ASSIGN_OR_RETURN(const uint64_t priority, Integer(name, value, kAny));
    ASSIGN_OR_RETURN(to.priority, CheckPriority(priority, ParameterName(name)));
  } else if (name == "triton_enable_empty_final_response") {
    // A bool and nothing else, as that protocol says.
    if (!value.has_bool_param()) return Unfit(name, "a bool", value);
    to.empty_final_response = value.bool_param();
  } else if (absl::StartsWith(name, "sequence_")) {
    return NoSequence(name, value);
  } else if (!absl::StartsWith(name, "triton_")) {
    return Invalid(ParameterName(name),
                   "no parameter of this name; there are max_steps, max_macs, "
                   "max_time_us, min_confidence, min_ray_coverage, "
                   "stable_steps, theta_out, theta_decay, sampled, seed, "
                   "timeout and priority");
  }
  return absl::OkStatus();
}

}  // namespace

std::string ParameterName(absl::string_view name) {
  return absl::StrCat("parameters[", QuoteSent(name), "]");
}

absl::StatusOr<InferParameters> ParseInferParameters(
    const google::protobuf::Map<std::string, InferParameter>& parameters,
    const PackedModel& model) {
  InferParameters parsed;
  absl::Duration timeout;
  for (const auto& [name, value] : parameters) {
    RETURN_IF_ERROR(Read(name, value, parsed, timeout));
  }
  absl::Duration& limit = parsed.budget.max_time;
  if (limit == absl::ZeroDuration()) {
    limit = timeout;
  } else if (timeout > absl::ZeroDuration()) {
    limit = std::min(limit, timeout);
  }
  RETURN_IF_ERROR(CheckLimits(parsed.budget, model, ParameterName));
  return parsed;
}

}  // namespace mre
