#include "model/train/run_log.h"

#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

absl::Status LogError(absl::string_view what, const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat(what, " ", path));
}

// The part of `text` that a run resumed at `step` keeps; `seconds` is set to
// that of its last line.
absl::StatusOr<std::string> LinesUpTo(const std::string& text, int64_t step,
                                      double& seconds) {
  size_t begin = 0;
  for (size_t line = 1;; ++line) {
    const size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;  // the end, or a torn last line
    const auto json =
        nlohmann::json::parse(text.begin() + begin, text.begin() + end, nullptr,
                              /*allow_exceptions=*/false);
    if (!json.is_object() || !json.contains("step") ||
        !json["step"].is_number_integer()) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", line,
                       ": expected a JSON object with a \"step\"; not a log "
                       "of this program, left as it is"));
    }
    if (json["step"].get<int64_t>() > step) break;
    if (json.contains("seconds") && json["seconds"].is_number()) {
      seconds = json["seconds"].get<double>();
    }
    begin = end + 1;
  }
  return text.substr(0, begin);
}

}  // namespace

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
  double seconds = 0;
  const absl::StatusOr<std::string> kept = LinesUpTo(*text, step, seconds);
  if (!kept.ok()) {
    return absl::Status(kept.status().code(),
                        absl::StrCat(path, ": ", kept.status().message()));
  }
  RETURN_IF_ERROR(WriteFileAtomically(path, *kept));
  std::FILE* file = std::fopen(path.c_str(), "ae");
  if (file == nullptr) return LogError("open", path);
  RunLog log(file, path);
  log.seconds_ = seconds;
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
