// The loops for each width of vector registers that this CPU has. (kernels_test
// has the widest one's rows in batches of all sizes.)
#include "model/math/panels.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "model/base/rng.h"
#include "model/math/kernels_ref.h"

namespace mre {
namespace {

constexpr float kGuard = 12345.0f;

std::vector<float> Randoms(Rng& rng, int64_t n) {
  std::vector<float> values(n);
  for (float& value : values) value = static_cast<float>(rng.Gaussian());
  return values;
}

TEST(PanelsTest, EveryWidthMatchesPlainLoopsAndKeepsRowsApart) {
  Rng rng(1);
  for (const int bits : Panels::Widths()) {
    for (const int64_t in : {1, 7, 64, 130}) {
      for (const int64_t out : {1, 10, 16, 17, 31, 32, 33, 64, 65, 100}) {
        const Activation activation =
            rng.Below(2) == 0 ? Activation::kNone : Activation::kRelu;
        SCOPED_TRACE(testing::Message()
                     << bits << " bits, " << in << " to " << out);
        const std::vector<float> weight = Randoms(rng, out * in);
        const std::vector<float> bias = Randoms(rng, out);
        const Panels panels(in, out, weight, bias, bits);
        constexpr int64_t kRows = 19;
        const std::vector<float> x = Randoms(rng, kRows * in);
        std::vector<float> want(kRows * out), alone(kRows * out);
        ref::Linear({in, out, activation, Precision::kF32}, weight.data(),
                    bias.data(), x.data(), kRows, want.data());
        for (int64_t r = 0; r < kRows; ++r) {
          panels.Apply(&x[r * in], 1, activation, &alone[r * out]);
        }
        // A sum of in+1 terms, each of some 1 to 10.
        const double tolerance = static_cast<double>(in + 1) * 10 *
                                 std::numeric_limits<float>::epsilon();
        for (int64_t i = 0; i < kRows * out; ++i) {
          ASSERT_NEAR(alone[i], want[i], tolerance) << i;
        }
        for (int64_t rows = 0; rows <= kRows; ++rows) {
          std::vector<float> y(rows * out + 1, kGuard);
          panels.Apply(x.data(), rows, activation, y.data());
          ASSERT_TRUE(std::equal(y.begin(), y.end() - 1, alone.begin()))
              << rows << " rows";
          ASSERT_EQ(y.back(), kGuard) << rows << " rows";
        }
      }
    }
  }
}

TEST(PanelsTest, ReluKeepsNan) {
  for (const int bits : Panels::Widths()) {
    const std::vector<float> weight = {1, -1}, bias = {0, 0};
    const Panels panels(1, 2, weight, bias, bits);
    const float x[] = {std::numeric_limits<float>::quiet_NaN(), 3};
    float y[4];
    panels.Apply(x, 2, Activation::kRelu, y);
    EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1])) << bits;
    EXPECT_EQ(y[2], 3) << bits;
    EXPECT_EQ(y[3], 0) << bits;
  }
}

}  // namespace
}  // namespace mre
