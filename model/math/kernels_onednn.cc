// kernels.h on oneDNN 2.6, whose exceptions end here; products of a LinearOp in
// f32 on panels.h.
//
// Inner products in bf16 are created for a fixed list of row counts ("blocks"),
// all with one weight layout, and a call is cut into blocks, the last one
// padded. With oneDNN's batch-reduce kernels every row count gives a row the
// same bits (kernels_test checks it). Where it has none for a shape that does
// not hold, so there all products run in blocks of one size.
//
// oneDNN itself runs on one thread: given more, it splits some sums among them
// (3072 inputs to 96 outputs, for one), depending on the row count. Threads
// share the rows instead.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <new>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/math/elementwise.h"
#include "model/math/kernels.h"
#include "model/math/onednn.h"
#include "model/math/panels.h"
#include "model/math/parallel.h"

namespace mre {
namespace {

using dnnl::memory;

// Row counts that have a primitive of their own, ascending. A call is cut into
// pieces of the largest, which is also what a thread takes at a time: no
// thread's padding reaches into another's rows.
constexpr std::array<int64_t, 18> kBlocks = {
    1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 48, 64};
constexpr int64_t kLargestBlock = kBlocks.back();
// Where the implementation is not known to be independent of the row count.
constexpr int64_t kOnlyBlock = 16;
static_assert(kLargestBlock % kOnlyBlock == 0);

memory::desc RowMajor(int64_t rows, int64_t cols, memory::data_type type) {
  return memory::desc({rows, cols}, type, memory::format_tag::ab);
}

// A view of `data`, to be used until the next call on this thread with the same
// shape and argument. Views are kept: making one takes longer than a product of
// a few rows. There are as many as shapes of operands.
dnnl_memory_t Buffer(const memory::desc& desc, int argument, const void* data) {
  thread_local absl::flat_hash_map<std::tuple<int, int, int64_t, int64_t>,
                                   memory>
      kept;
  const dnnl_memory_desc_t& d = desc.data;
  const int64_t columns = d.ndims > 1 ? d.dims[1] : 0;
  const auto [it, is_new] = kept.try_emplace(
      {argument, d.data_type, d.ndims > 0 ? d.dims[0] : 0, columns});
  if (is_new) it->second = memory(desc, Cpu(), nullptr);
  it->second.set_data_handle(const_cast<void*>(data));
  return it->second.get();
}

dnnl::inner_product_forward::primitive_desc Describe(
    const LinearOp::Shape& shape, int64_t rows, const memory::desc& weights) {
  const memory::data_type type = TypeOf(shape.precision);
  dnnl::primitive_attr attributes = FollowedBy(shape.activation);
  // The library's own scratchpad belongs to the thread that made the primitive.
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const dnnl::inner_product_forward::desc desc(
      dnnl::prop_kind::forward_inference, RowMajor(rows, shape.in, type),
      weights,
      memory::desc({shape.out}, memory::data_type::f32, memory::format_tag::a),
      RowMajor(rows, shape.out, memory::data_type::f32));
  return dnnl::inner_product_forward::primitive_desc(desc, attributes, Cpu());
}

// The enumerators are sets of bits, not steps of a ladder.
bool Supports(dnnl::cpu_isa isa) {
  const auto wanted = static_cast<unsigned>(isa);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & wanted) ==
         wanted;
}

bool IsBatchReduce(const dnnl::inner_product_forward::primitive_desc& pd) {
  return std::strstr(pd.impl_info_str(), "brgemm") != nullptr;
}

}  // namespace

bool CpuHasBf16() { return Supports(dnnl::cpu_isa::avx512_core_bf16); }

bool CpuPrefersBf16() { return Supports(dnnl::cpu_isa::avx512_core_amx); }

struct LinearOp::Weights::Rep {
  std::unique_ptr<const Panels> panels;  // f32; or else
  memory weight;
  memory bias;
};

// Of products in bf16.
struct LinearOp::Rep {
  struct Block {
    int64_t rows;
    dnnl::inner_product_forward primitive;
    memory::desc src;
    memory::desc dst;
    memory::desc scratchpad;
  };
  std::vector<Block> blocks;  // ascending in rows
  memory::desc weights;

  const Block& For(int64_t rows) const {
    for (const Block& block : blocks) {
      if (block.rows >= rows) return block;
    }
    return blocks.back();
  }
};

