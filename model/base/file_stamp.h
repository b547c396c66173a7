// Whether a file is another than before, without reading it.
#ifndef MRE_MODEL_BASE_FILE_STAMP_H_
#define MRE_MODEL_BASE_FILE_STAMP_H_

#include <sys/stat.h>

#include <cstdint>
#include <string>

namespace mre {

// Changes with a file's content, unless somebody takes pains that it does not.
// All zero: there is no file.
struct FileStamp {
  uint64_t device = 0;
  uint64_t inode = 0;
  int64_t size = 0;
  int64_t modified = 0;  // nanoseconds
  int64_t changed = 0;   // of the file's record, nanoseconds

  bool operator==(const FileStamp&) const = default;
};

FileStamp StampOf(const struct stat& info);

// Of the file at `path`, behind links.
FileStamp StampOf(const std::string& path);

}  // namespace mre

#endif  // MRE_MODEL_BASE_FILE_STAMP_H_
