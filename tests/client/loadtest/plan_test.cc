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
      {"--sessions",
       [](LoadtestFlags& f) {
         f.method = std::string("interactive");
         f.sessions = 1;
         f.concurrency = 1025;
       }},
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

TEST(PlanTest, InteractiveHasStreamsForWhatIsInFlight) {
  struct Case {
    int connections;
    int concurrency;
    double rate;
    int max_in_flight;
    int sessions;
  };
  for (const Case& one : {Case{3, 1, 0, 10000, 3}, Case{1, 512, 0, 10000, 1},
                          Case{1, 513, 0, 10000, 2}, Case{2, 1500, 0, 1, 3},
                          Case{1, 1, 50, 10000, 20}, Case{4, 1, 50, 20, 4}}) {
    LoadtestFlags flags;
    flags.method = std::string("interactive");
    flags.connections = one.connections;
    flags.concurrency = one.concurrency;
    flags.rate = one.rate;
    flags.max_in_flight = one.max_in_flight;
    const auto plan = MakePlan(flags);
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_EQ(plan->transport.sessions, one.sessions);
    EXPECT_EQ(flags.sessions, one.sessions);
  }
}

}  // namespace
}  // namespace mre
