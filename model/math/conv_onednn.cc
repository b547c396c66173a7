// conv.h on oneDNN 2.6. Primitives are made for a few row counts, once a thread
// and shape; a call is cut into them, the largest first. A failure ends the
// program, as one of kernels_onednn.cc's products does.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/math/conv.h"
#include "model/math/elementwise.h"
#include "model/math/onednn.h"
#include "model/math/parallel.h"

namespace mre {
namespace {

using dnnl::memory;

constexpr int64_t kBlocks[] = {32, 8, 1};  // rows, the largest first
constexpr auto kF32 = memory::data_type::f32;
constexpr auto kDirect = dnnl::algorithm::convolution_auto;

memory::dims WeightDims(const ConvShape& s) {
  return {s.out, s.from.channels, s.patch.size, s.patch.size};
}

memory::desc PlainWeights(const ConvShape& s) {
  return {WeightDims(s), kF32, memory::format_tag::ohwi};
}

// The memory descriptors of one shape at one row count.
struct Maps {
  Maps(const ConvShape& s, int64_t rows)
      : type(TypeOf(s.precision)),
        x_dims{rows, s.from.channels, s.from.height, s.from.width},
        y_dims{rows, s.out, s.to().height, s.to().width},
        x(x_dims, type, memory::format_tag::nhwc),
        y(y_dims, type, memory::format_tag::nhwc),
        x_f32(x_dims, kF32, memory::format_tag::nhwc),
        y_f32(y_dims, kF32, memory::format_tag::nhwc),
        weight(WeightDims(s), type, memory::format_tag::any),
        weight_f32(WeightDims(s), kF32, memory::format_tag::any),
        bias({s.out}, kF32, memory::format_tag::a),
        strides{s.patch.stride, s.patch.stride},
        padding{s.patch.padding, s.patch.padding} {}

  memory::data_type type;
  memory::dims x_dims, y_dims;
  memory::desc x, y, x_f32, y_f32, weight, weight_f32, bias;
  memory::dims strides, padding;
};

dnnl::convolution_forward::primitive_desc DescribeForward(
    const Maps& m, Activation activation) {
  return {{dnnl::prop_kind::forward_training, kDirect, m.x, m.weight, m.bias,
           m.y_f32, m.strides, m.padding, m.padding},
          FollowedBy(activation),
          Cpu()};
}

struct ForwardOp {
  ForwardOp(const ConvShape& s, int64_t rows, Activation activation)
      : maps(s, rows),
        desc(DescribeForward(maps, activation)),
        primitive(desc) {}

  Maps maps;
  dnnl::convolution_forward::primitive_desc desc;
  dnnl::convolution_forward primitive;
};

struct BackwardOps {
  BackwardOps(const ConvShape& s, int64_t rows)
      : maps(s, rows),
        hint(DescribeForward(maps, Activation::kNone)),
        data_desc({kDirect, maps.x_f32, maps.weight, maps.y, maps.strides,
                   maps.padding, maps.padding},
                  Cpu(), hint),
        weights_desc({kDirect, maps.x, maps.weight_f32, maps.bias, maps.y,
                      maps.strides, maps.padding, maps.padding},
                     Cpu(), hint),
        data(data_desc),
        weights(weights_desc) {}

