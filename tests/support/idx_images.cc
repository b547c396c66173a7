#include "tests/support/idx_images.h"

#include <zlib.h>

#include <algorithm>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace mre {

absl::StatusOr<IdxImages> ReadIdxImages(const std::string& path,
                                        int64_t limit) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(
      gzopen(path.c_str(), "rb"), gzclose);
  if (file == nullptr) {
    return absl::NotFoundError(absl::StrCat("cannot open ", path));
  }
  uint8_t header[16];
  if (gzread(file.get(), header, sizeof(header)) != sizeof(header)) {
    return absl::DataLossError(absl::StrCat(path, ": no IDX header"));
  }
  const auto word = [&](int i) {
    return int64_t{header[4 * i]} << 24 | header[4 * i + 1] << 16 |
           header[4 * i + 2] << 8 | header[4 * i + 3];
  };
  if (word(0) != 0x803) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": not an IDX file of bytes in three dimensions"));
  }
  IdxImages images;
  images.count = std::min(word(1), limit);
  images.height = word(2);
  images.width = word(3);
  images.pixels.resize(images.count * images.height * images.width);
  const auto size = static_cast<unsigned>(images.pixels.size());
  if (gzread(file.get(), images.pixels.data(), size) !=
      static_cast<int>(size)) {
    return absl::DataLossError(absl::StrCat(path, ": ends early"));
  }
  return images;
}

}  // namespace mre
