#include "model/net/embedding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace mre {
namespace {

TEST(NearestByteTest, IsTheByteItselfForBytes) {
  for (int byte = 0; byte < 256; ++byte) {
    EXPECT_EQ(NearestByte(static_cast<float>(byte)), byte);
  }
}

TEST(NearestByteTest, IsNeverOutsideTheTable) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(NearestByte(-kInfinity), 0);
  EXPECT_EQ(NearestByte(-3e38f), 0);
  EXPECT_EQ(NearestByte(-0.7f), 0);
  EXPECT_EQ(NearestByte(std::nanf("")), 0);
  EXPECT_EQ(NearestByte(1e-40f), 0);
  EXPECT_EQ(NearestByte(std::nextafter(0.5f, 0.0f)), 0);
  EXPECT_EQ(NearestByte(6.4f), 6);
  EXPECT_EQ(NearestByte(6.5f), 7);
  EXPECT_EQ(NearestByte(254.6f), 255);
  EXPECT_EQ(NearestByte(255.6f), 255);
  EXPECT_EQ(NearestByte(3e38f), 255);
  EXPECT_EQ(NearestByte(kInfinity), 255);
}

TEST(EmbedTest, ReadsARowAByteAndAddsItsGradientThere) {
  std::vector<float> table(256 * 2);
  for (size_t i = 0; i < table.size(); ++i) table[i] = static_cast<float>(i);
  const std::vector<float> x = {3, 255, 3};
  std::vector<float> y(6);
  Embed(table.data(), 2, x.data(), 3, y.data());
  EXPECT_EQ(y, (std::vector<float>{6, 7, 510, 511, 6, 7}));

  std::vector<float> gradient(table.size());
  gradient[7] = 100;
  const std::vector<float> dy = {1, 2, 3, 4, 5, 6};
  EmbedBackward(x.data(), dy.data(), 3, 2, gradient.data());
  EXPECT_EQ(gradient[6], 6);
  EXPECT_EQ(gradient[7], 108);
  EXPECT_EQ(gradient[510], 3);
  EXPECT_EQ(gradient[511], 4);
}

}  // namespace
}  // namespace mre
