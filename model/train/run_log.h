// The log of a training run: one JSON object a line, each with the member
// "step", the number of steps done when it was written.
#ifndef MRE_MODEL_TRAIN_RUN_LOG_H_
#define MRE_MODEL_TRAIN_RUN_LOG_H_

#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mre {

// What a run that goes on after step `step` keeps of a log: the lines up to
// that step, but a torn last line; and the member "seconds" of the last one
// that has it, or 0. INVALID_ARGUMENT naming a line that is not of a log.
struct KeptLog {
  std::string lines;
  double seconds = 0;
};
absl::StatusOr<KeptLog> LogUpTo(absl::string_view log, int64_t step);

// Appends lines to a file, each flushed at once. Movable, not thread-safe.
class RunLog {
 public:
  // Writes nowhere.
  RunLog() = default;
  // Starts the file anew.
  static absl::StatusOr<RunLog> Create(const std::string& path);
  // Goes on after step `step`, with what LogUpTo keeps. A missing file is
  // created. INVALID_ARGUMENT, and the file stays as it is, when it is no log.
  static absl::StatusOr<RunLog> Resume(const std::string& path, int64_t step);

  RunLog(RunLog&& other) noexcept;
  RunLog& operator=(RunLog&& other) noexcept;
  ~RunLog();

  // The member "seconds" of the last line that a resumed log kept; 0 elsewhere.
  double seconds() const { return seconds_; }

  // `json`: one object, without the line's end.
  absl::Status Write(absl::string_view json);

 private:
  RunLog(std::FILE* file, std::string path);

  std::FILE* file_ = nullptr;
  std::string path_;
  double seconds_ = 0;
};

}  // namespace mre

#endif  // MRE_MODEL_TRAIN_RUN_LOG_H_
