// mre-server's flags, each defined once: the command line and the configuration
// file read them from here.
#ifndef MRE_SERVER_FLAGS_H_
#define MRE_SERVER_FLAGS_H_

#include <string>
#include <vector>

#include "server/config.h"

namespace CLI {
class App;
}  // namespace CLI

namespace mre {

// Gives every member of `config` its flag. `config` outlives `app`.
void AddAllFlags(CLI::App& app, ServerConfig& config);

// A value that does not fit the others.
struct FlagProblem {
  std::string flag;  // without dashes
  std::string text;  // "expected ..., got ..."
};

// After parsing: fills in the defaults that follow from other values, and says
// what does not go together.
std::vector<FlagProblem> CheckFlags(const CLI::App& app, ServerConfig& config);

}  // namespace mre

#endif  // MRE_SERVER_FLAGS_H_
