#include "client/loadtest/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace mre {
namespace {

using ::testing::HasSubstr;

TEST(PlanTest, RefusesWhatMakesNoSenseAndNamesTheFlag) {
  const std::vector<std::pair<const char*, void (*)(LoadtestFlags&)>> cases = {
      {"--concurrency", [](LoadtestFlags& f) { f.concurrency = 0; }},
      {"--connections", [](LoadtestFlags& f) { f.connections = -1; }},
      {"--max_in_flight", [](LoadtestFlags& f) { f.max_in_flight = 0; }},
      {"--rate", [](LoadtestFlags& f) { f.rate = -5; }},
      {"--rate", [](LoadtestFlags& f) { f.rate = NAN; }},
      {"--rate", [](LoadtestFlags& f) { f.rate = 1e-4; }},
      {"--rate", [](LoadtestFlags& f) { f.rate = 1e7; }},
      {"--duration", [](LoadtestFlags& f) { f.duration = std::string("0s"); }},
      {"--warmup", [](LoadtestFlags& f) { f.warmup = std::string("5"); }},
      {"--drain", [](LoadtestFlags& f) { f.drain = std::string("-1s"); }},
      {"--confidence", [](LoadtestFlags& f) { f.confidence = 1.5; }},
      {"--objective_ms", [](LoadtestFlags& f) { f.objective_ms = -1; }},
      {"--sessions", [](LoadtestFlags& f) { f.sessions = 3; }},
      {"--min_confidence",
       [](LoadtestFlags& f) { f.budget.min_confidence = 2; }},
      {"--deadline",
       [](LoadtestFlags& f) {
         f.method = std::string("interactive");
         f.deadline = std::string("1s");
       }},
  };
  for (const auto& [name, change] : cases) {
    LoadtestFlags flags;
    ASSERT_TRUE(MakePlan(flags).ok());
    change(flags);
    const absl::Status status = MakePlan(flags).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(name));
  }
}

TEST(PlanTest, InteractiveHasAStreamForEachConnection) {
  LoadtestFlags flags;
  flags.method = std::string("interactive");
  flags.connections = 3;
  const auto plan = MakePlan(flags);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->transport.sessions, 3);
}

}  // namespace
}  // namespace mre
