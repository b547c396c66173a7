#include "model/math/parallel.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "model/base/cpus.h"

#ifdef _OPENMP
#include <omp.h>
#else
#include <atomic>
#include <thread>
#include <utility>
#include <vector>
#endif

namespace mre {

absl::Status UseThreads(int threads) {
  constexpr int kMostThreads = 1024;
  if (threads < 0 || threads > kMostThreads) {
    return absl::InvalidArgumentError(
        absl::StrCat("--threads: expected a number in [0, ", kMostThreads,
                     "], got ", threads));
  }
  SetThreads(threads > 0 ? threads : AvailableThreads());
  return absl::OkStatus();
}

#ifdef _OPENMP

void SetThreads(int threads) { omp_set_num_threads(std::max(threads, 1)); }

void ParallelFor(int64_t n, const std::function<void(int64_t)>& body) {
#pragma omp parallel for schedule(dynamic)
  for (int64_t i = 0; i < n; ++i) body(i);
}

#else

// Threads made for each loop: slow, but the thread sanitizer sees into them.
namespace {
thread_local int max_threads = 1;
}  // namespace

void SetThreads(int threads) { max_threads = std::max(threads, 1); }

void ParallelFor(int64_t n, const std::function<void(int64_t)>& body) {
  const int64_t threads = std::min<int64_t>(max_threads, n);
  if (threads <= 1) {
    for (int64_t i = 0; i < n; ++i) body(i);
    return;
  }
  std::atomic<int64_t> next = 0;
  const auto work = [&] {
    for (int64_t i = next++; i < n; i = next++) body(i);
  };
  std::vector<std::thread> others;
  for (int64_t i = 1; i < threads; ++i) others.emplace_back(work);
  const int before = std::exchange(max_threads, 1);  // loops within
  work();
  max_threads = before;
  for (std::thread& other : others) other.join();
}

#endif

}  // namespace mre
