// An image in memory, and PNG files.
#ifndef MRE_CLIENT_CLI_IMAGE_H_
#define MRE_CLIENT_CLI_IMAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mre {

// Bytes in the order height, width, channel; 1 channel is grey, 3 are RGB.
struct Image {
  int height = 0;
  int width = 0;
  int channels = 1;
  std::string pixels;

  // REQUIRES: inside the image.
  uint8_t At(int y, int x, int channel) const {
    return static_cast<uint8_t>(
        pixels[(static_cast<size_t>(y) * width + x) * channels + channel]);
  }
};

// An image without its pixels when `shape` ([H,W], [H,W,1] or [H,W,3]) is that
// of an image of at most 2^30 bytes, INVALID_ARGUMENT otherwise.
absl::StatusOr<Image> ImageOfShape(const std::vector<int64_t>& shape);

// The PNG file `bytes` as the values that a model of input `shape` takes:
// converted to grey or RGB as it asks, transparency over black. It is not
// scaled: INVALID_ARGUMENT when its size is another, or when it is damaged.
absl::StatusOr<Image> DecodePng(absl::string_view bytes,
                                const std::vector<int64_t>& shape);

}  // namespace mre

#endif  // MRE_CLIENT_CLI_IMAGE_H_
