#include "client/cli/text.h"

#include <google/protobuf/util/json_util.h>

#include <cassert>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/console/shape.h"

namespace mre {
namespace {

// Of the classes in Prediction.top, a step's line shows this many.
constexpr int kShownClasses = 3;

std::string ClassName(uint32_t index, const v1::ModelInfo& model) {
  v1::ClassProbability entry;
  entry.set_class_index(index);
  if (index < static_cast<uint32_t>(model.classes_size())) {
    entry.set_label(model.classes(static_cast<int>(index)));
  }
  return ClassText(entry);
}

std::string TruthText(const Sample& sample, const v1::Prediction& prediction,
                      const v1::ModelInfo& model) {
  if (!sample.truth.has_value() || prediction.top().empty()) return "";
  if (prediction.top(0).class_index() == *sample.truth) return " [right]";
  return absl::StrCat(" [wrong: ", ClassName(*sample.truth, model), "]");
}

// Percent of what a row costs when every expert runs. REQUIRES: that is not 0.
double MacsShare(uint64_t macs, const v1::ModelInfo& model) {
  return 100.0 * static_cast<double>(macs) /
         static_cast<double>(FullMacs(model));
}

}  // namespace

std::string DurationText(const google::protobuf::Duration& duration) {
  return NanosText(static_cast<double>(duration.seconds()) * 1e9 +
                   duration.nanos());
}

uint32_t MaxSteps(const v1::ModelInfo& model) {
  return model.max_steps() > 0 ? model.max_steps()
                               : model.layers() * model.experts_per_layer();
}

const char* StepsNoun(const v1::ModelInfo& model) {
  if (model.kind() == "raytracing") return "steps";
  return model.kind().empty() || model.kind() == "mre" ? "experts" : "layers";
}

uint64_t FullMacs(const v1::ModelInfo& model) {
  const v1::ModelMacs& macs = model.macs();
  if (macs.experts().empty()) return macs.stem() + macs.head();
  // Either all experts cost the same, or a step may run them all.
  const auto count = static_cast<uint64_t>(macs.experts_size());
  const uint64_t all = std::accumulate(macs.experts().begin(),
                                       macs.experts().end(), uint64_t{0});
  const uint64_t experts = std::max<uint64_t>(macs.experts_per_step(), 1);
  const uint64_t step = macs.head() + macs.gate() + experts * all / count;
  return macs.stem() + macs.head() + MaxSteps(model) * step;
}

std::string MacsText(uint64_t macs, const v1::ModelInfo& model) {
  std::string count = absl::StrCat(WithCommas(macs), " MACs");
  if (FullMacs(model) == 0) return count;
  return absl::StrFormat("%s (%.1f%% of the full model)", count,
                         MacsShare(macs, model));
}

std::string StopText(v1::StopReason reason) {
  switch (reason) {
    case v1::STOP_REASON_MAX_STEPS:
      return "max_steps reached";
    case v1::STOP_REASON_MAX_MACS:
      return "another step would pass max_macs";
    case v1::STOP_REASON_MAX_TIME:
      return "max_time has passed";
    case v1::STOP_REASON_CONFIDENCE:
      return "min_confidence reached";
    case v1::STOP_REASON_RAY_COVERAGE:
      return "min_ray_coverage reached";
    case v1::STOP_REASON_STABLE:
      return "the answer stayed for stable_steps";
    case v1::STOP_REASON_CLIENT_STOP:
      return "stopped by the client";
    case v1::STOP_REASON_EXHAUSTED:
      return "nothing is left to run";
    case v1::STOP_REASON_OVERLOAD:
      return "the server is overloaded and grants fewer steps";
    case v1::STOP_REASON_DRAINING:
      return "the server is shutting down";
    default:
      return absl::StrCat("reason ", static_cast<int>(reason));
  }
}

std::string ClassText(const v1::ClassProbability& entry) {
  if (entry.label().empty()) return absl::StrCat("class ", entry.class_index());
  return Printable(entry.label());
}

std::string StepLine(const v1::Prediction& prediction,
                     const v1::ModelInfo& model) {
  const std::string expert =
      prediction.has_expert() ? absl::StrCat(prediction.expert().layer(), ".",
                                             prediction.expert().index())
                              : "-";
  std::string classes;
  for (int i = 0; i < prediction.top_size() && i < kShownClasses; ++i) {
    absl::StrAppendFormat(&classes, "  %s %.3f", ClassText(prediction.top(i)),
                          prediction.top(i).probability());
  }
  return absl::StrFormat(
      "step %3d  expert %-5s  %s  coverage %.3f  %s%s%s", prediction.step(),
      expert, MacsText(prediction.macs(), model), prediction.ray_coverage(),
      DurationText(prediction.elapsed()), classes,
      prediction.final()
          ? absl::StrCat("  final: ", StopText(prediction.stop_reason()))
          : "");
}

std::string SummaryLine(const Sample& sample, const v1::Prediction& prediction,
                        const v1::ModelInfo& model) {
  const std::string answer =
      prediction.top().empty()
          ? "no class"
          : absl::StrFormat("%s %.3f", ClassText(prediction.top(0)),
                            prediction.top(0).probability());
  const std::string cost =
      FullMacs(model) == 0
          ? absl::StrCat(WithCommas(prediction.macs()), " MACs")
          : absl::StrFormat("%.1f%% of MACs",
                            MacsShare(prediction.macs(), model));
  return absl::StrFormat(
      "%s: %s%s  %d/%d %s, %s, %s: %s", Printable(sample.name), answer,
      TruthText(sample, prediction, model), prediction.step(), MaxSteps(model),
      StepsNoun(model), cost, DurationText(prediction.elapsed()),
      StopText(prediction.stop_reason()));
}

void Totals::Add(const Sample& sample, const v1::Prediction& prediction) {
  ++samples;
  steps += prediction.step();
  macs += prediction.macs();
  if (!sample.truth.has_value() || prediction.top().empty()) return;
  ++labelled;
  if (prediction.top(0).class_index() == *sample.truth) ++right;
}

std::string TotalsLine(const Totals& totals, const v1::ModelInfo& model) {
  std::string line = absl::StrCat(totals.samples, " images: ");
  if (totals.labelled > 0) {
    absl::StrAppend(&line, totals.right, " of ", totals.labelled, " right, ");
  }
  const auto samples = static_cast<double>(totals.samples);
  const auto macs = static_cast<double>(totals.macs);
  const auto full = static_cast<double>(FullMacs(model));
  absl::StrAppendFormat(
      &line, "%.1f %s and %.1f%% of the full model's MACs on average",
      static_cast<double>(totals.steps) / samples, StepsNoun(model),
      full > 0 ? 100 * macs / samples / full : 0.0);
  return line;
}

std::string ClassLines(const v1::Prediction& prediction,
                       const v1::ModelInfo& model) {
  std::string lines;
  if (prediction.probabilities().empty()) {
    for (const v1::ClassProbability& entry : prediction.top()) {
      absl::StrAppendFormat(&lines, "  %.3f  %s\n", entry.probability(),
                            ClassText(entry));
    }
    return lines;
  }
  for (int c = 0; c < prediction.probabilities_size(); ++c) {
    absl::StrAppendFormat(&lines, "  %.3f  %s\n", prediction.probabilities(c),
                          ClassName(static_cast<uint32_t>(c), model));
  }
  return lines;
}

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto status =
      google::protobuf::util::MessageToJsonString(message, &json, options);
  assert(status.ok());  // Only Any fields with unknown types can fail.
  static_cast<void>(status);
  return json;
}

std::string ModelText(const v1::ModelInfo& model) {
  std::string text = absl::StrFormat(
      "%s  version %d  ", Printable(model.model_name()), model.model_version());
  if (model.state() != v1::MODEL_STATE_READY) {
    absl::StrAppend(
        &text, model.state() == v1::MODEL_STATE_FAILED ? "FAILED" : "not ready",
        model.error().empty() ? "" : ": ", Printable(model.error()), "\n");
    return text;
  }
  absl::StrAppend(&text, "READY\n");
  absl::StrAppendFormat(
      &text, "  kind %s, input %s, %d classes, %s parameters, %s\n",
      Printable(model.kind()),
      ShapeText({model.input_shape().begin(), model.input_shape().end()}),
      model.classes_size(), WithCommas(model.parameters()),
      Printable(model.precision()));
  absl::StrAppendFormat(
      &text, "  %d layers of %d experts; %s MACs at step 0, %s after all %d\n",
      model.layers(), model.experts_per_layer(),
      WithCommas(model.macs().stem() + model.macs().head()),
      WithCommas(FullMacs(model)), MaxSteps(model));
  return text;
}

}  // namespace mre
