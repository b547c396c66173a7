// The subcommands of `mre`. Each does its work with stdout and stderr and
// returns the process's exit code.
#ifndef MRE_CLIENT_CLI_COMMANDS_H_
#define MRE_CLIENT_CLI_COMMANDS_H_

#include "client/cli/flags.h"

namespace mre {

inline constexpr int kExitOk = 0;
// The server cannot be reached or the call failed; health: not serving.
inline constexpr int kExitFailed = 1;
// A flag that makes no sense, or input that cannot be read or does not fit.
inline constexpr int kExitUsage = 2;

int RunStream(const Flags& flags);  // stream_command.cc
int RunPredict(const Flags& flags);
int RunModels(const Flags& flags);
int RunLoad(const Flags& flags);
int RunUnload(const Flags& flags);
int RunHealth(const Flags& flags);

}  // namespace mre

#endif  // MRE_CLIENT_CLI_COMMANDS_H_
