// The moving picture of `mre stream`: pure functions from data to text with
// ANSI colours. Lines have no newline; a line's width is its visible columns.
#ifndef MRE_CLIENT_CLI_PICTURE_H_
#define MRE_CLIENT_CLI_PICTURE_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/cli/image.h"
#include "client/cli/input.h"
#include "proto/mre/v1/anytime.pb.h"

namespace mre {

// A model of no more classes than this has a bar for each of them, if the
// request asked for the probabilities.
constexpr int kMaxBars = 12;

// What the terminal can show.
enum class Palette { k256Colours, kTrueColour };

struct PictureStyle {
  Palette palette = Palette::k256Colours;
  int width = 80;  // Columns of the terminal.
};

struct Bar {
  std::string label;
  float probability = 0;
  bool best = false;
  bool truth = false;
};

// Columns that `line` takes: escape sequences none, every UTF-8 character one.
int VisibleWidth(absl::string_view line);

// `line` cut after `width` visible columns, its colours reset if it is cut.
std::string ClipLine(absl::string_view line, int width);

// `line`, which has no colours, broken at spaces into pieces of at most `width`
// columns, all but the first indented; a longer word stays whole.
std::vector<std::string> FoldLine(absl::string_view line, int width);

// A bar of `width` columns filled to `share` (taken into [0, 1]) in eighths of
// a column, no colours.
std::string BarText(float share, int width);

// One line a bar, `width` columns each: label, bar, probability. The best is
// highlighted, the truth marked by a star, which the picture explains below.
std::vector<std::string> BarLines(const std::vector<Bar>& bars, int width);

// The image in half blocks, two rows of pixels a line. One larger than
// `max_side` is shrunk by averaging.
std::vector<std::string> ImageLines(const Image& image, Palette palette,
                                    int max_side);

// The grid of experts, a line a layer below one that says what it shows. An
// expert shows the number of the step that ran it (only a mark when `width` is
// too small for numbers), that of the last step is highlighted, one that has
// not run is a dot. `history` holds the steps seen so far; experts outside the
// grid are left out.
std::vector<std::string> GridLines(uint32_t layers, uint32_t experts,
                                   std::span<const v1::Prediction> history,
                                   int width);

// The classes of `prediction` as bars: every class in its own place when the
// probabilities are there and the classes are at most kMaxBars, the top ones
// otherwise.
std::vector<Bar> Bars(const v1::Prediction& prediction,
                      const v1::ModelInfo& model, const Sample& sample);

// The whole picture after the last step of `history` (the steps of `sample`
// seen so far), none of its lines wider than the terminal. The number of lines
// is the same for each step of one sample, as long as the number of bars is.
// REQUIRES: history is not empty.
std::vector<std::string> PictureLines(const Sample& sample,
                                      const v1::ModelInfo& model,
                                      std::span<const v1::Prediction> history,
                                      const PictureStyle& style);

}  // namespace mre

#endif  // MRE_CLIENT_CLI_PICTURE_H_