LinearOp::Weights::Weights(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
LinearOp::Weights::Weights(Weights&&) noexcept = default;
LinearOp::Weights& LinearOp::Weights::operator=(Weights&&) noexcept = default;
LinearOp::Weights::~Weights() = default;

LinearOp::LinearOp(const Shape& shape, std::unique_ptr<Rep> rep)
    : shape_(shape), rep_(std::move(rep)) {}
LinearOp::~LinearOp() = default;

absl::StatusOr<std::unique_ptr<LinearOp>> LinearOp::Create(const Shape& shape) {
  RETURN_IF_ERROR(CheckPrecision(shape.precision));
  if (shape.precision == Precision::kF32) {
    return std::unique_ptr<LinearOp>(new LinearOp(shape, nullptr));
  }
  const OneThread one_thread;
  try {
    auto rep = std::make_unique<Rep>();
    const auto add = [&](int64_t rows) {
      const auto pd = Describe(shape, rows, rep->weights);
      rep->blocks.push_back({rows, dnnl::inner_product_forward(pd),
                             pd.src_desc(), pd.dst_desc(),
                             pd.scratchpad_desc()});
    };
    // The layout that one middling row count prefers serves all of them.
    const auto pd =
        Describe(shape, kOnlyBlock,
                 memory::desc({shape.out, shape.in}, TypeOf(shape.precision),
                              memory::format_tag::any));
    rep->weights = pd.weights_desc();
    if (IsBatchReduce(pd)) {
      for (const int64_t rows : kBlocks) add(rows);
    } else {
      add(kOnlyBlock);
    }
    return std::unique_ptr<LinearOp>(new LinearOp(shape, std::move(rep)));
  } catch (const dnnl::error& error) {
    return absl::InternalError(absl::StrCat(
        "oneDNN refused a product of ", shape.in, " to ", shape.out, " in ",
        PrecisionName(shape.precision), ": ", error.what()));
  }
}

absl::StatusOr<LinearOp::Weights> LinearOp::Pack(
    std::span<const float> weight, std::span<const float> bias) const try {
  if (shape_.precision == Precision::kF32) {
    return Weights(std::make_unique<Weights::Rep>(Weights::Rep{
        std::make_unique<Panels>(shape_.in, shape_.out, weight, bias),
        {},
        {}}));
  }
  dnnl::stream stream(Cpu());
  memory plain(RowMajor(shape_.out, shape_.in, memory::data_type::f32), Cpu(),
               const_cast<float*>(weight.data()));
  memory packed(rep_->weights, Cpu());
  dnnl::reorder(plain, packed).execute(stream, plain, packed);
  stream.wait();
  memory bias_memory(
      memory::desc({shape_.out}, memory::data_type::f32, memory::format_tag::a),
      Cpu());
  std::memcpy(bias_memory.get_data_handle(), bias.data(), bias.size_bytes());
  return Weights(
      std::make_unique<Weights::Rep>(Weights::Rep{{}, packed, bias_memory}));
} catch (const dnnl::error& error) {
  return absl::ResourceExhaustedError(
      absl::StrCat("oneDNN could not pack weights of ", shape_.in, " to ",
                   shape_.out, ": ", error.what()));
} catch (const std::bad_alloc&) {
  return absl::ResourceExhaustedError(absl::StrCat(
      "no memory to pack weights of ", shape_.in, " to ", shape_.out));
}

void LinearOp::Apply(const Weights& weights, const float* x, int64_t rows,
                     float* y) const {
  if (rows <= kLargestBlock) {
    ApplyOnOneThread(weights, x, rows, y);
    return;
  }
  ParallelFor((rows + kLargestBlock - 1) / kLargestBlock, [&](int64_t i) {
    const int64_t first = i * kLargestBlock;
    ApplyOnOneThread(weights, x + first * shape_.in,
                     std::min(kLargestBlock, rows - first),
                     y + first * shape_.out);
  });
}

void LinearOp::ApplyOnOneThread(const Weights& weights, const float* x,
                                int64_t rows, float* y) const noexcept {
  if (const Panels* panels = weights.rep().panels.get()) {
    panels->Apply(x, rows, shape_.activation, y);
    return;
  }
  const OneThread one_thread;
  thread_local dnnl::stream stream(Cpu());
  thread_local std::vector<uint16_t> narrow;
  thread_local std::vector<std::max_align_t> scratch;
  while (rows > 0) {
    const Rep::Block& block = rep_->For(rows);
    const int64_t taken = std::min(rows, block.rows);
    narrow.resize(block.rows * shape_.in);
    RoundToBf16(x, taken * shape_.in, narrow.data());
    scratch.resize(
        std::max(scratch.size(),
                 block.scratchpad.get_size() / sizeof(std::max_align_t) + 1));
    // The C interface: no map of arguments is made for each call.
    const dnnl_exec_arg_t arguments[] = {
        {DNNL_ARG_SRC, Buffer(block.src, DNNL_ARG_SRC, narrow.data())},
        {DNNL_ARG_WEIGHTS, weights.rep().weight.get()},
        {DNNL_ARG_BIAS, weights.rep().bias.get()},
        {DNNL_ARG_SCRATCHPAD,
         Buffer(block.scratchpad, DNNL_ARG_SCRATCHPAD, scratch.data())},
        {DNNL_ARG_DST, Buffer(block.dst, DNNL_ARG_DST, y)}};
    dnnl::error::wrap_c_api(
        dnnl_primitive_execute(block.primitive.get(), stream.get(),
                               std::size(arguments), arguments),
        "could not run a product");
    x += taken * shape_.in;
    y += taken * shape_.out;
    rows -= taken;
  }
}

int64_t LinearOp::PaddedRows(int64_t rows) {
  // The block that what is left over runs in reaches no further than this.
  return (rows + kOnlyBlock - 1) / kOnlyBlock * kOnlyBlock;
}

void Gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k,
          const float* a, int64_t lda, const float* b, int64_t ldb, float beta,
          float* c, int64_t ldc) {
  if (m == 0 || n == 0) return;
  if (k == 0) {  // oneDNN would leave C as it is
    for (int64_t i = 0; i < m * n; ++i) {
      float& value = c[i / n * ldc + i % n];
      value = beta == 0 ? 0 : beta * value;
    }
    return;
  }
  const OneThread one_thread;
  const dnnl::status status =
      dnnl::sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k,
                  1.0f, a, lda, b, ldb, beta, c, ldc);
  if (status != dnnl::status::success) {
    std::fprintf(stderr, "oneDNN's sgemm failed with status %d\n",
                 static_cast<int>(status));
    std::abort();
  }
}

}  // namespace mre
