// How long the rest of a plan will take.
#ifndef MRE_MODEL_COMPARE_PLAN_TIME_H_
#define MRE_MODEL_COMPARE_PLAN_TIME_H_

#include <optional>
#include <string>
#include <vector>

namespace mre {

// One training of a plan.
struct TrainingTime {
  std::string run;
  std::optional<double> seconds;  // once it is done
};

double SecondsSpent(const std::vector<TrainingTime>& times);

// Those not done are taken to last as long as the mean of the same run's, or
// else of all that are done. None when nothing is done.
std::optional<double> SecondsLeft(const std::vector<TrainingTime>& times);

}  // namespace mre

#endif  // MRE_MODEL_COMPARE_PLAN_TIME_H_
