// What the requests ask about: images with their labels, or random values.
#ifndef MRE_CLIENT_LOADTEST_INPUTS_H_
#define MRE_CLIENT_LOADTEST_INPUTS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/base/idx.h"
#include "proto/mre/v1/anytime.pb.h"

namespace mre {

// Thread-safe: it does not change.
class Inputs {
 public:
  // The images and labels t10k-*-ubyte of an MNIST-like data set in `dir`,
  // gzipped or not. NOT_FOUND when they are not there; INVALID_ARGUMENT when a
  // file is damaged or they are not `shape`, what the model takes.
  static absl::StatusOr<Inputs> Read(const std::string& dir,
                                     const std::vector<int64_t>& shape);

  // Random bytes without labels, by `seed`: 256 inputs, or fewer where those
  // would take too much memory. INVALID_ARGUMENT for a shape of which one takes
  // too much.
  static absl::StatusOr<Inputs> Random(const std::vector<int64_t>& shape,
                                       uint64_t seed);

  size_t size() const { return images_.count; }
  bool labelled() const { return !labels_.empty(); }

  // The input of the request `index`: in order, and from the first again.
  v1::Tensor TensorOf(uint64_t index) const;
  // Its true class, where there are labels.
  std::optional<uint32_t> LabelOf(uint64_t index) const;

  // For people: "10000 images of DIR".
  const std::string& name() const { return name_; }

 private:
  Inputs() = default;

  std::string name_;
  std::vector<int64_t> shape_;
  Idx images_;
  std::string labels_;  // A byte each; empty: none.
};

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_INPUTS_H_
