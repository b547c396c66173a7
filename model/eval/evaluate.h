// How good a model is after each step, what it costs to get there, and which
// experts it uses.
#ifndef MRE_MODEL_EVAL_EVALUATE_H_
#define MRE_MODEL_EVAL_EVALUATE_H_

#include <cstdint>
#include <vector>

#include "model/data/dataset.h"
#include "model/eval/expert_load.h"
#include "model/eval/outcomes.h"
#include "model/eval/path_statistics.h"
#include "model/eval/stop_simulation.h"
#include "model/net/params.h"

namespace mre {

// Means over the inputs after a number of steps, in greedy order. An input that
// stops by itself counts with its last step from there on.
struct StepQuality {
  double accuracy = 0;
  double loss = 0;        // cross-entropy, in nats
  double macs = 0;        // cumulative
  double parameters = 0;  // used so far (touched_parameters.h)
  double coverage = 0;
  double confidence = 0;  // largest probability
};

// What an input does when nothing stops it.
struct ExpertCount {
  int64_t fewest = 0;  // experts that an input runs
  int64_t most = 0;
  double mean = 0;
  double steps = 0;  // until nothing is left, the mean
};

struct Evaluation {
  int64_t inputs = 0;
  bool text = false;               // exp(loss), the perplexity, is of interest
  std::vector<StepQuality> steps;  // 0..T
  // Share of the inputs that ran expert l*N+i by the last step.
  std::vector<double> use;
  ExpertLoad load;  // of use
  // The same by step L, or T if that is less: in an mre that runs all its
  // experts the last step says nothing.
  std::vector<double> early_use;
  ExpertLoad early_load;
  ExpertCount experts;
  // Of the first L steps (or T, if less): the experts of an mre as they ran,
  // in a stack the one of largest weight in each layer.
  PathStatistics paths;
  std::vector<CurvePoint> curve;

  double least_use() const { return load.least; }
};

// REQUIRES: the outcomes are of a model of this config.
Evaluation Summarise(const ModelConfig& config, const Outcomes& outcomes);

// Runs `steps` steps of every input, in greedy order. REQUIRES: 1 <= steps <=
// MaxSteps(config); split is not empty and its images have the model's shape.
// Independent of the thread count.
Evaluation Evaluate(const Model& model, const Split& split, int64_t steps);

}  // namespace mre

#endif  // MRE_MODEL_EVAL_EVALUATE_H_
