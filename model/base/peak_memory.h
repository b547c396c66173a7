// The most memory that this process has held at once.
#ifndef MRE_MODEL_BASE_PEAK_MEMORY_H_
#define MRE_MODEL_BASE_PEAK_MEMORY_H_

#include <cstdint>

namespace mre {

// Begins to measure anew, after giving free memory back to the system. Where
// the system does not let us (it needs /proc/self/clear_refs), the peak stays
// that of the whole process.
void ResetPeakMemory();

// Bytes of resident memory at the peak since the last reset.
int64_t PeakMemory();

}  // namespace mre

#endif  // MRE_MODEL_BASE_PEAK_MEMORY_H_
