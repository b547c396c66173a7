#include "client/cli/picture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace mre {
namespace {

// Without escape sequences.
std::string Bare(const std::string& line) {
  std::string out;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\x1b') {
      i = line.find('m', i);
    } else {
      out += line[i];
    }
  }
  return out;
}

v1::Prediction Step(uint32_t step, uint32_t layer, uint32_t index) {
  v1::Prediction prediction;
  prediction.set_step(step);
  prediction.mutable_expert()->set_layer(layer);
  prediction.mutable_expert()->set_index(index);
  return prediction;
}

Image Grey(int height, int width, const std::string& pixels) {
  return Image{height, width, 1, pixels};
}

TEST(PictureTest, CountsVisibleColumns) {
  EXPECT_EQ(VisibleWidth(""), 0);
  EXPECT_EQ(VisibleWidth("abc"), 3);
  EXPECT_EQ(VisibleWidth("\x1b[1;36ma▀é\x1b[0m"), 3);
  EXPECT_EQ(VisibleWidth("\x1b[1"), 0);  // Cut off.
}

TEST(PictureTest, ClipsByColumnsAndResetsColours) {
  EXPECT_EQ(ClipLine("abc", 3), "abc");
  EXPECT_EQ(ClipLine("abc", 2), "ab\x1b[0m");
  EXPECT_EQ(ClipLine("\x1b[32m▀▀▀\x1b[0m", 1), "\x1b[32m▀\x1b[0m");
  EXPECT_EQ(ClipLine("\x1b[32m▀\x1b[0m", 1), "\x1b[32m▀\x1b[0m");
}

TEST(PictureTest, FoldsAtSpaces) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(FoldLine("", 9), Lines{""});
  EXPECT_EQ(FoldLine("ab  cd", 6), Lines{"ab  cd"});
  EXPECT_EQ(FoldLine("ab  cd ef", 6), (Lines{"ab  cd", "  ef"}));
  EXPECT_EQ(FoldLine("ab  cd ef", 5), (Lines{"ab", "  cd", "  ef"}));
  EXPECT_EQ(FoldLine("a longword b", 3), (Lines{"a", "  longword", "  b"}));
  EXPECT_EQ(FoldLine("é é é", 3), (Lines{"é é", "  é"}));
}

TEST(PictureTest, BarsFillInEighths) {
  EXPECT_EQ(BarText(0, 4), "    ");
  EXPECT_EQ(BarText(1, 4), "████");
  EXPECT_EQ(BarText(0.5, 4), "██  ");
  EXPECT_EQ(BarText(0.5, 1), "▌");
  EXPECT_EQ(BarText(0.25f + 1.0f / 32, 4), "█▏  ");
  EXPECT_EQ(BarText(-1, 2), "  ");
  EXPECT_EQ(BarText(7, 2), "██");
  EXPECT_EQ(BarText(NAN, 2), "  ");
}

TEST(PictureTest, BarLinesShowBestAndTruth) {
  const auto lines =
      BarLines({{"Boot", 0.75f, true, false},
                {"A label that is too long", 0.25f, false, true}},
               30);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], "\x1b[1;36m Boot           ██████   0.750\x1b[0m");
  EXPECT_EQ(lines[1], "*A label that … ██       0.250");
}

TEST(PictureTest, ImageIsHalfBlocksInGreys) {
  const auto lines = ImageLines(Grey(3, 1, std::string("\x00\xff\x80", 3)),
                                Palette::kTrueColour, 32);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], "\x1b[38;2;0;0;0m\x1b[48;2;255;255;255m▀\x1b[0m");
  EXPECT_EQ(lines[1], "\x1b[38;2;128;128;128m▀\x1b[0m");
}

TEST(PictureTest, ImageUsesThePaletteOf256) {
  const auto grey = ImageLines(Grey(2, 1, std::string("\x00\xff", 2)),
                               Palette::k256Colours, 32);
  EXPECT_EQ(grey[0], "\x1b[38;5;16m\x1b[48;5;231m▀\x1b[0m");
  const auto middle = ImageLines(Grey(1, 1, "\x80"), Palette::k256Colours, 32);
  EXPECT_EQ(middle[0], "\x1b[38;5;244m▀\x1b[0m");
  const auto red = ImageLines(Image{1, 1, 3, std::string("\xff\0\0", 3)},
                              Palette::k256Colours, 32);
  EXPECT_EQ(red[0], "\x1b[38;5;196m▀\x1b[0m");
}

TEST(PictureTest, LargeImagesShrinkToTheirMeans) {
  const auto lines = ImageLines(Grey(4, 2,
                                     std::string("\x00\x02\x04\x06"
                                                 "\x64\x64\x64\x64",
                                                 8)),
                                Palette::kTrueColour, 2);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0], "\x1b[38;2;3;3;3m\x1b[48;2;100;100;100m▀\x1b[0m");
}

