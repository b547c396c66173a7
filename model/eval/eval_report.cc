#include "model/eval/eval_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "model/eval/statistics.h"
#include "model/net/router_noise.h"

namespace mre {
namespace {

using nlohmann::ordered_json;

constexpr int64_t kDeciles = 10;
// So that a noise of 0.5 says the same today and tomorrow.
constexpr uint64_t kNoiseSeed = 1;

void AppendLoad(int64_t step, const ExpertLoad& load, size_t experts,
                std::string& text) {
  absl::StrAppendFormat(
      &text,
      "by step %d an expert is run by %.1f %% to %.1f %% of them (largest over "
      "mean %.2f), %d of %d by none\n",
      step, 100 * load.least, 100 * load.largest, load.max_over_mean, load.dead,
      experts);
}

void AppendCurve(const std::vector<CurvePoint>& curve, std::string& text) {
  text += "stopping at a confidence of\n      steps      MACs  accuracy\n";
  for (const CurvePoint& point : curve) {
    absl::StrAppendFormat(&text, "%4.2f  %5.2f  %8.0f    %.4f\n",
                          point.min_confidence, point.quality.steps,
                          point.quality.macs, point.quality.accuracy);
  }
}

void AppendNoise(const NoiseReport& noise, const Evaluation& clean,
                 std::string& text) {
  absl::StrAppendFormat(
      &text, "noise of %g deviations on the router's logits\n", noise.scale);
  text += "step  accuracy  change    loss  change\n";
  for (size_t t = 0; t < noise.loss.size(); ++t) {
    absl::StrAppendFormat(&text, "%4d    %.4f %+.4f  %.4f %+.4f\n", t,
                          noise.accuracy[t],
                          noise.accuracy[t] - clean.steps[t].accuracy,
                          noise.loss[t], noise.loss[t] - clean.steps[t].loss);
  }
}

// The rule as flags.
std::string FormatRule(const Budget& budget) {
  std::vector<std::string> rule;
  if (budget.min_confidence > 0) {
    rule.push_back(absl::StrCat("--min_confidence=", budget.min_confidence));
  }
  if (budget.min_ray_coverage > 0) {
    rule.push_back(
        absl::StrCat("--min_ray_coverage=", budget.min_ray_coverage));
  }
  if (budget.stable_steps > 0) {
    rule.push_back(absl::StrCat("--stable_steps=", budget.stable_steps));
  }
  return absl::StrJoin(rule, " ");
}

void AppendStop(const StopReport& stop, std::string& text) {
  absl::StrAppendFormat(
      &text,
      "with %s: %.2f steps, %.0f MACs, accuracy %.4f, loss %.4f (means)\n",
      FormatRule(stop.budget), stop.quality.steps, stop.quality.macs,
      stop.quality.accuracy, stop.quality.loss);
  if (stop.steps_by_decile.empty()) return;
  absl::StrAppend(
      &text, "steps used and the reference's loss: rank correlation ",
      stop.rank_correlation ? absl::StrFormat("%.4f", *stop.rank_correlation)
                            : "none (all inputs use the same number)",
      "\nsteps by tenths of the inputs, from the reference's smallest loss: ",
      absl::StrJoin(stop.steps_by_decile, " ",
                    [](std::string* out, double steps) {
                      absl::StrAppendFormat(out, "%.2f", steps);
                    }),
      "\n");
}

ordered_json QualityJson(const StopQuality& quality) {
  return {{"steps", quality.steps},
          {"macs", quality.macs},
          {"accuracy", quality.accuracy},
          {"loss", quality.loss}};
}

ordered_json StopJson(const StopReport& stop) {
  ordered_json json = {{"min_confidence", stop.budget.min_confidence},
                       {"min_ray_coverage", stop.budget.min_ray_coverage},
                       {"stable_steps", stop.budget.stable_steps}};
  json.update(QualityJson(stop.quality));
  if (!stop.steps_by_decile.empty()) {
    json["rank_correlation"] = stop.rank_correlation
                                   ? ordered_json(*stop.rank_correlation)
                                   : ordered_json(nullptr);
    json["steps_by_decile"] = stop.steps_by_decile;
  }
  return json;
}

ordered_json LoadJson(const ExpertLoad& load) {
  return {{"least", load.least},
          {"largest", load.largest},
          {"mean", load.mean},
          {"max_over_mean", load.max_over_mean},
          {"dead", load.dead}};
}

ordered_json EvaluationJson(const Evaluation& evaluation) {
  ordered_json json;
  json["inputs"] = evaluation.inputs;
  json["steps"] = ordered_json::array();
  for (size_t t = 0; t < evaluation.steps.size(); ++t) {
    const StepQuality& step = evaluation.steps[t];
    json["steps"].push_back({{"step", t},
                             {"accuracy", step.accuracy},
                             {"loss", step.loss},
                             {"macs", step.macs},
                             {"parameters", step.parameters},
                             {"coverage", step.coverage},
                             {"confidence", step.confidence}});
    if (evaluation.text) {
      json["steps"].back()["perplexity"] = std::exp(step.loss);
    }
  }
  json["expert_use"] = evaluation.use;
  json["early_expert_use"] = evaluation.early_use;
  json["expert_load"] = LoadJson(evaluation.load);
  json["early_expert_load"] = LoadJson(evaluation.early_load);
  json["experts_run"] = {{"fewest", evaluation.experts.fewest},
                         {"mean", evaluation.experts.mean},
                         {"most", evaluation.experts.most},
                         {"steps", evaluation.experts.steps}};
  const PathStatistics& paths = evaluation.paths;
  json["paths"] = {{"length", paths.length},
                   {"distinct", paths.paths},
                   {"entropy_bits", paths.entropy},
                   {"mutual_information_bits", paths.mutual_information},
                   {"normalised_information", paths.normalised}};
  json["curve"] = ordered_json::array();
  for (const CurvePoint& point : evaluation.curve) {
    ordered_json item = {{"min_confidence", point.min_confidence}};
    item.update(QualityJson(point.quality));
    json["curve"].push_back(item);
  }
  return json;
}

}  // namespace

NoiseReport ReportNoise(double scale, const Evaluation& disturbed) {
  NoiseReport noise;
  noise.scale = scale;
  for (const StepQuality& step : disturbed.steps) {
    noise.accuracy.push_back(step.accuracy);
    noise.loss.push_back(step.loss);
  }
  return noise;
}

StopReport ReportStop(const Budget& budget, const Outcomes& outcomes,
                      const std::vector<double>& reference_loss) {
  const std::vector<int32_t> used = StepsUsed(budget, outcomes);
  StopReport stop;
  stop.budget = budget;
  stop.quality = QualityAtStop(used, outcomes);
  if (reference_loss.empty()) return stop;
  const std::vector<double> steps(used.begin(), used.end());
  stop.rank_correlation = RankCorrelation(steps, reference_loss);
  stop.steps_by_decile =
      MeansByRank(reference_loss, steps, std::min(kDeciles, outcomes.inputs));
  return stop;
}

bool HasStopRule(const Budget& budget) {
  return budget.min_confidence > 0 || budget.min_ray_coverage > 0 ||
         budget.stable_steps > 0;
}

EvalReport MakeReport(const Model& model, const Split& split, int64_t steps,
                      double router_noise, const Budget& stop,
                      const std::vector<double>& reference_loss) {
  PassOptions pass{.steps = steps, .seed = kNoiseSeed};
  const Outcomes outcomes = Observe(model, split, pass);
  EvalReport report;
  report.evaluation = Summarise(model.config, outcomes);
  if (router_noise > 0 && FeelsRouterNoise(model.config.kind)) {
    pass.router_noise = static_cast<float>(router_noise);
    report.noise = ReportNoise(
        router_noise, Summarise(model.config, Observe(model, split, pass)));
  }
  if (HasStopRule(stop)) {
    report.stop = ReportStop(stop, outcomes, reference_loss);
  }
  return report;
}

std::string FormatTable(const Evaluation& evaluation) {
  std::string text =
      "step  accuracy    loss      MACs  parameters  coverage  confidence";
  absl::StrAppend(&text, evaluation.text ? "  perplexity\n" : "\n");
  for (size_t t = 0; t < evaluation.steps.size(); ++t) {
    const StepQuality& step = evaluation.steps[t];
    absl::StrAppendFormat(&text,
                          "%4d    %.4f  %.4f  %8.0f  %10.0f    %.4f      %.4f",
                          t, step.accuracy, step.loss, step.macs,
                          step.parameters, step.coverage, step.confidence);
    if (evaluation.text) {
      absl::StrAppendFormat(&text, "    %8.4f", std::exp(step.loss));
    }
    absl::StrAppend(&text, "\n");
  }
  absl::StrAppendFormat(&text, "%d inputs\n", evaluation.inputs);
  AppendLoad(static_cast<int64_t>(evaluation.steps.size()) - 1, evaluation.load,
             evaluation.use.size(), text);
  AppendLoad(evaluation.paths.length, evaluation.early_load,
             evaluation.use.size(), text);
  const ExpertCount& experts = evaluation.experts;
  if (experts.fewest < experts.most) {
    absl::StrAppendFormat(
        &text,
        "an input runs %d to %d experts, %.2f on the mean, in %.2f steps\n",
        experts.fewest, experts.most, experts.mean, experts.steps);
  }
  const PathStatistics& paths = evaluation.paths;
  absl::StrAppendFormat(
      &text,
      "paths of %d experts: %d distinct, entropy %.2f bits; from one expert to "
      "the next %.3f bits of mutual information (%.3f of what is possible)\n",
      paths.length, paths.paths, paths.entropy, paths.mean_information(),
      paths.mean_normalised());
  AppendCurve(evaluation.curve, text);
  return text;
}

std::string FormatTable(const EvalReport& report) {
  std::string text = FormatTable(report.evaluation);
  if (report.noise) AppendNoise(*report.noise, report.evaluation, text);
  if (report.stop) AppendStop(*report.stop, text);
  return text;
}

std::string FormatJson(const EvalReport& report) {
  ordered_json json = EvaluationJson(report.evaluation);
  if (report.noise) {
    json["robustness"] = {{"router_noise", report.noise->scale},
                          {"accuracy", report.noise->accuracy},
                          {"loss", report.noise->loss}};
  }
  if (report.stop) json["stop"] = StopJson(*report.stop);
  return json.dump();
}

}  // namespace mre
