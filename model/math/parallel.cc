#include "model/math/parallel.h"

#include <sched.h>

#include <algorithm>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace mre {

void SetThreads(int threads) {
#ifdef _OPENMP
  omp_set_num_threads(std::max(threads, 1));
#else
  (void)threads;
#endif
}

int AvailableThreads() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return std::max(CPU_COUNT(&set), 1);
}

void ParallelFor(int64_t n, const std::function<void(int64_t)>& body) {
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic)
#endif
  for (int64_t i = 0; i < n; ++i) body(i);
}

}  // namespace mre
