#include "client/loadtest/inputs.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/console/shape.h"
#include "model/base/idx_file.h"
#include "model/base/rng.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

constexpr size_t kRandomInputs = 256;
constexpr size_t kMaxRandomBytes = size_t{64} << 20;

// `name`, or the same file gzipped.
absl::StatusOr<Idx> ReadOne(const std::string& dir, const std::string& name) {
  const std::string path = absl::StrCat(dir, "/", name);
  auto packed = ReadIdxFile(absl::StrCat(path, ".gz"), kMaxIdxBytes);
  if (!absl::IsNotFound(packed.status())) return packed;
  auto plain = ReadIdxFile(path, kMaxIdxBytes);
  if (!absl::IsNotFound(plain.status())) return plain;
  return absl::NotFoundError(absl::StrCat(
      "neither ", path, " nor ", path,
      ".gz is there: install Debian's dataset-fashion-mnist, name another "
      "--dataset_dir, or use --random_inputs"));
}

}  // namespace

absl::StatusOr<Inputs> Inputs::Read(const std::string& dir,
                                    const std::vector<int64_t>& shape) {
  Inputs inputs;
  inputs.shape_ = shape;
  ASSIGN_OR_RETURN(inputs.images_, ReadOne(dir, "t10k-images-idx3-ubyte"));
  ASSIGN_OR_RETURN(Idx labels, ReadOne(dir, "t10k-labels-idx1-ubyte"));
  const std::vector<int64_t>& item = inputs.images_.item_shape;
  if (!SameShape(item, shape)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the images in ", dir, " are ", ShapeText(item),
                     ", the model takes ", ShapeText(shape),
                     ": name another --dataset_dir, or use --random_inputs"));
  }
  if (inputs.images_.count == 0 || !labels.item_shape.empty() ||
      labels.count != inputs.images_.count) {
    return absl::InvalidArgumentError(
        absl::StrCat(dir, " holds ", inputs.images_.count, " images and ",
                     labels.count, " labels: expected as many, and some"));
  }
  inputs.labels_ = std::move(labels.data);
  inputs.name_ = absl::StrCat(inputs.images_.count, " images of ", dir);
  return inputs;
}

absl::StatusOr<Inputs> Inputs::Random(const std::vector<int64_t>& shape,
                                      uint64_t seed) {
  Inputs inputs;
  inputs.shape_ = shape;
  const auto size = Elements(shape, kMaxRandomBytes);
  if (!size.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the model takes ", ShapeText(shape),
                     ", which is more than random inputs are made for"));
  }
  inputs.images_.item_size = *size;
  inputs.images_.count = std::min(kRandomInputs, kMaxRandomBytes / *size);
  Rng rng(seed);
  inputs.images_.data.resize(*size * inputs.images_.count);
  for (char& byte : inputs.images_.data) {
    byte = static_cast<char>(rng.Below(256));
  }
  inputs.name_ = absl::StrCat(inputs.images_.count, " random inputs");
  return inputs;
}

v1::Tensor Inputs::TensorOf(uint64_t index) const {
  v1::Tensor tensor;
  tensor.set_datatype(v1::DATA_TYPE_UINT8);
  tensor.mutable_shape()->Add(shape_.begin(), shape_.end());
  const absl::string_view item = images_.Item(index % size());
  tensor.set_data(item.data(), item.size());
  return tensor;
}

std::optional<uint32_t> Inputs::LabelOf(uint64_t index) const {
  if (labels_.empty()) return std::nullopt;
  return static_cast<uint8_t>(labels_[index % size()]);
}

}  // namespace mre
