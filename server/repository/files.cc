#include "server/repository/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "model/base/descriptor.h"
#include "model/base/file.h"
#include "model/base/machine_memory.h"
#include "model/base/status_macros.h"
#include "server/repository/model_settings.h"

namespace mre {
namespace {

constexpr char kFileName[] = "model.safetensors";

// A directory named `name` in the one that is open as `at`; never through a
// link.
int OpenDirectory(int at, const std::string& name) {
  return openat(at, name.c_str(),
                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int OpenRoot(const std::string& root) {
  return open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

// What could not be read just now, as errno has it. NOT_FOUND, else
// UNAVAILABLE: the codes of the system's errors mean other things to who asks a
// server.
absl::Status CannotRead(absl::string_view what, absl::string_view path) {
  const absl::Status status = ErrnoError(what, path);
  return absl::IsNotFound(status) ? status
                                  : absl::UnavailableError(status.message());
}

enum class EntryKind { kDirectory, kLink, kOther };

using EntryList = std::vector<std::pair<std::string, EntryKind>>;

// The entries of a directory but for "." and "..", in order.
absl::StatusOr<EntryList> Entries(int directory, absl::string_view path) {
  EntryList entries;
  const int copy = fcntl(directory, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return CannotRead("read the directory", path);
  DIR* const opened = fdopendir(copy);
  if (opened == nullptr) {
    absl::Status status = CannotRead("read the directory", path);
    close(copy);
    return status;
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(opened, closedir);
  errno = 0;
  while (const dirent* entry = readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat info;
    // What cannot be looked at may be a directory: who opens it is told why.
    EntryKind kind = EntryKind::kDirectory;
    if (fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
      kind = S_ISDIR(info.st_mode)   ? EntryKind::kDirectory
             : S_ISLNK(info.st_mode) ? EntryKind::kLink
                                     : EntryKind::kOther;
    } else if (errno == ENOENT) {
      errno = 0;
      continue;  // gone
    }
    entries.emplace_back(name, kind);
    errno = 0;
  }
  if (errno != 0) return CannotRead("read the directory", path);
  std::sort(entries.begin(), entries.end());
  return entries;
}

// The stamp of the file in the directory of a version, a link's if it is one.
// All zero, with errno set, when it cannot be looked at.
FileStamp StampIn(int version_directory) {
  struct stat info;
  if (fstatat(version_directory, kFileName, &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return {};
  }
  return StampOf(info);
}

// Adds a version of an open model to the scan, unless it is gone. Where its
// directory cannot be read its stamp is not known: loading it will say why, and
// other versions are not to suffer for it.
void ScanVersion(int model, const std::string& name, int64_t version,
                 RepositoryScan& scan) {
  const Descriptor directory(OpenDirectory(model, absl::StrCat(version)));
  if (!directory.ok() && errno == ENOENT) return;
  FileStamp& stamp = scan.models[name][version];
  if (!directory.ok()) return;
  stamp = StampIn(directory.get());
  if (stamp == FileStamp() && errno == ENOENT) {
    scan.empty[name].insert(version);
  }
}

// Adds a model to the scan. An error other than NOT_FOUND: what it holds is not
// known.
absl::Status ScanModel(int at, const std::string& name, const std::string& path,
                       RepositoryScan& scan) {
  const Descriptor directory(OpenDirectory(at, name));
  if (!directory.ok()) return CannotRead("open", path);
  ASSIGN_OR_RETURN(const EntryList entries, Entries(directory.get(), path));
  std::vector<std::string> skipped;
  for (const auto& [entry, kind] : entries) {
    const int64_t version = ParseVersion(entry);
    if (kind == EntryKind::kLink) {
      skipped.push_back(absl::StrCat(path, "/", entry, ": a link"));
    } else if (kind == EntryKind::kDirectory && version == 0) {
      skipped.push_back(absl::StrCat(path, "/", entry, ": no version number"));
    } else if (kind == EntryKind::kDirectory) {
      ScanVersion(directory.get(), name, version, scan);
    }
  }
  // A directory without any version is something else.
  if (!scan.models.contains(name)) return absl::OkStatus();
  std::move(skipped.begin(), skipped.end(), std::back_inserter(scan.skipped));
  return absl::OkStatus();
}

}  // namespace

int64_t ParseVersion(absl::string_view directory) {
  int64_t version = 0;
  const bool digits =
      std::all_of(directory.begin(), directory.end(), absl::ascii_isdigit);
  if (!digits || directory.empty() || directory.front() == '0' ||
      !absl::SimpleAtoi(directory, &version)) {
    return 0;
  }
  return version;
}

absl::StatusOr<RepositoryScan> ScanRepository(const std::string& root) {
  const Descriptor directory(OpenRoot(root));
  if (!directory.ok()) return CannotRead("cannot read the directory", root);
  ASSIGN_OR_RETURN(const EntryList entries, Entries(directory.get(), root));
  RepositoryScan scan;
  for (const auto& [name, kind] : entries) {
    const std::string path = absl::StrCat(root, "/", name);
    if (kind == EntryKind::kLink) {
      scan.skipped.push_back(absl::StrCat(path, ": a link"));
    } else if (kind != EntryKind::kDirectory) {
      continue;
    } else if (IsModelName(name)) {
      const absl::Status status = ScanModel(directory.get(), name, path, scan);
      if (!status.ok() && !absl::IsNotFound(status)) {
        scan.unreadable[name] = std::string(status.message());
      }
    } else {
      scan.skipped.push_back(absl::StrCat(path, ": not a model name"));
    }
  }
  return scan;
}

std::string ModelFilePath(absl::string_view root, absl::string_view name,
                          int64_t version) {
  return absl::StrCat(root, "/", name, "/", version, "/", kFileName);
}

absl::StatusOr<std::string> ReadModelFile(const std::string& root,
                                          const std::string& name,
                                          int64_t version, FileStamp* stamp) {
  *stamp = {};
  const std::string path = ModelFilePath(root, name, version);
  const Descriptor top(OpenRoot(root));
  const Descriptor model(top.ok() ? OpenDirectory(top.get(), name) : -1);
  const Descriptor directory(
      model.ok() ? OpenDirectory(model.get(), absl::StrCat(version)) : -1);
  if (!directory.ok()) return CannotRead("open the directory of", path);
  // O_NONBLOCK: opening a pipe must not wait for its writer.
  const Descriptor file(openat(directory.get(), kFileName,
                               O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.ok()) {
    if (errno == ELOOP) {
      *stamp = StampIn(directory.get());
      return absl::InvalidArgumentError(
          absl::StrCat(path, " is a link; expected a regular file"));
    }
    return CannotRead("open", path);
  }
  struct stat info;
  if (fstat(file.get(), &info) != 0) return CannotRead("stat", path);
  *stamp = StampOf(info);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is not a regular file"));
  }
  // A file may claim any size without taking it on the disk.
  const int64_t most = MachineMemory() / 2;
  if (info.st_size > most) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " has ", info.st_size, " bytes, and half of this ",
                     "machine's memory is ", most));
  }
  auto bytes = ReadOpenFile(file.get(), info.st_size, path);
  if (bytes.ok()) return bytes;
  *stamp = {};
  return absl::UnavailableError(bytes.status().message());
}

bool LooksLikeAModel(const std::string& root) {
  const Descriptor directory(OpenRoot(root));
  if (!directory.ok()) return false;
  const auto entries = Entries(directory.get(), root);
  if (!entries.ok()) return false;
  for (const auto& [name, kind] : *entries) {
    if (kind != EntryKind::kDirectory || ParseVersion(name) == 0) continue;
    const Descriptor version(OpenDirectory(directory.get(), name));
    if (version.ok() && StampIn(version.get()) != FileStamp()) return true;
  }
  return false;
}

}  // namespace mre