  Maps maps;
  dnnl::convolution_forward::primitive_desc hint;
  dnnl::convolution_backward_data::primitive_desc data_desc;
  dnnl::convolution_backward_weights::primitive_desc weights_desc;
  dnnl::convolution_backward_data data;
  dnnl::convolution_backward_weights weights;
};

// Made once a thread for the same arguments.
template <typename Op, typename... Args>
const Op& Made(const ConvShape& shape, int64_t rows, Args... args) {
  thread_local std::map<std::tuple<ConvShape, int64_t, Args...>, Op> made;
  const auto key = std::make_tuple(shape, rows, args...);
  const auto it = made.find(key);
  if (it != made.end()) return it->second;
  return made.try_emplace(key, shape, rows, args...).first->second;
}

dnnl::stream& Stream() {
  thread_local dnnl::stream stream(Cpu());
  return stream;
}

memory View(const memory::desc& desc, const void* data) {
  return memory(desc, Cpu(), const_cast<void*>(data));
}

// f32 values as a primitive reads them: as they are, or rounded into a buffer
// that serves until the next call.
class Operand {
 public:
  memory Of(const memory::desc& desc, const float* values) {
    if (desc.data_type() == kF32) return View(desc, values);
    const int64_t count = desc.get_size() / sizeof(uint16_t);
    rounded_.resize(count);
    RoundToBf16(values, count, rounded_.data());
    return View(desc, rounded_.data());
  }

 private:
  std::vector<uint16_t> rounded_;
};

// Filters in the layouts that were asked for.
class Filters {
 public:
  Filters(const ConvShape& shape, const float* weight)
      : plain_(View(PlainWeights(shape), weight)) {}

  const memory& In(const memory::desc& wanted) {
    if (wanted == plain_.get_desc()) return plain_;
    for (const memory& packed : packed_) {
      if (packed.get_desc() == wanted) return packed;
    }
    memory& packed = packed_.emplace_back(wanted, Cpu());
    dnnl::reorder(plain_, packed).execute(Stream(), plain_, packed);
    return packed;
  }

