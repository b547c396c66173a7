// Where each named parameter of an mlp MRE stands in its one block of floats.
#ifndef MRE_MODEL_NET_LAYOUT_H_
#define MRE_MODEL_NET_LAYOUT_H_

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
  kRouter,  // everything that decides the order of experts
};

// One named tensor: `size` floats at `offset` of the block, row-major.
struct ParamSpec {
  std::string name;
  std::vector<int64_t> shape;
  int64_t offset = 0;
  int64_t size = 0;
  ParamGroup group = ParamGroup::kMatrix;
};

// One slot of the layout, as an offset and a length.
struct Slot {
  int64_t offset = 0;
  int64_t size = 0;

  // The slot's part of a whole block.
  float* in(std::vector<float>& block) const { return block.data() + offset; }
  const float* in(std::span<const float> block) const {
    return block.data() + offset;
  }
  std::span<const float> of(std::span<const float> block) const {
    return block.subspan(offset, size);
  }
};

// Names and shapes are those of the checkpoint format. Immutable.
struct Layout {
  // REQUIRES: Validate(config).ok().
  explicit Layout(const ModelConfig& config);

  std::vector<ParamSpec> specs;  // in order of offset
  int64_t total = 0;             // floats in the block

  Slot stem_weight, stem_bias;        // [d,in], [d]
  Slot context_weight, context_bias;  // [r,d], [r]
  std::vector<Slot> gate_weight;      // L times [N,r]
  std::vector<Slot> gate_bias;        // L times [N]
  std::vector<Slot> transition;       // L times [N,N]; that of layer 0 is empty
  std::vector<Slot> norm_weight;      // L times [d]
  std::vector<Slot> norm_bias;        // L times [d]
  // L*N times, expert (l,i) at l*N+i.
  std::vector<Slot> up_weight, up_bias;      // [m,d], [m]
  std::vector<Slot> down_weight, down_bias;  // [d,m], [d]
  Slot head_norm_weight, head_norm_bias;     // [d]
  Slot head_weight, head_bias;               // [C,d], [C]

 private:
  Slot Append(std::string name, std::vector<int64_t> shape, ParamGroup group);
};

// Floats that a model of this config has. REQUIRES: Validate(config).ok().
int64_t ParameterCount(const ModelConfig& config);

// A model: its config and its numbers.
struct Model {
  ModelConfig config;
  std::vector<float> params;  // Layout(config).total floats
};

}  // namespace mre

#endif  // MRE_MODEL_NET_LAYOUT_H_
