#include "server/metrics/process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

namespace mre {
namespace {

// Field `index` (from 1, as proc(5) counts) of /proc/self/stat; 0 on failure.
double StatField(int index) {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  // The command name, field 2, is in parentheses and may hold spaces.
  const size_t close = line.rfind(')');
  if (close == std::string::npos) return 0;
  std::istringstream rest(line.substr(close + 1));
  std::string field;
  for (int i = 3; i <= index; ++i) rest >> field;
  return std::strtod(field.c_str(), nullptr);
}

double TicksPerSecond() { return static_cast<double>(sysconf(_SC_CLK_TCK)); }

double BootTime() {
  std::ifstream file("/proc/stat");
  std::string key;
  while (file >> key) {
    double value = 0;
    if (key == "btime" && file >> value) return value;
    file.ignore(1 << 20, '\n');
  }
  return 0;
}

double OpenFiles() {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end;
       !error && it != end; it.increment(error)) {
    ++count;
  }
  return count;
}

double MaxFiles() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return static_cast<double>(limit.rlim_cur);
}

}  // namespace

void ScrapedSeries::AddGauge(std::string name, std::string help,
                             std::function<double()> read) {
  series_.push_back({std::move(name), std::move(help),
                     prometheus::MetricType::Gauge, std::move(read)});
}

void ScrapedSeries::AddCounter(std::string name, std::string help,
                               std::function<double()> read) {
  series_.push_back({std::move(name), std::move(help),
                     prometheus::MetricType::Counter, std::move(read)});
}

std::vector<prometheus::MetricFamily> ScrapedSeries::Collect() const {
  std::vector<prometheus::MetricFamily> families;
  for (const Series& series : series_) {
    prometheus::ClientMetric metric;
    metric.gauge.value = series.read();
    metric.counter.value = metric.gauge.value;
    families.push_back({series.name, series.help, series.type, {metric}});
  }
  return families;
}

void AddProcessSeries(ScrapedSeries& series) {
  series.AddCounter("process_cpu_seconds_total",
                    "User and system CPU time spent, in seconds.", [] {
                      return (StatField(14) + StatField(15)) / TicksPerSecond();
                    });
  series.AddGauge("process_resident_memory_bytes", "Resident memory size.", [] {
    return StatField(24) * static_cast<double>(sysconf(_SC_PAGESIZE));
  });
  series.AddGauge("process_virtual_memory_bytes", "Virtual memory size.",
                  [] { return StatField(23); });
  series.AddGauge("process_open_fds", "Open file descriptors.", OpenFiles);
  series.AddGauge("process_max_fds", "Limit of open file descriptors.",
                  MaxFiles);
  series.AddGauge("process_threads", "Threads.", [] { return StatField(20); });
  series.AddGauge("process_start_time_seconds",
                  "Start of the process since the epoch.",
                  [] { return BootTime() + StatField(22) / TicksPerSecond(); });
}

}  // namespace mre
