// Layers of one shape, packed for the CPU.
#ifndef MRE_MODEL_ENGINE_PACKED_LINEAR_H_
#define MRE_MODEL_ENGINE_PACKED_LINEAR_H_

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "model/base/status_macros.h"
#include "model/math/kernels.h"

namespace mre {

inline void Append(std::span<const float> from, std::vector<float>& to) {
  to.insert(to.end(), from.begin(), from.end());
}

// Thread-safe once all are added.
class PackedLinear {
 public:
  // Errors as LinearOp::Create's and Pack's.
  absl::Status Create(const LinearOp::Shape& shape) {
    ASSIGN_OR_RETURN(op_, LinearOp::Create(shape));
    return absl::OkStatus();
  }
  absl::Status Add(std::span<const float> weight, std::span<const float> bias) {
    ASSIGN_OR_RETURN(LinearOp::Weights packed, op_->Pack(weight, bias));
    weights_.push_back(std::move(packed));
    return absl::OkStatus();
  }

  // The i-th that was added; see LinearOp::Apply.
  void Apply(int64_t i, const float* x, int64_t rows, float* y) const {
    op_->Apply(weights_[i], x, rows, y);
  }

 private:
  std::unique_ptr<LinearOp> op_;  // outlives its weights
  std::vector<LinearOp::Weights> weights_;
};

}  // namespace mre

#endif  // MRE_MODEL_ENGINE_PACKED_LINEAR_H_
