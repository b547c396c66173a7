#include "model/train/run_log.h"

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/json_fields.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

absl::Status LogError(absl::string_view what, const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat(what, " ", path));
}

// What is read of a line.
struct Line {
  int64_t step = 0;
  double seconds = -1;  // -1: it does not say
};

absl::StatusOr<Line> ReadLine(absl::string_view text) {
  ASSIGN_OR_RETURN(const auto json, ParseJson(text, "log"));
  Line line;
  JsonFields fields(json, "log");
  fields.Required("step", line.step);
  fields.Optional("seconds", line.seconds);
  RETURN_IF_ERROR(fields.status());
  return line;
}

}  // namespace

absl::StatusOr<KeptLog> LogUpTo(absl::string_view log, int64_t step) {
  KeptLog kept;
  size_t begin = 0;
  for (size_t line = 1;; ++line) {
    const size_t end = log.find('\n', begin);
    if (end == absl::string_view::npos) break;  // the end, or a torn last line
    const auto read = ReadLine(log.substr(begin, end - begin));
    if (!read.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", line, ": ", read.status().message(),
                       "; not a log of this program, left as it is"));
    }
    if (read->step > step) break;
    if (read->seconds >= 0) kept.seconds = read->seconds;
    begin = end + 1;
  }
  kept.lines = std::string(log.substr(0, begin));
  return kept;
}

RunLog::RunLog(std::FILE* file, std::string path)
    : file_(file), path_(std::move(path)) {}

RunLog::RunLog(RunLog&& other) noexcept
    : file_(std::exchange(other.file_, nullptr)),
      path_(std::move(other.path_)),
      seconds_(other.seconds_) {}

RunLog& RunLog::operator=(RunLog&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(path_, other.path_);
  std::swap(seconds_, other.seconds_);
  return *this;
}

RunLog::~RunLog() {
  if (file_ != nullptr) std::fclose(file_);
}

absl::StatusOr<RunLog> RunLog::Create(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return LogError("create", path);
  return RunLog(file, path);
}

absl::StatusOr<RunLog> RunLog::Resume(const std::string& path, int64_t step) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return Create(path);
  RETURN_IF_ERROR(text.status());
  const absl::StatusOr<KeptLog> kept = LogUpTo(*text, step);
  if (!kept.ok()) return AtPath(path, kept.status());
  RETURN_IF_ERROR(WriteFileAtomically(path, kept->lines));
  std::FILE* file = std::fopen(path.c_str(), "ae");
  if (file == nullptr) return LogError("open", path);
  RunLog log(file, path);
  log.seconds_ = kept->seconds;
  return log;
}

absl::Status RunLog::Write(absl::string_view json) {
  if (file_ == nullptr) return absl::OkStatus();
  const std::string line = absl::StrCat(json, "\n");
  if (std::fwrite(line.data(), 1, line.size(), file_) != line.size() ||
      std::fflush(file_) != 0) {
    return LogError("write", path_);
  }
  return absl::OkStatus();
}

}  // namespace mre
