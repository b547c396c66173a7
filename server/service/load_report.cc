#include "server/service/load_report.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <fstream>

#include "absl/strings/string_view.h"
#include "model/base/clock.h"
#include "model/base/cpus.h"

namespace mre {
namespace {

// A protobuf field of type double.
void AppendDouble(int field, double value, std::string* out) {
  const auto bits = std::bit_cast<uint64_t>(value);
  out->push_back(static_cast<char>(field << 3 | 1));
  for (int i = 0; i < 8; ++i) out->push_back(static_cast<char>(bits >> 8 * i));
}

// An entry of a map<string, double>. REQUIRES: the key is short.
void AppendEntry(int field, absl::string_view key, double value,
                 std::string* out) {
  constexpr size_t kDouble = 9;
  out->push_back(static_cast<char>(field << 3 | 2));
  out->push_back(static_cast<char>(2 + key.size() + kDouble));
  out->push_back(1 << 3 | 2);
  out->push_back(static_cast<char>(key.size()));
  out->append(key.data(), key.size());
  AppendDouble(2, value, out);
}

absl::Duration CpuTime() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return absl::DurationFromTimeval(usage.ru_utime) +
         absl::DurationFromTimeval(usage.ru_stime);
}

// Resident pages of all that the machine has.
double MemoryShare() {
  std::ifstream file("/proc/self/statm");
  double size = 0;
  double resident = 0;
  file >> size >> resident;
  return resident / static_cast<double>(sysconf(_SC_PHYS_PAGES));
}

double Share(int64_t part, int64_t whole) {
  return std::clamp(static_cast<double>(part) / static_cast<double>(whole), 0.0,
                    1.0);
}

}  // namespace

std::string EncodeLoad(const Load& load) {
  std::string report;
  AppendDouble(1, load.cpu, &report);
  AppendDouble(2, load.memory, &report);
  AppendEntry(4, "macs", load.macs, &report);
  AppendEntry(5, "active_rows", load.active_rows, &report);
  AppendEntry(5, "queued_rows", load.queued_rows, &report);
  return report;
}

void LoadReport::Measure() {
  const absl::Time now = Clock::Real()->Now();
  const absl::Duration cpu_time = CpuTime();
  const absl::Duration elapsed = now - measured_;
  if (elapsed < absl::InfiniteDuration() && elapsed > absl::ZeroDuration()) {
    cpu_.store(std::clamp(
        absl::FDivDuration(cpu_time - cpu_time_, elapsed * AvailableThreads()),
        0.0, 1.0));
  }
  measured_ = now;
  cpu_time_ = cpu_time;
  memory_.store(std::clamp(MemoryShare(), 0.0, 1.0));
}

void LoadReport::Record(uint64_t macs, grpc::CallbackServerContext& rpc) const {
  rpc.AddTrailingMetadata(
      "endpoint-load-metrics-bin",
      EncodeLoad(
          {.cpu = cpu_.load(),
           .memory = memory_.load(),
           .active_rows = Share(scheduler_.active_rows(), limits_.active_rows),
           .queued_rows = Share(scheduler_.queued_rows(), limits_.queued_rows),
           .macs = static_cast<double>(macs)}));
}

}  // namespace mre
