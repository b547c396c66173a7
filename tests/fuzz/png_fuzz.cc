// Any bytes are refused or decode to an image of the size that was asked for.
// The first two bytes choose that size.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/cli/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::vector<int64_t> shape = {1 + data[0] % 16, 1 + data[0] / 16,
                                      data[1] % 2 == 0 ? 1 : 3};
  const auto image = mre::DecodePng(
      absl::string_view(reinterpret_cast<const char*>(data) + 2, size - 2),
      shape);
  if (!image.ok()) return 0;
  if (image->pixels.size() !=
      static_cast<size_t>(shape[0] * shape[1] * shape[2])) {
    std::abort();
  }
  return 0;
}
