#include "server/service/checks.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"
#include "server/schedule/request.h"

namespace mre {
namespace {

constexpr size_t kMostDimensionsNamed = 8;

// Inputs further from the training data than this, in its standard deviations,
// mean nothing, and far enough out they would overflow inside the model.
constexpr double kMostDeviations = 1e6;

bool IsSane(float value, int64_t channel, const InputConfig& input) {
  const double scaled =
      (value * input.scale - input.mean[channel]) / input.std[channel];
  return std::abs(scaled) <= kMostDeviations;  // false for NaN
}

absl::Status CheckShare(float value, const std::string& field) {
  if (value >= 0 && value <= 1) return absl::OkStatus();
  return Invalid(field,
                 absl::StrCat("a number in [0, 1] (0: no limit), got ", value));
}

// Of the kind raytracing, in (0, `below`); 0: the model's.
absl::Status CheckThreshold(float value, const std::string& field, double below,
                            const ModelConfig& config) {
  if (value == 0) return absl::OkStatus();
  if (config.kind != Kind::kRaytracing) {
    return Invalid(field, absl::StrCat("nothing, for a model of kind ",
                                       KindName(config.kind),
                                       " has no thresholds, got ", value));
  }
  if (value > 0 && value < below) return absl::OkStatus();
  return Invalid(field, absl::StrCat("a number above 0 and below ", below,
                                     " (0: the model's), got ", value));
}

}  // namespace

absl::Status Invalid(absl::string_view field, absl::string_view expected) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": expected ", expected));
}

std::string QuoteSent(absl::string_view text) {
  constexpr size_t kMost = 64;
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, kMost)), "\"");
}

std::string FieldText(absl::string_view text) {
  const bool ascii = std::all_of(text.begin(), text.end(), absl::ascii_isascii);
  return ascii ? std::string(text) : absl::CHexEscape(text);
}

absl::Status CheckId(absl::string_view id, absl::string_view field) {
  if (id.size() <= kMaxRequestId) return absl::OkStatus();
  return Invalid(field, absl::StrCat("at most ", kMaxRequestId, " bytes, got ",
                                     id.size()));
}

absl::StatusOr<uint32_t> CountRows(std::span<const int64_t> shape,
                                   const InputConfig& input, int64_t max_rows,
                                   bool may_stand_alone,
                                   absl::string_view field) {
  const std::vector<int64_t>& row = input.shape;
  // What a client sends is repeated to it in part only: a status must fit
  // into the metadata that carries it.
  if (shape.size() > kMostDimensionsNamed) {
    const std::string alone =
        may_stand_alone ? absl::StrCat(row.size(), " or ") : "";
    return Invalid(field, absl::StrCat(alone, row.size() + 1,
                                       " dimensions, got ", shape.size()));
  }
  if (may_stand_alone &&
      std::equal(shape.begin(), shape.end(), row.begin(), row.end())) {
    return 1;
  }
  const bool batched = shape.size() == row.size() + 1 &&
                       std::equal(row.begin(), row.end(), shape.begin() + 1);
  if (!batched) {
    const std::string wanted = absl::StrJoin(row, ",");
    const std::string alone =
        may_stand_alone ? absl::StrCat("[", wanted, "] or ") : "";
    return Invalid(field, absl::StrCat(alone, "[rows,", wanted, "], got [",
                                       absl::StrJoin(shape, ","), "]"));
  }
  if (shape[0] < 1 || shape[0] > max_rows) {
    return Invalid(field,
                   absl::StrCat("1 to ", max_rows, " rows, got ", shape[0]));
  }
  return static_cast<uint32_t>(shape[0]);
}

absl::StatusOr<std::vector<float>> ReadValues(absl::string_view data,
                                              int64_t element, int64_t count,
                                              const InputConfig& input,
                                              absl::string_view field) {
  if (static_cast<int64_t>(data.size()) != count * element) {
    return Invalid(
        field,
        absl::StrCat(count * element,
                     " bytes for this datatype and shape, got ", data.size()));
  }
  std::vector<float> values(count);
  if (element == 1) {
    std::transform(data.begin(), data.end(), values.begin(),
                   [](char c) { return static_cast<unsigned char>(c); });
    return values;
  }
  std::memcpy(values.data(), data.data(), data.size());
  RETURN_IF_ERROR(CheckValues(values, input, field));
  return values;
}

absl::Status CheckValues(std::span<const float> values,
                         const InputConfig& input, absl::string_view field) {
  for (size_t i = 0; i < values.size(); ++i) {
    const auto channel = static_cast<int64_t>(i) % input.channels();
    if (IsSane(values[i], channel, input)) continue;
    return Invalid(field,
                   absl::StrCat("finite numbers within a million standard "
                                "deviations of the training data, got ",
                                values[i], " as element ", i));
  }
  return absl::OkStatus();
}

absl::Status CheckLimits(const Budget& budget, const PackedModel& model,
                         BudgetField field) {
  const Cost& cost = model.cost();
  const ModelConfig& config = model.config();
  if (budget.max_macs > 0 && budget.max_macs < cost.After(0)) {
    return Invalid(
        field("max_macs"),
        absl::StrCat("at least ", cost.After(0),
                     " (stem and head; 0: no limit), got ", budget.max_macs));
  }
  RETURN_IF_ERROR(CheckShare(budget.min_confidence, field("min_confidence")));
  RETURN_IF_ERROR(
      CheckShare(budget.min_ray_coverage, field("min_ray_coverage")));
  const Thresholds& thresholds = budget.thresholds;
  RETURN_IF_ERROR(CheckThreshold(thresholds.theta_out, field("theta_out"),
                                 config.raytracing.mass(), config));
  return CheckThreshold(thresholds.theta_decay, field("theta_decay"), 1,
                        config);
}

absl::StatusOr<uint32_t> CheckPriority(uint64_t priority,
                                       absl::string_view field) {
  if (priority == 0) return kDefaultPriority;
  if (priority >= kFirstPriority && priority <= kLastPriority) {
    return static_cast<uint32_t>(priority);
  }
  return Invalid(field, absl::StrCat(kFirstPriority, " (first) to ",
                                     kLastPriority, " (last), or 0 (as ",
                                     kDefaultPriority, "), got ", priority));
}

}  // namespace mre
