#include "client/cli/input.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/console/shape.h"
#include "model/base/file.h"
#include "model/base/idx_file.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

// Longest window that a server may make the client fill.
constexpr int64_t kMaxTextWindow = int64_t{1} << 24;

absl::Status WithPath(const std::string& path, const absl::Status& status) {
  return {status.code(), absl::StrCat(path, ": ", status.message())};
}

// The picture of a tensor, when it is an image.
std::optional<Image> AsImage(const std::string& data,
                             const std::vector<int64_t>& shape) {
  auto image = ImageOfShape(shape);
  if (!image.ok()) return std::nullopt;
  image->pixels = data;
  return *std::move(image);
}

// The last bytes of `text` as a model of text takes them, after as many spaces
// as it lacks.
absl::StatusOr<std::string> TextWindow(const std::string& text,
                                       const std::vector<int64_t>& shape) {
  if (shape.size() != 3 || shape[0] != 1 || shape[1] < 1 || shape[2] != 1 ||
      shape[1] > kMaxTextWindow) {
    return absl::InvalidArgumentError(
        absl::StrCat("--text is for a model that takes 1xNx1, a window of "
                     "text; this one takes ",
                     ShapeText(shape)));
  }
  const size_t window = static_cast<size_t>(shape[1]);
  if (text.size() >= window) return text.substr(text.size() - window);
  return std::string(window - text.size(), ' ') + text;
}

// The images that --index and --count mean, of `available`.
absl::StatusOr<std::vector<size_t>> Indices(const InputFlags& flags,
                                            size_t available) {
  std::vector<size_t> indices;
  for (const absl::string_view text : absl::StrSplit(flags.index, ',')) {
    size_t index = 0;
    if (!absl::SimpleAtoi(text, &index)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--index is \"", flags.index,
                       "\", not the number of an image, from 0, or several "
                       "such as 3,50,42"));
    }
    indices.push_back(index);
  }
  if (indices.size() > 1 && flags.count != 1) {
    return absl::InvalidArgumentError(
        "--count goes with one --index, not with a list of them");
  }
  const size_t most = *std::max_element(indices.begin(), indices.end());
  if (flags.count == 0 || most >= available || flags.count > available - most) {
    return absl::InvalidArgumentError(absl::StrCat(
        flags.idx, " holds ", available, " images, from 0 on: ", "--index ",
        flags.index, " --count ", flags.count, " is outside"));
  }
  for (uint64_t i = 1; i < flags.count; ++i) indices.push_back(most + i);
  return indices;
}

}  // namespace

absl::StatusOr<Input> Input::Read(const InputFlags& flags) {
  const int kinds = !flags.idx.empty() + !flags.image.empty() +
                    !flags.raw.empty() + !flags.text.empty();
  if (kinds != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "exactly one of --idx, --image, --raw and --text is needed, not ",
        kinds));
  }
  Input input;
  if (!flags.text.empty()) {
    input.kind_ = Kind::kText;
    input.path_ = "text";
    input.bytes_ = flags.text;
    return input;
  }
  if (flags.idx.empty()) {
    input.kind_ = flags.image.empty() ? Kind::kRaw : Kind::kPng;
    input.path_ = flags.image.empty() ? flags.raw : flags.image;
    ASSIGN_OR_RETURN(input.bytes_, ReadFile(input.path_));
    return input;
  }
  input.kind_ = Kind::kIdx;
  input.path_ = flags.idx;
  ASSIGN_OR_RETURN(input.images_, ReadIdxFile(flags.idx, kMaxIdxBytes));
  if (input.images_.item_shape.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(flags.idx, " holds labels, not images"));
  }
  const size_t available = input.images_.count;
  ASSIGN_OR_RETURN(input.indices_, Indices(flags, available));
  if (flags.labels.empty()) return input;
  ASSIGN_OR_RETURN(input.labels_, ReadIdxFile(flags.labels, kMaxIdxBytes));
  if (!input.labels_->item_shape.empty() || input.labels_->count != available) {
    return absl::InvalidArgumentError(
        absl::StrCat(flags.labels, " is not a list of ", available,
                     " labels, one for each image of ", flags.idx));
  }
  return input;
}

absl::StatusOr<Sample> Input::At(size_t i,
                                 const std::vector<int64_t>& shape) const {
  Sample sample;
  sample.name = path_.substr(path_.rfind('/') + 1);
  std::string* data = sample.tensor.mutable_data();
  switch (kind_) {
    case Kind::kIdx: {
      const size_t index = indices_[i];
      sample.name = absl::StrCat("image ", index);
      if (!SameShape(images_.item_shape, shape)) {
        return absl::InvalidArgumentError(absl::StrCat(
            path_, ": its images are ", ShapeText(images_.item_shape),
            ", the model takes ", ShapeText(shape)));
      }
      *data = std::string(images_.Item(index));
      if (labels_.has_value()) {
        sample.truth = static_cast<uint8_t>(labels_->data[index]);
      }
      break;
    }
    case Kind::kPng: {
      auto image = DecodePng(bytes_, shape);
      if (!image.ok()) return WithPath(path_, image.status());
      *data = std::move(image->pixels);
      break;
    }
    case Kind::kRaw:
      if (Elements(shape, bytes_.size()) != bytes_.size()) {
        return absl::InvalidArgumentError(absl::StrCat(
            path_, " holds ", bytes_.size(), " bytes, the model takes ",
            ShapeText(shape), ", one byte a value"));
      }
      *data = bytes_;
      break;
    case Kind::kText: {
      ASSIGN_OR_RETURN(*data, TextWindow(bytes_, shape));
      break;
    }
  }
  sample.tensor.set_datatype(v1::DATA_TYPE_UINT8);
  sample.tensor.mutable_shape()->Add(shape.begin(), shape.end());
  if (kind_ != Kind::kText) sample.image = AsImage(*data, shape);
  return sample;
}

}  // namespace mre
