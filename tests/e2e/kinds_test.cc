// Every kind of model, served by the real binary.
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/server_process.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

// By the name that they are served under.
std::map<std::string, ModelConfig> Models() {
  std::map<std::string, ModelConfig> models;
  for (const Kind kind :
       {Kind::kMre, Kind::kTopk, Kind::kPathmoe, Kind::kMlp}) {
    ModelConfig config = FashionConfig();
    config.kind = kind;
    if (kind == Kind::kMlp) config.experts = 1;
    if (kind != Kind::kMre && kind != Kind::kMlp) config.top_k = 2;
    if (kind == Kind::kPathmoe) config.sharing = 2;
    models[std::string(KindName(kind))] = config;
    config.expert = ExpertKind::kConv;
    config.width = config.hidden = 16;
    models[absl::StrCat(KindName(kind), "-conv")] = config;
  }
  return models;
}

TEST(KindsTest, EachIsStreamedStepByStepAtTheCostThatGetModelGives) {
  const TempDir root;
  const auto models = Models();
  for (const auto& [name, config] : models) {
    ASSERT_THAT(WriteToRepository(root.path(), name, 1, RandomModel(config, 1)),
                IsOk());
  }
  ASSERT_OK_AND_ASSIGN(const auto server,
                       ServerProcess::StartOn(root.path(), {}));
  const auto client = server->Connect();
  for (const auto& [name, config] : models) {
    SCOPED_TRACE(name);
    ASSERT_OK_AND_ASSIGN(const v1::ModelInfo info, client->GetModel(name));
    EXPECT_EQ(info.kind(), std::string(KindName(config.kind)));
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
