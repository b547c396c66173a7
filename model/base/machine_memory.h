// How much memory there is.
#ifndef MRE_MODEL_BASE_MACHINE_MEMORY_H_
#define MRE_MODEL_BASE_MACHINE_MEMORY_H_

#include <unistd.h>

#include <cstdint>

namespace mre {

// Bytes that the machine has; a container's limit is not looked at.
inline int64_t MachineMemory() {
  return int64_t{sysconf(_SC_PHYS_PAGES)} * int64_t{sysconf(_SC_PAGE_SIZE)};
}

}  // namespace mre

#endif  // MRE_MODEL_BASE_MACHINE_MEMORY_H_
