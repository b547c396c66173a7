#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/console/words.h"
#include "client/loadtest/report.h"

namespace mre {
namespace {

std::string Count(double value) {
  return WithCommas(static_cast<uint64_t>(std::llround(value)));
}

// Of a rate: a digit after the point where it says something.
std::string Rate(double value) {
  return value < 100 ? absl::StrFormat("%.1f", value) : Count(value);
}

std::string Percent(uint64_t part, uint64_t whole) {
  if (whole == 0) return "-";
  return absl::StrFormat("%.1f %%", 100.0 * static_cast<double>(part) /
                                        static_cast<double>(whole));
}

std::string Mean(uint64_t sum, uint64_t count, int digits) {
  if (count == 0) return "-";
  const double mean = static_cast<double>(sum) / static_cast<double>(count);
  return absl::StrFormat("%.*f", digits, mean);
}

std::string At(const Histogram& histogram, double q) {
  if (histogram.count() == 0) return "-";
  return NanosText(static_cast<double>(histogram.Quantile(q)));
}

std::string Header(const Report& report) {
  const LoadtestFlags& flags = report.flags;
  std::string loop =
      flags.rate > 0
          ? absl::StrFormat("open loop, %s requests/s due (%s)",
                            Rate(flags.rate), flags.arrival)
          : absl::StrCat("closed loop, ", flags.concurrency, " in flight");
  return absl::StrFormat(
      "%s of %s version %d at %s\n%s, %d connection%s, %s\nmeasured: %.2f s, "
      "after %s of warmup\n\n",
      flags.method, Printable(report.model.model_name()),
      report.model.model_version(), flags.server, loop, flags.connections,
      flags.connections == 1 ? "" : "s", report.inputs, report.window_seconds,
      flags.warmup);
}

std::string Totals(const Report& report) {
  const ClassResult& all = report.all;
  std::string text = absl::StrFormat(
      "requests      %12s  (%s ok, %s failed)\n"
      "requests/s    %12s\n"
      "steps/s       %12s  (predictions received)\n",
      WithCommas(all.tally.requests), WithCommas(all.tally.ok),
      WithCommas(all.tally.failed()), Rate(report.PerSecond(all.window.ok)),
      Rate(report.PerSecond(all.window.predictions)));
  if (report.flags.objective_ms > 0) {
    absl::StrAppendFormat(
        &text, "goodput/s     %12s  (%s of what was due: ok within %g ms)\n",
        Rate(report.PerSecond(all.tally.good)),
        Percent(all.tally.good,
                report.state.started + report.state.not_started),
        report.flags.objective_ms);
  }
  if (report.state.not_started > 0) {
    absl::StrAppendFormat(&text, "not started   %12s  (due, but too late)\n",
                          WithCommas(report.state.not_started));
  }
  return text + "\n";
}

std::string Line(const char* name, const Histogram& histogram) {
  return absl::StrFormat("%-18s %9s %9s %9s %9s %9s  %12s\n", name,
                         At(histogram, 0.5), At(histogram, 0.9),
                         At(histogram, 0.99), At(histogram, 0.999),
                         At(histogram, 1), WithCommas(histogram.count()));
}

std::string Times(const Report& report) {
  const Tally& all = report.all.tally;
  std::string text =
      absl::StrFormat("%-18s %9s %9s %9s %9s %9s  %12s\n", "time", "p50", "p90",
                      "p99", "p99.9", "max", "count");
  text += Line("request", all.latency);
  text += Line("first prediction", all.first_prediction);
  text +=
      Line(absl::StrFormat("confidence %.3g", report.flags.confidence).c_str(),
           all.confidence);
  if (report.flags.method != "predict") text += Line("step gap", all.step_gap);
  if (report.flags.rate > 0) text += Line("start delay", all.start_delay);
  return text + "\n";
}

std::string ClassLine(const Report& report, const std::string& name,
                      const ClassResult& result) {
  const Tally& tally = result.tally;
  std::string line = absl::StrFormat(
      "%-14s %11s %8s %9s %9s %9s %9s %9s %8s %7s %11s", Printable(name),
      WithCommas(tally.requests), WithCommas(tally.failed()),
      Rate(report.PerSecond(result.window.ok)), At(tally.latency, 0.5),
      At(tally.latency, 0.99), At(tally.first_prediction, 0.99),
      At(tally.confidence, 0.99), Mean(tally.right, tally.labelled, 4),
      Mean(tally.steps, tally.ok, 2),
      tally.ok == 0 ? "-"
                    : Count(static_cast<double>(tally.macs) /
                            static_cast<double>(tally.ok)));
  if (report.flags.objective_ms > 0) {
    absl::StrAppendFormat(&line, " %10s", Rate(report.PerSecond(tally.good)));
  }
  return line + "\n";
}

std::string Classes(const Report& report) {
  std::string text =
      absl::StrFormat("%-14s %11s %8s %9s %9s %9s %9s %9s %8s %7s %11s%s\n",
                      "class", "requests", "failed", "req/s", "p50", "p99",
                      "first p99", "conf p99", "accuracy", "steps", "MACs",
                      report.flags.objective_ms > 0 ? "  goodput/s" : "");
  if (report.classes.size() > 1) {
    for (size_t i = 0; i < report.classes.size(); ++i) {
      text += ClassLine(report, report.classes[i].name, report.results[i]);
    }
  }
  return text + ClassLine(report, "all", report.all) + "\n";
}

std::string Ends(const Report& report) {
  const Tally& all = report.all.tally;
  std::string text;
  for (const auto& [reason, count] : all.stops) {
    absl::StrAppendFormat(&text, "stopped by %-14s %12s  %s\n",
                          StopName(reason), WithCommas(count),
                          Percent(count, all.requests));
  }
  for (const auto& [code, failure] : all.failures) {
    absl::StrAppendFormat(
        &text, "failed with %-13s %12s  %s  such as: %s\n",
        absl::StatusCodeToString(code), WithCommas(failure.count),
        Percent(failure.count, all.requests), Printable(failure.example));
  }
  return text.empty() ? text : text + "\n";
}

std::string Known(const std::optional<double>& value, int digits,
                  double scale = 1) {
  if (!value.has_value()) return "not known";
  return absl::StrFormat("%.*f", digits, *value * scale);
}

std::string UsageLine(const char* name, const Usage& usage, int of_cores) {
  constexpr double kMiB = 1.0 / (1 << 20);
  std::string cores = Known(usage.cores, 2);
  if (of_cores > 0) absl::StrAppend(&cores, " of ", of_cores);
  return absl::StrFormat(
      "%s: CPU time %s s, CPUs %s; memory %s MiB before, %s MiB after\n", name,
      Known(usage.cpu_seconds, 2), cores,
      Known(usage.resident_bytes_before, 1, kMiB),
      Known(usage.resident_bytes_after, 1, kMiB));
}

}  // namespace

std::string ReportText(const Report& report) {
  std::string text = Header(report) + Totals(report) + Times(report) +
                     Classes(report) + Ends(report);
  text += report.server.has_value()
              ? UsageLine("server", *report.server, 0)
              : "server: CPU and memory not known (--metrics=HOST:PORT)\n";
  text += UsageLine("client", report.client, report.client_cores);
  for (const std::string& warning : Warnings(report)) {
    absl::StrAppend(&text, "warning: ", warning, "\n");
  }
  return text;
}

}  // namespace mre
