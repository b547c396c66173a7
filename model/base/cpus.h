// The CPUs that this process may use.
#ifndef MRE_MODEL_BASE_CPUS_H_
#define MRE_MODEL_BASE_CPUS_H_

namespace mre {

// The threads that the process may use: its CPU affinity, at least 1.
int AvailableThreads();

}  // namespace mre

#endif  // MRE_MODEL_BASE_CPUS_H_
