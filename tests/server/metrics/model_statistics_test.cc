#include "server/metrics/model_statistics.h"

#include <vector>

#include "gtest/gtest.h"

namespace mre {
namespace {

PassReport Pass(const std::vector<StepTally>& steps, uint32_t first,
                int64_t rows, bool computed, int us) {
  return {.rows = rows,
          .computed = computed,
          .macs = 0,
          .took = absl::Microseconds(us),
          .first_step = first,
          .steps = steps};
}

TEST(ModelStatisticsTest, ARowHasItsPassAtFullLength) {
  ModelStatistics statistics(5);
  // One row reached 2 and 3, one 2, and one, which had 3 before, 4.
  const std::vector<StepTally> tally = {
      {.rows = 2, .first = 2, .elapsed = absl::Microseconds(70)},
      {.rows = 1, .first = 0, .elapsed = absl::Microseconds(30)},
      {.rows = 1, .first = 1, .elapsed = absl::Microseconds(90)},
      {}};
  statistics.Stepped(Pass(tally, 2, 3, true, 10));
  const ModelStatistics::Snapshot seen = statistics.Look();
  ASSERT_EQ(seen.steps.size(), 6u);
  EXPECT_EQ(seen.steps[2].passes.count, 2u);
  EXPECT_EQ(seen.steps[2].passes.ns, 20'000u);
  EXPECT_EQ(seen.steps[2].elapsed.count, 2u);
  EXPECT_EQ(seen.steps[2].elapsed.ns, 70'000u);
  EXPECT_EQ(seen.steps[3].passes.count, 1u);
  EXPECT_EQ(seen.steps[3].passes.ns, 0u);
  EXPECT_EQ(seen.steps[5].passes.count, 0u);
  EXPECT_EQ(seen.steps[4].passes.ns, 10'000u);
  EXPECT_EQ(seen.steps[4].elapsed.ns, 90'000u);
}

TEST(ModelStatisticsTest, OnlyPassesThatComputeAreExecutions) {
  ModelStatistics statistics(4);
  const std::vector<StepTally> tally = {{.rows = 3, .first = 3, .elapsed = {}}};
  statistics.Stepped(Pass(tally, 0, 3, true, 10));
  statistics.Stepped(Pass(tally, 1, 3, false, 1));
  statistics.Stepped(Pass(tally, 2, 1, true, 5));
  statistics.Stepped(Pass(tally, 2, ModelStatistics::kLargestBatch, true, 5));
  statistics.Stepped(
      Pass(tally, 2, ModelStatistics::kLargestBatch + 1, true, 5));
  const ModelStatistics::Snapshot seen = statistics.Look();
  EXPECT_EQ(seen.passes, 4u);
  EXPECT_EQ(seen.steps[1].passes.count, 3u);
  ASSERT_EQ(seen.batches.size(), 3u);
  EXPECT_EQ(seen.batches[0].rows, 1);
  EXPECT_EQ(seen.batches[1].rows, 3);
  EXPECT_EQ(seen.batches[1].passes.count, 1u);
  EXPECT_EQ(seen.batches[1].passes.ns, 10'000u);
  EXPECT_EQ(seen.batches[2].rows, ModelStatistics::kLargestBatch);
}

TEST(ModelStatisticsTest, TellsAnswersFromFailures) {
  ModelStatistics statistics(1);
  const absl::Time start = absl::UnixEpoch() + absl::Hours(1);
  EXPECT_EQ(statistics.Look().last_answer, absl::InfinitePast());
  statistics.RequestEnded(true, absl::Microseconds(3), start);
  statistics.RequestEnded(false, absl::Microseconds(5),
                          start + absl::Seconds(1));
  statistics.RowStarted(absl::Microseconds(2));
  statistics.RowFinished();
  statistics.RequestRead(absl::Microseconds(7));
  statistics.ResponseMade(absl::Microseconds(9));
  statistics.ResponseMade(absl::Microseconds(9));
  const ModelStatistics::Snapshot seen = statistics.Look();
  EXPECT_EQ(seen.last_answer, start);
  EXPECT_EQ(seen.success.count, 1u);
  EXPECT_EQ(seen.success.ns, 3'000u);
  EXPECT_EQ(seen.fail.count, 1u);
  EXPECT_EQ(seen.fail.ns, 5'000u);
  EXPECT_EQ(seen.queue.ns, 2'000u);
  EXPECT_EQ(seen.rows_finished, 1u);
  EXPECT_EQ(seen.read.ns, 7'000u);
  EXPECT_EQ(seen.made.count, 2u);
  EXPECT_EQ(seen.made.ns, 18'000u);
}

}  // namespace
}  // namespace mre
