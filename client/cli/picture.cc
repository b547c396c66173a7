#include "client/cli/picture.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "client/cli/text.h"

namespace mre {
namespace {

constexpr char kReset[] = "\x1b[0m";
constexpr char kDim[] = "\x1b[2m";
constexpr char kBest[] = "\x1b[1;36m";       // Bold cyan.
constexpr char kRan[] = "\x1b[32m";          // Green.
constexpr char kNewest[] = "\x1b[1;30;43m";  // Bold black on yellow.

constexpr int kMaxImageSide = 32;
constexpr int kLabelWidth = 14;
constexpr int kMaxBarWidth = 28;
constexpr uint64_t kMaxGrid = 1 << 14;  // Experts; more are not drawn.
constexpr int kNumberWidth = 6;         // " 0.123"

using Rgb = std::array<int, 3>;

std::string Paint(absl::string_view colour, absl::string_view text) {
  return absl::StrCat(colour, text, kReset);
}

// The 256-colour palette's entry nearest to `c`: the ramp of 24 greys (8 to
// 238) or the cube of six levels a channel.
int NearestEntry(const Rgb& c) {
  if (c[0] == c[1] && c[1] == c[2]) {
    if (c[0] < 4) return 16;
    if (c[0] > 246) return 231;
    return 232 + std::clamp((c[0] - 3) / 10, 0, 23);
  }
  const auto level = [](int v) {
    return v < 48 ? 0 : std::min(5, (v - 35) / 40);
  };
  return 16 + 36 * level(c[0]) + 6 * level(c[1]) + level(c[2]);
}

// The sequence that sets the foreground (38) or the background (48).
std::string Colour(int ground, const Rgb& c, Palette palette) {
  if (palette == Palette::k256Colours) {
    return absl::StrCat("\x1b[", ground, ";5;", NearestEntry(c), "m");
  }
  return absl::StrFormat("\x1b[%d;2;%d;%d;%dm", ground, c[0], c[1], c[2]);
}

// The mean colour of the pixels that fall on (y, x) of a grid rows x columns
// laid over the image.
Rgb MeanColour(const Image& image, int rows, int columns, int y, int x) {
  const auto edge = [](int i, int size, int parts) {
    return static_cast<int>(int64_t{i} * size / parts);
  };
  const int y0 = edge(y, image.height, rows);
  const int y1 = std::max(y0 + 1, edge(y + 1, image.height, rows));
  const int x0 = edge(x, image.width, columns);
  const int x1 = std::max(x0 + 1, edge(x + 1, image.width, columns));
  Rgb mean = {0, 0, 0};
  for (int c = 0; c < 3; ++c) {
    int64_t sum = 0;
    for (int v = y0; v < y1; ++v) {
      for (int u = x0; u < x1; ++u) {
        sum += image.At(v, u, image.channels == 3 ? c : 0);
      }
    }
    mean[c] = static_cast<int>(sum / (int64_t{y1 - y0} * (x1 - x0)));
  }
  return mean;
}

// The bytes of the character or escape sequence that `text` begins with, and
// the columns it takes. REQUIRES: text is not empty.
std::pair<size_t, int> NextCharacter(absl::string_view text) {
  if (text[0] == '\x1b') {
    const size_t end = text.find('m');
    return {end == absl::string_view::npos ? text.size() : end + 1, 0};
  }
  size_t size = 1;
  while (size < text.size() &&
         (static_cast<uint8_t>(text[size]) & 0xc0) == 0x80) {
    ++size;
  }
  return {size, 1};
}

// `text` at exactly `width` columns. No colours inside.
std::string Fit(absl::string_view text, int width) {
  const int missing = width - VisibleWidth(text);
  if (missing < 0) {
    const std::string clipped = ClipLine(text, width - 1);
    return absl::StrCat(
        clipped.substr(0, clipped.size() - (sizeof(kReset) - 1)), "…");
  }
  return absl::StrCat(text, std::string(static_cast<size_t>(missing), ' '));
}

// The lines beside the image: bars, then what the step cost and brought.
std::vector<std::string> StateLines(const Sample& sample,
                                    const v1::ModelInfo& model,
                                    const v1::Prediction& prediction,
                                    int width) {
  auto lines = BarLines(Bars(prediction, model, sample), width);
  lines.push_back(sample.truth.has_value() ? "* the true class" : "");
  std::string step = absl::StrCat("step ", prediction.step());
  if (prediction.has_expert()) {
    absl::StrAppend(&step, "  expert ", prediction.expert().layer(), ".",
                    prediction.expert().index());
  }
  lines.push_back(absl::StrCat(step, "  ", DurationText(prediction.elapsed())));
  lines.push_back(MacsText(prediction.macs(), model));
  lines.push_back(absl::StrFormat("confidence %.3f  ray coverage %.3f",
                                  prediction.confidence(),
                                  prediction.ray_coverage()));
  return lines;
}

}  // namespace

int VisibleWidth(absl::string_view line) {
  int width = 0;
  while (!line.empty()) {
    const auto [bytes, columns] = NextCharacter(line);
    line.remove_prefix(bytes);
    width += columns;
  }
  return width;
}

std::string ClipLine(absl::string_view line, int width) {
  size_t end = 0;
  int used = 0;
  while (end < line.size()) {
    const auto [bytes, columns] = NextCharacter(line.substr(end));
    if (used + columns > width) {
      return absl::StrCat(line.substr(0, end), kReset);
    }
    used += columns;
    end += bytes;
  }
  return std::string(line);
}

std::vector<std::string> FoldLine(absl::string_view line, int width) {
  constexpr char kIndent[] = "  ";
  std::vector<std::string> lines = {""};
  std::string gap;  // The spaces before the next word.
  for (const absl::string_view word : absl::StrSplit(line, ' ')) {
    if (!word.empty()) {
      std::string longer = absl::StrCat(lines.back(), gap, word);
      if (lines.back().empty() || VisibleWidth(longer) <= width) {
        lines.back() = std::move(longer);
      } else {
        lines.push_back(absl::StrCat(kIndent, word));
      }
      gap.clear();
    }
    gap += ' ';
  }
  return lines;
}

std::string BarText(float share, int width) {
  static constexpr std::array<const char*, 8> kEighths = {"",  "▏", "▎", "▍",
                                                          "▌", "▋", "▊", "▉"};
  // Not a plain clamp: NaN becomes 0.
  const float inside = share > 0 ? std::min(share, 1.0f) : 0.0f;
  const int eighths = static_cast<int>(std::lround(inside * width * 8));
  std::string bar;
  for (int i = 0; i < eighths / 8; ++i) bar += "█";
  bar += kEighths[static_cast<size_t>(eighths % 8)];
  return absl::StrCat(
      bar, std::string(static_cast<size_t>(width - (eighths + 7) / 8), ' '));
}

std::vector<std::string> BarLines(const std::vector<Bar>& bars, int width) {
  const int bar_width =
      std::clamp(width - kLabelWidth - 2 - kNumberWidth, 1, kMaxBarWidth);
  std::vector<std::string> lines;
  for (const Bar& bar : bars) {
    const std::string line = absl::StrFormat(
        "%s%s %s %.3f", bar.truth ? "*" : " ", Fit(bar.label, kLabelWidth),
        BarText(bar.probability, bar_width), bar.probability);
    lines.push_back(bar.best ? Paint(kBest, line) : line);
  }
  return lines;
}

std::vector<std::string> ImageLines(const Image& image, Palette palette,
                                    int max_side) {
  const int side = std::max(image.height, image.width);
  const double shrink =
      side > max_side ? static_cast<double>(max_side) / side : 1.0;
  const int rows = std::max(1, static_cast<int>(image.height * shrink));
  const int columns = std::max(1, static_cast<int>(image.width * shrink));
  std::vector<std::string> lines;
  for (int y = 0; y < rows; y += 2) {
    std::string line;
    std::string current;  // The colours in force, so as not to repeat them.
    for (int x = 0; x < columns; ++x) {
      std::string colours =
          Colour(38, MeanColour(image, rows, columns, y, x), palette);
      if (y + 1 < rows) {
        colours +=
            Colour(48, MeanColour(image, rows, columns, y + 1, x), palette);
      }
      if (colours != current) line += colours;
      current = std::move(colours);
      line += "▀";
    }
    lines.push_back(absl::StrCat(line, kReset));
  }
  return lines;
}

std::vector<std::string> GridLines(uint32_t layers, uint32_t experts,
                                   std::span<const v1::Prediction> history,
                                   int width) {
  if (uint64_t{layers} * experts > kMaxGrid) {
    return {absl::StrCat(layers, " layers of ", experts, " experts")};
  }
  // step[l * experts + i]: 0 for one that has not run.
  std::vector<uint32_t> step(size_t{layers} * experts, 0);
  const auto mark = [&](const v1::Expert& expert, uint32_t at) {
    if (expert.layer() >= layers || expert.index() >= experts) return;
    step[size_t{expert.layer()} * experts + expert.index()] = at;
  };
  for (const v1::Prediction& prediction : history) {
    if (prediction.has_expert()) mark(prediction.expert(), prediction.step());
    for (const v1::Expert& expert : prediction.experts()) {
      mark(expert, prediction.step());
    }
  }
  const uint32_t newest = history.empty() ? 0 : history.back().step();
  const std::string prefix = "layer ";
  const int label_width = static_cast<int>(
      prefix.size() + absl::StrCat(layers == 0 ? 0 : layers - 1).size());
  const int cell = static_cast<int>(absl::StrCat(step.size()).size()) + 1;
  const bool numbers =
      label_width + static_cast<int64_t>(experts) * cell <= width;
  const auto pad = [&](absl::string_view text) {
    return numbers
               ? absl::StrCat(std::string(static_cast<size_t>(std::max(
                                              0, cell - VisibleWidth(text))),
                                          ' '),
                              text)
               : std::string(text);
  };
  std::vector<std::string> lines;
  lines.push_back(ClipLine(
      numbers ? "experts, numbered in the order they ran" : "experts that ran",
      width));
  for (uint32_t l = 0; l < layers; ++l) {
    std::string line = Fit(absl::StrCat(prefix, l), label_width);
    if (!numbers) line += ' ';
    for (uint32_t i = 0; i < experts; ++i) {
      const uint32_t ran = step[size_t{l} * experts + i];
      const std::string text = pad(ran == 0  ? "·"
                                   : numbers ? absl::StrCat(ran)
                                             : "■");
      absl::StrAppend(&line, Paint(ran == 0        ? kDim
                                   : ran == newest ? kNewest
                                                   : kRan,
                                   text));
    }
    lines.push_back(ClipLine(line, width));
  }
  return lines;
}

std::vector<Bar> Bars(const v1::Prediction& prediction,
                      const v1::ModelInfo& model, const Sample& sample) {
  std::vector<Bar> bars;
  const auto is_truth = [&](uint32_t c) { return sample.truth == c; };
  const int classes = prediction.probabilities_size();
  if (classes == 0 || classes > kMaxBars || classes != model.classes_size()) {
    for (const v1::ClassProbability& entry : prediction.top()) {
      bars.push_back({ClassText(entry), entry.probability(), bars.empty(),
                      is_truth(entry.class_index())});
    }
    return bars;
  }
  const auto best =
      static_cast<int>(std::max_element(prediction.probabilities().begin(),
                                        prediction.probabilities().end()) -
                       prediction.probabilities().begin());
  for (int c = 0; c < classes; ++c) {
    bars.push_back({Printable(model.classes(c)), prediction.probabilities(c),
                    c == best, is_truth(static_cast<uint32_t>(c))});
  }
  return bars;
}

std::vector<std::string> PictureLines(const Sample& sample,
                                      const v1::ModelInfo& model,
                                      std::span<const v1::Prediction> history,
                                      const PictureStyle& style) {
  const v1::Prediction& prediction = history.back();
  std::vector<std::string> left;
  if (sample.image.has_value()) {
    left = ImageLines(*sample.image, style.palette, kMaxImageSide);
  }
  const int left_width = left.empty() ? 0 : VisibleWidth(left[0]) + 2;
  const auto right =
      StateLines(sample, model, prediction, style.width - left_width);
  std::vector<std::string> lines;
  lines.push_back(absl::StrCat(
      Printable(model.model_name()), " version ", model.model_version(), ", ",
      Printable(sample.name),
      prediction.final()
          ? absl::StrCat("  stopped: ", StopText(prediction.stop_reason()))
          : ""));
  for (size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
    std::string line = i < left.size() ? left[i] : "";
    const int missing = left_width - VisibleWidth(line);
    absl::StrAppend(&line, std::string(static_cast<size_t>(missing), ' '),
                    i < right.size() ? right[i] : "");
    lines.push_back(line);
  }
  lines.push_back("");
  for (auto& line : GridLines(model.layers(), model.experts_per_layer(),
                              history, style.width)) {
    lines.push_back(std::move(line));
  }
  for (std::string& line : lines) line = ClipLine(line, style.width);
  return lines;
}

}  // namespace mre
