// One request's record, and the tally and the recorder that keep many.
#include "client/loadtest/record.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/loadtest/recorder.h"
#include "client/loadtest/tally.h"

namespace mre {
namespace {

constexpr Nanos kNoObjective = std::numeric_limits<Nanos>::max();

v1::Prediction Step(uint32_t step, float confidence) {
  v1::Prediction prediction;
  prediction.set_step(step);
  prediction.set_confidence(confidence);
  return prediction;
}

v1::Prediction Final(uint32_t step, uint64_t macs, uint32_t answer) {
  v1::Prediction prediction = Step(step, 0.95f);
  prediction.set_macs(macs);
  prediction.add_top()->set_class_index(answer);
  prediction.set_final(true);
  prediction.set_stop_reason(v1::STOP_REASON_STABLE);
  return prediction;
}

// A request of two predictions that ends well after `latency`.
Record Good(Nanos intended, Nanos latency, uint32_t answer = 3) {
  Record record;
  record.intended = intended;
  record.started = intended;
  record.label = 3;
  record.Add(Step(0, 0.5f), 0.9, intended + latency / 2);
  record.Add(Final(4, 1000, answer), 0.9, intended + latency);
  record.End(absl::OkStatus(), intended + latency);
  return record;
}

Record Bad(Nanos intended, absl::Status status) {
  Record record;
  record.intended = intended;
  record.started = intended;
  record.End(status, intended + 10);
  return record;
}

TEST(RecordTest, KeepsTheFirstTheConfidentAndTheFinalPrediction) {
  Record record;
  record.intended = 100;
  record.label = 7;
  EXPECT_EQ(record.Add(Step(0, 0.3f), 0.9, 110), std::nullopt);
  EXPECT_EQ(record.Add(Step(1, 0.9f), 0.9, 125), 15);  // 0.9 is sure enough.
  EXPECT_EQ(record.Add(Step(2, 0.8f), 0.9, 125), 0);   // In the same message.
  EXPECT_FALSE(record.final);
  EXPECT_EQ(record.Add(Final(3, 500, 7), 0.9, 165), 40);
  record.End(absl::OkStatus(), 170);
  EXPECT_EQ(record.predictions, 4u);
  EXPECT_EQ(record.first, 110);
  EXPECT_EQ(record.confident, 125);
  EXPECT_EQ(record.stop_reason, v1::STOP_REASON_STABLE);
  EXPECT_EQ(record.steps, 3u);
  EXPECT_EQ(record.macs, 500u);
  EXPECT_EQ(record.right, true);
  EXPECT_TRUE(record.status.ok());
}

TEST(RecordTest, WhatWasBeforeItWasDueHasNoLatency) {
  Record record;
  record.intended = 100;
  EXPECT_EQ(record.Since(130), 30u);
  EXPECT_EQ(record.Since(99), 0u);
}

TEST(RecordTest, IsNotRightOrWrongWithoutALabel) {
  Record record;
  record.Add(Final(1, 1, 0), 0.9, 10);
  EXPECT_EQ(record.right, std::nullopt);
}

TEST(RecordTest, AnEndWithoutAFinalPredictionIsAFailure) {
  Record record;
  record.Add(Step(0, 1), 0.9, 10);
  record.End(absl::OkStatus(), 20);
  EXPECT_EQ(record.status.code(), absl::StatusCode::kInternal);
}

TEST(TallyTest, EveryRequestIsAStopOrAFailure) {
  Tally tally;
  tally.Add(Good(1000, 50), 40);
  tally.Add(Good(1000, 30, /*answer=*/2), 40);
  tally.Add(Bad(1000, absl::NotFoundError("first")), 40);
  tally.Add(Bad(1000, absl::NotFoundError("second")), 40);
  tally.Add(Bad(1000, absl::UnavailableError("gone")), 40);
  EXPECT_EQ(tally.requests, 5u);
  EXPECT_EQ(tally.ok, 2u);
  EXPECT_EQ(tally.failed(), 3u);
  EXPECT_EQ(tally.good, 1u);
  EXPECT_EQ(tally.stops[v1::STOP_REASON_STABLE], 2u);
  EXPECT_EQ(tally.failures[absl::StatusCode::kNotFound].count, 2u);
  EXPECT_EQ(tally.failures[absl::StatusCode::kNotFound].example, "first");
  EXPECT_EQ(tally.failures[absl::StatusCode::kUnavailable].count, 1u);
  EXPECT_EQ(tally.latency.count(), 2u);  // Only of those that ended well.
  EXPECT_EQ(tally.latency.max(), 50u);
  EXPECT_EQ(tally.labelled, 2u);
  EXPECT_EQ(tally.right, 1u);
  EXPECT_EQ(tally.steps, 8u);
  EXPECT_EQ(tally.macs, 2000u);
}

TEST(TallyTest, LatencyCountsFromWhenTheRequestWasDue) {
  Record record = Good(1000, 50);
  record.started = 1040;
  Tally tally;
  tally.Add(record, kNoObjective);
  EXPECT_EQ(tally.latency.max(), 50u);
  EXPECT_EQ(tally.first_prediction.max(), 25u);
  EXPECT_EQ(tally.start_delay.max(), 40u);
}

TEST(TallyTest, MergingIsAddingTheRequestsOfBoth) {
  Tally all;
  Tally left;
  Tally right;
  for (Nanos i = 1; i <= 20; ++i) {
    const Record record =
        i % 4 == 0 ? Bad(i, absl::InternalError("x")) : Good(i, 10 * i);
    all.Add(record, 100);
    (i % 3 == 0 ? left : right).Add(record, 100);
  }
  left.Merge(right);
  EXPECT_EQ(left.requests, all.requests);
  EXPECT_EQ(left.ok, all.ok);
  EXPECT_EQ(left.good, all.good);
  EXPECT_EQ(left.stops, all.stops);
  EXPECT_EQ(left.failures[absl::StatusCode::kInternal].count, 5u);
  EXPECT_EQ(left.failures[absl::StatusCode::kInternal].example, "x");
  EXPECT_EQ(left.steps, all.steps);
  EXPECT_EQ(left.macs, all.macs);
  EXPECT_EQ(left.right, all.right);
  EXPECT_EQ(left.latency.Quantile(0.5), all.latency.Quantile(0.5));
}

// Rates are of what came in the window, tallies of what was due in it.
TEST(RecorderTest, TheWindowDecidesByTheTimeARequestWasDue) {
  Recorder::Options options;
  options.classes = 2;
  Recorder recorder(options);
  recorder.OpenWindow(1000, 2000);
  Record early = Good(990, 20);  // Of the warmup, but ends in the window.
  Record inside = Good(1500, 20);
  inside.client_class = 1;
  Record tail = Good(1990, 100);  // Ends after it.
  Record late = Good(2000, 20);
  for (const Record& record : {early, inside, tail, late}) {
    recorder.End(record);
  }
  const std::vector<ClassResult> results = recorder.Results();
  EXPECT_EQ(results[0].tally.requests, 1u);
  EXPECT_EQ(results[0].tally.latency.max(), 100u);
  EXPECT_EQ(results[0].window.ok, 1u);
  EXPECT_EQ(results[1].tally.requests, 1u);
  EXPECT_EQ(results[1].window.ok, 1u);
  EXPECT_EQ(recorder.TakeProgress().ended, 4u);
}

TEST(RecorderTest, GapsAreOfRequestsDueInTheWindow) {
  Recorder recorder({});
  recorder.OpenWindow(1000, 2000);
  Record inside;
  inside.intended = 1900;
  recorder.Add(Step(0, 0), 1950, inside);
  recorder.Add(Step(1, 0), 2010, inside);  // Counted as a gap, not as a rate.
  Record early;
  early.intended = 900;
  recorder.Add(Step(0, 0), 1100, early);
  recorder.Add(Step(1, 0), 1200, early);
  const ClassResult result = recorder.Results()[0];
  EXPECT_EQ(result.tally.step_gap.count(), 1u);
  EXPECT_EQ(result.tally.step_gap.max(), 60u);
  EXPECT_EQ(result.window.predictions, 3u);
}

TEST(RecorderTest, ProgressHasTheLatenciesSinceItWasTakenLast) {
  Recorder recorder({});
  recorder.End(Good(0, 500));
  recorder.End(Bad(0, absl::UnavailableError("gone")));
  const Recorder::Progress first = recorder.TakeProgress();
  EXPECT_EQ(first.ended, 2u);
  EXPECT_EQ(first.ok, 1u);
  EXPECT_EQ(first.unavailable, 1u);
  EXPECT_EQ(first.recent.max(), 500u);
  recorder.End(Good(0, 20));
  const Recorder::Progress second = recorder.TakeProgress();
  EXPECT_EQ(second.ended, 3u);
  EXPECT_EQ(second.recent.count(), 1u);
  EXPECT_EQ(second.recent.max(), 20u);
}

}  // namespace
}  // namespace mre
