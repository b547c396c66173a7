#include "client/cli/image.h"

#include <png.h>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/console/shape.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

constexpr int64_t kMaxBytes = int64_t{1} << 30;

// Whether `bytes` begin as every PNG file does.
bool IsPng(absl::string_view bytes) {
  constexpr size_t kSignatureSize = 8;
  return bytes.size() >= kSignatureSize &&
         png_sig_cmp(reinterpret_cast<png_const_bytep>(bytes.data()), 0,
                     kSignatureSize) == 0;
}

}  // namespace

absl::StatusOr<Image> ImageOfShape(const std::vector<int64_t>& shape) {
  const int64_t channels = shape.size() == 3 ? shape[2] : 1;
  if ((shape.size() != 2 && shape.size() != 3) ||
      (channels != 1 && channels != 3) || shape[0] <= 0 || shape[1] <= 0 ||
      shape[0] > kMaxBytes / channels / shape[1]) {
    return absl::InvalidArgumentError(
        absl::StrCat("the model's input, ", ShapeText(shape),
                     ", is not an image (height x width x 1 or 3)"));
  }
  Image image;
  image.height = static_cast<int>(shape[0]);
  image.width = static_cast<int>(shape[1]);
  image.channels = static_cast<int>(channels);
  return image;
}

absl::StatusOr<Image> DecodePng(absl::string_view bytes,
                                const std::vector<int64_t>& shape) {
  ASSIGN_OR_RETURN(Image image, ImageOfShape(shape));
  if (!IsPng(bytes)) return absl::InvalidArgumentError("not a PNG file");
  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  const auto free = absl::MakeCleanup([&png] { png_image_free(&png); });
  if (!png_image_begin_read_from_memory(&png, bytes.data(), bytes.size())) {
    return absl::InvalidArgumentError(
        absl::StrCat("damaged PNG file: ", png.message));
  }
  // Before anything is allocated: a header may claim any size.
  if (png.height != static_cast<png_uint_32>(image.height) ||
      png.width != static_cast<png_uint_32>(image.width)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the image is ", png.height, "x", png.width, ", the model takes ",
        image.height, "x", image.width, " (height x width)"));
  }
  png.format = image.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  image.pixels.resize(PNG_IMAGE_SIZE(png));
  const png_color black = {0, 0, 0};
  if (!png_image_finish_read(&png, &black, image.pixels.data(),
                             /*row_stride=*/0, /*colormap=*/nullptr)) {
    return absl::InvalidArgumentError(
        absl::StrCat("damaged PNG file: ", png.message));
  }
  return image;
}

}  // namespace mre
