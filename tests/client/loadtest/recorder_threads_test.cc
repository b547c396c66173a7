#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "client/loadtest/recorder.h"

namespace mre {
namespace {

TEST(RecorderThreadsTest, NothingIsLostBetweenThreads) {
  constexpr int kThreads = 4;
  constexpr int kEach = 2000;
  Recorder::Options options;
  options.classes = 2;
  Recorder recorder(options);
  recorder.OpenWindow(0, 1'000'000);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&recorder, t] {
      v1::Prediction first;
      v1::Prediction last;
      last.set_final(true);
      last.set_stop_reason(v1::STOP_REASON_STABLE);
      for (int i = 0; i < kEach; ++i) {
        Record record;
        record.index = static_cast<uint64_t>(kThreads * i + t);
        record.client_class = static_cast<size_t>(i % 2);
        record.intended = 1;
        record.started = 1;
        recorder.Add(first, 5, record);
        recorder.Add(last, 9, record);
        record.End(i % 5 == 0 ? absl::InternalError("x") : absl::OkStatus(),
                   10);
        recorder.End(record);
      }
    });
  }
  // Someone looks on meanwhile.
  uint64_t recent = 0;
  for (int i = 0; i < 50; ++i) {
    recent += recorder.TakeProgress().recent.count();
    recorder.Results();
  }
  for (std::thread& thread : threads) thread.join();
  const Recorder::Progress progress = recorder.TakeProgress();
  recent += progress.recent.count();
  constexpr uint64_t kAll = kThreads * kEach;
  EXPECT_EQ(progress.ended, kAll);
  EXPECT_EQ(progress.ok, kAll * 4 / 5);
  EXPECT_EQ(recent, kAll * 4 / 5);
  const std::vector<ClassResult> results = recorder.Results();
  for (const ClassResult& result : results) {
    EXPECT_EQ(result.tally.requests, kAll / 2);
    EXPECT_EQ(result.tally.ok, kAll * 2 / 5);
    EXPECT_EQ(result.tally.step_gap.count(), kAll / 2);
    EXPECT_EQ(result.window.ok, kAll * 2 / 5);
    EXPECT_EQ(result.window.predictions, kAll);
  }
}

}  // namespace
}  // namespace mre
