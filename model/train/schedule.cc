#include "model/train/schedule.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace mre {
namespace {

constexpr double kPi = 3.141592653589793;

// Half a cosine from `begin` (at 0) to `end` (at 1).
double Anneal(double begin, double end, double at) {
  return end + (begin - end) / 2 * (1 + std::cos(kPi * at));
}

double OneCycle(double peak, double step, double total) {
  const double first = peak / 25;
  const double last = first / 1e4;
  const double top = 0.3 * total - 1;  // the step of the peak
  const double end = total - 1;
  if (step <= top) return Anneal(first, peak, step / top);
  // Runs so short that they have no way up start at the top.
  const double begin = std::max(top, 0.0);
  return end <= begin ? peak
                      : Anneal(peak, last, (step - begin) / (end - begin));
}

double Cosine(double peak, double step, double total) {
  const double warm = 0.05 * total;
  if (step < warm) return peak * (step + 1) / (warm + 1);
  return Anneal(peak, 0, (step - warm) / (total - warm));
}

}  // namespace

absl::StatusOr<Schedule> ParseSchedule(absl::string_view name) {
  if (name == "one-cycle") return Schedule::kOneCycle;
  if (name == "cosine") return Schedule::kCosine;
  if (name == "constant") return Schedule::kConstant;
  return absl::InvalidArgumentError(
      absl::StrCat("--schedule: expected one-cycle, cosine or constant, got \"",
                   name, "\""));
}

double LearningRate(Schedule schedule, double peak, int64_t step,
                    int64_t total) {
  const double at = static_cast<double>(step);
  const double end = static_cast<double>(total);
  switch (schedule) {
    case Schedule::kOneCycle:
      return OneCycle(peak, at, end);
    case Schedule::kCosine:
      return Cosine(peak, at, end);
    case Schedule::kConstant:
      return peak;
  }
  return peak;
}

}  // namespace mre
