// Files: read-only maps, whole reads, replacement that is never seen half done;
// directories.
#ifndef MRE_MODEL_BASE_FILE_H_
#define MRE_MODEL_BASE_FILE_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mre {

// A file's bytes, mapped read-only. Movable; unmapped when destroyed. The
// bytes change under the reader if another process writes into the file in
// place: replace files with WriteFileAtomically instead.
class MappedFile {
 public:
  // NOT_FOUND when there is no such file; INVALID_ARGUMENT when it is not a
  // regular file.
  static absl::StatusOr<MappedFile> Open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const {
    return {static_cast<const std::byte*>(data_), size_};
  }

 private:
  MappedFile(void* data, size_t size) : data_(data), size_(size) {}

  void* data_;
  size_t size_;
};

// The first `most` bytes of a file, or all that there are. Read, not mapped:
// whoever writes into the file meanwhile changes what is read, and no more than
// that. Errors as those of MappedFile::Open.
absl::StatusOr<std::string> ReadFile(
    const std::string& path,
    int64_t most = std::numeric_limits<int64_t>::max());

// What is left of an open file of about `size` bytes; `path` is for errors. It
// may have become shorter.
absl::StatusOr<std::string> ReadOpenFile(int fd, int64_t size,
                                         const std::string& path);

// Writes `contents` to a temporary file beside `path`, flushes it to the disk
// and renames it: whoever opens `path`, at any moment and after a power cut,
// finds the old bytes or the new ones.
absl::Status WriteFileAtomically(const std::string& path,
                                 absl::string_view contents);

// `path` and the directories above it that are missing. FAILED_PRECONDITION
// when one cannot be made; an empty path is there already.
absl::Status MakeDirectories(const std::string& path);

// An error about a file's content, with the file in front.
absl::Status AtPath(const std::string& path, const absl::Status& status);

// The error that errno tells of: "WHAT PATH: No such file or directory".
absl::Status ErrnoError(absl::string_view what, absl::string_view path);

// Makes and removes the temporary file that WriteFileAtomically(path, ...)
// would write: an error when it could not do so.
absl::Status TryWriting(const std::string& path);

}  // namespace mre

#endif  // MRE_MODEL_BASE_FILE_H_
