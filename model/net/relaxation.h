// How one row of a "raytracing" network relaxes: everything but the matrix
// products, which the trainer and the engine share out among rows in ways of
// their own.
//
//   r = sum of what a block reads (z);  awake iff r > theta
//   sends (r - theta) * p,  p = softmax(W x + b),  x as Read gives it
//
// What a unit sends is kept as its source's amount times the unit's share p, so
// a block whose z has not changed keeps its p when theta falls. Pure functions
// of the row; thread-safe.
#ifndef MRE_MODEL_NET_RELAXATION_H_
#define MRE_MODEL_NET_RELAXATION_H_

#include <cstdint>
#include <vector>

#include "model/net/wiring.h"

namespace mre {

// Of one row. Views into buffers that someone else owns; see wiring.h for what
// sources and blocks are.
struct RowState {
  float* p;          // [units] shares of what the unit's source sends
  float* amount;     // [sources] what a source sends; 0: asleep
  float* rate;       // [blocks] r
  uint8_t* changed;  // [sources] sends something else than a step ago
  uint8_t* known;    // [blocks] p is that of what the block reads now
};

// The buffers of many rows.
class RowStates {
 public:
  void Resize(const Wiring& wiring, int64_t rows);
  RowState operator[](int64_t row);

 private:
  int64_t units_ = 0, sources_ = 0, blocks_ = 0;
  std::vector<float> p_, amount_, rate_;
  std::vector<uint8_t> changed_, known_;
};

// theta_t of step t >= 1: 1, decay, decay^2 ...
inline double NextThreshold(double theta, double decay, int64_t step) {
  return step == 1 ? 1.0 : theta * decay;
}

class Relaxation {
 public:
  // REQUIRES: as Wiring.
  explicit Relaxation(const ModelConfig& config);

  const Wiring& wiring() const { return wiring_; }

  // Step 0: the modules send a mass of 1 each (their p is the caller's to
  // write), every block is asleep.
  void Start(RowState row) const;
  // One block at a step's threshold. Blocks are visited in ascending order.
  // True when it is awake and `p` must be computed from what Read gives; that
  // is then taken for done.
  bool Visit(int64_t block, float theta, RowState row) const;
  // After all blocks of a step.
  void EndStep(RowState row) const;

  // What a block's product reads: x [wires of the block].
  //   raw         x = gain * z
  //   normalised  x = gain * sqrt(wires) * z / r
  void Read(int64_t block, const RowState& row, float* x) const;
  // From dx to dz, in place, but for what comes through r - theta.
  void ReadBackward(int64_t block, const RowState& row, const float* x,
                    float* dx) const;

  // Mass that arrives at the output.
  float Arrived(const RowState& row) const;
  // What the head's product reads: x = sqrt(wires) / 2 * z / r [wires of the
  // output]. Returns r.
  float ReadOutput(const RowState& row, float* x) const;
  // From dx to dz, in place.
  void ReadOutputBackward(float arrived, const float* x, float* dx) const;

 private:
  bool Stale(int64_t block, const RowState& row) const;

  const Wiring wiring_;
  const float gain_;
  const bool normalised_;
};

}  // namespace mre

#endif  // MRE_MODEL_NET_RELAXATION_H_
