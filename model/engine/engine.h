// Runs rows of any number of requests together, one step at a time.
//
// Each Step takes every row given to it one step further: rows are grouped by
// their next expert into one pair of products an expert, then one head product
// serves all rows that stepped. Rows join (Begin) and leave (End) between any
// two steps, so nobody waits for a batch to fill or to finish.
//
// Where the order of experts is known before they run (an "mre"), a Step may
// compute some of a row's next steps along with the one it shows: a wave. The
// next Steps then show what is there. Experts so run on more rows at a time.
//
//   auto engine = Engine::Create(model);
//   int row = engine->Begin(values, {});
//   do {
//     engine->Step({&row, 1});
//   } while (CheckBudget(budget, engine->progress(row)) == StopReason::kNone);
//   Use(engine->probabilities(row));
//   engine->End(row);
//
// A row's results are the same, bit for bit, whatever other rows do, and
// however far ahead it is computed.
#ifndef MRE_MODEL_ENGINE_ENGINE_H_
#define MRE_MODEL_ENGINE_ENGINE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
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
  // l * N + i that it ran or woke; of several the one with the largest weight
  // or rate. -1: none, as in step 0.
  int64_t expert = -1;
  // All of them, ascending, when there are several.
  std::vector<int32_t> experts;
  int64_t top_class = 0;
};

// Not thread-safe: one thread owns an engine and all its rows. Each kind of
// model has an engine of its own (kinds.cc); what they share is here.
class Engine {
 public:
  struct Options {
    // Called after each product of an expert with the number of rows that
    // shared it; for metrics. May be null.
    void (*on_expert_batch)(void* context, int64_t expert,
                            int64_t rows) = nullptr;
    void* context = nullptr;
  };

  static std::unique_ptr<Engine> Create(
      std::shared_ptr<const PackedModel> model) {
    return Create(std::move(model), Options());
  }
  static std::unique_ptr<Engine> Create(
      std::shared_ptr<const PackedModel> model, const Options& options);
  virtual ~Engine() = default;

  // A new row with the given raw input values (scale and mean are applied
  // here). Nothing is computed until its first Step, which is step 0. The
  // handle is valid until End; memory grows, by doubling, with the most rows
  // ever alive, and is kept. `quiet`: of the steps that a wave computes only
  // the last is shown, and no head is run for the others. REQUIRES:
  // input.size() == model().config().input.size().
  int Begin(std::span<const float> input, const Routing& routing,
            const Thresholds& thresholds = {}, bool quiet = false);

  // From its next step on the row has these thresholds; `exhausted` and
  // `next_step_macs` of its progress are those of the new ones at once.
  void Retune(int row, const Thresholds& thresholds);

  // Frees the row.
  void End(int row);

  // The most steps that a wave computes of one row, and of one that is quiet.
  static constexpr int kMostAhead = 8;
  static constexpr int kMostQuiet = 32;

  // `ahead`: for each row how many steps may be computed now if its next is not
  // there yet, that one included; fewer are where fewer are left, or where the
  // kind knows no order. Empty: 1 each. A quiet row goes as many steps further.
  // What is computed and never shown is in vain. REQUIRES: rows are alive,
  // distinct, and have not exhausted their steps; `ahead` is empty or of their
  // size, in [1, kMostAhead], of quiet rows in [1, kMostQuiet].
  void Step(std::span<const int> rows, std::span<const int> ahead = {});
  // Steps of the row that are computed and not shown.
  virtual int64_t Unshown(int) const { return 0; }

  // Of the row's last step (all zero before the first). `elapsed` is left to
  // the caller; `stable_steps` of a quiet row counts the steps that it showed.
  // Spans are valid until the next Begin or Step.
  const Progress& progress(int row) const { return rows_[row].progress; }
  const StepInfo& step_info(int row) const { return rows_[row].info; }
  std::span<const float> probabilities(int row) const;

  const PackedModel& model() const { return *model_; }
  int64_t alive() const {
    return static_cast<int64_t>(rows_.size() - free_.size());
  }

 protected:
  struct Row {
    Routing routing;
    Thresholds thresholds;
    Progress progress;
    StepInfo info;
    bool quiet = false;
    bool begun = false;  // step 0 has run
  };

  Engine(std::shared_ptr<const PackedModel> model, const Options& options);

  // ---- What a kind adds. Rows are handles.

  // Makes room for the state of `rows` rows; never fewer than before.
  virtual void Resize(int64_t rows) = 0;
  // Forgets what a row held before.
  virtual void Reset(int row) = 0;
  // Step 0 but for the head.
  virtual void Start(std::span<const int> rows) = 0;
  // The next step of rows that have started, but for the head. Both set all of
  // the row's progress but its confidence and stable_steps, and its expert.
  virtual void Advance(std::span<const int> rows,
                       std::span<const int> ahead) = 0;
  // Logits [rows,C] of all rows that stepped. Must have room for
  // LinearOp::PaddedRows(rows) rows, as have all buffers of products.
  virtual void ReadHead(std::span<const int> rows, float* logits) = 0;
  // The row's thresholds are others now.
  virtual void Retuned(int) {}

  Row& row(int handle) { return rows_[handle]; }
  const float* input(int handle) const {
    return inputs_.data() + handle * model_->config().input.size();
  }
  // The rows' inputs, one after the other.
  void CopyInputs(std::span<const int> rows, float* to) const;
  void ExpertRan(int64_t expert, int64_t rows) const {
    if (options_.on_expert_batch != nullptr) {
      options_.on_expert_batch(options_.context, expert, rows);
    }
  }
  // Grows a scratch buffer to `floats`; never shrinks it.
  static void Ensure(std::vector<float>& buffer, int64_t floats);

 private:
  void Grow();
  void RunHead(std::span<const int> rows);

  const std::shared_ptr<const PackedModel> model_;
  const Options options_;
  const int64_t classes_;

  // Per row.
  std::vector<Row> rows_;
  std::vector<int> free_;
  std::vector<float> inputs_;   // [rows, in], scaled; read by step 0
  std::vector<float> outputs_;  // [rows, C] class probabilities

  // Scratch of one Step.
  std::vector<int> fresh_, running_, ahead_;
  std::vector<float> logits_;
};

}  // namespace mre

#endif  // MRE_MODEL_ENGINE_ENGINE_H_
