// What the files that use oneDNN share. Included by them only.
#ifndef MRE_MODEL_MATH_ONEDNN_H_
#define MRE_MODEL_MATH_ONEDNN_H_

#include <dnnl.hpp>

#include "model/math/kernels.h"

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

inline dnnl::memory::data_type TypeOf(Precision precision) {
  return precision == Precision::kBf16 ? dnnl::memory::data_type::bf16
                                       : dnnl::memory::data_type::f32;
}

// Has a primitive apply `activation` to what it made.
inline dnnl::primitive_attr FollowedBy(Activation activation) {
  dnnl::primitive_attr attributes;
  if (activation == Activation::kRelu) {
    dnnl::post_ops relu;
    relu.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
    attributes.set_post_ops(relu);
  }
  return attributes;
}

inline const dnnl::engine& Cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

}  // namespace mre

#endif  // MRE_MODEL_MATH_ONEDNN_H_
