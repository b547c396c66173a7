#include "server/models.h"

#include <unistd.h>

#include <cstdint>
#include <vector>

#include "model/engine/engine.h"

namespace mre {
namespace {

// What a row may take (PackedModel::RowBytes) so that all rows that may be
// alive fill half of the machine's memory at most, grown by doubling.
int64_t MaxRowBytes(const ServerConfig& config) {
  const int64_t memory =
      int64_t{sysconf(_SC_PHYS_PAGES)} * int64_t{sysconf(_SC_PAGE_SIZE)};
  return memory / 4 / (config.max_active_rows + config.max_queued_rows);
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Repository>> LoadModels(
    const ServerConfig& config) {
  return Repository::Load(config.model_repository, ChosenPrecision(config),
                          MaxRowBytes(config));
}

void WarmUp(const ServedModel& served) {
  const std::unique_ptr<Engine> engine = Engine::Create(served.model);
  const std::vector<float> input(served.model->config().input.size(), 0.0f);
  const int row = engine->Begin(input, {});
  do {
    engine->Step({&row, 1});
  } while (!engine->progress(row).exhausted);
}

}  // namespace mre
