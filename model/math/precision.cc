// What both implementations of kernels.h say of precisions.
#include "absl/status/status.h"
#include "model/math/kernels.h"

namespace mre {

absl::string_view PrecisionName(Precision precision) {
  return precision == Precision::kBf16 ? "bf16" : "f32";
}

absl::Status CheckPrecision(Precision precision) {
  if (precision == Precision::kF32 || CpuHasBf16()) return absl::OkStatus();
  return absl::UnimplementedError(
      "this CPU has no bf16 products (AVX512-BF16 or AMX)");
}

}  // namespace mre
