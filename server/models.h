// The models of a configuration, for serving them and for --check.
#ifndef MRE_SERVER_MODELS_H_
#define MRE_SERVER_MODELS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "server/config.h"
#include "server/repository/repository.h"

namespace mre {

// Loads the versions that are to be served at the start, at the chosen
// precision, refusing models of which the rows that may be alive would fill the
// machine's memory; follows the configuration file's "models" from then on.
// `observer` may be null.
absl::StatusOr<std::unique_ptr<Repository>> OpenRepository(
    const ServerConfig& config, Repository::Observer* observer);

// How the flag's value reads.
Repository::Control ModelControl(const ServerConfig& config);

}  // namespace mre

#endif  // MRE_SERVER_MODELS_H_
