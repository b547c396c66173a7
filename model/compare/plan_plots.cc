#include "model/compare/plan_plots.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace mre {
namespace {

// One line of a plot: a run's name and its points.
struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

// gnuplot reads a text in double quotes with escapes, and underscores as
// subscripts unless told otherwise.
std::string Quoted(absl::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c == '\n' ? ' ' : c;
  }
  return quoted + "\"";
}

std::string Begin(const std::string& name, absl::string_view title) {
  return absl::StrCat(
      "set terminal svg noenhanced size 800,500 background \"white\"\n",
      "set output ", Quoted(name + ".svg"), "\n", "set title ", Quoted(title),
      "\n");
}

// Series are blocks of the data file, two empty lines apart.
std::string Blocks(const std::vector<Series>& series) {
  std::string data;
  for (const Series& one : series) {
    absl::StrAppend(&data, data.empty() ? "" : "\n\n", "# ", one.name, "\n");
    for (const auto& [x, y] : one.points) {
      absl::StrAppendFormat(&data, "%.9g %.9g\n", x, y);
    }
  }
  return data;
}

Plot LinePlot(const std::string& name, absl::string_view title,
              absl::string_view x, absl::string_view y,
              const std::vector<Series>& series) {
  std::vector<std::string> lines;
  lines.reserve(series.size());
  for (const Series& one : series) {
    lines.push_back(absl::StrCat(Quoted(name + ".dat"), " index ", lines.size(),
                                 " with linespoints title ", Quoted(one.name)));
  }
  Plot plot;
  plot.name = name;
  plot.script = absl::StrCat(
      Begin(name, title), "set xlabel ", Quoted(x), "\nset ylabel ", Quoted(y),
      "\nset key bottom right box opaque\nset grid\nplot ",
      absl::StrJoin(lines, ", \\\n     "), "\n");
  plot.data = Blocks(series);
  return plot;
}

// The mean over results of value(result, i) for i in [0, count), count the
// smallest size(result).
template <typename Size, typename Value>
std::vector<double> Means(const std::vector<const RunResult*>& results,
                          Size size, Value value) {
  size_t count = SIZE_MAX;
  for (const RunResult* result : results) {
    count = std::min(count, size(*result));
  }
  std::vector<double> means(count);
  for (size_t i = 0; i < count; ++i) {
    for (const RunResult* result : results) {
      means[i] += value(*result, i) / static_cast<double>(results.size());
    }
  }
  return means;
}

std::vector<double> MeansOfSteps(const std::vector<const RunResult*>& results,
                                 double StepQuality::*field) {
  return Means(
      results,
      [](const RunResult& r) { return r.report.evaluation.steps.size(); },
      [&](const RunResult& r, size_t t) {
        return r.report.evaluation.steps[t].*field;
      });
}

Series Against(std::string name, const std::vector<double>& x,
               const std::vector<double>& y) {
  Series series{std::move(name), {}};
  for (size_t i = 0; i < y.size(); ++i) series.points.emplace_back(x[i], y[i]);
  return series;
}

std::vector<double> CountFrom(int64_t first, size_t count) {
  std::vector<double> numbers;
  for (size_t i = 0; i < count; ++i) {
    numbers.push_back(static_cast<double>(first) + static_cast<double>(i));
  }
  return numbers;
}

void AddLinePlots(const Plan& plan, const PlanResults& results,
                  const std::string& dataset, std::vector<Plot>& plots) {
  std::vector<Series> by_step;
  std::vector<Series> by_macs;
  std::vector<Series> by_epoch;
  std::vector<Series> by_difficulty;
  for (const PlannedRun& run : plan.runs) {
    const auto found = ResultsOf(results.results, run.name);
    if (run.options.dataset != dataset || found.empty()) continue;
    const auto accuracy = MeansOfSteps(found, &StepQuality::accuracy);
    const auto epochs = Means(
        found, [](const RunResult& r) { return r.epochs.size(); },
        [](const RunResult& r, size_t i) {
          return r.epochs[i].accuracy.back();
        });
    by_step.push_back(
        Against(run.name, CountFrom(0, accuracy.size()), accuracy));
    by_macs.push_back(
        Against(run.name, MeansOfSteps(found, &StepQuality::macs), accuracy));
    by_epoch.push_back(Against(run.name, CountFrom(1, epochs.size()), epochs));
    const auto it = results.difficulty.find(run.name);
    if (it == results.difficulty.end()) continue;
    const std::vector<double>& steps = it->second.steps_by_decile;
    by_difficulty.push_back(
        Against(run.name, CountFrom(1, steps.size()), steps));
  }
  if (by_step.empty()) return;
  plots.push_back(LinePlot(absl::StrCat("accuracy-step-", dataset),
                           absl::StrCat(dataset, ": accuracy after each step"),
                           "steps", "accuracy", by_step));
  plots.push_back(LinePlot(absl::StrCat("accuracy-macs-", dataset),
                           absl::StrCat(dataset, ": accuracy and its cost"),
                           "MACs of an input", "accuracy", by_macs));
  plots.push_back(LinePlot(absl::StrCat("accuracy-epoch-", dataset),
                           absl::StrCat(dataset, ": accuracy at the last step"),
                           "epoch", "accuracy", by_epoch));
  if (by_difficulty.empty()) return;
  plots.push_back(LinePlot(
      absl::StrCat("steps-difficulty-", dataset),
      absl::StrFormat("%s: steps until a confidence of %g", dataset,
                      plan.min_confidence),
      absl::StrCat("tenths of the inputs, by the loss of ", plan.reference),
      "mean steps used", by_difficulty));
}

// Layers from bottom to top, experts from left to right.
Plot UseMap(const PlannedRun& run, const RunResult& result) {
  const std::vector<double>& use = result.report.evaluation.early_use;
  const size_t experts = run.options.experts;
  Plot plot;
  plot.name = absl::StrCat("use-", run.name);
  for (size_t e = 0; e < use.size(); ++e) {
    absl::StrAppendFormat(&plot.data, "%.9g%s", use[e],
                          (e + 1) % experts == 0 ? "\n" : " ");
  }
  plot.script = absl::StrCat(
      Begin(plot.name,
            absl::StrCat(
                run.name, ", seed ", result.seed,
                absl::StrFormat(": share of the inputs that ran it by step %d",
                                result.report.evaluation.paths.length))),
      "set xlabel \"expert\"\nset ylabel \"layer\"\n"
      "set xtics 1\nset ytics 1\nset cbrange [0:1]\n",
      absl::StrFormat("set xrange [-0.5:%d.5]\nset yrange [-0.5:%d.5]\n",
                      run.options.experts - 1, run.options.layers - 1),

      "set palette defined (0 \"white\", 1 \"dark-blue\")\n"
      "unset key\nplot ",
      Quoted(plot.name + ".dat"), " matrix with image pixels\n");
  return plot;
}

}  // namespace

std::vector<Plot> MakePlots(const Plan& plan, const PlanResults& results) {
  std::vector<Plot> plots;
  for (const std::string& dataset : DatasetsOf(plan)) {
    AddLinePlots(plan, results, dataset, plots);
  }
  for (const PlannedRun& run : plan.runs) {
    const RunResult* best = BestOf(results.results, run.name);
    // Where there is one row or one column, gnuplot has no image to draw.
    if (best == nullptr || run.options.experts == 1 ||
        run.options.layers == 1) {
      continue;
    }
    plots.push_back(UseMap(run, *best));
  }
  return plots;
}

}  // namespace mre
