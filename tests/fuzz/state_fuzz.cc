// Any bytes are refused with a reason, or are a saved run of a valid recipe
// with the numbers that its model and its recipe ask for.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "model/net/kinds.h"
#include "model/train/train_state.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto run = mre::ParseRun(std::as_bytes(std::span(data, size)));
  if (!run.ok()) {
    Require(!run.status().message().empty());
    return 0;
  }
  Require(mre::Validate(run->options).ok());
  Require(mre::Validate(run->config).ok());
  const size_t total = mre::ParamsOf(run->config).total;
  const mre::TrainState& state = run->state;
  Require(state.step >= 0 && state.log_steps >= 0);
  Require(state.params.size() == total);
  Require(state.adam.first.size() == total);
  Require(state.adam.second.size() == total);
  Require(state.average.size() == (run->options.ema > 0 ? total : 0));
  return 0;
}
