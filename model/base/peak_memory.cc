#include "model/base/peak_memory.h"

#include <malloc.h>
#include <sys/resource.h>

#include <fstream>
#include <string>

namespace mre {

void ResetPeakMemory() {
  malloc_trim(0);
  // 5: resets VmHWM (proc(5)).
  std::ofstream("/proc/self/clear_refs") << "5\n";
}

int64_t PeakMemory() {
  constexpr int64_t kKilobyte = 1024;
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t kilobytes = 0;
    if (word == "VmHWM:" && status >> kilobytes) return kilobytes * kKilobyte;
  }
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * kKilobyte;
}

}  // namespace mre
