// kernels.h on the loops of kernels_ref.h.
#include <utility>
#include <vector>

#include "model/math/kernels.h"
#include "model/math/kernels_ref.h"

namespace mre {

bool CpuHasBf16() { return true; }
bool CpuPrefersBf16() { return false; }

struct LinearOp::Weights::Rep {
  std::vector<float> weight;
  std::vector<float> bias;
};
struct LinearOp::Rep {};

LinearOp::Weights::Weights(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
LinearOp::Weights::Weights(Weights&&) noexcept = default;
LinearOp::Weights& LinearOp::Weights::operator=(Weights&&) noexcept = default;
LinearOp::Weights::~Weights() = default;

LinearOp::LinearOp(const Shape& shape, std::unique_ptr<Rep> rep)
    : shape_(shape), rep_(std::move(rep)) {}
LinearOp::~LinearOp() = default;

absl::StatusOr<std::unique_ptr<LinearOp>> LinearOp::Create(const Shape& shape) {
  return std::unique_ptr<LinearOp>(new LinearOp(shape, nullptr));
}

absl::StatusOr<LinearOp::Weights> LinearOp::Pack(
    std::span<const float> weight, std::span<const float> bias) const {
  return Weights(std::make_unique<Weights::Rep>(Weights::Rep{
      {weight.begin(), weight.end()}, {bias.begin(), bias.end()}}));
}

void LinearOp::Apply(const Weights& weights, const float* x, int64_t rows,
                     float* y) const {
  ref::Linear(shape_, weights.rep().weight.data(), weights.rep().bias.data(), x,
              rows, y);
}

int64_t LinearOp::PaddedRows(int64_t rows) { return rows; }

void Gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k,
          const float* a, int64_t lda, const float* b, int64_t ldb, float beta,
          float* c, int64_t ldc) {
  ref::Gemm(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, beta, c, ldc);
}

}  // namespace mre
