#include "server/schedule/row_queue.h"

#include <algorithm>
#include <utility>

namespace mre {
namespace {

// When a request that waits must be answered at the latest.
absl::Time Deadline(const Request& request) {
  if (request.stop_requested()) return absl::InfinitePast();
  const absl::Duration limit = request.budget().max_time;
  return limit > absl::ZeroDuration() ? request.admitted() + limit
                                      : absl::InfiniteFuture();
}

}  // namespace

void RowQueue::Push(std::shared_ptr<Request> request) {
  const uint64_t client = request->spec().client;
  const absl::Time deadline = Deadline(*request);
  first_deadline_ = std::min(first_deadline_, deadline);
  rows_ += request->spec().rows;
  waiting_.push_back({std::move(request), deadline});
  Level& level = LevelOf(*waiting_.back().request);
  std::deque<Place>& places = level.clients[client];
  if (places.empty()) level.turns.push_back(client);
  places.push_back(std::prev(waiting_.end()));
}

RowQueue::Row RowQueue::Pop() {
  Level& level =
      *std::find_if(levels_.begin(), levels_.end(),
                    [](const Level& any) { return !any.turns.empty(); });
  const uint64_t client = level.turns.front();
  level.turns.pop_front();
  const auto found = level.clients.find(client);
  std::deque<Place>& places = found->second;
  Row row = TakeNext(*places.front());
  if (places.front()->left() == 0) {
    waiting_.erase(places.front());
    places.pop_front();
  }
  if (places.empty()) {
    level.clients.erase(found);
  } else {
    level.turns.push_back(client);
  }
  return row;
}

void RowQueue::PopExpired(absl::Time now, int64_t most, std::vector<Row>& out) {
  if (now < first_deadline_) return;
  for (Waiting& waiting : waiting_) {
    for (; most > 0 && waiting.deadline <= now && waiting.left() > 0; --most) {
      out.push_back(TakeNext(waiting));
    }
    if (most <= 0) break;
  }
  Tidy();
}

void RowQueue::Reconsider() {
  for (Waiting& waiting : waiting_) {
    waiting.deadline = Deadline(*waiting.request);
    if (!waiting.request->cancelled()) continue;
    rows_ -= waiting.left();
    waiting.next = waiting.request->spec().rows;
  }
  Tidy();
}

absl::Duration RowQueue::Waited(absl::Time now) const {
  return empty() ? absl::ZeroDuration()
                 : now - waiting_.front().request->admitted();
}

absl::Duration RowQueue::Waited(uint64_t client, absl::Time now) const {
  absl::Duration longest = absl::ZeroDuration();
  for (const Level& level : levels_) {
    if (level.turns.empty()) continue;
    const auto found = level.clients.find(client);
    if (found == level.clients.end()) continue;
    longest =
        std::max(longest, now - found->second.front()->request->admitted());
  }
  return longest;
}

RowQueue::Row RowQueue::TakeNext(Waiting& waiting) {
  --rows_;
  return {waiting.request, waiting.next++};
}

void RowQueue::Tidy() {
  for (Level& level : levels_) {
    std::erase_if(level.turns, [&level](uint64_t client) {
      const auto found = level.clients.find(client);
      std::erase_if(found->second,
                    [](Place place) { return place->left() == 0; });
      if (!found->second.empty()) return false;
      level.clients.erase(found);
      return true;
    });
  }
  first_deadline_ = absl::InfiniteFuture();
  for (auto place = waiting_.begin(); place != waiting_.end();) {
    if (place->left() == 0) {
      place = waiting_.erase(place);
      continue;
    }
    first_deadline_ = std::min(first_deadline_, place->deadline);
    ++place;
  }
}

}  // namespace mre
