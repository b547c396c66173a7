// A file descriptor with an owner.
#ifndef MRE_MODEL_BASE_DESCRIPTOR_H_
#define MRE_MODEL_BASE_DESCRIPTOR_H_

#include <unistd.h>

namespace mre {

// Closes the descriptor when it leaves the scope; a negative one is none.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }

  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  const int fd_;
};

}  // namespace mre

#endif  // MRE_MODEL_BASE_DESCRIPTOR_H_