TEST(PictureTest, GridNumbersTheStepsAndHighlightsTheNewest) {
  const std::vector<v1::Prediction> history = {v1::Prediction(), Step(1, 1, 0),
                                               Step(2, 0, 2)};
  const auto lines = GridLines(2, 3, history, 80);
  const std::string dot = "\x1b[2m ·\x1b[0m";
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0], "experts, numbered in the order they ran");
  EXPECT_EQ(lines[1], "layer 0" + dot + dot + "\x1b[1;30;43m 2\x1b[0m");
  EXPECT_EQ(lines[2], "layer 1\x1b[32m 1\x1b[0m" + dot + dot);
}

TEST(PictureTest, GridMarksAllExpertsOfAStep) {
  v1::Prediction several = Step(1, 0, 1);
  *several.add_experts() = Step(1, 0, 1).expert();
  *several.add_experts() = Step(1, 1, 0).expert();
  const auto lines = GridLines(2, 2, std::vector{several}, 80);
  const std::string dot = "\x1b[2m ·\x1b[0m";
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[1], "layer 0" + dot + "\x1b[1;30;43m 1\x1b[0m");
  EXPECT_EQ(lines[2], "layer 1\x1b[1;30;43m 1\x1b[0m" + dot);
}

TEST(PictureTest, GridFallsBackToMarksWhenNarrow) {
  const std::vector<v1::Prediction> history = {Step(1, 0, 0), Step(2, 0, 1)};
  const auto lines = GridLines(1, 4, history, 12);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(Bare(lines[0]), "experts that");
  EXPECT_EQ(Bare(lines[1]), "layer 0 ■■··");
  EXPECT_EQ(VisibleWidth(GridLines(1, 40, history, 12)[1]), 12);
}

TEST(PictureTest, GridIgnoresExpertsOutsideAndHugeModels) {
  const std::vector<v1::Prediction> history = {Step(1, 9, 0), Step(2, 0, 9)};
  EXPECT_EQ(Bare(GridLines(1, 2, history, 80)[1]), "layer 0 · ·");
  EXPECT_EQ(GridLines(0, 0, history, 80).size(), 1u);
  EXPECT_EQ(GridLines(0xffffffff, 0xffffffff, history, 80).size(), 1u);
}

TEST(PictureTest, BarsKeepTheirPlacesWhenEveryClassIsSent) {
  v1::ModelInfo model;
  model.add_classes("Sandal");
  model.add_classes("Boot");
  Sample sample;
  sample.truth = 0;
  v1::Prediction prediction;
  auto* top = prediction.add_top();
  top->set_class_index(1);
  top->set_label("Boot");
  top->set_probability(0.75f);
  const auto of_top = Bars(prediction, model, sample);
  ASSERT_EQ(of_top.size(), 1u);
  EXPECT_EQ(of_top[0].label, "Boot");
  prediction.add_probabilities(0.25f);
  prediction.add_probabilities(0.75f);
  const auto all = Bars(prediction, model, sample);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].label, "Sandal");
  EXPECT_TRUE(all[0].truth);
  EXPECT_FALSE(all[0].best);
  EXPECT_TRUE(all[1].best);
}

TEST(PictureTest, ExplainsTheStarOfTheTrueClass) {
  v1::ModelInfo model;
  Sample sample;
  const std::vector<v1::Prediction> history = {v1::Prediction()};
  const auto explained = [&] {
    for (const auto& line : PictureLines(sample, model, history, {})) {
      if (Bare(line) == "* the true class") return true;
    }
    return false;
  };
  EXPECT_FALSE(explained());
  sample.truth = 0;
  EXPECT_TRUE(explained());
}

TEST(PictureTest, FitsTheTerminalAndKeepsItsHeight) {
  v1::ModelInfo model;
  model.set_model_name("shoes");
  model.set_model_version(1);
  model.add_classes("Sandal");
  model.add_classes("Boot");
  model.set_layers(2);
  model.set_experts_per_layer(4);
  Sample sample;
  sample.name = "image 0";
  sample.image = Grey(28, 28, std::string(28 * 28, 'x'));
  std::vector<v1::Prediction> history = {v1::Prediction()};
  history[0].add_probabilities(0.5f);
  history[0].add_probabilities(0.5f);
  const PictureStyle wide{Palette::kTrueColour, 80};
  const auto first = PictureLines(sample, model, history, wide);
  EXPECT_EQ(first.size(), 1u + 14 + 1 + 3);
  EXPECT_EQ(Bare(first[0]), "shoes version 1, image 0");
  history.push_back(Step(1, 0, 0));
  history[1].add_probabilities(0.25f);
  history[1].add_probabilities(0.75f);
  history[1].set_final(true);
  history[1].set_stop_reason(v1::STOP_REASON_MAX_STEPS);
  for (const int width : {0, 1, 10, 29, 30, 50, 80}) {
    const PictureStyle style{Palette::kTrueColour, width};
    const auto lines = PictureLines(sample, model, history, style);
    EXPECT_EQ(lines.size(), first.size());
    for (const auto& line : lines) EXPECT_LE(VisibleWidth(line), width);
  }
  EXPECT_EQ(Bare(PictureLines(sample, model, history, wide)[0]),
            "shoes version 1, image 0  stopped: max_steps reached");
}

}  // namespace
}  // namespace mre
