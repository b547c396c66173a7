// Runs rows of any number of requests together, one step at a time.
//
// Each Step takes every row given to it one step further: rows are grouped by
// their next expert into one pair of products an expert, then one head product
// serves all rows that stepped. Rows join (Begin) and leave (End) between any
// two steps, so nobody waits for a batch to fill or to finish.
//
//   Engine engine(model, {});
//   int row = engine.Begin(values, {});
//   do {
//     engine.Step({&row, 1});
//   } while (CheckBudget(budget, engine.progress(row)) == StopReason::kNone);
//   Use(engine.probabilities(row));
//   engine.End(row);
//
// A row's results are the same, bit for bit, whatever other rows do.
#ifndef MRE_MODEL_ENGINE_ENGINE_H_
#define MRE_MODEL_ENGINE_ENGINE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/engine/packed_model.h"
#include "model/engine/stop_rules.h"

namespace mre {

// How a row chooses among its candidates.
struct Routing {
  bool sampled = false;
  uint64_t seed = 0;
  uint64_t row = 0;  // of the request; rows of one request draw differently
};

// What the last step was.
struct StepInfo {
  int64_t expert = -1;  // l * N + i that it ran; -1: step 0
  int64_t top_class = 0;
};

// Not thread-safe: one thread owns an engine and all its rows.
class Engine {
 public:
  struct Options {
    // Called after each product of an expert with the number of rows that
    // shared it; for metrics. May be null.
    void (*on_expert_batch)(void* context, int64_t expert,
                            int64_t rows) = nullptr;
    void* context = nullptr;
  };

  explicit Engine(std::shared_ptr<const PackedModel> model)
      : Engine(std::move(model), Options()) {}
  Engine(std::shared_ptr<const PackedModel> model, const Options& options);

  // A new row with the given raw input values (scale and mean are applied
  // here). Nothing is computed until its first Step, which is step 0. The
  // handle is valid until End; memory grows to the most rows ever alive.
  // REQUIRES: input.size() == model().config().input.size().
  int Begin(std::span<const float> input, const Routing& routing);

  // Frees the row.
  void End(int row);

  // REQUIRES: rows are alive, distinct, and have not exhausted their experts.
  void Step(std::span<const int> rows);

  // Of the row's last step; REQUIRES: it has stepped. `elapsed` is left to the
  // caller. Spans are valid until the next Begin or Step.
  const Progress& progress(int row) const { return rows_[row].progress; }
  const StepInfo& step_info(int row) const { return rows_[row].info; }
  std::span<const float> probabilities(int row) const;

  const PackedModel& model() const { return *model_; }
  int64_t alive() const {
    return static_cast<int64_t>(rows_.size() - free_.size());
  }

 private:
  struct Row {
    Routing routing;
    Progress progress;
    StepInfo info;
    int64_t next_expert = -1;
    bool begun = false;  // step 0 has run
  };

  void Grow();
  void StepZero(std::span<const int> rows);
  void RunExperts(std::span<const int> rows);
  void RunHead(std::span<const int> rows);
  // Traces the rays of the row's active experts: coverage and next expert.
  void Route(int row);

  float* stream(int row, int64_t layer) {
    return streams_.data() + (row * (layers_ + 1) + layer) * width_;
  }

  const std::shared_ptr<const PackedModel> model_;
  const Options options_;
  const int64_t layers_, experts_, width_, classes_;
  const RoutingShape routing_;

  // Per row.
  std::vector<Row> rows_;
  std::vector<int> free_;
  std::vector<float> inputs_;         // [rows, in], scaled; read by step 0
  std::vector<float> streams_;        // [rows, L+1, d]
  std::vector<float> probabilities_;  // [rows, P] routing probabilities
  std::vector<uint8_t> active_;       // [rows, L*N]
  std::vector<float> outputs_;        // [rows, C] class probabilities

  // Scratch of one Step.
  std::vector<int> fresh_, running_, sorted_;
  std::vector<int64_t> begin_;
  std::vector<float> in_, mid_, out_;
  std::vector<float> rates_;
};

}  // namespace mre

#endif  // MRE_MODEL_ENGINE_ENGINE_H_
