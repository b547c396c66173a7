// Every kind of model, served by the real binary.
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/base/file.h"
#include "tests/e2e/server_process.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

// By the name that they are served under.
std::map<std::string, ModelConfig> Models() {
  std::map<std::string, ModelConfig> models;
  for (const Kind kind : {Kind::kMre, Kind::kTopk, Kind::kPathmoe, Kind::kAdak,
                          Kind::kMlp, Kind::kCnn}) {
    ModelConfig config = FashionConfig();
    config.kind = kind;
    if (!config.has_router()) config.experts = 1;
    if (kind != Kind::kMre && config.has_router()) config.top_k = 2;
    if (kind == Kind::kPathmoe) config.sharing = 2;
    if (kind != Kind::kCnn) {
      models[std::string(KindName(kind))] = config;
      ModelConfig text = config;
      text.input = {{1, 32, 1}, 1, {0}, {1}};
      text.embedding = 16;
      models[absl::StrCat(KindName(kind), "-text")] = text;
    }
    config.expert = ExpertKind::kConv;
    config.width = config.hidden = 16;
    models[absl::StrCat(KindName(kind), "-conv")] = config;
  }
  return models;
}

constexpr absl::string_view kQuote = "To be, or not to be, that is the";

// The window of a model of text as the bytes that it is.
v1::Tensor TextTensor(absl::string_view window) {
  v1::Tensor tensor;
  tensor.set_datatype(v1::DATA_TYPE_UINT8);
  for (const int64_t dim : {1, 32, 1}) tensor.add_shape(dim);
  tensor.set_data(window.data(), window.size());
  return tensor;
}

// The same as any numbers.
v1::Tensor FloatTensor(const std::vector<float>& values) {
  v1::Tensor tensor = TextTensor("");
  tensor.set_datatype(v1::DATA_TYPE_FP32);
  tensor.set_data(values.data(), values.size() * sizeof(float));
  return tensor;
}

ModelConfig RaytracingModel() {
  ModelConfig config = FashionConfig();
  config.kind = Kind::kRaytracing;
  config.width = config.hidden = 32;
  config.raytracing.gain = 3;
  return config;
}

uint64_t At(const v1::ModelInfo& info, const v1::Expert& expert) {
  return expert.layer() * info.experts_per_layer() + expert.index();
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
    if (config.text()) *request.mutable_input() = TextTensor(kQuote);
    request.mutable_output()->set_delivery(v1::DELIVERY_ALL);
    ASSERT_OK_AND_ASSIGN(const auto row, Collect(*client, request));
    ASSERT_EQ(row.size(), info.max_steps() + 1);
    const v1::ModelMacs& macs = info.macs();
    EXPECT_EQ(row[0].macs(), macs.stem() + macs.head());
    EXPECT_FALSE(row[0].has_expert());
    uint64_t ran = 0;
    for (size_t t = 1; t < row.size(); ++t) {
      EXPECT_EQ(row[t].step(), t);
      EXPECT_TRUE(row[t].has_expert());
      // What is left after head and gate is a number of whole experts.
      const uint64_t spent = row[t].macs() - row[t - 1].macs();
      ASSERT_GT(spent, macs.head() + macs.gate());
      const uint64_t experts = spent - macs.head() - macs.gate();
      EXPECT_EQ(experts % macs.experts(0), 0u);
      const uint64_t step = experts / macs.experts(0);
      EXPECT_LE(step, macs.experts_per_step());
      if (config.kind != Kind::kAdak) {
        EXPECT_EQ(step, macs.experts_per_step());
      }
      ran += step;
    }
    EXPECT_EQ(row.back().stop_reason(), v1::STOP_REASON_EXHAUSTED);
    EXPECT_EQ(row.back().ray_coverage(), 1.0f);
    EXPECT_EQ(server->Metrics().Sum("mre_expert_activations_total",
                                    {"model=\"" + name + "\""}),
              ran);

    // A third step might cost this much; it is not begun for less.
    const uint64_t most =
        macs.head() + macs.gate() + macs.experts_per_step() * macs.experts(0);
    request.mutable_budget()->set_max_macs(row[2].macs() + most - 1);
    ASSERT_OK_AND_ASSIGN(const auto cut, Collect(*client, request));
    EXPECT_EQ(cut.back().step(), 2u);
    EXPECT_EQ(cut.back().stop_reason(), v1::STOP_REASON_MAX_MACS);
    EXPECT_EQ(cut.back().confidence(), row[2].confidence());
  }
}

