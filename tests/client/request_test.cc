#include "client/cli/request.h"

#include <gtest/gtest.h>

namespace mre {
namespace {

TEST(RequestTest, CarriesRoutingAndOutput) {
  Flags flags;
  flags.sampled = true;
  flags.seed = 7;
  flags.priority = 3;
  flags.top_k = 2;
  flags.probabilities = true;
  flags.every = 4;
  flags.delivery = "latest";
  const auto request = MakeRequest(flags);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_TRUE(request->routing().sampled());
  EXPECT_EQ(request->routing().seed(), 7u);
  EXPECT_EQ(request->priority(), 3u);
  EXPECT_EQ(request->output().top_k(), 2u);
  EXPECT_TRUE(request->output().probabilities());
  EXPECT_EQ(request->output().every(), 4u);
  EXPECT_EQ(request->output().delivery(), v1::DELIVERY_LATEST);
  flags.delivery = "some";
  EXPECT_FALSE(MakeRequest(flags).ok());
}

TEST(RequestTest, AsksForEveryStepByDefault) {
  EXPECT_EQ(MakeRequest({})->output().delivery(), v1::DELIVERY_ALL);
}

}  // namespace
}  // namespace mre
