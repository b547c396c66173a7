// The active rows of one model. A pass over them asks the step policy about
// each, steps those that may, and puts the new predictions in their requests'
// outboxes; a row leaves with its final prediction, or at once when its request
// is cancelled.
#ifndef MRE_SERVER_SCHEDULE_LANE_H_
#define MRE_SERVER_SCHEDULE_LANE_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "model/base/clock.h"
#include "model/engine/engine.h"
#include "server/schedule/request.h"
#include "server/schedule/step_policy.h"
#include "server/schedule/telemetry.h"

namespace mre {

// Of one engine thread.
class Lane {
 public:
  struct Options {
    uint32_t step_floor = 1;  // of BrownoutOptions
    const Clock* clock = Clock::Real();
  };
  // What is the same for all rows in a pass.
  struct Pass {
    absl::Time drain_deadline = absl::InfiniteFuture();
    // Rows that pause are looked at; else they are left as they are.
    bool look_at_paused = true;
    double level = 0;  // of NextLevel
  };

  Lane(std::shared_ptr<const PackedModel> model, ModelTelemetry* telemetry,
       const Options& options);

  // Takes in a row of a request of this model. REQUIRES: no lane had it before.
  void Begin(std::shared_ptr<Request> request, uint32_t row, absl::Time now);

  // What a pass yields for others to be told.
  struct News {
    // Requests whose outbox has something new (Request::Touch).
    std::vector<std::shared_ptr<Request>> touched;
    int64_t complete = 0;  // requests that have every final prediction now
  };
  // A pass is these three, in this order; each adds to `news`. Lets rows leave
  // that must. True when any has.
  bool Sweep(const Pass& pass, News& news);
  // Steps the rows that have no prediction yet, by themselves: it does not wait
  // until others have been computed ahead. Both are true when any row stepped.
  bool StepFresh(News& news);
  // Steps the others, and shows all that has been computed of them.
  bool StepBegun(News& news);

  int64_t rows() const {
    return static_cast<int64_t>(rows_.size() + paused_.size()) - left_;
  }
  // Of those, in the last pass.
  int64_t paused_rows() const { return static_cast<int64_t>(paused_.size()); }

 private:
  struct Row {
    std::shared_ptr<Request> request;  // null: has left
    uint32_t row = 0;                  // of the request
    int handle = -1;                   // of the engine
    bool quiet = false;                // of the engine
    bool begun = false;
    uint32_t next_step = 0;  // to be reported
    uint32_t budget_version = 0;
    Budget budget;
  };
  RowSnapshot Look(Row& row, absl::Time now) const;
  // One step of the rows stepping_[first..end).
  void Step(size_t first, size_t end, News& news);
  // How far ahead each of those may be computed, in ahead_.
  void PlanAhead(size_t first, size_t end);
  // Of the first `count` in stepping_ keeps those that have computed steps
  // which may be shown; returns how many.
  size_t KeepComputed(size_t count);
  // Steps of the rows handles_ that have been computed, shown or not.
  int64_t ComputedSteps() const;
  // MACs of the row's steps that are computed and not shown.
  uint64_t UnshownMacs(const Row& row) const;
  // Counts and lists the row's last prediction for its outbox.
  void Deliver(const Row& row, StopReason reason, absl::Time now);
  // Puts what is listed in the outboxes: after all has been counted, for from
  // then on it may be seen.
  void Flush(News& news);
  void Leave(Row& row);

  const Options options_;
  ModelTelemetry* const telemetry_;
  const std::unique_ptr<Engine> engine_;
  std::vector<Row> rows_;    // begun ones first
  std::vector<Row> paused_;  // apart: there may be many more of them
  int64_t left_ = 0;   // of rows_: they keep their place until the next pass
  int64_t swept_ = 0;  // rows_ as the pass began
  // What a step of one row takes, lately.
  absl::Duration step_;
  bool measured_ = false;
  uint32_t step_cap_ = 0;
  std::vector<StepTally> tally_;  // of one Step, by step; zeros between
  absl::Time drain_deadline_ = absl::InfiniteFuture();

  // Of one pass.
  struct Stepping {
    size_t row = 0;     // in rows_
    int may_ahead = 1;  // StepsAhead
  };
  std::vector<Stepping> stepping_;  // fresh ones last
  size_t begun_ = 0;                // how many of them are not
  std::vector<std::pair<std::shared_ptr<Request>, Prediction>> deliveries_;
  std::vector<int> handles_;  // of one Engine::Step
  std::vector<int> ahead_;    // and how far each is computed
};

}  // namespace mre

#endif  // MRE_SERVER_SCHEDULE_LANE_H_
