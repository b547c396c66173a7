#include "model/math/kernels.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "model/base/cpus.h"
#include "model/base/rng.h"
#include "model/math/elementwise.h"
#include "model/math/kernels_ref.h"
#include "model/math/parallel.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

constexpr double kEpsilon = std::numeric_limits<float>::epsilon();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr int64_t kMostRows = 300;

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

// One product with its random weights, and a packed LinearOp for it.
class Product {
 public:
  Product(const LinearOp::Shape& shape, uint64_t seed)
      : shape_(shape), rng_(seed) {
    weight_ = Randoms(rng_, shape.in * shape.out);
    bias_ = Randoms(rng_, shape.out);
    auto op = LinearOp::Create(shape);
    EXPECT_THAT(op, IsOk());
    op_ = *std::move(op);
    auto weights = op_->Pack(weight_, bias_);
    EXPECT_THAT(weights, IsOk());
    weights_.push_back(*std::move(weights));
  }

  std::vector<float> RandomRows(int64_t rows) {
    return Randoms(rng_, rows * shape_.in);
  }

  // The first `rows` rows of x through the op. Padding is filled with
  // `padding` before.
  std::vector<float> Apply(const float* x, int64_t rows,
                           float padding = 0) const {
    const int64_t padded = LinearOp::PaddedRows(rows);
    std::vector<float> in(padded * shape_.in, padding);
    std::vector<float> out(padded * shape_.out, padding);
    std::copy_n(x, rows * shape_.in, in.begin());
    op_->Apply(weights_[0], in.data(), rows, out.data());
    out.resize(rows * shape_.out);
    return out;
  }

  void ExpectNearOracle(int64_t rows) {
    const std::vector<float> x = RandomRows(rows);
    const std::vector<float> got = Apply(x.data(), rows);
    std::vector<float> want(rows * shape_.out);
    ref::Linear(shape_, weight_.data(), bias_.data(), x.data(), rows,
                want.data());
    int bad = 0;
    for (int64_t i = 0; i < rows * shape_.out; ++i) {
      const float* row = x.data() + i / shape_.out * shape_.in;
      const float* column = weight_.data() + i % shape_.out * shape_.in;
      double magnitude = std::abs(bias_[i % shape_.out]);
      for (int64_t k = 0; k < shape_.in; ++k) {
        magnitude += std::abs(double{row[k]} * column[k]);
      }
      // Rounding the operands to bf16 is the oracle's too; it can add 2^-7 to
      // a product's magnitude.
      const double tolerance = Tolerance(shape_.in, 1.01 * magnitude);
      if (!(std::abs(got[i] - want[i]) <= tolerance) && ++bad <= 3) {
        ADD_FAILURE() << "row " << i / shape_.out << " column "
                      << i % shape_.out << ": " << got[i] << ", expected "
                      << want[i] << " within " << tolerance;
      }
    }
    EXPECT_EQ(bad, 0);
  }

  int64_t out() const { return shape_.out; }
  int64_t in() const { return shape_.in; }

 private:
  const LinearOp::Shape shape_;
  Rng rng_;
  std::vector<float> weight_, bias_;
  std::unique_ptr<LinearOp> op_;
  std::vector<LinearOp::Weights> weights_;
};

std::string NameOf(const LinearOp::Shape& shape) {
  return absl::StrCat(shape.in, " to ", shape.out,
                      shape.activation == Activation::kRelu ? " relu " : " ",
                      PrecisionName(shape.precision));
}

class LinearOpTest : public testing::TestWithParam<Precision> {
 protected:
  void SetUp() override {
    if (GetParam() == Precision::kBf16 && !CpuHasBf16()) {
      GTEST_SKIP() << "this CPU has no bf16 products";
    }
  }
  void TearDown() override { SetThreads(AvailableThreads()); }
};

TEST_P(LinearOpTest, MatchesPlainLoopsForAwkwardShapes) {
  constexpr int64_t kSizes[] = {1, 7, 8, 10, 63, 64, 65, 128, 200, 784};
  Rng rng(1);
  for (const int64_t in : kSizes) {
    for (const int64_t out : kSizes) {
      for (const Activation activation :
           {Activation::kNone, Activation::kRelu}) {
        const LinearOp::Shape shape{in, out, activation, GetParam()};
        SCOPED_TRACE(NameOf(shape));
        Product product(shape, rng.Next());
        for (const int64_t rows : {1, 5, 17}) {
          SCOPED_TRACE(rows);
          product.ExpectNearOracle(rows);
        }
        if (HasFailure()) return;
      }
    }
  }
}

TEST_P(LinearOpTest, MatchesPlainLoopsForAwkwardRowCounts) {
  const LinearOp::Shape shape{65, 10, Activation::kRelu, GetParam()};
  Product product(shape, 2);
  for (const int64_t rows :
       {1,   2,   3,   7,   8,   9,   11,  13,  15,  16,  17,
        31,  33,  47,  49,  63,  64,  65,  97,  127, 129, 191,
        193, 255, 256, 257, 271, 272, 273, 289, 300, 513, 1000}) {
    SCOPED_TRACE(rows);
    product.ExpectNearOracle(rows);
  }
}

