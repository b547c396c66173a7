#include "server/door/file_watch.h"

#include <utility>

namespace mre {

FileWatch::FileWatch(std::vector<std::string> paths)
    : paths_(std::move(paths)), stamps_(Stamps()) {}

bool FileWatch::Changed() {
  std::vector<FileStamp> now = Stamps();
  const bool changed = now != stamps_;
  stamps_ = std::move(now);
  return changed;
}

std::vector<FileStamp> FileWatch::Stamps() const {
  std::vector<FileStamp> stamps;
  for (const std::string& path : paths_) stamps.push_back(StampOf(path));
  return stamps;
}

}  // namespace mre
