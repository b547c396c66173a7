// The flags of the door: DoorOptions, and where the metrics are.
#ifndef MRE_SERVER_DOOR_FLAGS_H_
#define MRE_SERVER_DOOR_FLAGS_H_

#include "server/config.h"

namespace CLI {
class App;
}  // namespace CLI

namespace mre {

// `config` must outlive the app's parsing.
void AddDoorFlags(CLI::App& app, ServerConfig& config);

// Throws a CLI::ValidationError for flags that need each other.
void CheckDoorFlags(const ServerConfig& config);

}  // namespace mre

#endif  // MRE_SERVER_DOOR_FLAGS_H_
