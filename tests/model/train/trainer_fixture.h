// A fixture that trains small models on a small data set.
#ifndef MRE_TESTS_MODEL_TRAIN_TRAINER_FIXTURE_H_
#define MRE_TESTS_MODEL_TRAIN_TRAINER_FIXTURE_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/io/checkpoint.h"
#include "model/train/trainer.h"
#include "tests/model/data/tiny_data.h"

namespace mre {

inline FitOptions SmallOptions() {
  FitOptions options;
  options.width = 16;
  options.hidden = 12;
  options.layers = 3;
  options.experts = 3;
  options.context = 8;
  options.max_steps = 7;
  options.batch = 40;
  options.epochs = 4;
  options.lr = 5e-3;
  options.ema = 0.9;
  options.augment = "shift";
  return options;
}

class TrainerTest : public ::testing::Test {
 protected:
  TrainerTest()
      : state_(absl::StrCat(::testing::TempDir(), "trainer_test.state.",
                            getpid())) {
    std::filesystem::remove(state_);
  }

  std::unique_ptr<Trainer> Make(const FitOptions& options) {
    return std::make_unique<Trainer>(options, data_, data_.test, "test", state_,
                                     log_, progress_);
  }

  // What a whole run makes.
  Model TrainModel(const FitOptions& options) {
    auto trainer = Make(options);
    const std::atomic<bool> never = false;
    const auto finished = trainer->Run(never);
    EXPECT_TRUE(finished.ok() && *finished) << finished.status();
    return trainer->Result();
  }
  // The bytes of its checkpoint.
  std::string Train(const FitOptions& options) {
    return SerializeCheckpoint(TrainModel(options));
  }

  const std::string state_;
  Dataset data_ = TinyDataset();
  RunLog log_;
  ProgressBar progress_{{.file = std::fopen("/dev/null", "w")}};
};

}  // namespace mre

#endif  // MRE_TESTS_MODEL_TRAIN_TRAINER_FIXTURE_H_
