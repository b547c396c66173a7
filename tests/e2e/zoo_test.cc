// The checkpoints that ship.
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "model/base/rng.h"
#include "tests/e2e/server_process.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

TEST(ZooTest, EveryCheckpointIsStreamedToItsEnd) {
  ASSERT_OK_AND_ASSIGN(const auto server, ServerProcess::StartOn(MRE_ZOO, {}));
  const auto client = server->Connect();
  ASSERT_OK_AND_ASSIGN(const auto list, client->ListModels());
  std::set<std::string> names;
  for (const v1::ModelInfo& listed : list.models()) {
    SCOPED_TRACE(listed.model_name());
    names.insert(listed.model_name());
    ASSERT_EQ(listed.state(), v1::MODEL_STATE_READY) << listed.error();
    ASSERT_OK_AND_ASSIGN(const v1::ModelInfo info,
                         client->GetModel(listed.model_name()));
    v1::PredictRequest request;
    request.set_model_name(info.model_name());
    v1::Tensor& input = *request.mutable_input();
    input.set_datatype(v1::DATA_TYPE_UINT8);
    *input.mutable_shape() = info.input_shape();
    int64_t size = 1;
    for (const int64_t dimension : info.input_shape()) size *= dimension;
    Rng rng(1);
    for (int64_t i = 0; i < size; ++i) {
      input.mutable_data()->push_back(static_cast<char>(rng.Below(128)));
    }
    request.mutable_output()->set_delivery(v1::DELIVERY_ALL);
    ASSERT_OK_AND_ASSIGN(const auto row, Collect(*client, request));
    ASSERT_GT(row.size(), 1u);
    EXPECT_LE(row.size(), info.max_steps() + 1);
    EXPECT_EQ(row.back().stop_reason(), v1::STOP_REASON_EXHAUSTED);
  }
  // The README and the demo name it.
  EXPECT_EQ(names.count("fashion-mnist"), 1u);
}

TEST(ZooTest, IsSmall) {
  uintmax_t all = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(MRE_ZOO)) {
    if (entry.path().extension() != ".safetensors") continue;
    EXPECT_LE(entry.file_size(), 5'000'000u) << entry.path();
    all += entry.file_size();
  }
  EXPECT_GT(all, 0u);
  EXPECT_LE(all, 25'000'000u);
}

}  // namespace
}  // namespace mre
