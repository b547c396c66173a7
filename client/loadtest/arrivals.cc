#include "client/loadtest/arrivals.h"

#include <cmath>

#include "model/base/rng.h"

namespace mre {

double ArrivalGap(const ArrivalOptions& options, uint64_t index) {
  if (options.kind == Arrival::kUniform) {
    return (index == 0 ? 0.5 : 1) / options.rate;
  }
  const double unit = ToUnit(Mix64(Mix64(options.seed) + index));
  return -std::log(unit) / options.rate;
}

}  // namespace mre
