// The command line's input files -> what a model takes.
#ifndef MRE_CLIENT_CLI_INPUT_H_
#define MRE_CLIENT_CLI_INPUT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/flags.h"
#include "client/cli/image.h"
#include "model/base/idx.h"
#include "proto/mre/v1/anytime.pb.h"

namespace mre {

// One input, ready to send.
struct Sample {
  std::string name;  // "image 17", "text" or the file's name.
  v1::Tensor tensor;
  std::optional<Image> image;     // Unset when the model's input is none.
  std::optional<uint32_t> truth;  // The true class, where a label says it.
};

// The files or the text, read and checked as far as that is possible without a
// model.
class Input {
 public:
  // INVALID_ARGUMENT when not exactly one kind of input is named. Any other
  // error means that a file cannot be used; the message names it.
  static absl::StatusOr<Input> Read(const InputFlags& flags);

  // How many samples there are, at least 1.
  size_t size() const { return kind_ == Kind::kIdx ? indices_.size() : 1; }

  // The i-th sample for a model of input `shape`. INVALID_ARGUMENT when the
  // shapes do not match, saying both. REQUIRES: i < size().
  absl::StatusOr<Sample> At(size_t i, const std::vector<int64_t>& shape) const;

 private:
  enum class Kind { kIdx, kPng, kRaw, kText };

  Kind kind_ = Kind::kRaw;
  std::string path_;
  std::vector<size_t> indices_;  // Of the images of an IDX file.
  std::string bytes_;            // Of a PNG or a raw file, or the text.
  Idx images_;
  std::optional<Idx> labels_;
};

}  // namespace mre

#endif  // MRE_CLIENT_CLI_INPUT_H_
