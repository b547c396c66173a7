// Writes a random checkpoint:
//   mre_random_model --out=FILE [--seed=N] [--fashion]
// --fashion: of the shape of the checkpoint that ships, instead of a small one.
#include <cstdio>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "model/io/checkpoint.h"
#include "tests/support/random_model.h"

int main(int argc, char** argv) {
  std::string out;
  uint64_t seed = 0;
  bool fashion = false;
  for (int i = 1; i < argc; ++i) {
    absl::string_view flag = argv[i];
    bool ok = true;
    if (absl::ConsumePrefix(&flag, "--out=")) {
      out = std::string(flag);
    } else if (absl::ConsumePrefix(&flag, "--seed=")) {
      ok = absl::SimpleAtoi(flag, &seed);
    } else if (flag == "--fashion") {
      fashion = true;
    } else {
      ok = false;
    }
    if (!ok) {
      std::fprintf(stderr, "unknown or malformed: %s\n", argv[i]);
      return 2;
    }
  }
  if (out.empty()) {
    std::fprintf(stderr, "usage: %s --out=FILE [--seed=N] [--fashion]\n",
                 argv[0]);
    return 2;
  }
  const mre::ModelConfig config =
      fashion ? mre::FashionConfig() : mre::RandomConfig(seed);
  const absl::Status status =
      mre::SaveCheckpoint(mre::RandomModel(config, seed), out);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return 1;
  }
  return 0;
}
