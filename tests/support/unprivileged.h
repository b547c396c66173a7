// Files as a user sees them whom their modes hold, for tests that run as root.
#ifndef MRE_TESTS_SUPPORT_UNPRIVILEGED_H_
#define MRE_TESTS_SUPPORT_UNPRIVILEGED_H_

#include <sys/fsuid.h>
#include <unistd.h>

namespace mre {

// While it lives its thread opens files as nobody, if the process is root's.
// Threads that are started meanwhile do so for good.
class Unprivileged {
 public:
  Unprivileged() : root_(geteuid() == 0) {
    if (root_) setfsuid(kNobody);
  }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;
  ~Unprivileged() {
    if (root_) setfsuid(0);
  }

 private:
  static constexpr uid_t kNobody = 65534;
  const bool root_;
};

}  // namespace mre

#endif  // MRE_TESTS_SUPPORT_UNPRIVILEGED_H_
