#include "server/schedule/brownout.h"

#include <algorithm>
#include <cmath>

namespace mre {
namespace {

// Shares of the queue's limit: where a full queue begins to count, where it
// asks for the floor, and by how much later it lets go.
constexpr double kShareBegin = 0.5;
constexpr double kShareFull = 0.75;
constexpr double kShareBand = 0.1;

// 0 up to `begin`, 1 from `full` on.
double Between(double value, double begin, double full) {
  return std::clamp((value - begin) / (full - begin), 0.0, 1.0);
}

double LevelOf(const BrownoutOptions& options, absl::Duration waited,
               double share) {
  return std::max(Between(absl::ToDoubleSeconds(waited),
                          absl::ToDoubleSeconds(options.begin),
                          absl::ToDoubleSeconds(options.full)),
                  Between(share, kShareBegin, kShareFull));
}

}  // namespace

double NextLevel(const BrownoutOptions& options, const QueueSnapshot& queue,
                 double level) {
  if (!options.on) return 0;
  const double share =
      static_cast<double>(queue.rows) / static_cast<double>(queue.limit);
  const double least = LevelOf(options, queue.waited, share);
  const double most =
      LevelOf(options, queue.waited + (options.begin - options.end),
              share + kShareBand);
  return std::clamp(level, least, most);
}

uint32_t StepCap(double level, uint32_t floor, uint32_t most) {
  if (most <= floor) return most;
  // Step 0 is a prediction too, and counts as one here.
  const double all = most + 1.0;
  const double least = floor + 1.0;
  return static_cast<uint32_t>(std::lround(all * std::pow(least / all, level)) -
                               1);
}

}  // namespace mre
