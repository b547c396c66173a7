#include "model/base/cpus.h"

#include <sched.h>

#include <algorithm>

namespace mre {

int AvailableThreads() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return std::max(CPU_COUNT(&set), 1);
}

}  // namespace mre
