// A parallel loop. Results never depend on the thread count as
// long as the iterations write to disjoint places.
#ifndef MRE_MODEL_MATH_PARALLEL_H_
#define MRE_MODEL_MATH_PARALLEL_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"

namespace mre {

// Sets how many threads ParallelFor and the products of kernels.h use when
// they are called from the calling thread. Without a call: all of them, or one
// in a build without OpenMP.
void SetThreads(int threads);

// The same for a program's flag --threads, of which 0 means as many as the
// process may use. INVALID_ARGUMENT for other than 0 to 1024.
absl::Status UseThreads(int threads);

// Calls body(i) for i in [0, n), in any order, on up to SetThreads' number of
// threads; returns when all are done. Products called within run on one thread
// each. `body` must not throw.
void ParallelFor(int64_t n, const std::function<void(int64_t)>& body);

}  // namespace mre

#endif  // MRE_MODEL_MATH_PARALLEL_H_
