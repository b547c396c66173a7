// The terminal: what it can do, and text that is drawn again in place.
#ifndef MRE_CLIENT_CLI_SCREEN_H_
#define MRE_CLIENT_CLI_SCREEN_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/picture.h"

namespace mre {

// How to draw on stdout; nullopt when it is not a terminal that can show
// pictures, or NO_COLOR (https://no-color.org) asks for none.
std::optional<PictureStyle> FindTerminal();

// Draws blocks of lines on stdout, each over the one before. Hides the cursor
// as long as it lives; SIGINT, SIGTERM and SIGHUP show it again before they end
// the process. One at a time in a process; not thread-safe.
class Screen {
 public:
  Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen();

  // Replaces what was drawn. Lines beyond the terminal's height are left out.
  // REQUIRES: no line is wider than the terminal.
  void Draw(const std::vector<std::string>& lines);
  // Takes away what was drawn.
  void Erase();
  // Leaves what was drawn; the next Draw begins below it.
  void Keep() { drawn_ = 0; }

 private:
  size_t drawn_ = 0;  // Lines above the cursor that belong to the last Draw.
};

}  // namespace mre

#endif  // MRE_CLIENT_CLI_SCREEN_H_