 private:
  memory plain_;
  std::vector<memory> packed_;  // at most one a block size
};

// Calls run(rows, first row) for blocks of rows.
template <typename Run>
void ForBlocks(int64_t rows, Run run) noexcept {
  const OneThread one_thread;
  try {
    int64_t row = 0;
    for (const int64_t block : kBlocks) {
      for (; row + block <= rows; row += block) run(block, row);
    }
  } catch (const dnnl::error& error) {
    std::fprintf(stderr, "oneDNN's convolution failed: %s\n", error.what());
    std::abort();
  }
}

}  // namespace

void ConvForward(const ConvShape& shape, const float* weight, const float* bias,
                 const float* x, int64_t rows, float* y) {
  thread_local Operand operand;
  Filters filters(shape, weight);
  const int64_t in = shape.from.size();
  const int64_t out = shape.to().size();
  ForBlocks(rows, [&](int64_t block, int64_t row) {
    const auto& op = Made<ForwardOp>(shape, block, Activation::kNone);
    op.primitive.execute(
        Stream(), {{DNNL_ARG_SRC, operand.Of(op.maps.x, x + row * in)},
                   {DNNL_ARG_WEIGHTS, filters.In(op.desc.weights_desc())},
                   {DNNL_ARG_BIAS, View(op.maps.bias, bias)},
                   {DNNL_ARG_DST, View(op.maps.y_f32, y + row * out)}});
  });
}

void ConvBackwardData(const ConvShape& shape, const float* weight,
                      const float* dy, int64_t rows, float* dx) {
  thread_local Operand operand;
  Filters filters(shape, weight);
  const int64_t in = shape.from.size();
  const int64_t out = shape.to().size();
  ForBlocks(rows, [&](int64_t block, int64_t row) {
    const auto& op = Made<BackwardOps>(shape, block);
    op.data.execute(
        Stream(), {{DNNL_ARG_DIFF_DST, operand.Of(op.maps.y, dy + row * out)},
                   {DNNL_ARG_WEIGHTS, filters.In(op.data_desc.weights_desc())},
                   {DNNL_ARG_DIFF_SRC, View(op.maps.x_f32, dx + row * in)}});
  });
}

void ConvBackwardWeights(const ConvShape& shape, const float* x,
                         const float* dy, int64_t rows, float* dweight,
                         float* dbias) {
  thread_local Operand x_operand, dy_operand;
  std::vector<float> weight_part(shape.weights());
  std::vector<float> bias_part(shape.out);
  const int64_t in = shape.from.size();
  const int64_t out = shape.to().size();
  const memory plain = View(PlainWeights(shape), weight_part.data());
  ForBlocks(rows, [&](int64_t block, int64_t row) {
    const auto& op = Made<BackwardOps>(shape, block);
    const memory::desc wanted = op.weights_desc.diff_weights_desc();
    const bool same = wanted == plain.get_desc();
    memory made = same ? plain : memory(wanted, Cpu());
    op.weights.execute(
        Stream(),
        {{DNNL_ARG_SRC, x_operand.Of(op.maps.x, x + row * in)},
         {DNNL_ARG_DIFF_DST, dy_operand.Of(op.maps.y, dy + row * out)},
         {DNNL_ARG_DIFF_WEIGHTS, made},
         {DNNL_ARG_DIFF_BIAS, View(op.maps.bias, bias_part.data())}});
    if (!same) {
      memory to = plain;
      dnnl::reorder(made, to).execute(Stream(), made, to);
    }
    Add(weight_part.data(), shape.weights(), dweight);
    Add(bias_part.data(), shape.out, dbias);
  });
}

// For each of kBlocks, what its primitive reads.
struct PackedConv::Rep {
  std::vector<memory> weights;
  memory bias;
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
                                              std::span<const float> bias) try {
  RETURN_IF_ERROR(CheckPrecision(shape.precision));
  const OneThread one_thread;
  auto rep = std::make_unique<Rep>();
  const memory plain = View(PlainWeights(shape), weight.data());
  for (const int64_t rows : kBlocks) {
    const auto& op = Made<ForwardOp>(shape, rows, activation);
    const memory::desc wanted = op.desc.weights_desc();
    if (!rep->weights.empty() && rep->weights.back().get_desc() == wanted) {
      rep->weights.push_back(rep->weights.back());
      continue;
    }
    memory packed(wanted, Cpu());
    memory from = plain;
    dnnl::reorder(from, packed).execute(Stream(), from, packed);
    rep->weights.push_back(packed);
  }
  Stream().wait();
  rep->bias = memory({{shape.out}, kF32, memory::format_tag::a}, Cpu());
  std::copy(bias.begin(), bias.end(),
            static_cast<float*>(rep->bias.get_data_handle()));
  return PackedConv(shape, activation, std::move(rep));
} catch (const dnnl::error& error) {
  return absl::ResourceExhaustedError(absl::StrCat(
      "oneDNN could not pack a convolution of ", shape.from.channels, " to ",
      shape.out, " channels: ", error.what()));
}

void PackedConv::Apply(const float* x, int64_t rows, float* y) const {
  const int64_t in = shape_.from.size();
  const int64_t out = shape_.to().size();
  const int64_t block = kBlocks[0];
  ParallelFor((rows + block - 1) / block, [&](int64_t i) {
    const int64_t row = i * block;
    ApplyOnOneThread(x + row * in, std::min(block, rows - row), y + row * out);
  });
}

void PackedConv::ApplyOnOneThread(const float* x, int64_t rows,
                                  float* y) const {
  thread_local Operand operand;
  const int64_t in = shape_.from.size();
  const int64_t out = shape_.to().size();
  ForBlocks(rows, [&](int64_t block, int64_t row) {
    const auto& op = Made<ForwardOp>(shape_, block, activation_);
    const auto at = std::find(std::begin(kBlocks), std::end(kBlocks), block) -
                    std::begin(kBlocks);
    op.primitive.execute(Stream(),
                         {{DNNL_ARG_SRC, operand.Of(op.maps.x, x + row * in)},
                          {DNNL_ARG_WEIGHTS, rep_->weights[at]},
                          {DNNL_ARG_BIAS, rep_->bias},
                          {DNNL_ARG_DST, View(op.maps.y_f32, y + row * out)}});
  });
}

}  // namespace mre
