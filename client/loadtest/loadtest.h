// A whole run of mre-loadtest.
#ifndef MRE_CLIENT_LOADTEST_LOADTEST_H_
#define MRE_CLIENT_LOADTEST_LOADTEST_H_

#include "client/loadtest/flags.h"

namespace mre {

inline constexpr int kExitDone = 0;
// No request succeeded, or the server could not be reached at the end.
inline constexpr int kExitFailed = 1;
// A flag that makes no sense, or inputs that cannot be read or do not fit.
inline constexpr int kExitUsage = 2;

// Does what the flags say, with stdout and stderr, and returns the process's
// exit code. While requests run it takes SIGINT and SIGTERM.
int RunLoadtest(LoadtestFlags flags);

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_LOADTEST_H_