TEST(KindsTest, TextIsReadByteByByteWhateverIsSent) {
  const TempDir root;
  ASSERT_THAT(WriteToRepository(root.path(), "text", 1,
                                RandomModel(Models()["topk-text"], 1)),
              IsOk());
  ASSERT_OK_AND_ASSIGN(const auto server,
                       ServerProcess::StartOn(root.path(), {}));
  const auto client = server->Connect();
  const auto confidence = [&](const v1::Tensor& tensor) {
    v1::PredictRequest request;
    request.set_model_name("text");
    *request.mutable_input() = tensor;
    const auto update = client->Predict(request);
    EXPECT_THAT(update, IsOk());
    return update.ok() ? update->predictions(0).confidence() : -1.0f;
  };
  const std::string quote(kQuote);
  const float wanted = confidence(TextTensor(quote));
  std::string other = quote;
  other[5] = 'B';
  EXPECT_NE(confidence(TextTensor(other)), wanted);

  // Numbers stand for the nearest byte, those outside for the nearest end.
  std::vector<float> values(quote.begin(), quote.end());
  EXPECT_EQ(confidence(FloatTensor(values)), wanted);
  for (float& value : values) value += 0.4f;
  EXPECT_EQ(confidence(FloatTensor(values)), wanted);
  values[0] = -900000;
  values[1] = 900000;
  other = quote;
  other[0] = '\0';
  other[1] = '\xff';
  EXPECT_EQ(confidence(FloatTensor(values)), confidence(TextTensor(other)));

  // The command line cuts its window itself.
  const auto mre = [&](const std::string& flags) {
    const std::string command = absl::StrCat(
        "'" MRE_CLI_BINARY "' predict --json --server=", server->target(), " ",
        flags);
    std::string output;
    std::FILE* pipe = popen(command.c_str(), "r");
    for (int c; (c = fgetc(pipe)) != EOF;) {
      output.push_back(static_cast<char>(c));
    }
    EXPECT_EQ(pclose(pipe), 0) << command;
    return output.substr(output.find("predictions"));
  };
  const TempDir files;
  const std::string raw = files.File("raw");
  ASSERT_THAT(WriteFileAtomically(raw, kQuote), IsOk());
  // How long it took is no part of the answer.
  const auto json = [&](std::string text) {
    const std::string key = "\"elapsed\":\"";
    for (size_t at; (at = text.find(key)) != std::string::npos;) {
      text.erase(at, text.find('"', at + key.size()) + 1 - at);
    }
    return text;
  };
  EXPECT_EQ(json(mre("--text 'HAMLET: " + quote + "'")),
            json(mre("--raw " + raw)));
}

