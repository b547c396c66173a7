// What the files that use oneDNN share. Included by them only.
#ifndef MRE_MODEL_MATH_ONEDNN_H_
#define MRE_MODEL_MATH_ONEDNN_H_

#include <dnnl.hpp>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace mre {

// While it lives, oneDNN uses the calling thread alone.
class OneThread {
 public:
#ifdef _OPENMP
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }

 private:
  const int before_;
#else
  OneThread() {}
  ~OneThread() {}
#endif
 public:
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
};

inline const dnnl::engine& Cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

}  // namespace mre

#endif  // MRE_MODEL_MATH_ONEDNN_H_
