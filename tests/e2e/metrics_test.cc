// The metrics page: every name that is promised, sums that agree, and a page
// that promtool accepts.
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/server_process.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

class MetricsTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(server_, ServerProcess::Start());
    client_ = server_->Connect();
    ASSERT_NE(client_, nullptr);
  }

  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(MetricsTest, EveryPromisedSeriesIsThereWithItsLabels) {
  ASSERT_THAT(client_->Predict(MakeRequest(kQuick)), IsOk());
  const MetricsPage page = server_->Metrics();
  const std::vector<std::string> model = {"model=\"quick\"", "version=\"1\""};
  const auto with = [&](const std::string& more) {
    std::vector<std::string> labels = model;
    labels.push_back(more);
    return labels;
  };
  EXPECT_TRUE(page.Has("mre_requests_total", with("method=\"Predict\"")));
  EXPECT_TRUE(page.Has("mre_requests_total", with("code=\"OK\"")));
  for (const char* name :
       {"mre_rows_total", "mre_macs_total", "mre_macs_saved_total",
        "mre_macs_in_vain_total", "mre_steps_asked_total",
        "mre_steps_granted_total"}) {
    EXPECT_TRUE(page.Has(name, model)) << name;
  }
  EXPECT_EQ(page.Sum("mre_step_cap", model), kQuickSteps);
  for (const char* reason :
       {"max_steps", "max_macs", "max_time", "confidence", "ray_coverage",
        "stable", "client_stop", "exhausted", "overload", "draining"}) {
    EXPECT_TRUE(page.Has("mre_stops_total",
                         with(std::string("reason=\"") + reason + "\"")))
        << reason;
  }
  for (int expert = 0; expert < 8; ++expert) {
    auto labels = with("layer=\"3\"");
    labels.push_back(absl::StrCat("expert=\"", expert, "\""));
    EXPECT_TRUE(page.Has("mre_expert_activations_total", labels));
  }
  for (const char* name :
       {"mre_row_steps", "mre_queue_seconds", "mre_first_prediction_seconds",
        "mre_step_seconds", "mre_request_seconds", "mre_step_rows",
        "mre_expert_batch_rows", "mre_stop_confidence",
        "mre_stop_ray_coverage"}) {
    for (const char* part : {"_bucket", "_sum", "_count"}) {
      EXPECT_TRUE(page.Has(std::string(name) + part, model)) << name << part;
    }
    EXPECT_GT(page.Sum(std::string(name) + "_count", model), 0) << name;
  }
  EXPECT_EQ(page.Sum("mre_model_ready", model), 1);
  for (const char* name :
       {"mre_active_rows", "mre_queued_rows", "mre_untold_requests",
        "mre_open_streams", "mre_connections", "mre_connections_refused_total",
        "mre_build_info", "process_cpu_seconds_total",
        "process_resident_memory_bytes", "process_virtual_memory_bytes",
        "process_open_fds", "process_max_fds", "process_start_time_seconds"}) {
    EXPECT_TRUE(page.Has(name)) << name;
  }
}

TEST_F(MetricsTest, SumsAgreeWithWhatWasStreamed) {
  uint64_t steps = 0;
  uint64_t macs = 0;
  double rows = 0;
  for (uint32_t i = 0; i < 30; ++i) {
    v1::PredictRequest request = MakeRequest(kQuick, 1 + i % 5, i);
    request.mutable_budget()->set_max_steps(1 + i);
    request.mutable_output()->set_delivery(v1::DELIVERY_ALL);
    ASSERT_OK_AND_ASSIGN(const auto all, Collect(*client_, request));
    for (const v1::Prediction& p : all) {
      if (p.step() > 0) ++steps;
      if (p.final()) {
        macs += p.macs();
        ++rows;
      }
    }
  }
  // A client may know its stream's end a moment before the server is done.
  for (int i = 0; i < 1000 && server_->Metrics().Sum("mre_open_streams") > 0;
       ++i) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  const MetricsPage page = server_->Metrics();
  EXPECT_EQ(page.Sum("mre_expert_activations_total"), steps);
  EXPECT_EQ(page.Sum("mre_macs_total"), macs);
  EXPECT_EQ(page.Sum("mre_rows_total"), rows);
  EXPECT_EQ(page.Sum("mre_stops_total"), rows);
  EXPECT_EQ(page.Sum("mre_row_steps_sum"), steps);
  EXPECT_EQ(page.Sum("mre_steps_granted_total"), steps);
  EXPECT_EQ(page.Sum("mre_steps_asked_total"), steps);
  EXPECT_EQ(page.Sum("mre_requests_total", {"method=\"PredictStream\""}), 30);
  EXPECT_EQ(page.Sum("mre_open_streams"), 0);
  ASSERT_OK_AND_ASSIGN(const auto info, client_->GetModel(kQuick));
  const double full = info.macs().stem() + info.macs().head() +
                      32.0 * (info.macs().experts(0) + info.macs().head());
  EXPECT_EQ(page.Sum("mre_macs_saved_total"), rows * full - macs);
  EXPECT_EQ(page.Sum("mre_macs_in_vain_total"), 0);
}

TEST_F(MetricsTest, PromtoolAcceptsThePage) {
  ASSERT_THAT(client_->Predict(MakeRequest(kQuick)), IsOk());
  const TempDir dir;
  std::ofstream(dir.File("page")) << server_->Metrics().text();
  const std::string command =
      "promtool check metrics < " + dir.File("page") + " 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string output;
  char buffer[4096];
  while (fgets(buffer, sizeof(buffer), pipe) != nullptr) output += buffer;
  EXPECT_EQ(pclose(pipe), 0) << output;
}

}  // namespace
}  // namespace mre
