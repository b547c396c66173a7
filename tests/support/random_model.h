// Small random models, and places to put them.
//
//   const Model model = RandomModel(RandomConfig(seed), seed);
//   const TempDir root;
//   ASSERT_THAT(WriteToRepository(root.path(), "m", 1, model), IsOk());
#ifndef MRE_TESTS_SUPPORT_RANDOM_MODEL_H_
#define MRE_TESTS_SUPPORT_RANDOM_MODEL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "model/base/rng.h"
#include "model/net/params.h"

namespace mre {

// A valid config with odd dimensions: 1 to 4 layers of 1 to 5 experts, widths
// below 40, 2 to 12 classes, 1 to 3 channels.
ModelConfig RandomConfig(uint64_t seed);

// The same of any kind: an odd top_k and sharing where it has them, any wiring
// and thresholds. REQUIRES: not a cnn, whose experts are conv.
ModelConfig RandomConfigOf(Kind kind, uint64_t seed);

// The same with conv experts: odd maps, patches that overlap, borders; one in
// two with a front.
ModelConfig RandomConvConfigOf(Kind kind, uint64_t seed);

// The same for text: an embedding stem, windows of 1 to 9 bytes.
ModelConfig RandomTextConfigOf(Kind kind, uint64_t seed);

// The dimensions of the checkpoint that ships: 28x28x1, width 64, 4 layers of
// 8 experts.
ModelConfig FashionConfig();

// Every parameter is drawn, biases and norms too, at a scale that keeps
// streams near 1 and makes the experts and the routing matter.
Model RandomModel(const ModelConfig& config, uint64_t seed);

// One row of raw input: whole numbers in [0, 255].
std::vector<float> RandomInput(const ModelConfig& config, Rng& rng);

// Writes `<root>/<name>/<version>/model.safetensors`, creating directories.
absl::Status WriteToRepository(const std::string& root, absl::string_view name,
                               int64_t version, const Model& model);

// A new empty directory; removed with all it holds when destroyed.
class TempDir {
 public:
  TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();

  const std::string& path() const { return path_; }
  std::string File(absl::string_view name) const;

 private:
  std::string path_;
};

}  // namespace mre

#endif  // MRE_TESTS_SUPPORT_RANDOM_MODEL_H_
