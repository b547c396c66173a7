// The real mre-server in a process of its own, and its metrics page.
#ifndef MRE_TESTS_E2E_SERVER_PROCESS_H_
#define MRE_TESTS_E2E_SERVER_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/cc/client.h"
#include "proto/mre/v1/anytime.pb.h"
#include "tests/support/random_model.h"

namespace mre {

// Models of the test repository: "quick" has the shipped checkpoint's shape,
// "slow" 1,536 experts, so that a row takes long enough to be interrupted.
inline constexpr char kQuick[] = "quick";
inline constexpr char kSlow[] = "slow";
inline constexpr uint32_t kQuickSteps = 32;
inline constexpr uint32_t kSlowSteps = 1536;

// What the slow one is.
ModelConfig SlowConfig();
// Names of 1,000 classes. Where a request asks for the probabilities of all,
// and for every step, each of its steps is 4 kB: a long row waits for its
// reader long before its end, however slow that is.
std::vector<std::string> ManyClasses();

// Series of a metrics page: "name{labels}" -> value.
class MetricsPage {
 public:
  explicit MetricsPage(std::string text);
  const std::string& text() const { return text_; }
  // Sum over all series of this name whose labels contain each of `labels`
  // (such as `reason="stable"`).
  double Sum(absl::string_view name,
             const std::vector<std::string>& labels = {}) const;
  bool Has(absl::string_view name,
           const std::vector<std::string>& labels = {}) const;

 private:
  std::vector<const double*> Find(absl::string_view name,
                                  const std::vector<std::string>& labels) const;

  const std::string text_;
  std::map<std::string, double> series_;
};

// Ended with SIGTERM when destroyed, if it still runs; the test fails unless it
// then exits with 0.
class ServerProcess {
 public:
  // Starts the binary on a repository of kQuick and kSlow with free ports and
  // `flags`, and waits for its ready line.
  static absl::StatusOr<std::unique_ptr<ServerProcess>> Start(
      const std::vector<std::string>& flags = {});
  // The same on a repository of the caller's.
  static absl::StatusOr<std::unique_ptr<ServerProcess>> StartOn(
      const std::string& repository, const std::vector<std::string>& flags);
  ~ServerProcess();

  const std::string& target() const { return grpc_; }
  // HOST:PORT of the metrics page.
  const std::string& metrics_target() const { return metrics_; }
  std::unique_ptr<Client> Connect() const;
  MetricsPage Metrics() const;

  void Signal(int number) const;
  // Waits for the end; its exit code, or -1 when a signal killed it.
  int Wait();
  // Resident memory.
  int64_t MemoryBytes() const;
  // How nice each of its threads is.
  std::vector<int> ThreadNices() const;
  // Polls the metrics until no row is active or queued; false: not in time.
  bool AwaitNoRows(absl::Duration limit) const;

 private:
  ServerProcess() = default;

  absl::Status Run(const std::string& repository,
                   const std::vector<std::string>& flags);

  TempDir root_;
  pid_t pid_ = -1;
  std::string grpc_;
  std::string metrics_;
};

// A request of `rows` random rows for a test model.
v1::PredictRequest MakeRequest(absl::string_view model, int64_t rows = 1,
                               uint64_t seed = 1);

// The whole stream of a request.
absl::StatusOr<std::vector<v1::Prediction>> Collect(
    const Client& client, const v1::PredictRequest& request);

}  // namespace mre

#endif  // MRE_TESTS_E2E_SERVER_PROCESS_H_
