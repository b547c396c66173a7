#include "model/math/conv.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "model/base/rng.h"
#include "model/math/conv_ref.h"

namespace mre {
namespace {

// height, width, in, out, kernel: vectors' lengths and their neighbours.
const ConvShape kShapes[] = {
    {7, 7, 16, 16, 3}, {7, 7, 16, 24, 3}, {1, 1, 1, 1, 1},  {1, 5, 3, 2, 3},
    {8, 8, 32, 32, 3}, {5, 4, 17, 15, 5}, {3, 9, 8, 33, 1}, {2, 2, 1, 7, 5}};

std::vector<float> Random(int64_t size, Rng& rng) {
  std::vector<float> values(size);
  for (float& value : values) value = static_cast<float>(rng.Gaussian());
  return values;
}

struct Problem {
  Problem(const ConvShape& s, int64_t rows, uint64_t seed) {
    Rng rng(seed);
    x = Random(rows * s.positions() * s.in, rng);
    dy = Random(rows * s.positions() * s.out, rng);
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
  for (const ConvShape& s : kShapes) {
    for (const int64_t rows : {1, 2, 15, 16, 17, 35}) {
      SCOPED_TRACE(testing::Message()
                   << s.height << "x" << s.width << " " << s.in << "->" << s.out
                   << " k" << s.kernel << " rows " << rows);
      const Problem p(s, rows, 1);
      const int64_t taps = s.kernel * s.kernel;
      std::vector<float> y(p.dy.size()), want_y(p.dy.size());
      ConvForward(s, p.weight.data(), p.bias.data(), p.x.data(), rows,
                  y.data());
      ref::ConvForward(s, p.weight.data(), p.bias.data(), p.x.data(), rows,
                       want_y.data());
      ExpectNear(y, want_y, taps * s.in);

      std::vector<float> dx(p.x.size(), 7.0f), want_dx(p.x.size());
      ConvBackwardData(s, p.weight.data(), p.dy.data(), rows, dx.data());
      ref::ConvBackwardData(s, p.weight.data(), p.dy.data(), rows,
                            want_dx.data());
      ExpectNear(dx, want_dx, taps * s.out);

      std::vector<float> dw(p.weight.size(), 1.0f), want_dw(dw);
      std::vector<float> db(s.out, 2.0f), want_db(db);
      ConvBackwardWeights(s, p.x.data(), p.dy.data(), rows, dw.data(),
                          db.data());
      ref::ConvBackwardWeights(s, p.x.data(), p.dy.data(), rows, want_dw.data(),
                               want_db.data());
      ExpectNear(dw, want_dw, rows * s.positions());
      ExpectNear(db, want_db, rows * s.positions());
    }
  }
}

TEST(ConvTest, ARowsBitsDoNotDependOnTheRowsBesideIt) {
  for (const ConvShape& s : kShapes) {
    const int64_t rows = 41;
    const Problem p(s, rows, 2);
    std::vector<float> together(p.dy.size());
    ConvForward(s, p.weight.data(), p.bias.data(), p.x.data(), rows,
                together.data());
    const int64_t in = s.positions() * s.in;
    const int64_t out = s.positions() * s.out;
    for (int64_t r = 0; r < rows; ++r) {
      std::vector<float> alone(out);
      ConvForward(s, p.weight.data(), p.bias.data(), p.x.data() + r * in, 1,
                  alone.data());
      ASSERT_EQ(std::memcmp(alone.data(), together.data() + r * out,
                            out * sizeof(float)),
                0)
          << "row " << r << " of " << s.in << "->" << s.out << " k" << s.kernel;
    }
  }
}

}  // namespace
}  // namespace mre
