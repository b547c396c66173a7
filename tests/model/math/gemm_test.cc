// Gemm and ParallelFor: what training is made of.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "model/base/cpus.h"
#include "model/base/rng.h"
#include "model/math/kernels.h"
#include "model/math/kernels_ref.h"
#include "model/math/parallel.h"

namespace mre {
namespace {

constexpr double kEpsilon = std::numeric_limits<float>::epsilon();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> Randoms(Rng& rng, int64_t n) {
  std::vector<float> values(n);
  for (float& value : values) value = static_cast<float>(rng.Gaussian());
  return values;
}

// Two sums of the same `length` products, in whatever order, differ by at most
// this, if the absolute values of the products sum up to `magnitude`.
double Tolerance(int64_t length, double magnitude) {
  return 2 * static_cast<double>(length + 1) * kEpsilon / 2 * magnitude;
}

struct GemmCase {
  bool transpose_a, transpose_b;
  int64_t m, n, k;
  float beta;
};

// Runs Gemm with gaps between the stored rows; checks values and gaps.
void ExpectGemmNearOracle(const GemmCase& c, Rng& rng) {
  SCOPED_TRACE(absl::StrCat(c.transpose_a ? "A' " : "A ",
                            c.transpose_b ? "B' " : "B ", c.m, "x", c.n, "x",
                            c.k, " beta ", c.beta));
  constexpr int64_t kGap = 3;
  const int64_t a_rows = c.transpose_a ? c.k : c.m;
  const int64_t b_rows = c.transpose_b ? c.n : c.k;
  const int64_t lda = (c.transpose_a ? c.m : c.k) + kGap;
  const int64_t ldb = (c.transpose_b ? c.k : c.n) + kGap;
  const int64_t ldc = c.n + kGap;
  const std::vector<float> a = Randoms(rng, a_rows * lda);
  const std::vector<float> b = Randoms(rng, b_rows * ldb);
  const std::vector<float> start = Randoms(rng, c.m * ldc);
  std::vector<float> got = start, want = start;
  Gemm(c.transpose_a, c.transpose_b, c.m, c.n, c.k, a.data(), lda, b.data(),
       ldb, c.beta, got.data(), ldc);
  ref::Gemm(c.transpose_a, c.transpose_b, c.m, c.n, c.k, a.data(), lda,
            b.data(), ldb, c.beta, want.data(), ldc);
  int bad = 0;
  for (int64_t i = 0; i < c.m; ++i) {
    for (int64_t j = 0; j < ldc; ++j) {
      double tolerance = 0;  // the gap between rows stays as it is
      if (j < c.n) {
        double magnitude = std::abs(c.beta * start[i * ldc + j]);
        for (int64_t l = 0; l < c.k; ++l) {
          magnitude +=
              std::abs(double{c.transpose_a ? a[l * lda + i] : a[i * lda + l]} *
                       (c.transpose_b ? b[j * ldb + l] : b[l * ldb + j]));
        }
        tolerance = Tolerance(c.k, magnitude);
      }
      const float difference = got[i * ldc + j] - want[i * ldc + j];
      bad += !(std::abs(difference) <= tolerance);
    }
  }
  EXPECT_EQ(bad, 0);
}

TEST(GemmTest, MatchesPlainLoopsForAwkwardShapes) {
  Rng rng(9);
  constexpr int64_t kSizes[] = {1, 7, 10, 64, 65};
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      for (const int64_t m : kSizes) {
        for (const int64_t n : kSizes) {
          for (const int64_t k : {1, 8, 63, 300}) {
            for (const float beta : {0.0f, 1.0f, 0.5f}) {
              ExpectGemmNearOracle({ta, tb, m, n, k, beta}, rng);
            }
          }
        }
      }
    }
  }
}

TEST(GemmTest, EmptyProductsScaleC) {
  Rng rng(10);
  for (const float beta : {0.0f, 1.0f, 0.5f}) {
    ExpectGemmNearOracle({false, false, 5, 6, 0, beta}, rng);
    ExpectGemmNearOracle({true, false, 0, 6, 4, beta}, rng);
    ExpectGemmNearOracle({false, true, 5, 0, 4, beta}, rng);
  }
}

TEST(GemmTest, BetaZeroDoesNotReadC) {
  const std::vector<float> a(6, 1.0f), b(6, 2.0f);
  std::vector<float> c(4, kNan);
  Gemm(false, false, 2, 2, 3, a.data(), 3, b.data(), 2, 0, c.data(), 2);
  EXPECT_EQ(c, std::vector<float>(4, 6.0f));
}

// Shapes of a training step: a weight's gradient sums over all rows.
TEST(GemmTest, BitsDoNotDependOnThreads) {
  struct Case {
    int64_t m, n, k;
  };
  constexpr Case kCases[] = {{64, 64, 256},  {64, 784, 256},  {10, 64, 4352},
                             {8, 8, 20000},  {256, 64, 784},  {32, 64, 256},
                             {512, 64, 64},  {64, 64, 1031},  {1, 64, 4096},
                             {1031, 10, 64}, {16, 16, 100000}};
  Rng rng(11);
  for (const bool ta : {false, true}) {
    for (const Case& c : kCases) {
      const std::vector<float> a = Randoms(rng, c.m * c.k);
      const std::vector<float> b = Randoms(rng, c.k * c.n);
      const auto run = [&](int threads) {
        SetThreads(threads);
        std::vector<float> out(c.m * c.n);
        Gemm(ta, false, c.m, c.n, c.k, a.data(), ta ? c.m : c.k, b.data(), c.n,
             0, out.data(), c.n);
        return out;
      };
      const std::vector<float> one = run(1);
      for (const int threads : {2, 3, 4, 8}) {
        const std::vector<float> many = run(threads);
        EXPECT_EQ(std::memcmp(one.data(), many.data(), one.size() * 4), 0)
            << c.m << "x" << c.n << "x" << c.k << (ta ? " A'" : "") << " with "
            << threads << " threads";
      }
    }
  }
  SetThreads(AvailableThreads());
}

TEST(ParallelForTest, CallsEachIndexOnce) {
  for (const int threads : {1, 2, 5}) {
    SetThreads(threads);
    for (const int64_t n : {0, 1, 7, 1000}) {
      std::vector<int> calls(n);
      ParallelFor(n, [&](int64_t i) { ++calls[i]; });
      EXPECT_EQ(calls, std::vector<int>(n, 1));
    }
  }
  SetThreads(AvailableThreads());
}

// What an expert computes inside a ParallelFor is what it computes outside.
TEST(ParallelForTest, ProductsInsideHaveTheBitsOfProductsOutside) {
  constexpr int64_t kTasks = 8, m = 70, n = 64, k = 300;
  Rng rng(12);
  const std::vector<float> a = Randoms(rng, m * k), b = Randoms(rng, k * n);
  std::vector<float> outside(m * n);
  Gemm(false, false, m, n, k, a.data(), k, b.data(), n, 0, outside.data(), n);
  std::vector<std::vector<float>> inside(kTasks, std::vector<float>(m * n));
  SetThreads(2);
  ParallelFor(kTasks, [&](int64_t i) {
    Gemm(false, false, m, n, k, a.data(), k, b.data(), n, 0, inside[i].data(),
         n);
  });
  for (const auto& result : inside) EXPECT_EQ(result, outside);
  SetThreads(AvailableThreads());
}

}  // namespace
}  // namespace mre
