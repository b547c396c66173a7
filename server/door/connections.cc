#include "server/door/connections.h"

#include <sys/stat.h>

namespace mre {
namespace {

constexpr absl::Duration kLookEvery = absl::Milliseconds(100);

// Of an open socket; 0: it is none.
ino_t InodeOf(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISSOCK(info.st_mode)) return 0;
  return info.st_ino;
}

}  // namespace

bool Connections::Add(int socket) {
  absl::MutexLock lock(&mu_);
  if (sockets_.size() >= limit_) {
    const absl::Time now = clock_->Now();
    if (now - looked_ < kLookEvery) return false;
    looked_ = now;
    ForgetClosed();
    if (sockets_.size() >= limit_) return false;
  }
  sockets_.emplace_back(socket, InodeOf(socket));
  return true;
}

int64_t Connections::open() {
  absl::MutexLock lock(&mu_);
  ForgetClosed();
  return static_cast<int64_t>(sockets_.size());
}

void Connections::ForgetClosed() {
  std::erase_if(sockets_, [](const std::pair<int, ino_t>& socket) {
    return InodeOf(socket.first) != socket.second;
  });
}

}  // namespace mre
