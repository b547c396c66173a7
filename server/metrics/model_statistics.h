// One model's counts and times since it was loaded, as the open inference
// protocol asks for them (ModelStatistics in proto/inference/grpc_service.proto
// says what each is). All are measured. That protocol's figures that have no
// meaning here, or that nothing measures, are left out: caches, memory, and per
// step what a response took to be made.
#ifndef MRE_SERVER_METRICS_MODEL_STATISTICS_H_
#define MRE_SERVER_METRICS_MODEL_STATISTICS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "server/schedule/telemetry.h"

namespace mre {

// Thread-safe, without locks: a snapshot taken while rows run may have counted
// one part of a pass and not yet another.
class ModelStatistics {
 public:
  // So many of something took so long together.
  struct Total {
    uint64_t count = 0;
    uint64_t ns = 0;
  };
  // Passes of more rows are in no batch.
  static constexpr int64_t kLargestBatch = 1024;

  struct Snapshot {
    struct Step {
      Total passes;   // rows that reached it; passes that began with it
      Total elapsed;  // the same rows; from admission
    };
    struct Batch {
      int64_t rows = 0;
      Total passes;
    };
    absl::Time last_answer = absl::InfinitePast();  // as RequestEnded was told
    uint64_t rows_finished = 0;
    uint64_t passes = 0;
    Total success, fail, queue, read, made;
    std::vector<Step> steps;     // from step 0 on
    std::vector<Batch> batches;  // sizes that there were, ascending
  };

  explicit ModelStatistics(uint32_t max_steps) : steps_(max_steps + 1) {}

  // The engine threads' side.
  void RowStarted(absl::Duration queued) { queue_.Add(1, queued); }
  void Stepped(const PassReport& pass);
  void RowFinished() { Bump(rows_finished_); }

  // The transport's side. A request ended `took` after it arrived, at `now`.
  void RequestEnded(bool answered, absl::Duration took, absl::Time now);
  void RequestRead(absl::Duration took) { read_.Add(1, took); }
  void ResponseMade(absl::Duration took) { made_.Add(1, took); }

  Snapshot Look() const;

 private:
  class AtomicTotal {
   public:
    void Add(uint64_t count, absl::Duration time);
    Total Look() const;

   private:
    std::atomic<uint64_t> count_{0};
    std::atomic<uint64_t> ns_{0};
  };
  struct Step {
    AtomicTotal passes;
    AtomicTotal elapsed;
  };

  static void Bump(std::atomic<uint64_t>& count) {
    count.fetch_add(1, std::memory_order_relaxed);
  }

  std::atomic<int64_t> last_answer_ns_{0};  // 0: never
  std::atomic<uint64_t> rows_finished_{0};
  std::atomic<uint64_t> passes_{0};
  AtomicTotal success_, fail_, queue_, read_, made_;
  std::vector<Step> steps_;  // as many as ever
  std::array<AtomicTotal, kLargestBatch> batches_;
};

}  // namespace mre

#endif  // MRE_SERVER_METRICS_MODEL_STATISTICS_H_
