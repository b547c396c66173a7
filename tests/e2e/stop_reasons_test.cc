// Every budget over the wire: where it stops a row, and what it cost.
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/base/rng.h"
#include "tests/e2e/server_process.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

class StopReasonsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = ServerProcess::Start({"--threads=2"});
    ASSERT_THAT(started, IsOk());
    server_ = started->release();
    client_ = server_->Connect().release();
    ASSERT_NE(client_, nullptr);
    auto info = client_->GetModel(kQuick);
    ASSERT_THAT(info, IsOk());
    info_ = new v1::ModelInfo(*info);
  }
  static void TearDownTestSuite() {
    delete info_;
    delete client_;
    delete server_;
  }

  // What GetModel says a row that ran these experts costs.
  static uint64_t Cost(const std::vector<v1::Prediction>& row) {
    const v1::ModelMacs& macs = info_->macs();
    uint64_t cost = macs.stem() + macs.head();
    for (const v1::Prediction& p : row) {
      if (!p.has_expert()) continue;
      const uint32_t expert =
          p.expert().layer() * info_->experts_per_layer() + p.expert().index();
      cost += macs.experts(static_cast<int>(expert)) + macs.head();
    }
    return cost;
  }

  static v1::PredictRequest All(const v1::Budget& budget, uint64_t seed = 1) {
    v1::PredictRequest request = MakeRequest(kQuick, 1, seed);
    *request.mutable_budget() = budget;
    request.mutable_output()->set_delivery(v1::DELIVERY_ALL);
    return request;
  }

  static std::vector<v1::Prediction> Run(const v1::Budget& budget,
                                         uint64_t seed = 1) {
    auto row = Collect(*client_, All(budget, seed));
    EXPECT_THAT(row, IsOk());
    EXPECT_FALSE(row->empty());
    for (size_t i = 0; i < row->size(); ++i) {
      EXPECT_EQ((*row)[i].final(), i + 1 == row->size());
    }
    return *row;
  }

  static ServerProcess* server_;
  static Client* client_;
  static v1::ModelInfo* info_;
};
ServerProcess* StopReasonsTest::server_ = nullptr;
Client* StopReasonsTest::client_ = nullptr;
v1::ModelInfo* StopReasonsTest::info_ = nullptr;

TEST_F(StopReasonsTest, NoBudgetRunsEveryExpert) {
  const auto row = Run({});
  ASSERT_EQ(row.size(), kQuickSteps + 1);
  EXPECT_EQ(row.back().stop_reason(), v1::STOP_REASON_EXHAUSTED);
  EXPECT_EQ(row.back().ray_coverage(), 1.0f);
  EXPECT_EQ(row.back().macs(), Cost(row));
  for (size_t step = 1; step < row.size(); ++step) {
    EXPECT_EQ(row[step].step(), step);
    EXPECT_GE(row[step].ray_coverage(), row[step - 1].ray_coverage());
  }
}

TEST_F(StopReasonsTest, MaxSteps) {
  v1::Budget budget;
  budget.set_max_steps(5);
  const auto row = Run(budget);
  EXPECT_EQ(row.back().step(), 5u);
  EXPECT_EQ(row.back().stop_reason(), v1::STOP_REASON_MAX_STEPS);
}

TEST_F(StopReasonsTest, MaxTime) {
  v1::Budget budget;
  budget.mutable_max_time()->set_nanos(1);
  const auto row = Run(budget);
  EXPECT_EQ(row.back().step(), 0u);
  EXPECT_EQ(row.back().stop_reason(), v1::STOP_REASON_MAX_TIME);
  EXPECT_GT(row.back().elapsed().nanos(), 1);
}

TEST_F(StopReasonsTest, ConfidenceStopsAtTheFirstStepThatReachesIt) {
  const auto whole = Run({});
  float largest = 0;
  for (const auto& p : whole) largest = std::max(largest, p.confidence());
  v1::Budget budget;
  budget.set_min_confidence(largest);
  const auto row = Run(budget);
  EXPECT_EQ(row.back().stop_reason(), v1::STOP_REASON_CONFIDENCE);
  EXPECT_GE(row.back().confidence(), largest);
  for (size_t i = 0; i + 1 < row.size(); ++i) {
    EXPECT_LT(row[i].confidence(), largest);
  }
}

TEST_F(StopReasonsTest, RayCoverageStopsAtTheFirstStepThatReachesIt) {
  v1::Budget budget;
  budget.set_min_ray_coverage(0.3f);
  const auto row = Run(budget);
  EXPECT_EQ(row.back().stop_reason(), v1::STOP_REASON_RAY_COVERAGE);
  EXPECT_GE(row.back().ray_coverage(), 0.3f);
  EXPECT_LT(row[row.size() - 2].ray_coverage(), 0.3f);
}

