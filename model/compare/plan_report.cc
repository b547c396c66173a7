#include "model/compare/plan_report.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "model/eval/statistics.h"
#include "model/train/recipe.h"

namespace mre {
namespace {

using Row = std::vector<std::string>;
// None: it was not measured.
using Value = std::function<std::optional<double>(const RunResult&)>;

constexpr size_t kShownSteps[] = {0, 1, 2, 4, 8, 16};

std::string Line(const Row& cells) {
  return absl::StrCat("| ", absl::StrJoin(cells, " | "), " |\n");
}

std::string Header(const Row& cells) {
  return absl::StrCat("\n", Line(cells), Line(Row(cells.size(), "---")));
}

// "mean sd deviation (least to most)"; "mean" where all values are the same;
// "-" where there are none.
std::string Cell(const std::vector<double>& values, int digits) {
  if (values.empty()) return "-";
  const Spread s = SpreadOf(values);
  if (s.least == s.most) return absl::StrFormat("%.*f", digits, s.mean);
  return absl::StrFormat("%.*f sd %.*f (%.*f to %.*f)", digits, s.mean, digits,
                         s.deviation, digits, s.least, digits, s.most);
}

// One data set's part of the report.
class Section {
 public:
  Section(const Plan& plan, const PlanResults& results,
          const std::string& dataset)
      : plan_(plan), results_(results), dataset_(dataset) {}

  std::string Format() {
    for (const PlannedRun& run : plan_.runs) {
      if (run.options.dataset != dataset_) continue;
      const auto found = ResultsOf(results_.results, run.name);
      if (!found.empty()) runs_.emplace_back(run.name, found);
    }
    if (runs_.empty()) return "";
    text_ = absl::StrCat("\n## ", dataset_, "\n");
    Steps("Accuracy after a number of steps", &StepQuality::accuracy, 4);
    Steps("Loss (cross-entropy, nats) after a number of steps",
          &StepQuality::loss, 4);
    Steps("MACs of an input after a number of steps", &StepQuality::macs, 0);
    Steps("Parameters that an input has used after a number of steps",
          &StepQuality::parameters, 0);
    Size();
    Use();
    Paths();
    Noise();
    Stops();
    Curve();
    Targets();
    Pairs();
    Difficulty();
    return text_;
  }

 private:
  using Runs =
      std::vector<std::pair<std::string, std::vector<const RunResult*>>>;

  static std::vector<double> Values(
      const std::vector<const RunResult*>& results, const Value& value) {
    std::vector<double> values;
    values.reserve(results.size());
    for (const RunResult* result : results) {
      if (const auto number = value(*result)) values.push_back(*number);
    }
    return values;
  }

  // A table with a row a run and a column a value.
  struct Column {
    std::string title;
    int digits;
    Value value;
  };
  void Table(absl::string_view title, const std::vector<Column>& columns,
             absl::string_view note = "") {
    Row header = {"run"};
    for (const Column& column : columns) header.push_back(column.title);
    absl::StrAppend(&text_, "\n### ", title, "\n");
    if (!note.empty()) absl::StrAppend(&text_, "\n", note, "\n");
    text_ += Header(header);
    for (const auto& [name, results] : runs_) {
      Row row = {name};
      for (const Column& column : columns) {
        row.push_back(Cell(Values(results, column.value), column.digits));
      }
      text_ += Line(row);
    }
  }

  void Steps(absl::string_view title, double StepQuality::*field, int digits) {
    Row header = {"run", "seeds"};
    for (const size_t step : kShownSteps) header.push_back(absl::StrCat(step));
    header.push_back("last");
    absl::StrAppend(&text_, "\n### ", title, "\n", Header(header));
    for (const auto& [name, results] : runs_) {
      const auto cell = [&, &found = results](size_t step) {
        const Value value = [=](const RunResult& result) {
          return result.report.evaluation.steps[step].*field;
        };
        return Cell(Values(found, value), digits);
      };
      Row row = {name, absl::StrCat(results.size())};
      const size_t steps = ShortestOf(results);
      for (const size_t step : kShownSteps) {
        row.push_back(step < steps ? cell(step) : "");
      }
      row.push_back(absl::StrCat(cell(steps - 1), " @", steps - 1));
      text_ += Line(row);
    }
  }
  static size_t ShortestOf(const std::vector<const RunResult*>& results) {
    size_t least = SIZE_MAX;
    for (const RunResult* result : results) {
      least = std::min(least, result->report.evaluation.steps.size());
    }
    return least;
  }

  void Size() {
    Table(
        "Size and time",
        {{"parameters", 0,
          [](const RunResult& r) { return static_cast<double>(r.parameters); }},
         {"seconds of training", 1,
          [](const RunResult& r) { return r.seconds; }},
         {"peak memory, MB", 0, [](const RunResult& r) {
            return static_cast<double>(r.peak_memory) / 1e6;
          }}});
  }

