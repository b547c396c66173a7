// Matrix products, nearly the only numeric work that is worth a library: those
// of a LinearOp in f32 are our own (panels.h).
//
// Two implementations stand behind this header, chosen when building:
// kernels_onednn.cc and kernels_plain.cc (the loops of kernels_ref.h; for the
// thread sanitizer and for fuzzing).
#ifndef MRE_MODEL_MATH_KERNELS_H_
#define MRE_MODEL_MATH_KERNELS_H_

#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mre {

enum class Precision {
  kF32,
  // Operands rounded to bfloat16 (nearest even), sums in f32.
  kBf16,
};
absl::string_view PrecisionName(Precision precision);  // "f32", "bf16"

// True when the CPU multiplies bf16 at all; true when it does so faster than
// f32 for sure (AMX tiles: AVX512-BF16 alone measured from half to twice the
// speed of f32, by CPU and size).
bool CpuHasBf16();
bool CpuPrefersBf16();

// UNIMPLEMENTED when the CPU cannot multiply in `precision`.
absl::Status CheckPrecision(Precision precision);

enum class Activation { kNone, kRelu };

// y = activation(x W^T + bias) for one shape of W and any number of rows, with
// W packed once into the layout that the CPU likes.
//
// A row's result does not depend, bit for bit, on how many rows share the call
// or on where among them it stands: that is what lets a server batch rows of
// different clients without their seeing each other.
//
// Thread-safe once created, if each thread uses its own x and y.
class LinearOp {
 public:
  struct Shape {
    int64_t in = 0;
    int64_t out = 0;
    Activation activation = Activation::kNone;
    Precision precision = Precision::kF32;
  };

  // W and its bias in the CPU's layout. Movable. Usable with the LinearOp that
  // packed it, which must outlive it.
  class Weights {
   public:
    struct Rep;
    explicit Weights(std::unique_ptr<Rep> rep);
    Weights(Weights&&) noexcept;
    Weights& operator=(Weights&&) noexcept;
    ~Weights();
    const Rep& rep() const { return *rep_; }

   private:
    std::unique_ptr<Rep> rep_;
  };

  // UNIMPLEMENTED when the CPU cannot run `shape.precision`.
  static absl::StatusOr<std::unique_ptr<LinearOp>> Create(const Shape& shape);
  ~LinearOp();

  // RESOURCE_EXHAUSTED when there is no memory for it. REQUIRES:
  // weight.size() == in * out (row-major [out,in]), bias.size() == out.
  absl::StatusOr<Weights> Pack(std::span<const float> weight,
                               std::span<const float> bias) const;

  // x: [rows,in], y: [rows,out], row-major. Both must be readable and writable
  // up to PaddedRows(rows) rows; what lies past `rows` in y is unspecified.
  // A product that was created and packed cannot be refused: should it fail all
  // the same, the program ends, as when any small allocation fails.
  void Apply(const Weights& weights, const float* x, int64_t rows,
             float* y) const;

  // Rows that buffers given to Apply must have room for.
  static int64_t PaddedRows(int64_t rows);

  const Shape& shape() const { return shape_; }

 private:
  struct Rep;
  LinearOp(const Shape& shape, std::unique_ptr<Rep> rep);
  void ApplyOnOneThread(const Weights& weights, const float* x, int64_t rows,
                        float* y) const noexcept;

  const Shape shape_;
  const std::unique_ptr<Rep> rep_;
};

// C = op(A) op(B) + beta C, all row-major, f32; op transposes when asked.
// op(A): [m,k], op(B): [k,n], C: [m,n]; lda, ldb, ldc: row lengths as stored.
// Runs on the calling thread, so the same arguments give the same bits whatever
// SetThreads says: share large products out with ParallelFor.
void Gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k,
          const float* a, int64_t lda, const float* b, int64_t ldb, float beta,
          float* c, int64_t ldc);

}  // namespace mre

#endif  // MRE_MODEL_MATH_KERNELS_H_
