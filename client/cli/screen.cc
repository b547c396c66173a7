#include "client/cli/screen.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace mre {
namespace {

constexpr char kHideCursor[] = "\x1b[?25l";
constexpr char kShowCursor[] = "\x1b[0m\x1b[?25h";
constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};

absl::string_view Variable(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? absl::string_view() : absl::string_view(value);
}

winsize TerminalSize() {
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 ||
      size.ws_row == 0) {
    size.ws_col = 80;
    size.ws_row = 24;
  }
  return size;
}

// Calls only what a signal handler may call. The handler was installed with
// SA_RESETHAND, so the signal that it raises ends the process.
void ShowCursorAndDie(int signal) {
  static constexpr char kLast[] = "\x1b[0m\x1b[?25h\n";
  const ssize_t ignored = write(STDOUT_FILENO, kLast, sizeof(kLast) - 1);
  static_cast<void>(ignored);
  raise(signal);
}

void HandleSignals(void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  for (const int signal : kSignals) sigaction(signal, &action, nullptr);
}

void Print(absl::string_view text) {
  fwrite(text.data(), 1, text.size(), stdout);
  fflush(stdout);
}

}  // namespace

std::optional<PictureStyle> FindTerminal() {
  const absl::string_view term = Variable("TERM");
  if (!isatty(STDOUT_FILENO) || !Variable("NO_COLOR").empty() || term.empty() ||
      term == "dumb") {
    return std::nullopt;
  }
  PictureStyle style;
  style.width = TerminalSize().ws_col;
  const absl::string_view colours = Variable("COLORTERM");
  if (colours == "truecolor" || colours == "24bit") {
    style.palette = Palette::kTrueColour;
  }
  return style;
}

Screen::Screen() {
  HandleSignals(ShowCursorAndDie);
  Print(kHideCursor);
}

Screen::~Screen() {
  Print(kShowCursor);
  HandleSignals(SIG_DFL);
}

void Screen::Draw(const std::vector<std::string>& lines) {
  const size_t rows = TerminalSize().ws_row;
  const size_t shown = std::min(lines.size(), rows - 1);
  std::string text;
  // At most to the top of the screen, which may have become smaller.
  const size_t up = std::min(drawn_, rows - 1);
  if (up > 0) absl::StrAppend(&text, "\x1b[", up, "A");
  for (size_t i = 0; i < shown; ++i) {
    absl::StrAppend(&text, "\r", lines[i], "\x1b[K\n");
  }
  absl::StrAppend(&text, "\x1b[J");
  Print(text);
  drawn_ = shown;
}

void Screen::Erase() {
  Draw({});
  Keep();
}

}  // namespace mre
