#include "model/math/conv.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/rng.h"
#include "model/math/conv_ref.h"
#include "model/math/elementwise.h"

namespace mre {
namespace {

constexpr PatchConfig kOne = {1, 1, 0};
constexpr PatchConfig kThree = {3, 1, 1};

// Vectors' lengths and their neighbours; strides that leave a rest, borders
// that whole patches lie in.
const ConvShape kF32Shapes[] = {
    {{7, 7, 16}, kThree, 16},     {{7, 7, 16}, kThree, 24},
    {{1, 1, 1}, kOne, 1},         {{1, 5, 3}, kThree, 2},
    {{8, 8, 32}, kThree, 32},     {{5, 4, 17}, {5, 1, 2}, 15},
    {{3, 9, 8}, kOne, 33},        {{2, 2, 1}, {5, 1, 2}, 7},
    {{28, 28, 1}, {8, 4, 2}, 16}, {{12, 12, 3}, {3, 2, 1}, 32},
    {{9, 8, 16}, {2, 2, 0}, 31},  {{6, 2, 2}, {5, 3, 4}, 5},
    {{2, 2, 1}, {2, 5, 1}, 3},    {{10, 7, 4}, {4, 3, 3}, 8}};

// All of them, and again in bf16 where the CPU has it.
std::vector<ConvShape> Shapes() {
  std::vector<ConvShape> shapes(std::begin(kF32Shapes), std::end(kF32Shapes));
  if (!CpuHasBf16()) return shapes;
  for (ConvShape shape : kF32Shapes) {
    shape.precision = Precision::kBf16;
    shapes.push_back(shape);
  }
  return shapes;
}

std::string Name(const ConvShape& s) {
  return absl::StrCat(s.from.height, "x", s.from.width, "x", s.from.channels,
                      " to ", s.out, ", patches ", s.patch.size, ":",
                      s.patch.stride, ":", s.patch.padding, " ",
                      PrecisionName(s.precision));
}

std::vector<float> Random(int64_t size, Rng& rng) {
  std::vector<float> values(size);
  for (float& value : values) value = static_cast<float>(rng.Gaussian());
  return values;
}

struct Problem {
  Problem(const ConvShape& s, int64_t rows, uint64_t seed) {
    Rng rng(seed);
    x = Random(rows * s.from.size(), rng);
    dy = Random(rows * s.to().size(), rng);
    weight = Random(s.weights(), rng);
    bias = Random(s.out, rng);
  }
  std::vector<float> x, dy, weight, bias;
};

// A sum of n products of standard normals is known to about n * epsilon.
void ExpectNear(const std::vector<float>& got, const std::vector<float>& want,
                int64_t terms) {
  ASSERT_EQ(got.size(), want.size());
  const double tolerance = 4e-7 * static_cast<double>(terms + 4);
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], want[i], tolerance * (1 + std::abs(want[i]))) << i;
  }
}

TEST(ConvTest, AgreesWithPlainLoops) {
  for (const ConvShape& s : Shapes()) {
    for (const int64_t rows : {1, 2, 15, 16, 17, 35}) {
      SCOPED_TRACE(testing::Message() << Name(s) << ", rows " << rows);
      const Problem p(s, rows, 1);
      std::vector<float> y(p.dy.size()), want_y(p.dy.size());
      ConvForward(s, p.weight.data(), p.bias.data(), p.x.data(), rows,
                  y.data());
      ref::ConvForward(s, p.weight.data(), p.bias.data(), p.x.data(), rows,
                       want_y.data());
      ExpectNear(y, want_y, s.inputs());

      std::vector<float> dx(p.x.size(), 7.0f), want_dx(p.x.size());
      ConvBackwardData(s, p.weight.data(), p.dy.data(), rows, dx.data());
      ref::ConvBackwardData(s, p.weight.data(), p.dy.data(), rows,
                            want_dx.data());
      ExpectNear(dx, want_dx, s.patch.size * s.patch.size * s.out);

      std::vector<float> dw(p.weight.size(), 1.0f), want_dw(dw);
      std::vector<float> db(s.out, 2.0f), want_db(db);
      ConvBackwardWeights(s, p.x.data(), p.dy.data(), rows, dw.data(),
                          db.data());
      ref::ConvBackwardWeights(s, p.x.data(), p.dy.data(), rows, want_dw.data(),
                               want_db.data());
      ExpectNear(dw, want_dw, rows * s.to().positions());
      ExpectNear(db, want_db, rows * s.to().positions());
    }
  }
}

TEST(ConvTest, PackedIsTheSameAndThenItsActivation) {
  for (const ConvShape& s : Shapes()) {
    SCOPED_TRACE(Name(s));
    const int64_t rows = 43;
    const Problem p(s, rows, 3);
    std::vector<float> want(p.dy.size());
    ConvForward(s, p.weight.data(), p.bias.data(), p.x.data(), rows,
                want.data());
    for (const Activation activation : {Activation::kNone, Activation::kRelu}) {
      const auto packed = PackedConv::Create(s, activation, p.weight, p.bias);
      ASSERT_TRUE(packed.ok()) << packed.status();
      std::vector<float> y(p.dy.size());
      packed->Apply(p.x.data(), rows, y.data());
      if (activation == Activation::kRelu) Relu(rows * s.to().size(), &want[0]);
      ExpectNear(y, want, s.inputs());
    }
  }
}

TEST(ConvTest, ARowsBitsDoNotDependOnTheRowsBesideIt) {
  for (const ConvShape& s : Shapes()) {
    const int64_t rows = 41;
    const Problem p(s, rows, 2);
    const auto packed =
        PackedConv::Create(s, Activation::kNone, p.weight, p.bias);
    ASSERT_TRUE(packed.ok()) << packed.status();
    std::vector<float> together(p.dy.size());
    packed->Apply(p.x.data(), rows, together.data());
    const int64_t out = s.to().size();
    for (int64_t r = 0; r < rows; ++r) {
      std::vector<float> alone(out);
      packed->Apply(p.x.data() + r * s.from.size(), 1, alone.data());
      ASSERT_EQ(std::memcmp(alone.data(), together.data() + r * out,
                            out * sizeof(float)),
                0)
          << "row " << r << " of " << Name(s);
    }
  }
}

}  // namespace
}  // namespace mre