// Of this kind a row stops by itself, and a step costs what it wakes.
TEST(KindsTest, ARaytracingRelaxesUntilEnoughMassArrives) {
  const TempDir root;
  ASSERT_THAT(WriteToRepository(root.path(), "rays", 1,
                                RandomModel(RaytracingModel(), 1)),
              IsOk());
  ASSERT_OK_AND_ASSIGN(const auto server,
                       ServerProcess::StartOn(root.path(), {}));
  const auto client = server->Connect();
  ASSERT_OK_AND_ASSIGN(const v1::ModelInfo info, client->GetModel("rays"));
  EXPECT_EQ(info.kind(), "raytracing");
  EXPECT_EQ(info.max_steps(), 32u);
  v1::PredictRequest request = MakeRequest("rays");
  request.mutable_output()->set_delivery(v1::DELIVERY_ALL);
  ASSERT_OK_AND_ASSIGN(const auto row, Collect(*client, request));
  const v1::ModelMacs& macs = info.macs();
  EXPECT_EQ(row[0].macs(), macs.stem() + macs.head());
  std::vector<uint64_t> woken;
  for (size_t t = 1; t < row.size(); ++t) {
    EXPECT_EQ(row[t].step(), t);
    // At least the blocks that it woke have run.
    uint64_t least = macs.head();
    for (const v1::Expert& block : row[t].experts()) {
      woken.push_back(At(info, block));
      least += macs.experts(static_cast<int>(woken.back()));
    }
    if (row[t].experts().empty() && row[t].has_expert()) {
      woken.push_back(At(info, row[t].expert()));
    }
    EXPECT_GE(row[t].macs() - row[t - 1].macs(), least);
  }
  EXPECT_EQ(row.back().stop_reason(), v1::STOP_REASON_EXHAUSTED);
  // 0.5 of a mass of 6.
  EXPECT_GT(row.back().ray_coverage(), 0.5f / 6);
  EXPECT_LE(row[row.size() - 2].ray_coverage(), 0.5f / 6);
  EXPECT_GT(woken.size(), 3u);
  EXPECT_GE(
      server->Metrics().Sum("mre_expert_activations_total", {"model=\"rays\""}),
      woken.size());

  // The dial, before the row begins; and a limit that is never passed.
  request.mutable_budget()->set_theta_out(2);
  ASSERT_OK_AND_ASSIGN(const auto longer, Collect(*client, request));
  EXPECT_GT(longer.size(), row.size());
  EXPECT_GT(longer.back().ray_coverage(), 2.0f / 6);
  request.mutable_budget()->set_theta_decay(0.6f);
  ASSERT_OK_AND_ASSIGN(const auto faster, Collect(*client, request));
  EXPECT_LT(faster.size(), longer.size());
  request.mutable_budget()->Clear();
  request.mutable_budget()->set_max_macs(row.back().macs() - 1);
  ASSERT_OK_AND_ASSIGN(const auto cut, Collect(*client, request));
  EXPECT_EQ(cut.back().stop_reason(), v1::STOP_REASON_MAX_MACS);
  EXPECT_LT(cut.back().macs(), row.back().macs());
  EXPECT_EQ(cut.back().confidence(), row[cut.size() - 1].confidence());
  request.mutable_budget()->set_theta_out(6);
  EXPECT_THAT(Collect(*client, request).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       testing::HasSubstr("budget.theta_out")));
}

// A budget that comes while the row runs may move the dial.
TEST(KindsTest, ARaytracingIsRetunedWhileItRuns) {
  const TempDir root;
  ModelConfig config = RaytracingModel();
  config.classes = ManyClasses();
  config.raytracing.max_steps = kMaxThresholds;
  config.raytracing.decay = 0.999;
  ASSERT_THAT(WriteToRepository(root.path(), "rays", 1, RandomModel(config, 1)),
              IsOk());
  ASSERT_OK_AND_ASSIGN(const auto server,
                       ServerProcess::StartOn(root.path(), {}));
  const auto client = server->Connect();
  v1::PredictRequest request = MakeRequest("rays");
  request.mutable_output()->set_delivery(v1::DELIVERY_ALL);
  request.mutable_output()->set_probabilities(true);
  request.mutable_budget()->set_theta_out(5);
  request.set_request_id("a");
  const auto session = client->OpenSession();
  ASSERT_THAT(session->Open(request), IsOk());
  v1::Prediction last;
  bool retuned = false;
  // With the budget that it has, the row would take all its steps.
  while (!last.final()) {
    ASSERT_OK_AND_ASSIGN(const auto update, session->Read());
    ASSERT_TRUE(update.has_value());
    ASSERT_FALSE(update->has_error()) << update->error().message();
    for (const v1::Prediction& p : update->predictions()) last = p;
    if (retuned) continue;
    v1::Budget budget;
    budget.set_theta_decay(0.5f);
    ASSERT_THAT(session->SetBudget("a", budget), IsOk());
    retuned = true;
  }
  EXPECT_EQ(last.stop_reason(), v1::STOP_REASON_EXHAUSTED);
  EXPECT_LT(last.step(), kMaxThresholds);
  EXPECT_GT(last.ray_coverage(), 0.5f / 6);
}

}  // namespace
}  // namespace mre
