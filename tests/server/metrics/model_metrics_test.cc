#include "server/metrics/model_metrics.h"

#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <memory>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/random_model.h"

namespace mre {
namespace {

using testing::HasSubstr;

constexpr char kLabels[] = "{model=\"m\",version=\"1\"} ";

class ModelMetricsTest : public testing::Test {
 protected:
  std::string Page() const {
    std::ostringstream text;
    prometheus::TextSerializer().Serialize(text, registry_.Collect());
    return text.str();
  }

  const std::shared_ptr<const PackedModel> model_ =
      PackedModel::Create(RandomModel(FashionConfig(), 1), Precision::kF32)
          .value();
  prometheus::Registry registry_;
  ModelMetrics metrics_{{.name = "m", .version = 1, .model = model_},
                        std::make_shared<VersionSeries>("m", 1, registry_)};
};

TEST_F(ModelMetricsTest, WhatRanInVainIsNotSaved) {
  const uint64_t full = model_->cost().After(32);
  Progress progress;
  progress.step = 3;
  progress.macs = model_->cost().After(3);
  metrics_.RowFinished(StopReason::kConfidence, progress, 1000, 3);
  metrics_.RanInVain(1000);
  metrics_.RowFinished(StopReason::kExhausted, progress, 0, 3);
  metrics_.RowFinished(StopReason::kOverload, progress, 0, 30);
  EXPECT_THAT(Page(),
              HasSubstr(absl::StrCat("mre_macs_saved_total", kLabels,
                                     full - progress.macs - 1000, "\n")));
  EXPECT_THAT(Page(),
              HasSubstr(absl::StrCat("mre_macs_in_vain_total", kLabels, 1000)));
}

TEST_F(ModelMetricsTest, StepsGrantedAreHeldAgainstStepsAsked) {
  EXPECT_THAT(Page(), HasSubstr(absl::StrCat("mre_step_cap", kLabels, "32\n")));
  Progress progress;
  progress.step = 5;
  metrics_.StepCapChanged(5);
  metrics_.RowFinished(StopReason::kOverload, progress, 0, 30);
  metrics_.RowFinished(StopReason::kConfidence, progress, 0, 5);
  EXPECT_THAT(Page(), HasSubstr(absl::StrCat("mre_step_cap", kLabels, "5\n")));
  EXPECT_THAT(Page(), HasSubstr(absl::StrCat("mre_steps_asked_total", kLabels,
                                             "35\n")));
  EXPECT_THAT(Page(), HasSubstr(absl::StrCat("mre_steps_granted_total", kLabels,
                                             "10\n")));
}

}  // namespace
}  // namespace mre