TEST_F(StopReasonsTest, StableStopsWhenTheTopClassHasNotChanged) {
  v1::Budget budget;
  budget.set_stable_steps(3);
  const auto row = Run(budget);
  ASSERT_EQ(row.back().stop_reason(), v1::STOP_REASON_STABLE);
  ASSERT_GE(row.size(), 4u);
  for (size_t i = row.size() - 4; i < row.size(); ++i) {
    EXPECT_EQ(row[i].top(0).class_index(), row.back().top(0).class_index());
  }
}

TEST_F(StopReasonsTest, MaxMacsIsNeverExceededAndAlwaysExact) {
  const uint64_t seed = testing::UnitTest::GetInstance()->random_seed() + 1;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Rng rng(seed);
  const uint64_t least = info_->macs().stem() + info_->macs().head();
  const uint64_t step = info_->macs().experts(0) + info_->macs().head();
  for (int i = 0; i < 1000; ++i) {
    v1::Budget budget;
    budget.set_max_macs(least + rng.Below(40 * step));
    const auto row = Run(budget, i);
    const uint64_t spent = row.back().macs();
    ASSERT_LE(spent, budget.max_macs());
    ASSERT_EQ(spent, Cost(row));
    if (row.back().stop_reason() == v1::STOP_REASON_MAX_MACS) {
      ASSERT_GT(spent + step, budget.max_macs());
    } else {
      ASSERT_EQ(row.back().stop_reason(), v1::STOP_REASON_EXHAUSTED);
    }
  }
}

TEST_F(StopReasonsTest, UnaryGivesTheFinalOfEachRowInOrder) {
  v1::PredictRequest request = MakeRequest(kQuick, 7);
  request.set_request_id("seven");
  request.mutable_budget()->set_min_confidence(0.6f);
  ASSERT_OK_AND_ASSIGN(const auto update, client_->Predict(request));
  EXPECT_EQ(update.request_id(), "seven");
  EXPECT_EQ(update.model_name(), kQuick);
  EXPECT_EQ(update.model_version(), 1);
  ASSERT_EQ(update.predictions_size(), 7);
  for (int row = 0; row < 7; ++row) {
    EXPECT_EQ(update.predictions(row).row(), static_cast<uint32_t>(row));
    EXPECT_TRUE(update.predictions(row).final());
  }
}

TEST_F(StopReasonsTest, ARowsNumbersAreTheSameInEveryCompany) {
  const auto alone = Run({});
  v1::PredictRequest request = MakeRequest(kQuick, 64);
  request.mutable_output()->set_delivery(v1::DELIVERY_ALL);
  request.mutable_output()->set_probabilities(true);
  v1::PredictRequest single = All({});
  single.mutable_output()->set_probabilities(true);
  ASSERT_OK_AND_ASSIGN(const auto crowd, Collect(*client_, request));
  ASSERT_OK_AND_ASSIGN(const auto lone, Collect(*client_, single));
  size_t step = 0;
  for (const v1::Prediction& p : crowd) {
    if (p.row() != 0) continue;
    ASSERT_LT(step, lone.size());
    EXPECT_THAT(p.probabilities(),
                testing::ElementsAreArray(lone[step].probabilities()));
    EXPECT_EQ(p.expert().layer(), lone[step].expert().layer());
    EXPECT_EQ(p.expert().index(), lone[step].expert().index());
    ++step;
  }
  EXPECT_EQ(step, alone.size());
}

TEST_F(StopReasonsTest, SampledOrdersFollowTheSeed) {
  const auto order = [&](uint64_t seed) {
    v1::PredictRequest request = All({});
    request.mutable_routing()->set_sampled(true);
    request.mutable_routing()->set_seed(seed);
    auto row = Collect(*client_, request);
    EXPECT_THAT(row, IsOk());
    std::string text;
    for (const auto& p : *row) text += p.expert().ShortDebugString() + ";";
    return text;
  };
  EXPECT_EQ(order(1), order(1));
  EXPECT_NE(order(1), order(2));
}

TEST_F(StopReasonsTest, EveryThirdStepAndTheLast) {
  v1::Budget budget;
  budget.set_max_steps(8);
  v1::PredictRequest request = All(budget);
  request.mutable_output()->set_every(3);
  ASSERT_OK_AND_ASSIGN(const auto row, Collect(*client_, request));
  std::vector<uint32_t> steps;
  for (const auto& p : row) steps.push_back(p.step());
  EXPECT_THAT(steps, testing::ElementsAre(0, 3, 6, 8));
}

}  // namespace
}  // namespace mre
