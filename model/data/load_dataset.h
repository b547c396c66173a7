// The data sets that are known, by name.
#ifndef MRE_MODEL_DATA_LOAD_DATASET_H_
#define MRE_MODEL_DATA_LOAD_DATASET_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/data/dataset.h"

namespace mre {

// Names of the data sets, for help texts: "fashion-mnist, mnist, ...".
std::string DatasetNames();

// Bytes of a window of text, unless told otherwise.
inline constexpr int64_t kDefaultWindow = 32;

// Reads a data set. `data_dir` empty: where the system's package installs it.
// `window`: bytes that a model of text reads; of no other data set.
// INVALID_ARGUMENT for an unknown name; NOT_FOUND for a missing file, with a
// hint where to get it; otherwise the error names the damaged file.
absl::StatusOr<Dataset> LoadDataset(absl::string_view name,
                                    const std::string& data_dir,
                                    int64_t window = kDefaultWindow);

}  // namespace mre

#endif  // MRE_MODEL_DATA_LOAD_DATASET_H_
