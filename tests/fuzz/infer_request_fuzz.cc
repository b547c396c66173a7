// Any ModelInferRequest is refused, in words that fit a message, or can be run:
// its rows match its input, its budget lets step 0 happen, and the response
// pairs each output with as many bytes as its shape says.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <utility>

#include "model/engine/engine.h"
#include "proto/inference/grpc_service.pb.h"
#include "server/service/inference_convert.h"
#include "tests/fuzz/small_model.h"

namespace {

using mre::kMaxRows;
using mre::Make;
using mre::Require;

int64_t SizeOf(const std::string& datatype) {
  if (datatype == "UINT64") return 8;
  if (datatype == "BOOL") return 1;
  Require(datatype == "FP32" || datatype == "INT32");
  return 4;
}

void RunOn(const mre::ServedModel& served,
           const inference::ModelInferRequest& message) {
  inference::ModelStreamInferResponse answer;
  auto parsed = mre::ParseInferRequest(message, served, kMaxRows);
  if (!parsed.ok()) {
    mre::FillInferError(message, parsed.status(), &answer);
    Require(!answer.error_message().empty());
    Require(answer.ByteSizeLong() < 8192);
    // Strings have to be UTF-8, or no client can read the stream.
    Require(answer.ParseFromString(answer.SerializeAsString()));
    return;
  }
  const mre::Request::Spec& spec = parsed->request;
  Require(spec.rows >= 1 && spec.rows <= kMaxRows);
  Require(spec.input.size() == spec.rows * 4);
  Require(spec.priority >= mre::kFirstPriority &&
          spec.priority <= mre::kLastPriority);
  Require(spec.budget.max_time >= absl::ZeroDuration());
  for (const float value : spec.input) Require(std::isfinite(value));
  const uint64_t step_zero = served.model->cost().After(0);
  Require(spec.budget.max_macs == 0 || spec.budget.max_macs >= step_zero);

  const auto engine = mre::Engine::Create(served.model);
  const int row =
      engine->Begin(std::span(spec.input).subspan(0, 4),
                    {spec.sampled, spec.seed, 0}, spec.budget.thresholds);
  engine->Step({&row, 1});
  engine->Step({&row, 1});
  const auto p = engine->probabilities(row);
  mre::Prediction prediction;
  prediction.probabilities.assign(p.begin(), p.end());
  auto* response = answer.mutable_infer_response();
  mre::FillStepResponse({&prediction, 1}, parsed->answer, served, true,
                        response);
  Require(response->outputs_size() == response->raw_output_contents_size());
  Require(message.outputs().empty() ||
          message.outputs_size() == response->outputs_size());
  for (int i = 0; i < response->outputs_size(); ++i) {
    int64_t bytes = SizeOf(response->outputs(i).datatype());
    for (const int64_t dim : response->outputs(i).shape()) bytes *= dim;
    Require(static_cast<int64_t>(response->raw_output_contents(i).size()) ==
            bytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const mre::ServedModel* mre_model =
      new mre::ServedModel(Make(mre::Kind::kMre));
  static const mre::ServedModel* rays =
      new mre::ServedModel(Make(mre::Kind::kRaytracing));
  inference::ModelInferRequest message;
  if (!message.ParseFromArray(data, static_cast<int>(size))) return 0;
  RunOn(*mre_model, message);
  RunOn(*rays, message);
  return 0;
}
