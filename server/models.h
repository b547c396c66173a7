// The models of a configuration, for serving them and for --check.
#ifndef MRE_SERVER_MODELS_H_
#define MRE_SERVER_MODELS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "server/config.h"
#include "server/repository/repository.h"

namespace mre {

// Loads all versions that are to be served, at the chosen precision, refusing
// models of which the rows that may be alive would fill the machine's memory.
absl::StatusOr<std::unique_ptr<const Repository>> LoadModels(
    const ServerConfig& config);

// One row through every step: touches the weights that it uses, and shows that
// the model runs before anyone is told that it is ready. REQUIRES:
// served.ready().
void WarmUp(const ServedModel& served);

}  // namespace mre

#endif  // MRE_SERVER_MODELS_H_
