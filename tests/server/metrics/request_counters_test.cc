#include "server/metrics/request_counters.h"

#include <prometheus/registry.h>

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mre {
namespace {

using testing::Pair;
using testing::UnorderedElementsAre;

// "method code" -> value.
std::map<std::string, double> Values(const prometheus::Registry& registry) {
  std::map<std::string, double> values;
  for (const auto& family : registry.Collect()) {
    for (const auto& metric : family.metric) {
      std::map<std::string, std::string> labels;
      for (const auto& label : metric.label) labels[label.name] = label.value;
      EXPECT_EQ(labels["model"], "m");
      values[labels["method"] + " " + labels["code"]] = metric.counter.value;
    }
  }
  return values;
}

TEST(RequestCountersTest, CountsByMethodAndCode) {
  prometheus::Registry registry;
  auto& family = prometheus::BuildCounter().Name("n").Register(registry);
  RequestCounters counters(family, {{"model", "m"}});
  EXPECT_TRUE(Values(registry).empty());
  counters.Count(Method::kPredict, absl::StatusCode::kOk);
  counters.Count(Method::kPredict, absl::StatusCode::kOk);
  counters.Count(Method::kGetModel, absl::StatusCode::kUnauthenticated);
  counters.Count(Method::kListModels, static_cast<absl::StatusCode>(99));
  EXPECT_THAT(Values(registry),
              UnorderedElementsAre(Pair("Predict OK", 2),
                                   Pair("GetModel UNAUTHENTICATED", 1),
                                   Pair("ListModels UNKNOWN", 1)));
}

TEST(RequestCountersTest, EveryMethodHasANameOfItsOwn) {
  prometheus::Registry registry;
  auto& family = prometheus::BuildCounter().Name("n").Register(registry);
  RequestCounters counters(family, {{"model", "m"}});
  for (int method = 0; method < kMethods; ++method) {
    counters.Count(static_cast<Method>(method), absl::StatusCode::kOk);
  }
  const auto values = Values(registry);
  EXPECT_EQ(values.size(), static_cast<size_t>(kMethods));
  EXPECT_EQ(values.count("Predict OK"), 1u);
  EXPECT_EQ(values.count("ModelInfer OK"), 1u);
  EXPECT_EQ(values.count("Unsupported OK"), 1u);
}

TEST(RequestCountersTest, ThreadsThatCountFirstAtOnceShareASeries) {
  prometheus::Registry registry;
  auto& family = prometheus::BuildCounter().Name("n").Register(registry);
  RequestCounters counters(family, {{"model", "m"}});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) {
        counters.Count(Method::kPredictStream, absl::StatusCode::kCancelled);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(Values(registry),
              UnorderedElementsAre(Pair("PredictStream CANCELLED", 4000)));
}

}  // namespace
}  // namespace mre
