#include "server/door/file_watch.h"

#include <sys/stat.h>

#include <utility>

namespace mre {
namespace {

int64_t Nanos(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

FileWatch::FileWatch(std::vector<std::string> paths)
    : paths_(std::move(paths)), stamps_(Stamps()) {}

bool FileWatch::Changed() {
  std::vector<Stamp> now = Stamps();
  const bool changed = now != stamps_;
  stamps_ = std::move(now);
  return changed;
}

FileWatch::Stamp FileWatch::StampOf(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return {};
  return {.there = true,
          .device = info.st_dev,
          .inode = info.st_ino,
          .size = info.st_size,
          .modified_ns = Nanos(info.st_mtim),
          .changed_ns = Nanos(info.st_ctim)};
}

std::vector<FileWatch::Stamp> FileWatch::Stamps() const {
  std::vector<Stamp> stamps;
  for (const std::string& path : paths_) stamps.push_back(StampOf(path));
  return stamps;
}

Repeat::Repeat(absl::Duration period, std::function<void()> what)
    : period_(period), what_(std::move(what)), thread_([this] { Run(); }) {}

Repeat::~Repeat() {
  {
    absl::MutexLock lock(&mu_);
    ending_ = true;
  }
  thread_.join();
}

void Repeat::Run() {
  absl::MutexLock lock(&mu_);
  while (!mu_.AwaitWithTimeout(absl::Condition(&ending_), period_)) {
    mu_.Unlock();
    what_();
    mu_.Lock();
  }
}

}  // namespace mre
