// The flags of the door: DoorOptions, and where the metrics are.
#ifndef MRE_SERVER_DOOR_FLAGS_H_
#define MRE_SERVER_DOOR_FLAGS_H_

#include <vector>

#include "server/config.h"
#include "server/flags.h"

namespace CLI {
class App;
}  // namespace CLI

namespace mre {

// `config` must outlive the app's parsing.
void AddDoorFlags(CLI::App& app, ServerConfig& config);

// Flags that need each other.
std::vector<FlagProblem> CheckDoorFlags(const ServerConfig& config);

}  // namespace mre

#endif  // MRE_SERVER_DOOR_FLAGS_H_
