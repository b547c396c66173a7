#include "model/train/progress.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace mre {
namespace {

constexpr int64_t kBarWidth = 24;
constexpr absl::Duration kRedraw = absl::Milliseconds(100);

}  // namespace

std::string FormatSeconds(double seconds) {
  const int64_t whole = std::llround(seconds);
  if (whole < 3600) return absl::StrFormat("%d:%02d", whole / 60, whole % 60);
  return absl::StrFormat("%d:%02d:%02d", whole / 3600, whole / 60 % 60,
                         whole % 60);
}

void ProgressBar::Start(int64_t done, int64_t total) {
  first_ = done;
  total_ = std::max<int64_t>(total, 1);
  begin_ = options_.clock->Now();
}

void ProgressBar::Update(int64_t done, absl::string_view text) {
  if (!options_.bar) return;
  const absl::Time now = options_.clock->Now();
  if (now - drawn_ < kRedraw) return;
  drawn_ = now;
  const int64_t filled = std::min(kBarWidth, kBarWidth * done / total_);
  const std::string line = absl::StrCat("\r[", std::string(filled, '='),
                                        std::string(kBarWidth - filled, ' '),
                                        "] ", 100 * done / total_, "% left ",
                                        TimeLeft(done), "  ", text, "\x1b[K");
  std::fwrite(line.data(), 1, line.size(), options_.file);
  std::fflush(options_.file);
  visible_ = true;
}

void ProgressBar::Line(absl::string_view text) {
  Erase();
  const std::string line = absl::StrCat(text, "\n");
  std::fwrite(line.data(), 1, line.size(), options_.file);
  std::fflush(options_.file);
}

std::string ProgressBar::TimeLeft(int64_t done) const {
  if (done <= first_) return "?";
  const absl::Duration spent = options_.clock->Now() - begin_;
  const double ratio =
      static_cast<double>(total_ - done) / static_cast<double>(done - first_);
  return FormatSeconds(absl::ToDoubleSeconds(spent * ratio));
}

void ProgressBar::Erase() {
  if (!visible_) return;
  std::fputs("\r\x1b[K", options_.file);
  std::fflush(options_.file);
  visible_ = false;
}

}  // namespace mre
