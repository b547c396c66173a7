// Tells a person how far a run is: a bar on a terminal, else plain lines.
#ifndef MRE_MODEL_TRAIN_PROGRESS_H_
#define MRE_MODEL_TRAIN_PROGRESS_H_

#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "model/base/clock.h"

namespace mre {

// "1:05" or "2:03:10".
std::string FormatSeconds(double seconds);

// Not thread-safe. Borrows the file and the clock.
class ProgressBar {
 public:
  struct Options {
    std::FILE* file = stderr;
    bool bar = false;  // redraw one line, ten times a second at most
    const Clock* clock = Clock::Real();
  };

  explicit ProgressBar(const Options& options) : options_(options) {}
  ~ProgressBar() { Erase(); }

  // `total` units lie ahead, `done` of them behind; the time left is judged by
  // what is done from here on.
  void Start(int64_t done, int64_t total);
  // Redraws the bar, if there is one; `text` follows it.
  void Update(int64_t done, absl::string_view text);
  // Prints a line of its own.
  void Line(absl::string_view text);
  // As FormatSeconds; "?" before anything is done.
  std::string TimeLeft(int64_t done) const;

 private:
  void Erase();

  const Options options_;
  int64_t first_ = 0;
  int64_t total_ = 1;
  absl::Time begin_;
  absl::Time drawn_ = absl::InfinitePast();
  bool visible_ = false;
};

}  // namespace mre

#endif  // MRE_MODEL_TRAIN_PROGRESS_H_
