// conv.h on oneDNN 2.6. Primitives are made for a few row counts, once a thread
// and shape; a call is cut into them, the largest first. Weights are brought
// into the layout that the primitives like once a call: they are small beside
// the maps. A failure ends the program, as one of kernels_onednn.cc's products
// does.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "model/math/conv.h"
#include "model/math/onednn.h"

namespace mre {
namespace {

using dnnl::memory;

constexpr int64_t kBlocks[] = {32, 8, 1};  // rows, the largest first
constexpr auto kF32 = memory::data_type::f32;
constexpr auto kDirect = dnnl::algorithm::convolution_auto;

memory::desc PlainWeights(const ConvShape& s) {
  return {{s.out, s.in, s.kernel, s.kernel}, kF32, memory::format_tag::ohwi};
}

// The memory descriptors of one shape at one row count, in our own layouts.
struct Plain {
  Plain(const ConvShape& s, int64_t rows)
      : x({rows, s.in, s.height, s.width}, kF32, memory::format_tag::nhwc),
        y({rows, s.out, s.height, s.width}, kF32, memory::format_tag::nhwc),
        weight(PlainWeights(s)),
        any_weight({s.out, s.in, s.kernel, s.kernel}, kF32,
                   memory::format_tag::any),
        bias({s.out}, kF32, memory::format_tag::a),
        strides{1, 1},
        padding{s.kernel / 2, s.kernel / 2} {}

  memory::desc x, y, weight, any_weight, bias;
  memory::dims strides, padding;
};

// The three primitives of one shape at one row count.
struct Primitives {
  Primitives(const ConvShape& s, int64_t rows)
      : plain(s, rows),
        forward_desc({dnnl::prop_kind::forward_training, kDirect, plain.x,
                      plain.any_weight, plain.bias, plain.y, plain.strides,
                      plain.padding, plain.padding},
                     Cpu()),
        data_desc({kDirect, plain.x, plain.any_weight, plain.y, plain.strides,
                   plain.padding, plain.padding},
                  Cpu(), forward_desc),
        weights_desc({kDirect, plain.x, plain.any_weight, plain.bias, plain.y,
                      plain.strides, plain.padding, plain.padding},
                     Cpu(), forward_desc),
        forward(forward_desc),
        data(data_desc),
        weights(weights_desc) {}

  Plain plain;
  dnnl::convolution_forward::primitive_desc forward_desc;
  dnnl::convolution_backward_data::primitive_desc data_desc;
  dnnl::convolution_backward_weights::primitive_desc weights_desc;
  dnnl::convolution_forward forward;
  dnnl::convolution_backward_data data;
  dnnl::convolution_backward_weights weights;
};

const Primitives& For(const ConvShape& shape, int64_t rows) {
  thread_local std::map<std::pair<ConvShape, int64_t>, Primitives> made;
  const auto key = std::make_pair(shape, rows);
  const auto it = made.find(key);
  if (it != made.end()) return it->second;
  return made.try_emplace(key, shape, rows).first->second;
}

dnnl::stream& Stream() {
  thread_local dnnl::stream stream(Cpu());
  return stream;
}

memory View(const memory::desc& desc, const float* data) {
  return memory(desc, Cpu(), const_cast<float*>(data));
}

// The weights of one call, in the layout that was asked for last.
class PackedWeights {
 public:
  PackedWeights(const memory::desc& plain, const float* weight)
      : plain_(View(plain, weight)) {}

  const memory& In(const memory::desc& wanted) {
    if (wanted == plain_.get_desc()) return plain_;
    if (!packed_ || packed_.get_desc() != wanted) {
      packed_ = memory(wanted, Cpu());
      dnnl::reorder(plain_, packed_).execute(Stream(), plain_, packed_);
    }
    return packed_;
  }

 private:
  memory plain_;
  memory packed_;
};

// Calls run(primitives, first row) for blocks of rows.
template <typename Run>
void ForBlocks(const ConvShape& shape, int64_t rows, Run run) noexcept {
  const OneThread one_thread;
  try {
    int64_t row = 0;
    for (const int64_t block : kBlocks) {
      for (; row + block <= rows; row += block) run(For(shape, block), row);
    }
  } catch (const dnnl::error& error) {
    std::fprintf(stderr, "oneDNN's convolution failed: %s\n", error.what());
    std::abort();
  }
}

}  // namespace

void ConvForward(const ConvShape& shape, const float* weight, const float* bias,
                 const float* x, int64_t rows, float* y) {
  PackedWeights packed(PlainWeights(shape), weight);
  ForBlocks(shape, rows, [&](const Primitives& p, int64_t row) {
    const int64_t at = row * shape.positions();
    p.forward.execute(
        Stream(), {{DNNL_ARG_SRC, View(p.plain.x, x + at * shape.in)},
                   {DNNL_ARG_WEIGHTS, packed.In(p.forward_desc.weights_desc())},
                   {DNNL_ARG_BIAS, View(p.plain.bias, bias)},
                   {DNNL_ARG_DST, View(p.plain.y, y + at * shape.out)}});
  });
}

void ConvBackwardData(const ConvShape& shape, const float* weight,
                      const float* dy, int64_t rows, float* dx) {
  PackedWeights packed(PlainWeights(shape), weight);
  ForBlocks(shape, rows, [&](const Primitives& p, int64_t row) {
    const int64_t at = row * shape.positions();
    p.data.execute(Stream(),
                   {{DNNL_ARG_DIFF_DST, View(p.plain.y, dy + at * shape.out)},
                    {DNNL_ARG_WEIGHTS, packed.In(p.data_desc.weights_desc())},
                    {DNNL_ARG_DIFF_SRC, View(p.plain.x, dx + at * shape.in)}});
  });
}

void ConvBackwardWeights(const ConvShape& shape, const float* x,
                         const float* dy, int64_t rows, float* dweight,
                         float* dbias) {
  std::vector<float> weight_part(shape.weights());
  std::vector<float> bias_part(shape.out);
  ForBlocks(shape, rows, [&](const Primitives& p, int64_t row) {
    const int64_t at = row * shape.positions();
    const memory::desc wanted = p.weights_desc.diff_weights_desc();
    memory to = View(p.plain.weight, weight_part.data());
    const bool same = wanted == p.plain.weight;
    memory made = same ? to : memory(wanted, Cpu());
    p.weights.execute(
        Stream(), {{DNNL_ARG_SRC, View(p.plain.x, x + at * shape.in)},
                   {DNNL_ARG_DIFF_DST, View(p.plain.y, dy + at * shape.out)},
                   {DNNL_ARG_DIFF_WEIGHTS, made},
                   {DNNL_ARG_DIFF_BIAS, View(p.plain.bias, bias_part.data())}});
    if (!same) dnnl::reorder(made, to).execute(Stream(), made, to);
    for (int64_t i = 0; i < shape.weights(); ++i) dweight[i] += weight_part[i];
    for (int64_t o = 0; o < shape.out; ++o) dbias[o] += bias_part[o];
  });
}

}  // namespace mre
