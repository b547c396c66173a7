// The model that fuzzed requests are for.
#ifndef MRE_TESTS_FUZZ_SMALL_MODEL_H_
#define MRE_TESTS_FUZZ_SMALL_MODEL_H_

#include <cstdint>
#include <cstdlib>

#include "model/engine/packed_model.h"
#include "model/net/kinds.h"
#include "server/repository/served_model.h"

namespace mre {

inline constexpr int64_t kMaxRows = 4;

inline void Require(bool holds) {
  if (!holds) std::abort();
}

// Two layers of two experts on inputs of 2x2x1.
inline ServedModel Make(Kind kind) {
  Model model;
  ModelConfig& config = model.config;
  config.kind = kind;
  config.input = {{2, 2, 1}, 0.5, {0.5}, {0.5}};
  config.width = 3;
  config.layers = 2;
  config.experts = 2;
  config.hidden = 4;
  config.context = 2;
  config.classes = {"a", "b", "c"};
  Require(Validate(config).ok());
  model.params.assign(ParamsOf(config).total, 0.125f);
  ServedModel made;
  made.name = "m";
  made.version = 1;
  made.model = *PackedModel::Create(model, Precision::kF32);
  return made;
}

}  // namespace mre

#endif  // MRE_TESTS_FUZZ_SMALL_MODEL_H_
