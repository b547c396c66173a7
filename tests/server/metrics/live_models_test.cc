// Models that are replaced while rows of them run on several engine threads:
// repository, scheduler and metrics together, as the server has them, without a
// transport, so that the thread sanitizer sees all of it.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/metrics/metrics.h"
#include "server/repository/repository.h"
#include "server/schedule/scheduler.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

// A request that is waited for.
class Waiter : public Request::Listener {
 public:
  void OnReady() override {
    absl::MutexLock lock(&mu_);
    std::vector<Prediction> batch;
    done_ = request->Take(batch);
  }
  void Await() {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(&done_));
  }

  std::shared_ptr<Request> request;

 private:
  absl::Mutex mu_;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
};

class LiveModels : private Repository::Observer {
 public:
  explicit LiveModels(const std::string& root)
      : metrics_("test"), scheduler_({.threads = 2}) {
    Repository::Options options;
    options.load.root = root;
    options.control = Repository::Control::kPoll;
    options.poll = absl::Milliseconds(2);
    options.observer = this;
    repository_ = Repository::Open(std::move(options)).value();
  }

  // One row through all steps of whatever is served now, as a call does it.
  void Ask(Rng& rng) {
    const auto served = repository_->Find("m", 0).value();
    Request::Spec spec;
    spec.model = served->model;
    ModelMetrics* const metrics = metrics_.ForModel(*served);
    spec.telemetry = metrics;
    spec.input = RandomInput(served->model->config(), rng);
    Waiter waiter;
    waiter.request = std::make_shared<Request>(std::move(spec), &waiter);
    ASSERT_THAT(scheduler_.Submit(waiter.request), IsOk());
    waiter.Await();
    waiter.request->Detach();
    metrics->RequestEnded(Method::kPredict, absl::StatusCode::kOk);
  }

  int64_t loaded() const {
    const auto counts = repository_->load_counts();
    return counts.empty() ? 0 : counts[0].loaded;
  }
  // Those that exist.
  int models() const { return models_; }

 private:
  void Added(const ServedModel& served) override {
    ++models_;
    metrics_.Add(served);
  }
  void Retired(const ServedModel& served) override {
    scheduler_.Forget(served.model.get());
  }
  void Removed(const ServedModel* served) override {
    metrics_.Remove(served);
    --models_;
  }

  std::atomic<int> models_ = 0;
  Metrics metrics_;
  Scheduler scheduler_;
  std::unique_ptr<Repository> repository_;
};

TEST(LiveModelsTest, AreReplacedWhileRowsOfThemRun) {
  constexpr int kReloads = 30;
  TempDir root;
  const auto write = [&](int64_t version, uint64_t seed) {
    ASSERT_THAT(WriteToRepository(root.path(), "m", version,
                                  RandomModel(RandomConfig(1), seed)),
                IsOk());
  };
  write(1, 1);
  LiveModels models(root.path());
  std::atomic<bool> done = false;
  std::vector<std::thread> asking;
  for (uint64_t i = 0; i < 3; ++i) {
    asking.emplace_back([&models, &done, i] {
      Rng rng(i);
      while (!done) models.Ask(rng);
    });
  }
  // In place, and as a next version.
  for (int reload = 1; reload <= kReloads; ++reload) {
    write(1 + reload / 3, 1 + reload);
    while (models.loaded() < 1 + reload) absl::SleepFor(absl::Milliseconds(1));
  }
  done = true;
  for (std::thread& thread : asking) thread.join();
  // All but the last are freed.
  for (int i = 0; i < 3000 && models.models() > 1; ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_EQ(models.models(), 1);
}

}  // namespace
}  // namespace mre