  void Use() {
    UseBy("by as many steps as there are layers", &Evaluation::early_load);
    UseBy("by the last step", &Evaluation::load);
  }

  void UseBy(absl::string_view when, ExpertLoad Evaluation::*load) {
    const auto of = [load](auto ExpertLoad::*field) -> Value {
      return [=](const RunResult& r) {
        return static_cast<double>(r.report.evaluation.*load.*field);
      };
    };
    Table(absl::StrCat("Use of experts (share of the inputs, ", when, ")"),
          {{"least", 4, of(&ExpertLoad::least)},
           {"largest", 4, of(&ExpertLoad::largest)},
           {"largest over mean", 2, of(&ExpertLoad::max_over_mean)},
           {"used by none", 1, of(&ExpertLoad::dead)}});
  }

  void Paths() {
    Table(
        "Paths (the experts of the first steps, as many as there are layers)",
        {{"distinct", 1,
          [](const RunResult& r) {
            return static_cast<double>(r.report.evaluation.paths.paths);
          }},
         {"entropy, bits", 3,
          [](const RunResult& r) { return r.report.evaluation.paths.entropy; }},
         {"mutual information of neighbours, bits", 4,
          [](const RunResult& r) {
            return r.report.evaluation.paths.mean_information();
          }},
         {"the same, of what is possible", 4,
          [](const RunResult& r) {
            return r.report.evaluation.paths.mean_normalised();
          }}},
        "An expert of an mre runs once: that alone says something of the next "
        "one, however the order is drawn. Its mutual information is not to be "
        "compared with a stack's.");
  }

  void Noise() {
    if (plan_.router_noise == 0) return;
    Table(absl::StrFormat("Noise of %g deviations on the router's logits "
                          "(last step)",
                          plan_.router_noise),
          {{"loss", 4,
            [](const RunResult& r) {
              return r.report.evaluation.steps.back().loss;
            }},
           {"loss with noise", 4,
            [](const RunResult& r) -> std::optional<double> {
              if (!r.report.noise) return std::nullopt;
              return r.report.noise->loss.back();
            }},
           {"change of accuracy", 4,
            [](const RunResult& r) -> std::optional<double> {
              if (!r.report.noise) return std::nullopt;
              return r.report.noise->accuracy.back() - r.accuracy();
            }}},
          "\"-\": no router. In an mre the logits of the gates are disturbed; "
          "the transitions that are added to them are not, nor are they "
          "counted in the deviation. Compare mre with mre, stack with stack.");
  }

  void Stops() {
    if (plan_.min_confidence == 0) return;
    const auto quality = [](const RunResult& r) {
      return r.report.stop ? r.report.stop->quality : StopQuality();
    };
    Table(
        absl::StrFormat("Stopping at a confidence of %g", plan_.min_confidence),
        {{"steps", 2, [=](const RunResult& r) { return quality(r).steps; }},
         {"MACs", 0, [=](const RunResult& r) { return quality(r).macs; }},
         {"accuracy", 4,
          [=](const RunResult& r) { return quality(r).accuracy; }}});
  }

  void Curve() {
    text_ += "\n### Accuracy and MACs when stopping at a confidence (means)\n";
    Row header = {"run"};
    for (const double confidence : kCurveConfidences) {
      header.push_back(absl::StrFormat("%g", confidence));
    }
    text_ += Header(header);
    for (const auto& [name, results] : runs_) {
      Row row = {name};
      for (size_t i = 0; i < std::size(kCurveConfidences); ++i) {
        const auto mean = [&, &found = results](double StopQuality::*field) {
          return SpreadOf(Values(found,
                                 [&](const RunResult& r) {
                                   const auto& curve =
                                       r.report.evaluation.curve;
                                   return i < curve.size()
                                              ? curve[i].quality.*field
                                              : 0;
                                 }))
              .mean;
        };
        row.push_back(absl::StrFormat("%.4f, %.0f",
                                      mean(&StopQuality::accuracy),
                                      mean(&StopQuality::macs)));
      }
      text_ += Line(row);
    }
  }

  // "epochs over the seeds that got there (seeds that did of all)".
  static std::string EpochsCell(const std::vector<const RunResult*>& results,
                                double target) {
    std::vector<double> epochs;
    for (const RunResult* result : results) {
      const int64_t epoch = EpochsTo(target, *result);
      if (epoch > 0) epochs.push_back(static_cast<double>(epoch));
    }
    const std::string seeds =
        absl::StrCat(epochs.size(), " of ", results.size(), " seeds");
    if (epochs.empty()) return absl::StrCat("never (", seeds, ")");
    return absl::StrCat(Cell(epochs, 1), ", ", seeds);
  }

