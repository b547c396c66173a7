// Rows that wait for a place: the most urgent first; of rows that are equally
// urgent clients take turns row by row, and what one client asks for is served
// in the order in which it came.
//
// A less urgent row waits for as long as a more urgent one does, whoever asked
// for it: its budget's max_time is what bounds that. Its waiting counts like
// any other's for what all are granted (brownout.h) and for whose requests are
// refused.
#ifndef MRE_SERVER_SCHEDULE_ROW_QUEUE_H_
#define MRE_SERVER_SCHEDULE_ROW_QUEUE_H_

#include <array>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "server/schedule/request.h"

namespace mre {

// Not thread-safe. Requests in it are admitted.
class RowQueue {
 public:
  // A row that has left the queue.
  struct Row {
    std::shared_ptr<Request> request;
    uint32_t row = 0;
  };

  void Push(std::shared_ptr<Request> request);
  // The next row. REQUIRES: !empty()
  Row Pop();
  // Adds to `out` rows that may not wait any longer: their clients have asked
  // for the best so far, or their time is over. `most` at most, the oldest; the
  // others wait like any.
  void PopExpired(absl::Time now, int64_t most, std::vector<Row>& out);
  // Forgets requests that are cancelled; looks again at when the others may
  // not wait any longer.
  void Reconsider();

  bool empty() const { return waiting_.empty(); }
  int64_t rows() const { return rows_; }
  // For how long the row that has waited longest has, of all or of one client.
  // None: 0.
  absl::Duration Waited(absl::Time now) const;
  absl::Duration Waited(uint64_t client, absl::Time now) const;

 private:
  // A request whose rows from `next` on wait, until `deadline` at the latest.
  struct Waiting {
    std::shared_ptr<Request> request;
    absl::Time deadline;
    uint32_t next = 0;

    int64_t left() const { return int64_t{request->spec().rows} - next; }
  };
  using Place = std::list<Waiting>::iterator;
  // What is equally urgent.
  struct Level {
    absl::flat_hash_map<uint64_t, std::deque<Place>> clients;  // none is empty
    std::deque<uint64_t> turns;  // each of the clients once
  };

  Level& LevelOf(const Request& request) {
    return levels_[request.spec().priority - kFirstPriority];
  }
  Row TakeNext(Waiting& waiting);
  // Forgets requests of which no row waits, and looks for the first deadline.
  // Turns stay as they are.
  void Tidy();

  std::list<Waiting> waiting_;  // in the order of admission; none has no row
  int64_t rows_ = 0;            // in it
  // No later than the first of its deadlines.
  absl::Time first_deadline_ = absl::InfiniteFuture();
  std::array<Level, kLastPriority - kFirstPriority + 1> levels_;
};

}  // namespace mre

#endif  // MRE_SERVER_SCHEDULE_ROW_QUEUE_H_
