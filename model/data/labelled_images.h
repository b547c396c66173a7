// Images with their labels, as the data sets' files hold them.
#ifndef MRE_MODEL_DATA_LABELLED_IMAGES_H_
#define MRE_MODEL_DATA_LABELLED_IMAGES_H_

#include <cstdint>
#include <vector>

namespace mre {

// `labels.size()` times H*W*C bytes: row by row, a pixel's channels together.
struct LabelledImages {
  std::vector<uint8_t> images;
  std::vector<uint8_t> labels;

  int64_t size() const { return static_cast<int64_t>(labels.size()); }
};

}  // namespace mre

#endif  // MRE_MODEL_DATA_LABELLED_IMAGES_H_
