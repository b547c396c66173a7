// That an engine takes what PackedModel::RowBytes says of it, on which the
// server relies to refuse models that are too large.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "model/engine/engine.h"
#include "tests/support/allocations.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

struct Case {
  std::string name;
  ModelConfig config;
};

std::vector<Case> Cases() {
  const auto sized = [](ModelConfig config) {
    config.width = 32;
    config.hidden = 48;
    return config;
  };
  std::vector<Case> cases;
  for (const Kind kind :
       {Kind::kMre, Kind::kTopk, Kind::kAdak, Kind::kMlp, Kind::kRaytracing}) {
    cases.push_back({std::string(KindName(kind)), RandomConfigOf(kind, 4)});
  }
  cases.push_back({"mre_conv", sized(RandomConvConfigOf(Kind::kMre, 4))});
  cases.push_back({"cnn", sized(RandomConvConfigOf(Kind::kCnn, 4))});
  cases.push_back({"mre_text", sized(RandomTextConfigOf(Kind::kMre, 4))});
  cases.push_back({"fashion", FashionConfig()});
  return cases;
}

TEST(EngineMemoryTest, IsWhatTheModelSaysOfARow) {
  constexpr int kRows = 256;  // a power of two, to which engines grow
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.name);
    ASSERT_OK_AND_ASSIGN(
        const std::shared_ptr<const PackedModel> model,
        PackedModel::Create(RandomModel(c.config, 1), Precision::kF32));
    Rng rng(1);
    const std::vector<float> input = RandomInput(c.config, rng);
    std::vector<int> rows;
    rows.reserve(kRows);
    const std::vector<int> ahead(kRows, Engine::kMostQuiet);
    StartRecording();
    {
      const auto engine = Engine::Create(model);
      for (int i = 0; i < kRows; ++i) {
        rows.push_back(engine->Begin(input, {true, 7, uint64_t(i)}, {},
                                     /*quiet=*/true));
      }
      while (!rows.empty()) {
        engine->Step(rows, std::span(ahead).first(rows.size()));
        std::erase_if(rows,
                      [&](int row) { return engine->progress(row).exhausted; });
      }
    }
    const double peak = static_cast<double>(StopRecording().peak);
    const double said = static_cast<double>(model->RowBytes()) * kRows;
    RecordProperty(c.name, absl::StrCat(peak / said));
    EXPECT_LT(peak, 2 * said);
    EXPECT_GT(peak, said / 4) << "far less than it says";
  }
}

}  // namespace
}  // namespace mre
