// How good a model is after each expert, and what it costs to get there.
#ifndef MRE_MODEL_TRAIN_EVALUATE_H_
#define MRE_MODEL_TRAIN_EVALUATE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "model/net/params.h"
#include "model/train/dataset.h"

namespace mre {

// Means over the inputs after a number of experts, in greedy order.
struct StepQuality {
  double accuracy = 0;
  double macs = 0;  // cumulative
  double coverage = 0;
  double confidence = 0;  // largest probability
  double loss = 0;        // cross-entropy, in nats
};

struct Evaluation {
  int64_t inputs = 0;
  bool text = false;               // exp(loss), the perplexity, is of interest
  std::vector<StepQuality> steps;  // 0..T
  // Share of the inputs that ran expert l*N+i by the last step.
  std::vector<double> use;

  double least_use() const;
  double largest_use() const;
};

// Runs `steps` experts of every input. REQUIRES: 1 <= steps <= L*N, split is
// not empty and its images have the model's shape. Independent of the thread
// count.
Evaluation Evaluate(const Model& model, const Split& split, int64_t steps);

// A table for people, one row a step; or one JSON object.
std::string FormatTable(const Evaluation& evaluation);
std::string FormatJson(const Evaluation& evaluation);

}  // namespace mre

#endif  // MRE_MODEL_TRAIN_EVALUATE_H_
