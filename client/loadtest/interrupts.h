// Ctrl-C and SIGTERM as something to ask for, not as an end.
#ifndef MRE_CLIENT_LOADTEST_INTERRUPTS_H_
#define MRE_CLIENT_LOADTEST_INTERRUPTS_H_

#include <signal.h>

namespace mre {

class Interrupts {
 public:
  // From now on the signals wait to be taken. Call before any thread starts:
  // threads inherit that.
  static Interrupts Block();

  // Whether one has come since the last call. Does not wait.
  bool Take() const;

 private:
  Interrupts() = default;

  sigset_t signals_;
};

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_INTERRUPTS_H_
