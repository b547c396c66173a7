// mre-server --check.
#ifndef MRE_SERVER_CHECK_H_
#define MRE_SERVER_CHECK_H_

#include "server/config.h"

namespace mre {

// Loads every version that would be served and runs it once, without listening:
// a line each on stdout, and on stderr what is wrong. The code to exit with: 0
// when all is well, else 1.
int CheckModels(const ServerConfig& config);

}  // namespace mre

#endif  // MRE_SERVER_CHECK_H_
