// Ctrl-C and SIGTERM as something to ask for, not as an end.
#ifndef MRE_CLIENT_LOADTEST_INTERRUPTS_H_
#define MRE_CLIENT_LOADTEST_INTERRUPTS_H_

namespace mre {

// While one lives, the signals only wait to be taken; afterwards they end the
// process again. At most one at a time: signals are the whole process's.
class Interrupts {
 public:
  Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;
  ~Interrupts();

  // Whether one has come since the last call. Does not wait.
  bool Take();
};

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_INTERRUPTS_H_
