// Predictions and models in words. Pure functions; what a server sent is made
// safe for a terminal here.
#ifndef MRE_CLIENT_CLI_TEXT_H_
#define MRE_CLIENT_CLI_TEXT_H_

#include <google/protobuf/message.h>

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "client/cli/input.h"
#include "client/console/words.h"
#include "proto/mre/v1/anytime.pb.h"

namespace mre {

// As NanosText.
std::string DurationText(const google::protobuf::Duration& duration);

// What a row costs when every expert runs.
uint64_t FullMacs(const v1::ModelInfo& model);

// Steps until nothing is left to run, and what a step of the kind runs:
// "experts", "layers" or "steps".
uint32_t MaxSteps(const v1::ModelInfo& model);
const char* StepsNoun(const v1::ModelInfo& model);

// "12,345 MACs (8.1% of the full model)"; no share when the model's costs are
// not known.
std::string MacsText(uint64_t macs, const v1::ModelInfo& model);

// Why a row stopped, in words.
std::string StopText(v1::StopReason reason);

// The name of a class: its label, or "class 7" without one.
std::string ClassText(const v1::ClassProbability& entry);

// One step in a line:
// "step   3  expert 1.5    9,000 MACs (8.1% of the full model)  coverage 0.310
//  4.5ms  Sandal 0.912  Boot 0.050".
std::string StepLine(const v1::Prediction& prediction,
                     const v1::ModelInfo& model);

// A finished row in a line: the answer, whether it is right (when `sample` has
// a label), what it cost and why it stopped:
// "image 50: Coat 0.908 [right]  7/32 experts, 34.4% of MACs, 371us:
//  min_confidence reached".
std::string SummaryLine(const Sample& sample, const v1::Prediction& prediction,
                        const v1::ModelInfo& model);

// Sums over a run of samples.
struct Totals {
  uint64_t samples = 0;
  uint64_t labelled = 0;
  uint64_t right = 0;
  uint64_t steps = 0;
  uint64_t macs = 0;

  void Add(const Sample& sample, const v1::Prediction& prediction);
};

// "10 images: 9 of 10 right, 3.1 experts and 8.1% of the full model's MACs on
// average"; nothing about right ones when no sample has a label.
std::string TotalsLine(const Totals& totals, const v1::ModelInfo& model);

// The classes that `prediction` gives, a line each ended by a newline: all of
// them when it holds the probabilities, the top ones otherwise.
std::string ClassLines(const v1::Prediction& prediction,
                       const v1::ModelInfo& model);

// Protobuf's JSON in one line, with the names of the .proto file; numbers that
// are 0 and lists that are empty are there too.
std::string ToJson(const google::protobuf::Message& message);

// A model in a few lines, each ended by a newline.
std::string ModelText(const v1::ModelInfo& model);

}  // namespace mre

#endif  // MRE_CLIENT_CLI_TEXT_H_