  void Targets() {
    if (plan_.targets.empty()) return;
    Row header = {"run"};
    for (const double target : plan_.targets) {
      header.push_back(absl::StrFormat("%g", target));
    }
    absl::StrAppend(&text_,
                    "\n### Epochs to an accuracy (last step, means of the "
                    "seeds that reached it)\n",
                    Header(header));
    for (const auto& [name, results] : runs_) {
      Row row = {name};
      for (const double target : plan_.targets) {
        row.push_back(EpochsCell(results, target));
      }
      text_ += Line(row);
    }
  }

  void Pairs() {
    for (const PlannedPair& pair : plan_.pairs) {
      const auto* baseline = ResultsHere(pair.baseline);
      if (baseline == nullptr) continue;
      const double target = SpreadOf(Values(*baseline, BestAccuracy)).mean;
      absl::StrAppendFormat(
          &text_,
          "\n### Epochs to the best accuracy of %s\n\nIts best epoch, mean "
          "over its seeds: %.4f at the last step.\n%s",
          pair.baseline, target, Header({"run", "epochs"}));
      text_ += Line({pair.baseline, EpochsCell(*baseline, target)});
      for (const std::string& name : pair.against) {
        if (const auto* results = ResultsHere(name)) {
          text_ += Line({name, EpochsCell(*results, target)});
        }
      }
    }
  }
  const std::vector<const RunResult*>* ResultsHere(const std::string& run) {
    for (const auto& [name, results] : runs_) {
      if (name == run) return &results;
    }
    return nullptr;
  }

  void Difficulty() {
    std::string rows;
    size_t tenths = 0;
    for (const auto& [name, results] : runs_) {
      const auto it = results_.difficulty.find(name);
      if (it == results_.difficulty.end()) continue;
      const StopReport& stop = it->second;
      Row row = {name, absl::StrCat(BestOf(results_.results, name)->seed),
                 stop.rank_correlation
                     ? absl::StrFormat("%.4f", *stop.rank_correlation)
                     : "none"};
      for (const double steps : stop.steps_by_decile) {
        row.push_back(absl::StrFormat("%.2f", steps));
      }
      tenths = stop.steps_by_decile.size();
      rows += Line(row);
    }
    if (rows.empty()) return;
    Row header = {"run", "seed", "rank correlation"};
    for (size_t i = 1; i <= tenths; ++i) header.push_back(absl::StrCat(i));
    absl::StrAppendFormat(
        &text_,
        "\n### Use against difficulty\n\nMean steps until a confidence of %g, "
        "by tenths of the inputs, from the smallest loss of the best seed of "
        "%s on; the rank correlation is that of steps and loss.\n%s%s",
        plan_.min_confidence, plan_.reference, Header(header), rows);
  }

  const Plan& plan_;
  const PlanResults& results_;
  const std::string dataset_;
  Runs runs_;  // that have results, of this data set
  std::string text_;
};

// Which runs and seeds there are no results of; empty when none.
std::string Missing(const Plan& plan, const PlanResults& results) {
  std::vector<std::string> missing;
  for (const PlannedRun& run : plan.runs) {
    const size_t found = ResultsOf(results.results, run.name).size();
    if (found == plan.seeds.size()) continue;
    missing.push_back(
        absl::StrCat(run.name, " (", found, " of ", plan.seeds.size(), ")"));
  }
  if (missing.empty()) return "";
  std::string text = absl::StrCat("\nNot finished, seeds done in brackets: ",
                                  absl::StrJoin(missing, ", "), ".\n");
  for (const std::string& failed : results.failed) {
    absl::StrAppend(&text, "\nFailed: ", failed, ".\n");
  }
  return text;
}

}  // namespace

std::string FormatPlanReport(const Plan& plan, const PlanResults& results,
                             const std::vector<std::string>& plots) {
  std::string text = absl::StrCat("# ", plan.title, "\n");
  absl::StrAppendFormat(
      &text,
      "\nPlan `%s`: %d runs, seeds %s. Made by\n\n```\n%s\n```\n\nsd is the "
      "standard deviation over the seeds (of a sample: divided by n - 1). A "
      "step is an expert in an mre, a threshold in a raytracing, a layer "
      "elsewhere.\n",
      plan.name, plan.runs.size(), absl::StrJoin(plan.seeds, " "),
      results.command);
  text += Missing(plan, results);
  for (const std::string& dataset : DatasetsOf(plan)) {
    text += Section(plan, results, dataset).Format();
  }
  if (!plots.empty()) text += "\n## Plots\n";
  for (const std::string& plot : plots) {
    absl::StrAppend(&text, "\n![", plot, "](", plot, ")\n");
  }
  text += "\n## Recipes\n\n";
  for (const PlannedRun& run : plan.runs) {
    // Seeds are the plan's.
    auto recipe = nlohmann::ordered_json::parse(FormatRecipe(run.options));
    recipe.erase("seed");
    absl::StrAppend(&text, "- ", run.name, ": `", recipe.dump(), "`\n");
  }
  return text;
}

}  // namespace mre
