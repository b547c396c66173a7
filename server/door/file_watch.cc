#include "server/door/file_watch.h"

#include <utility>

namespace mre {

FileWatch::FileWatch(std::vector<std::string> paths,
                     std::function<absl::Status()> take)
    : paths_(std::move(paths)), take_(std::move(take)), stamps_(Stamps()) {}

absl::Status FileWatch::Look() {
  std::vector<FileStamp> now = Stamps();
  if (now == stamps_ && last_.ok()) return absl::OkStatus();
  stamps_ = std::move(now);
  const absl::Status before = std::exchange(last_, take_());
  return last_ == before ? absl::OkStatus() : last_;
}

std::vector<FileStamp> FileWatch::Stamps() const {
  std::vector<FileStamp> stamps;
  for (const std::string& path : paths_) stamps.push_back(StampOf(path));
  return stamps;
}

}  // namespace mre
