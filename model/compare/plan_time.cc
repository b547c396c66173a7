#include "model/compare/plan_time.h"

#include <cstdint>

namespace mre {
namespace {

// Of the trainings that are done; of one run, or of all when `run` is null.
std::optional<double> MeanSeconds(const std::vector<TrainingTime>& times,
                                  const std::string* run) {
  double sum = 0;
  int64_t count = 0;
  for (const TrainingTime& time : times) {
    if (!time.seconds || (run != nullptr && time.run != *run)) continue;
    sum += *time.seconds;
    ++count;
  }
  if (count == 0) return std::nullopt;
  return sum / static_cast<double>(count);
}

}  // namespace

double SecondsSpent(const std::vector<TrainingTime>& times) {
  double sum = 0;
  for (const TrainingTime& time : times) sum += time.seconds.value_or(0);
  return sum;
}

std::optional<double> SecondsLeft(const std::vector<TrainingTime>& times) {
  const std::optional<double> any = MeanSeconds(times, nullptr);
  if (!any) return std::nullopt;
  double left = 0;
  for (const TrainingTime& time : times) {
    if (!time.seconds) left += MeanSeconds(times, &time.run).value_or(*any);
  }
  return left;
}

}  // namespace mre