// The promise that lets strangers share a batch.
TEST_P(LinearOpTest, RowBitsDependOnNeitherCountNorPosition) {
  struct Case {
    int64_t in, out;
  };
  constexpr Case kCases[] = {{784, 64},  {64, 64},   {64, 10},   {64, 32},
                             {32, 32},   {10, 7},    {65, 63},   {1, 1},
                             {128, 64},  {63, 129},  {200, 100}, {8, 1},
                             {256, 512}, {3072, 96}, {49, 17}};
  for (const int threads : {1, 2}) {
    SetThreads(threads);
    for (const Case& c : kCases) {
      const LinearOp::Shape shape{c.in, c.out, Activation::kRelu, GetParam()};
      SCOPED_TRACE(absl::StrCat(NameOf(shape), ", ", threads, " threads"));
      Product product(shape, 3);
      const std::vector<float> x = product.RandomRows(kMostRows);
      std::vector<float> alone;
      for (int64_t r = 0; r < kMostRows; ++r) {
        const std::vector<float> y = product.Apply(x.data() + r * c.in, 1);
        alone.insert(alone.end(), y.begin(), y.end());
      }
      int different = 0;
      const auto compare = [&](int64_t first, int64_t rows) {
        const std::vector<float> y =
            product.Apply(x.data() + first * c.in, rows);
        if (std::memcmp(y.data(), alone.data() + first * c.out,
                        y.size() * sizeof(float)) != 0 &&
            ++different <= 5) {
          ADD_FAILURE() << rows << " rows from row " << first;
        }
      };
      // All row counts where they are cheap, else steps of a prime.
      const int64_t size = c.in * c.out;
      const int64_t stride = size > 100000 ? 43 : size > 4000 ? 13 : 1;
      for (int64_t rows = 1; rows <= kMostRows; rows += stride) {
        compare(0, rows);
      }
      compare(0, kMostRows);
      Rng rng(4);
      for (int i = 0; i < (stride > 1 ? 5 : 40); ++i) {
        const int64_t first = static_cast<int64_t>(rng.Below(kMostRows));
        compare(first, 1 + static_cast<int64_t>(rng.Below(kMostRows - first)));
      }
      EXPECT_EQ(different, 0);
    }
  }
}

TEST_P(LinearOpTest, NanInThePaddingNeverLeaks) {
  for (const int64_t in : {7, 64, 65}) {
    const LinearOp::Shape shape{in, 10, Activation::kNone, GetParam()};
    SCOPED_TRACE(NameOf(shape));
    Product product(shape, 5);
    const std::vector<float> x = product.RandomRows(kMostRows);
    for (int64_t rows = 1; rows <= kMostRows; rows += 7) {
      EXPECT_EQ(product.Apply(x.data(), rows, kNan),
                product.Apply(x.data(), rows, 0))
          << rows << " rows";
    }
  }
}

TEST_P(LinearOpTest, NanInOneRowStaysThere) {
  Product product({64, 10, Activation::kNone, GetParam()}, 6);
  std::vector<float> x = product.RandomRows(40);
  const std::vector<float> clean = product.Apply(x.data(), 40);
  x[13 * 64 + 5] = kNan;
  const std::vector<float> dirty = product.Apply(x.data(), 40);
  for (int64_t i = 0; i < 400; ++i) {
    if (i / 10 == 13) {
      EXPECT_TRUE(std::isnan(dirty[i]));
    } else {
      EXPECT_EQ(dirty[i], clean[i]) << i;
    }
  }
}

// Reads and writes stay within PaddedRows(rows), and rows are not in x's way.
TEST_P(LinearOpTest, TouchesNothingPastThePaddedRows) {
  Product product({9, 11, Activation::kNone, GetParam()}, 7);
  auto op = LinearOp::Create({9, 11, Activation::kNone, GetParam()});
  ASSERT_THAT(op, IsOk());
  const std::vector<float> weight(99, 0.5f), bias(11, 1.0f);
  ASSERT_OK_AND_ASSIGN(const auto weights, (*op)->Pack(weight, bias));
  constexpr float kGuard = 12345.0f;
  for (int64_t rows = 1; rows <= 2 * kMostRows; ++rows) {
    const int64_t padded = LinearOp::PaddedRows(rows);
    ASSERT_GE(padded, rows);
    ASSERT_LE(padded, rows + 64) << "wasteful padding";
    std::vector<float> x(padded * 9, 1.0f), y((padded + 3) * 11, kGuard);
    (*op)->Apply(weights, x.data(), rows, y.data());
    for (int64_t i = 0; i < rows * 11; ++i) ASSERT_EQ(y[i], 5.5f) << rows;
    for (size_t i = padded * 11; i < y.size(); ++i) {
      ASSERT_EQ(y[i], kGuard) << rows;
    }
    for (const float value : x) ASSERT_EQ(value, 1.0f) << rows;
  }
}

