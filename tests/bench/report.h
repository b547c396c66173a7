// What the benchmarks share: the machine's name, the revision, and figures of
// several runs.
#ifndef MRE_TESTS_BENCH_REPORT_H_
#define MRE_TESTS_BENCH_REPORT_H_

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace mre {

inline std::string CpuName() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("model name", 0) == 0) {
      return line.substr(line.find(':') + 2);
    }
  }
  return "unknown CPU";
}

// MRE_REVISION is what `git describe` said when CMake ran last.
inline void PrintMachine() {
  std::printf("%s, %u cores, revision %s\n", CpuName().c_str(),
              std::thread::hardware_concurrency(), MRE_REVISION);
}

// Median, smallest and largest of an odd number of runs.
struct Spread {
  double median = 0, least = 0, most = 0;
};
inline Spread SpreadOf(std::vector<double> runs) {
  std::sort(runs.begin(), runs.end());
  return {runs[runs.size() / 2], runs.front(), runs.back()};
}

}  // namespace mre

#endif  // MRE_TESTS_BENCH_REPORT_H_
