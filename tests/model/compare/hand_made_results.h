// Results of trainings that nobody ran: small enough to check by hand.
#ifndef MRE_TESTS_MODEL_COMPARE_HAND_MADE_RESULTS_H_
#define MRE_TESTS_MODEL_COMPARE_HAND_MADE_RESULTS_H_

#include <string>
#include <vector>

#include "model/compare/run_result.h"

namespace mre {

// `accuracy`: at the last step, by epoch. A model of 2 steps and 4 experts.
inline RunResult HandMadeResult(const std::string& run, uint64_t seed,
                                const std::vector<double>& accuracy) {
  RunResult result;
  result.run = run;
  result.seed = seed;
  result.recipe = R"({"kind":"mre"})";
  result.data = "00ff";
  result.parameters = 1000;
  for (size_t i = 0; i < accuracy.size(); ++i) {
    result.epochs.push_back({.epoch = static_cast<int64_t>(i) + 1,
                             .loss = 1.0 / static_cast<double>(i + 1),
                             .accuracy = {0.1, 0.2, accuracy[i]},
                             .least_use = 0.25,
                             .seconds = 2.5 * static_cast<double>(i + 1)});
  }
  Evaluation& evaluation = result.report.evaluation;
  evaluation.inputs = 8;
  evaluation.steps = {{0.1, 2, 100, 10, 0, 0.3},
                      {0.2, 1, 150, 15, 0.5, 0.6},
                      {accuracy.back(), 0.1 + 0.2, 200, 20, 1, 0.9}};
  evaluation.use = {0, 0.5, 0.5, 1};
  evaluation.load = LoadOf(evaluation.use);
  evaluation.early_use = {0, 0.25, 0.25, 0.5};
  evaluation.early_load = LoadOf(evaluation.early_use);
  evaluation.paths = {.length = 2,
                      .paths = 3,
                      .entropy = 1.5,
                      .mutual_information = {0.25},
                      .normalised = {1.0 / 3}};
  for (const double confidence : kCurveConfidences) {
    evaluation.curve.push_back({confidence, {1, 150, 0.5, 1}});
  }
  result.report.noise = NoiseReport{0.5, {0.1, 0.1, 0.3}, {2, 2, 1.25}};
  result.report.stop.emplace();
  result.report.stop->budget.min_confidence = 0.9f;
  result.report.stop->quality = {1.25, 170, 0.6, 0.7};
  result.seconds = 2.5 * static_cast<double>(accuracy.size());
  result.evaluation_seconds = 0.75;
  result.peak_memory = 50'000'000;
  return result;
}

}  // namespace mre

#endif  // MRE_TESTS_MODEL_COMPARE_HAND_MADE_RESULTS_H_
