#include "client/loadtest/process_usage.h"

#include <gtest/gtest.h>

#include "model/base/cpus.h"

namespace mre {
namespace {

TEST(ProcessUsageTest, ReadsTheSeriesThatAreThere) {
  const UsageSample both = ParseProcessMetrics(
      "# HELP process_cpu_seconds_total x\n"
      "process_cpu_seconds_total 12.5\n"
      "process_resident_memory_bytes 1048576 1700000000\n",
      7);
  EXPECT_EQ(both.at, 7);
  EXPECT_EQ(both.cpu_seconds, 12.5);
  EXPECT_EQ(both.resident_bytes, 1048576);
  const UsageSample other =
      ParseProcessMetrics("process_cpu_seconds_total_other 3\n", 7);
  EXPECT_EQ(other.cpu_seconds, std::nullopt);
  EXPECT_EQ(other.resident_bytes, std::nullopt);
}

TEST(ProcessUsageTest, IsTheDifferenceOfTwoSamplesOfOneProcess) {
  const UsageSample before = {1'000'000'000, 3.0, 100.0};
  const Usage usage = UsageBetween(before, {3'000'000'000, 4.0, 150.0});
  EXPECT_EQ(usage.cpu_seconds, 1.0);
  EXPECT_EQ(usage.cores, 0.5);
  EXPECT_EQ(usage.resident_bytes_after, 150);
  // It was started anew.
  const Usage other = UsageBetween(before, {3'000'000'000, 0.5, 90.0});
  EXPECT_EQ(other.cpu_seconds, std::nullopt);
  EXPECT_EQ(other.cores, std::nullopt);
}

TEST(ProcessUsageTest, KnowsThisProcess) {
  const UsageSample sample = SampleSelf();
  EXPECT_GE(sample.cpu_seconds.value_or(-1), 0);
  EXPECT_GT(sample.resident_bytes.value_or(0), 0);
  EXPECT_GE(AvailableThreads(), 1);
}

}  // namespace
}  // namespace mre
