#include "model/base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/descriptor.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

// O_NONBLOCK: opening a pipe must not wait for its writer.
int OpenToRead(const std::string& path) {
  return open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

// Of a regular file that has just been opened, or not.
absl::StatusOr<int64_t> SizeOf(const Descriptor& fd, const std::string& path) {
  if (!fd.ok()) return ErrnoError("open", path);
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return ErrnoError("stat", path);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is not a regular file"));
  }
  return info.st_size;
}

// A name beside `path`, another for each call: threads may replace the same
// file.
std::string TemporaryFor(const std::string& path) {
  static std::atomic<uint64_t> calls = 0;
  return absl::StrCat(path, ".tmp.", getpid(), ".", ++calls);
}

int Create(const std::string& path) {
  return open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
}

absl::Status WriteAll(int fd, absl::string_view contents,
                      const std::string& path) {
  while (!contents.empty()) {
    const ssize_t n = write(fd, contents.data(), contents.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return ErrnoError("write", path);
    }
    contents.remove_prefix(static_cast<size_t>(n));
  }
  if (fsync(fd) != 0) return ErrnoError("fsync", path);
  return absl::OkStatus();
}

// Makes a rename in the directory of `path` outlast a power cut.
absl::Status SyncDirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string dir =
      slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Descriptor fd(open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return ErrnoError("open directory", dir);
  if (fsync(fd.get()) != 0) return ErrnoError("fsync directory", dir);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<MappedFile> MappedFile::Open(const std::string& path) {
  const Descriptor fd(OpenToRead(path));
  ASSIGN_OR_RETURN(const int64_t bytes, SizeOf(fd, path));
  const auto size = static_cast<size_t>(bytes);
  if (size == 0) return MappedFile(nullptr, 0);
  void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (data == MAP_FAILED) return ErrnoError("mmap", path);
  return MappedFile(data, size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(data_, size_);
}

absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t most) {
  const Descriptor fd(OpenToRead(path));
  ASSIGN_OR_RETURN(const int64_t size, SizeOf(fd, path));
  return ReadOpenFile(fd.get(), std::min(size, most), path);
}

absl::StatusOr<std::string> ReadOpenFile(int fd, int64_t size,
                                         const std::string& path) {
  std::string bytes(static_cast<size_t>(size), '\0');
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = read(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError("read", path);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

absl::Status WriteFileAtomically(const std::string& path,
                                 absl::string_view contents) {
  const std::string temporary = TemporaryFor(path);
  absl::Status status;
  {
    const Descriptor fd(Create(temporary));
    if (fd.get() < 0) return ErrnoError("create", temporary);
    status = WriteAll(fd.get(), contents, temporary);
  }
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) {
    status = ErrnoError("rename to", path);
  }
  if (!status.ok()) {
    unlink(temporary.c_str());
    return status;
  }
  return SyncDirectoryOf(path);
}

absl::Status MakeDirectories(const std::string& path) {
  std::error_code error;
  if (!path.empty()) std::filesystem::create_directories(path, error);
  if (!error) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("make the directory ", path, ": ", error.message()));
}

absl::Status ErrnoError(absl::string_view what, absl::string_view path) {
  const int error = errno;
  return absl::ErrnoToStatus(error, absl::StrCat(what, " ", path));
}

absl::Status AtPath(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(path, ": ", status.message()));
}

absl::Status TryWriting(const std::string& path) {
  const std::string temporary = TemporaryFor(path);
  const Descriptor fd(Create(temporary));
  if (fd.get() < 0) return ErrnoError("create", temporary);
  if (unlink(temporary.c_str()) != 0) return ErrnoError("remove", temporary);
  return absl::OkStatus();
}

}  // namespace mre
