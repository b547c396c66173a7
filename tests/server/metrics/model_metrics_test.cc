#include "server/metrics/model_metrics.h"

#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using testing::HasSubstr;

TEST(ModelMetricsTest, WhatRanInVainIsNotSaved) {
  ASSERT_OK_AND_ASSIGN(
      const std::shared_ptr<const PackedModel> model,
      PackedModel::Create(RandomModel(FashionConfig(), 1), Precision::kF32));
  prometheus::Registry registry;
  ModelMetrics metrics({.name = "m", .version = 1, .model = model, .error = {}},
                       registry);
  const uint64_t full = model->cost().After(32);
  Progress progress;
  progress.step = 3;
  progress.macs = model->cost().After(3);
  metrics.RowFinished(StopReason::kConfidence, progress, 1000, 3);
  metrics.RanInVain(1000);
  metrics.RowFinished(StopReason::kExhausted, progress, 0, 3);
  metrics.RowFinished(StopReason::kOverload, progress, 0, 30);
  std::ostringstream page;
  prometheus::TextSerializer().Serialize(page, registry.Collect());
  const std::string labels = "{model=\"m\",version=\"1\"} ";
  EXPECT_THAT(page.str(),
              HasSubstr(absl::StrCat("mre_macs_saved_total", labels,
                                     full - progress.macs - 1000, "\n")));
  EXPECT_THAT(page.str(),
              HasSubstr(absl::StrCat("mre_macs_in_vain_total", labels, 1000)));
}

TEST(ModelMetricsTest, StepsGrantedAreHeldAgainstStepsAsked) {
  ASSERT_OK_AND_ASSIGN(
      const std::shared_ptr<const PackedModel> model,
      PackedModel::Create(RandomModel(FashionConfig(), 1), Precision::kF32));
  prometheus::Registry registry;
  ModelMetrics metrics({.name = "m", .version = 1, .model = model, .error = {}},
                       registry);
  const auto page = [&] {
    std::ostringstream text;
    prometheus::TextSerializer().Serialize(text, registry.Collect());
    return text.str();
  };
  const std::string labels = "{model=\"m\",version=\"1\"} ";
  EXPECT_THAT(page(), HasSubstr("mre_step_cap" + labels + "32\n"));
  Progress progress;
  progress.step = 5;
  metrics.StepCapChanged(5);
  metrics.RowFinished(StopReason::kOverload, progress, 0, 30);
  metrics.RowFinished(StopReason::kConfidence, progress, 0, 5);
  EXPECT_THAT(page(), HasSubstr("mre_step_cap" + labels + "5\n"));
  EXPECT_THAT(page(), HasSubstr("mre_steps_asked_total" + labels + "35\n"));
  EXPECT_THAT(page(), HasSubstr("mre_steps_granted_total" + labels + "10\n"));
}

}  // namespace
}  // namespace mre
