// Records what a piece of code allocates, by replacing the global operator new
// of the test program.
#ifndef MRE_TESTS_SUPPORT_ALLOCATIONS_H_
#define MRE_TESTS_SUPPORT_ALLOCATIONS_H_

#include <cstddef>

namespace mre {

struct Allocations {
  size_t largest = 0;  // one allocation
  size_t peak = 0;     // most bytes alive at once
};

// Starts afresh on the calling thread.
void StartRecording();
// What the calling thread allocated since then.
Allocations StopRecording();

}  // namespace mre

#endif  // MRE_TESTS_SUPPORT_ALLOCATIONS_H_
