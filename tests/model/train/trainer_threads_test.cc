// The trainer in several threads, in a program of its own: the thread sanitizer
// takes long over the others.
#include <gtest/gtest.h>

#include <string>

#include "model/math/parallel.h"
#include "tests/model/train/trainer_fixture.h"

namespace mre {
namespace {

// Batches of more rows than one thread takes at once.
TEST_F(TrainerTest, SameSeedSameBytesWhateverTheThreadCount) {
  FitOptions options = SmallOptions();
  options.batch = 100;
  SetThreads(1);
  const std::string one = Train(options);
  EXPECT_EQ(Train(options), one);
  SetThreads(3);
  EXPECT_EQ(Train(options), one);
  options.seed = 1;
  EXPECT_NE(Train(options), one);
}

}  // namespace
}  // namespace mre
