#include "client/cli/setup.h"

#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/request.h"
#include "client/cli/text.h"
#include "client/console/request_flags.h"
#include "client/console/words.h"
#include "model/base/status_macros.h"

namespace mre {

int FailCall(const absl::Status& status) {
  std::cerr << "mre: " << ErrorText(status) << std::endl;
  return kExitFailed;
}

int FailUsage(const absl::Status& status) {
  std::cerr << "mre: " << Printable(status.message()) << std::endl;
  return kExitUsage;
}

v1::PredictRequest Setup::RequestFor(size_t i) const {
  v1::PredictRequest result = request;
  result.set_request_id(samples[i].name);
  *result.mutable_input() = samples[i].tensor;
  return result;
}

int Connect(const Flags& flags, std::unique_ptr<Client>& client) {
  const auto options = MakeClientOptions(flags);
  if (!options.ok()) return FailUsage(options.status());
  auto connected = Client::Connect(*options);
  if (absl::IsInvalidArgument(connected.status())) {
    return FailUsage(connected.status());
  }
  if (!connected.ok()) return FailCall(connected.status());
  client = *std::move(connected);
  return kExitOk;
}

int Prepare(const Flags& flags, Setup& setup) {
  auto request = MakeRequest(flags);
  if (!request.ok()) return FailUsage(request.status());
  setup.request = *std::move(request);
  const auto call = MakeCallOptions(flags);
  if (!call.ok()) return FailUsage(call.status());
  setup.call = *call;
  const auto input = Input::Read(flags.input);
  if (!input.ok()) return FailUsage(input.status());

  if (const int exit = Connect(flags, setup.client); exit != kExitOk) {
    return exit;
  }
  auto model = setup.client->FindModel(
      flags.model, {flags.model_version, flags.model_label}, setup.call);
  if (!model.ok()) return FailCall(model.status());
  setup.model = *std::move(model);
  setup.request.set_model_name(setup.model.model_name());
  // A label's version may be another one when the request is made.
  if (flags.model_label.empty()) {
    setup.request.set_model_version(setup.model.model_version());
  } else {
    setup.request.set_model_label(flags.model_label);
  }

  const std::vector<int64_t> shape(setup.model.input_shape().begin(),
                                   setup.model.input_shape().end());
  for (size_t i = 0; i < input->size(); ++i) {
    auto sample = input->At(i, shape);
    if (!sample.ok()) return FailUsage(sample.status());
    setup.samples.push_back(*std::move(sample));
  }
  return kExitOk;
}

}  // namespace mre