// A watcher's thread makes an op that several engine threads then share.
TEST_P(LinearOpTest, ThreadsShareAnOpThatAnotherThreadMade) {
  for (const auto& [in, out, most_rows] :
       std::vector<std::tuple<int64_t, int64_t, int64_t>>{
           {65, 63, kMostRows}, {784, 64, 80}, {3072, 96, 80}}) {
    const LinearOp::Shape shape{in, out, Activation::kRelu, GetParam()};
    SCOPED_TRACE(NameOf(shape));
    const int64_t count = most_rows;
    std::unique_ptr<Product> product;
    std::thread([&] { product = std::make_unique<Product>(shape, 13); }).join();
    const std::vector<float> x = product->RandomRows(count);
    std::vector<float> want(count * product->out());
    std::atomic<int> different = 0;
    const auto run = [&](int64_t start, int64_t stride, bool compare) {
      SetThreads(1);
      for (int64_t first = start; first < count; first += stride) {
        const int64_t rows =
            std::min(compare ? 1 + first % 70 : stride, count - first);
        const std::vector<float> y =
            product->Apply(x.data() + first * product->in(), rows);
        float* expected = want.data() + first * product->out();
        if (!compare) std::copy(y.begin(), y.end(), expected);
        different +=
            std::memcmp(y.data(), expected, y.size() * sizeof(float)) != 0;
      }
    };
    std::thread([&] { run(0, 32, false); }).join();
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] { run(i, 5 + i, true); });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(different, 0);
  }
}

TEST_P(LinearOpTest, NoRowsIsNoWork) {
  Product product({9, 11, Activation::kNone, GetParam()}, 8);
  EXPECT_EQ(LinearOp::PaddedRows(0), 0);
  const float x = 0;
  EXPECT_TRUE(product.Apply(&x, 0).empty());
}

TEST_P(LinearOpTest, PacksOfOneOpStayApart) {
  const LinearOp::Shape shape{64, 64, Activation::kNone, GetParam()};
  ASSERT_OK_AND_ASSIGN(const auto op, LinearOp::Create(shape));
  const std::vector<float> ones(64 * 64, 1.0f), twos(64 * 64, 2.0f);
  const std::vector<float> zero(64), bias(64, 0.5f);
  ASSERT_OK_AND_ASSIGN(auto a, op->Pack(ones, zero));
  ASSERT_OK_AND_ASSIGN(const auto b, op->Pack(twos, bias));
  const LinearOp::Weights moved = std::move(a);
  const int64_t padded = LinearOp::PaddedRows(1);
  const std::vector<float> x(padded * 64, 1.0f);
  std::vector<float> y(padded * 64);
  op->Apply(moved, x.data(), 1, y.data());
  EXPECT_EQ(y[0], 64.0f);
  op->Apply(b, x.data(), 1, y.data());
  EXPECT_EQ(y[0], 128.5f);
}

INSTANTIATE_TEST_SUITE_P(Precisions, LinearOpTest,
                         testing::Values(Precision::kF32, Precision::kBf16),
                         [](const auto& param) {
                           return std::string(PrecisionName(param.param));
                         });

TEST(RoundToBf16Test, RoundsToNearestTiesToEven) {
  EXPECT_EQ(ref::RoundToBf16(1.0f), 1.0f);
  EXPECT_EQ(ref::RoundToBf16(1.0f + 0x1p-8f), 1.0f);                // tie, even
  EXPECT_EQ(ref::RoundToBf16(1.0f + 3 * 0x1p-8f), 1.0f + 0x1p-6f);  // tie, odd
  EXPECT_EQ(ref::RoundToBf16(1.0f + 0x1.1p-8f), 1.0f + 0x1p-7f);
  EXPECT_EQ(ref::RoundToBf16(-1.0f - 0x1.1p-8f), -1.0f - 0x1p-7f);
  EXPECT_TRUE(std::isinf(ref::RoundToBf16(std::numeric_limits<float>::max())));
  EXPECT_TRUE(std::isnan(ref::RoundToBf16(kNan)));
}

TEST(RoundToBf16Test, ManyAreRoundedAsOne) {
  std::vector<float> x = {
      0.0f, -0.0f, kNan, -kNan, 1e-45f, std::numeric_limits<float>::infinity()};
  Rng rng(1);
  for (int i = 0; i < 10000; ++i) {
    x.push_back(std::bit_cast<float>(static_cast<uint32_t>(rng.Next())));
  }
  std::vector<uint16_t> y(x.size());
  RoundToBf16(x.data(), static_cast<int64_t>(x.size()), y.data());
  for (size_t i = 0; i < x.size(); ++i) {
    const float one = ref::RoundToBf16(x[i]);
    const float many = std::bit_cast<float>(static_cast<uint32_t>(y[i]) << 16);
    if (std::isnan(x[i])) {
      EXPECT_TRUE(std::isnan(one) && std::isnan(many)) << i;
    } else {
      EXPECT_EQ(std::bit_cast<uint32_t>(one), std::bit_cast<uint32_t>(many))
          << x[i];
    }
  }
}

}  // namespace
}  // namespace mre
