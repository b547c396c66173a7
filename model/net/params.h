// The named parameters of a model in one block of floats.
#ifndef MRE_MODEL_NET_PARAMS_H_
#define MRE_MODEL_NET_PARAMS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/net/config.h"

namespace mre {

// What a parameter is for; optimisers treat the groups differently.
enum class ParamGroup {
  kMatrix,  // weights of stem, experts and head: decayed
  kVector,  // biases, norms
  kRouter,  // everything that decides which experts run
};

// One named tensor: `size` floats at `offset` of the block, row-major.
struct ParamSpec {
  std::string name;
  std::vector<int64_t> shape;
  int64_t offset = 0;
  int64_t size = 0;
  ParamGroup group = ParamGroup::kMatrix;
};

// Where one tensor stands, as an offset and a length.
struct Slot {
  int64_t offset = 0;
  int64_t size = 0;

  // The slot's part of a whole block.
  float* in(std::span<float> block) const { return block.data() + offset; }
  const float* in(std::span<const float> block) const {
    return block.data() + offset;
  }
  std::span<const float> of(std::span<const float> block) const {
    return block.subspan(offset, size);
  }
};

// Every parameter of a model, in the order in which its parts (stem, experts,
// head ...) appended theirs. Names and shapes are those of the checkpoint
// format.
struct ParamTable {
  Slot Append(std::string name, std::vector<int64_t> shape, ParamGroup group);

  std::vector<ParamSpec> specs;  // in order of offset
  // Tensors that stand in the same place of a layer's experts, one list a
  // tensor: what an optimiser may move together.
  std::vector<std::vector<Slot>> families;
  int64_t total = 0;  // floats in the block
};

// A model: its config and its numbers.
struct Model {
  ModelConfig config;
  std::vector<float> params;  // ParamsOf(config).total floats (kinds.h)
};

}  // namespace mre

#endif  // MRE_MODEL_NET_PARAMS_H_
