#include "model/base/file_stamp.h"

namespace mre {
namespace {

int64_t Nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

FileStamp StampOf(const struct stat& info) {
  return {.device = info.st_dev,
          .inode = info.st_ino,
          .size = info.st_size,
          .modified = Nanoseconds(info.st_mtim),
          .changed = Nanoseconds(info.st_ctim)};
}

FileStamp StampOf(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 ? StampOf(info) : FileStamp();
}

}  // namespace mre
