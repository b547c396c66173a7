// Every kind of model, served by the real binary.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/server_process.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

constexpr Kind kKinds[] = {Kind::kMre, Kind::kTopk, Kind::kPathmoe, Kind::kMlp};

TEST(KindsTest, EachIsStreamedStepByStepAtTheCostThatGetModelGives) {
  const TempDir root;
  for (const Kind kind : kKinds) {
    ModelConfig config = FashionConfig();
    config.kind = kind;
    if (kind == Kind::kMlp) config.experts = 1;
    if (kind != Kind::kMre && kind != Kind::kMlp) config.top_k = 2;
    if (kind == Kind::kPathmoe) config.sharing = 2;
    ASSERT_THAT(WriteToRepository(root.path(), KindName(kind), 1,
                                  RandomModel(config, 1)),
                IsOk());
  }
  ASSERT_OK_AND_ASSIGN(const auto server,
                       ServerProcess::StartOn(root.path(), {}));
  const auto client = server->Connect();
  for (const Kind kind : kKinds) {
    const std::string name(KindName(kind));
    SCOPED_TRACE(name);
    ASSERT_OK_AND_ASSIGN(const v1::ModelInfo info, client->GetModel(name));
    EXPECT_EQ(info.kind(), name);
    v1::PredictRequest request = MakeRequest(name);
    request.mutable_output()->set_delivery(v1::DELIVERY_ALL);
    ASSERT_OK_AND_ASSIGN(const auto row, Collect(*client, request));
    ASSERT_EQ(row.size(), info.max_steps() + 1);
    const v1::ModelMacs& macs = info.macs();
    for (size_t t = 0; t < row.size(); ++t) {
      EXPECT_EQ(row[t].step(), t);
      EXPECT_EQ(row[t].macs(),
                macs.stem() + (t + 1) * macs.head() + t * macs.gate() +
                    t * macs.experts_per_step() * macs.experts(0));
      EXPECT_EQ(row[t].has_expert(), t > 0);
    }
    EXPECT_EQ(row.back().stop_reason(), v1::STOP_REASON_EXHAUSTED);
    EXPECT_EQ(row.back().ray_coverage(), 1.0f);
    EXPECT_EQ(server->Metrics().Sum("mre_expert_activations_total",
                                    {"model=\"" + name + "\""}),
              info.max_steps() * macs.experts_per_step());

    request.mutable_budget()->set_max_macs(row[2].macs() + 1);
    ASSERT_OK_AND_ASSIGN(const auto cut, Collect(*client, request));
    EXPECT_EQ(cut.back().step(), 2u);
    EXPECT_EQ(cut.back().stop_reason(), v1::STOP_REASON_MAX_MACS);
    EXPECT_EQ(cut.back().confidence(), row[2].confidence());
  }
}

}  // namespace
}  // namespace mre
