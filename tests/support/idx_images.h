// A reader of IDX image files (gzipped or not) that shares no code with the
// one it may be compared with.
#ifndef MRE_TESTS_SUPPORT_IDX_IMAGES_H_
#define MRE_TESTS_SUPPORT_IDX_IMAGES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace mre {

struct IdxImages {
  int64_t count = 0;
  int64_t height = 0;
  int64_t width = 0;
  std::vector<uint8_t> pixels;  // [count, height, width]
};

// The first `limit` images of the file, or all when it has fewer. The file is
// trusted to be what its header says.
absl::StatusOr<IdxImages> ReadIdxImages(const std::string& path, int64_t limit);

}  // namespace mre

#endif  // MRE_TESTS_SUPPORT_IDX_IMAGES_H_
