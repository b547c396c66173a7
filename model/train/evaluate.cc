#include "model/train/evaluate.h"

#include <algorithm>

#include "model/engine/cost.h"
#include "model/net/kinds.h"
#include "model/train/touched_parameters.h"

namespace mre {
namespace {

// Adds what each row has used by each step.
void AddParameters(const ModelConfig& config, const Outcomes& outcomes,
                   std::vector<StepQuality>& steps) {
  const ParameterParts parts = PartsOf(config, ParamsOf(config));
  for (int64_t b = 0; b < outcomes.inputs; ++b) {
    const std::vector<int64_t> touched = TouchedParameters(
        parts, outcomes.experts_of(b), outcomes.experts_a_step());
    for (size_t t = 0; t < steps.size(); ++t) {
      steps[t].parameters += static_cast<double>(touched[t]);
    }
  }
}

}  // namespace

Evaluation Summarise(const ModelConfig& config, const Outcomes& outcomes) {
  const Cost cost = CostOf(config);
  const double inputs = static_cast<double>(outcomes.inputs);
  Evaluation evaluation;
  evaluation.inputs = outcomes.inputs;
  evaluation.text = config.text();
  evaluation.steps.resize(outcomes.exits());
  for (int64_t b = 0; b < outcomes.inputs; ++b) {
    for (int64_t t = 0; t < outcomes.exits(); ++t) {
      const int64_t at = b * outcomes.exits() + t;
      StepQuality& step = evaluation.steps[t];
      step.accuracy += outcomes.right[at];
      step.loss += outcomes.loss[at];
      step.confidence += outcomes.confidence[at];
      step.coverage += outcomes.coverage[at];
    }
  }
  AddParameters(config, outcomes, evaluation.steps);
  for (int64_t t = 0; t < outcomes.exits(); ++t) {
    StepQuality& step = evaluation.steps[t];
    step.accuracy /= inputs;
    step.loss /= inputs;
    step.parameters /= inputs;
    step.confidence /= inputs;
    step.coverage /= inputs;
    step.macs = static_cast<double>(cost.After(t));
  }
  evaluation.use =
      SharesOf(outcomes.experts, config.total_experts(), outcomes.inputs);
  evaluation.load = LoadOf(evaluation.use);
  const int64_t length = std::min(config.layers, outcomes.steps);
  const int64_t k = outcomes.experts_a_step();
  evaluation.early_use =
      SharesOf(FirstSteps(outcomes.experts, outcomes.steps * k, length * k),
               config.total_experts(), outcomes.inputs);
  evaluation.early_load = LoadOf(evaluation.early_use);
  evaluation.paths = StatisticsOfPaths(
      FirstSteps(outcomes.path, outcomes.steps, length), length);
  evaluation.curve = AnytimeCurve(kCurveConfidences, cost, outcomes);
  return evaluation;
}

Evaluation Evaluate(const Model& model, const Split& split, int64_t steps) {
  return Summarise(model.config, Observe(model, split, {.steps = steps}));
}

}  // namespace mre
