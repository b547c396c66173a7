// Which unit of a "raytracing" network feeds what: a function of the config
// and of its seed alone, the same for ever, so that a checkpoint need not hold
// it.
//
// Level 0 is that of the input modules, level l+1 that of the blocks of layer
// l, level L+1 the output. Units are numbered by level, then by module or
// block, then within it. Each has exactly one wire, to a later level:
//
//   1. One Rng(Mix64(seed) + 1) goes over the units in order. A unit's wire
//      goes to the next level where that is the only later one it may reach
//      (a module's never reaches the output), or when the top bit of Next() is
//      set; otherwise to one of the levels after that, drawn by Below.
//   2. One Rng(Mix64(seed) + 2) goes over the layers. The units that are wired
//      to a layer, in order, are shuffled and dealt to its blocks in turn. A
//      block reads its units in ascending order, so does the output.
//   3. One Rng(Mix64(seed) + 3) goes over the modules. A module sees the first
//      floor(sparsity * inputs) (at least one) of the shuffled elements of the
//      input, in ascending order.
#ifndef MRE_MODEL_NET_WIRING_H_
#define MRE_MODEL_NET_WIRING_H_

#include <cstdint>
#include <vector>

#include "model/net/config.h"

namespace mre {

// Wires that end in each layer, and in the output: [L+1]. REQUIRES: the
// config's sizes are within their bounds. Time in proportion to the units.
std::vector<int64_t> WiresByLevel(const ModelConfig& config);

// Wires that end in block i of a layer with so many.
inline int64_t WiresOfBlock(int64_t wires, int64_t blocks, int64_t i) {
  return wires / blocks + (i < wires % blocks ? 1 : 0);
}

// Elements of the input that a module sees.
int64_t InputsOfModule(const ModelConfig& config);

// Sources are what sends mass: the modules, then the blocks.
struct Wiring {
  // REQUIRES: Validate(config).ok(), and the kind is raytracing.
  explicit Wiring(const ModelConfig& config);

  int64_t units() const {
    return modules * module_units + blocks * block_units;
  }
  int64_t sources() const { return modules + blocks; }
  // The first unit of block l*N+i.
  int64_t first_unit(int64_t block) const {
    return modules * module_units + block * block_units;
  }

  const int64_t modules, blocks;
  const int64_t module_units, block_units;

  std::vector<int32_t> source;                // by unit: whose it is
  std::vector<std::vector<int32_t>> inputs;   // by module: elements it sees
  std::vector<std::vector<int32_t>> wires;    // by block: units it reads
  std::vector<int32_t> output;                // units that the output reads
  std::vector<std::vector<int32_t>> feeders;  // by block: sources it reads
};

}  // namespace mre

#endif  // MRE_MODEL_NET_WIRING_H_
