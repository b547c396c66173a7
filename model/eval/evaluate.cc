#include "model/eval/evaluate.h"

#include <algorithm>
#include <span>
#include <vector>

#include "model/eval/touched_parameters.h"
#include "model/net/kinds.h"

namespace mre {
namespace {

// Adds what each row has used by each step.
void AddParameters(const ModelConfig& config, const Outcomes& outcomes,
                   std::vector<StepQuality>& steps) {
  const ParameterParts parts = PartsOf(config, ParamsOf(config));
  for (int64_t b = 0; b < outcomes.inputs; ++b) {
    const std::vector<int64_t> touched =
        TouchedParameters(parts, outcomes.experts,
                          std::span(outcomes.expert_begin)
                              .subspan(b * outcomes.steps, outcomes.exits()));
    for (size_t t = 0; t < steps.size(); ++t) {
      steps[t].parameters += static_cast<double>(touched[t]);
    }
  }
}

// How many experts inputs run.
ExpertCount ExpertsRun(const Outcomes& outcomes) {
  ExpertCount count;
  for (int64_t b = 0; b < outcomes.inputs; ++b) {
    const int64_t ran =
        static_cast<int64_t>(outcomes.experts_of(b, outcomes.steps).size());
    count.fewest = b == 0 ? ran : std::min(count.fewest, ran);
    count.most = std::max(count.most, ran);
    count.mean += static_cast<double>(ran);
    count.steps += outcomes.last[b];
  }
  count.mean /= static_cast<double>(outcomes.inputs);
  count.steps /= static_cast<double>(outcomes.inputs);
  return count;
}

}  // namespace

Evaluation Summarise(const ModelConfig& config, const Outcomes& outcomes) {
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
      step.macs += outcomes.macs[at];
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
    step.macs /= inputs;
  }
  evaluation.use =
      SharesOf(outcomes.experts, config.total_experts(), outcomes.inputs);
  evaluation.load = LoadOf(evaluation.use);
  const int64_t length = std::min(config.layers, outcomes.steps);
  std::vector<int32_t> early;
  for (int64_t b = 0; b < outcomes.inputs; ++b) {
    const auto first = outcomes.experts_of(b, length);
    early.insert(early.end(), first.begin(), first.end());
  }
  evaluation.early_use =
      SharesOf(early, config.total_experts(), outcomes.inputs);
  evaluation.early_load = LoadOf(evaluation.early_use);
  evaluation.experts = ExpertsRun(outcomes);
  evaluation.paths = StatisticsOfPaths(
      FirstSteps(outcomes.path, outcomes.steps, length), length);
  evaluation.curve = AnytimeCurve(kCurveConfidences, outcomes);
  return evaluation;
}

Evaluation Evaluate(const Model& model, const Split& split, int64_t steps) {
  return Summarise(model.config, Observe(model, split, {.steps = steps}));
}

}  // namespace mre
