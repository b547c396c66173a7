#include "client/cli/commands.h"

#include <iostream>
#include <memory>

#include "client/cli/setup.h"
#include "client/cli/text.h"
#include "client/console/request_flags.h"

namespace mre {

int RunPredict(const Flags& flags) {
  Setup setup;
  if (const int exit = Prepare(flags, setup); exit != kExitOk) return exit;
  Totals totals;
  for (size_t i = 0; i < setup.samples.size(); ++i) {
    const auto update = setup.client->Predict(setup.RequestFor(i), setup.call);
    if (!update.ok()) return FailCall(update.status());
    if (flags.json) {
      std::cout << ToJson(*update) << std::endl;
      continue;
    }
    for (const v1::Prediction& prediction : update->predictions()) {
      totals.Add(setup.samples[i], prediction);
      std::cout << SummaryLine(setup.samples[i], prediction, setup.model)
                << std::endl;
      if (setup.samples.size() == 1 || flags.probabilities) {
        std::cout << ClassLines(prediction, setup.model);
      }
    }
  }
  if (totals.samples > 1) {
    std::cout << TotalsLine(totals, setup.model) << std::endl;
  }
  return kExitOk;
}

int RunModels(const Flags& flags) {
  const auto call = MakeCallOptions(flags);
  if (!call.ok()) return FailUsage(call.status());
  std::unique_ptr<Client> client;
  if (const int exit = Connect(flags, client); exit != kExitOk) return exit;
  const auto list = client->ListModels(*call);
  if (!list.ok()) return FailCall(list.status());
  if (flags.json) {
    std::cout << ToJson(*list) << std::endl;
    return kExitOk;
  }
  for (const v1::ModelInfo& model : list->models()) {
    std::cout << ModelText(model);
  }
  return kExitOk;
}

namespace {

int Control(const Flags& flags,
            absl::Status (Client::*command)(const std::string&,
                                            const CallOptions&) const,
            absl::string_view done) {
  const auto call = MakeCallOptions(flags);
  if (!call.ok()) return FailUsage(call.status());
  std::unique_ptr<Client> client;
  if (const int exit = Connect(flags, client); exit != kExitOk) return exit;
  const absl::Status status = ((*client).*command)(flags.name, *call);
  if (!status.ok()) return FailCall(status);
  std::cout << done << " " << flags.name << std::endl;
  return kExitOk;
}

}  // namespace

int RunLoad(const Flags& flags) {
  return Control(flags, &Client::LoadModel, "loaded");
}

int RunUnload(const Flags& flags) {
  return Control(flags, &Client::UnloadModel, "unloaded");
}

int RunHealth(const Flags& flags) {
  const auto call = MakeCallOptions(flags);
  if (!call.ok()) return FailUsage(call.status());
  std::unique_ptr<Client> client;
  if (const int exit = Connect(flags, client); exit != kExitOk) return exit;
  const auto status = client->Health(flags.service, *call);
  if (!status.ok()) return FailCall(status.status());
  switch (*status) {
    case ServingStatus::kServing:
      std::cout << "SERVING" << std::endl;
      return kExitOk;
    case ServingStatus::kNotServing:
      std::cout << "NOT_SERVING" << std::endl;
      return kExitFailed;
    case ServingStatus::kUnknown:
      break;
  }
  std::cout << "UNKNOWN" << std::endl;
  return kExitFailed;
}

}  // namespace mre
