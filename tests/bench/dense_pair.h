// The reference of engine_bench in f32: an expert's two products as oneDNN's
// own inner products, on all rows at once.
#ifndef MRE_TESTS_BENCH_DENSE_PAIR_H_
#define MRE_TESTS_BENCH_DENSE_PAIR_H_

#include <algorithm>
#include <cstdint>
#include <dnnl.hpp>
#include <unordered_map>

namespace mre {

// down(relu(up(x))) of [rows,width]; every number is 0.5. Not thread-safe.
class DensePair {
 public:
  DensePair(int64_t rows, int64_t width, int64_t hidden)
      : x_(Filled({rows, width})),
        hidden_(Filled({rows, hidden})),
        y_(Filled({rows, width})),
        up_(x_, hidden_, engine_, true),
        down_(hidden_, y_, engine_, false) {}

  void Run() {
    up_.primitive.execute(stream_, up_.arguments);
    down_.primitive.execute(stream_, down_.arguments);
    stream_.wait();
  }

 private:
  using Memory = dnnl::memory;

  struct Layer {
    Layer(const Memory& x, const Memory& y, const dnnl::engine& engine,
          bool relu) {
      using Forward = dnnl::inner_product_forward;
      const int64_t in = x.get_desc().dims()[1];
      const int64_t out = y.get_desc().dims()[1];
      constexpr auto kF32 = Memory::data_type::f32;
      dnnl::primitive_attr attributes;
      if (relu) {
        dnnl::post_ops after;
        after.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
        attributes.set_post_ops(after);
      }
      const Forward::primitive_desc described(
          Forward::desc(dnnl::prop_kind::forward_inference, x.get_desc(),
                        Memory::desc({out, in}, kF32, Memory::format_tag::any),
                        Memory::desc({out}, kF32, Memory::format_tag::a),
                        y.get_desc()),
          attributes, engine);
      const auto filled = [&](const Memory::desc& desc) {
        Memory memory(desc, engine);
        auto* values = static_cast<float*>(memory.get_data_handle());
        std::fill_n(values, desc.get_size() / sizeof(float), 0.5f);
        return memory;
      };
      primitive = Forward(described);
      arguments = {{DNNL_ARG_SRC, x},
                   {DNNL_ARG_WEIGHTS, filled(described.weights_desc())},
                   {DNNL_ARG_BIAS, filled(described.bias_desc())},
                   {DNNL_ARG_DST, y}};
    }

    dnnl::inner_product_forward primitive;
    std::unordered_map<int, Memory> arguments;
  };

  Memory Filled(const Memory::dims& dims) {
    Memory memory(
        Memory::desc(dims, Memory::data_type::f32, Memory::format_tag::ab),
        engine_);
    std::fill_n(static_cast<float*>(memory.get_data_handle()),
                dims[0] * dims[1], 0.5f);
    return memory;
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  Memory x_, hidden_, y_;
  Layer up_, down_;
};

}  // namespace mre

#endif  // MRE_TESTS_BENCH_DENSE_PAIR_H_
