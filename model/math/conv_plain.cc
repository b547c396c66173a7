// conv.h on the loops of conv_ref.h.
#include <utility>
#include <vector>

#include "model/math/conv.h"
#include "model/math/conv_ref.h"
#include "model/math/elementwise.h"

namespace mre {

void ConvForward(const ConvShape& shape, const float* weight, const float* bias,
                 const float* x, int64_t rows, float* y) {
  ref::ConvForward(shape, weight, bias, x, rows, y);
}

void ConvBackwardData(const ConvShape& shape, const float* weight,
                      const float* dy, int64_t rows, float* dx) {
  ref::ConvBackwardData(shape, weight, dy, rows, dx);
}

void ConvBackwardWeights(const ConvShape& shape, const float* x,
                         const float* dy, int64_t rows, float* dweight,
                         float* dbias) {
  ref::ConvBackwardWeights(shape, x, dy, rows, dweight, dbias);
}

struct PackedConv::Rep {
  std::vector<float> weight;
  std::vector<float> bias;
};

PackedConv::PackedConv(const ConvShape& shape, Activation activation,
                       std::unique_ptr<Rep> rep)
    : shape_(shape), activation_(activation), rep_(std::move(rep)) {}
PackedConv::PackedConv(PackedConv&&) noexcept = default;
PackedConv& PackedConv::operator=(PackedConv&&) noexcept = default;
PackedConv::~PackedConv() = default;

absl::StatusOr<PackedConv> PackedConv::Create(const ConvShape& shape,
                                              Activation activation,
                                              std::span<const float> weight,
                                              std::span<const float> bias) {
  return PackedConv(shape, activation,
                    std::make_unique<Rep>(Rep{{weight.begin(), weight.end()},
                                              {bias.begin(), bias.end()}}));
}

void PackedConv::ApplyOnOneThread(const float* x, int64_t rows,
                                  float* y) const {
  ref::ConvForward(shape_, rep_->weight.data(), rep_->bias.data(), x, rows, y);
  if (activation_ == Activation::kRelu) Relu(rows * shape_.to().size(), y);
}

void PackedConv::Apply(const float* x, int64_t rows, float* y) const {
  ApplyOnOneThread(x, rows, y);
}

}  // namespace mre
