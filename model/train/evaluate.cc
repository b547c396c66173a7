#include "model/train/evaluate.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/engine/cost.h"
#include "model/math/elementwise.h"
#include "model/net/kinds.h"
#include "model/train/batches.h"

namespace mre {
namespace {

constexpr int64_t kRows = 256;  // at once

// Adds one batch's rows to the sums in `evaluation`.
void AddBatch(const Exits& batch, int64_t classes,
              const std::vector<uint8_t>& labels, Evaluation& evaluation) {
  const int64_t exits = batch.steps + 1;
  std::vector<float> p(classes);
  for (int64_t b = 0; b < batch.rows; ++b) {
    for (int64_t t = 0; t < exits; ++t) {
      StepQuality& step = evaluation.steps[t];
      Softmax(batch.logits.data() + (b * exits + t) * classes, classes,
              p.data());
      const auto best = std::max_element(p.begin(), p.end());
      step.accuracy += best - p.begin() == labels[b];
      step.confidence += *best;
      // As the loss that is trained (network.h) has it.
      step.loss -= std::log(std::max(p[labels[b]], 1e-30f));
      step.coverage += batch.coverage[b * exits + t];
    }
  }
  for (const int32_t expert : batch.experts) ++evaluation.use[expert];
}

}  // namespace

double Evaluation::least_use() const {
  return *std::min_element(use.begin(), use.end());
}

double Evaluation::largest_use() const {
  return *std::max_element(use.begin(), use.end());
}

Evaluation Evaluate(const Model& model, const Split& split, int64_t steps) {
  const ModelConfig& config = model.config;
  const std::unique_ptr<Network> network = NewNetwork(config);
  const Cost cost = CostOf(config);
  Batches batches(split, config.input, {});
  const PassOptions greedy{.steps = steps};
  Evaluation evaluation;
  evaluation.inputs = split.size();
  evaluation.text = config.text();
  evaluation.steps.resize(steps + 1);
  evaluation.use.resize(config.total_experts());
  for (int64_t begin = 0; begin < split.size(); begin += kRows) {
    const int64_t end = std::min(begin + kRows, split.size());
    batches.LoadRange(begin, end);
    const Exits exits =
        network->Forward(model.params, batches.x(), end - begin, greedy);
    AddBatch(exits, config.num_classes(), batches.labels(), evaluation);
  }
  const double inputs = static_cast<double>(split.size());
  for (int64_t t = 0; t <= steps; ++t) {
    StepQuality& step = evaluation.steps[t];
    step.accuracy /= inputs;
    step.confidence /= inputs;
    step.loss /= inputs;
    step.coverage /= inputs;
    step.macs = static_cast<double>(cost.After(t));
  }
  for (double& use : evaluation.use) use /= inputs;
  return evaluation;
}

std::string FormatTable(const Evaluation& evaluation) {
  std::string text = "step  accuracy      MACs  coverage  confidence";
  absl::StrAppend(&text, evaluation.text ? "    loss  perplexity\n" : "\n");
  for (size_t t = 0; t < evaluation.steps.size(); ++t) {
    const StepQuality& step = evaluation.steps[t];
    absl::StrAppendFormat(&text, "%4d    %.4f  %8.0f    %.4f      %.4f", t,
                          step.accuracy, step.macs, step.coverage,
                          step.confidence);
    if (evaluation.text) {
      absl::StrAppendFormat(&text, "  %.4f    %8.4f", step.loss,
                            std::exp(step.loss));
    }
    absl::StrAppend(&text, "\n");
  }
  const auto dead =
      std::count(evaluation.use.begin(), evaluation.use.end(), 0.0);
  absl::StrAppendFormat(
      &text,
      "%d inputs; by the last step an expert is run by %.1f %% to %.1f %% of "
      "them, %d of %d by none\n",
      evaluation.inputs, 100 * evaluation.least_use(),
      100 * evaluation.largest_use(), dead, evaluation.use.size());
  return text;
}

std::string FormatJson(const Evaluation& evaluation) {
  nlohmann::ordered_json json;
  json["inputs"] = evaluation.inputs;
  json["steps"] = nlohmann::ordered_json::array();
  for (size_t t = 0; t < evaluation.steps.size(); ++t) {
    const StepQuality& step = evaluation.steps[t];
    json["steps"].push_back({{"step", t},
                             {"accuracy", step.accuracy},
                             {"macs", step.macs},
                             {"coverage", step.coverage},
                             {"confidence", step.confidence},
                             {"loss", step.loss}});
    if (evaluation.text) {
      json["steps"].back()["perplexity"] = std::exp(step.loss);
    }
  }
  json["expert_use"] = evaluation.use;
  return json.dump() + "\n";
}

}  // namespace mre
