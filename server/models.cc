#include "server/models.h"

#include <cstdint>
#include <utility>

#include "absl/time/time.h"
#include "model/base/machine_memory.h"
#include "model/base/status_macros.h"
#include "server/config_file.h"

namespace mre {
namespace {

// What a row may take (PackedModel::RowBytes) so that all rows that may be
// alive fill half of the machine's memory at most, grown by doubling.
int64_t MaxRowBytes(const ServerConfig& config) {
  return MachineMemory() / 4 /
         (config.max_active_rows + config.max_queued_rows);
}

}  // namespace

Repository::Control ModelControl(const ServerConfig& config) {
  if (config.model_control_mode == "poll") return Repository::Control::kPoll;
  if (config.model_control_mode == "explicit") {
    return Repository::Control::kExplicit;
  }
  return Repository::Control::kNone;
}

absl::StatusOr<std::unique_ptr<Repository>> OpenRepository(
    const ServerConfig& config, Repository::Observer* observer) {
  Repository::Options options;
  options.load = {.root = config.model_repository,
                  .precision = ChosenPrecision(config),
                  .max_row_bytes = MaxRowBytes(config)};
  options.control = ModelControl(config);
  options.load_models = config.load_model;
  ASSIGN_OR_RETURN(options.versions, ParseVersionPolicy(config.version_policy));
  options.poll = absl::Seconds(config.repository_poll_seconds);
  if (!config.config_file.empty()) {
    options.settings = [file = config.config_file] {
      return ReadModelSettings(file);
    };
  }
  options.observer = observer;
  return Repository::Open(std::move(options));
}

}  // namespace mre
