// The formats of data sets: one function each, in a file of its own. It reads
// the files in `dir` and sets all of a Dataset but its name. `classes` are the
// names in the order of labels; a format that has its own may replace them.
// NOT_FOUND for a missing file; otherwise the error names the damaged one.
#ifndef MRE_MODEL_DATA_LOADERS_H_
#define MRE_MODEL_DATA_LOADERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/data/dataset.h"

namespace mre {

// The MNIST family's four IDX files, gzipped or not.
absl::StatusOr<Dataset> LoadIdx(const std::string& dir,
                                const std::vector<std::string>& classes);

// data_batch_1.bin to data_batch_5.bin, test_batch.bin and, if it is there,
// batches.meta.txt, which names the classes. In `dir` or in its subdirectory
// cifar-10-batches-bin; an archive is never unpacked, but the error says how.
absl::StatusOr<Dataset> LoadCifar10(const std::string& dir,
                                    const std::vector<std::string>& classes);

// zip.train and zip.test, gzipped or not.
absl::StatusOr<Dataset> LoadUsps(const std::string& dir,
                                 const std::vector<std::string>& classes);

// A plain text, gzipped or not: the file `path`, or input.txt in it. Classes
// are its characters.
absl::StatusOr<Dataset> LoadText(const std::string& path, int64_t window);

}  // namespace mre

#endif  // MRE_MODEL_DATA_LOADERS_H_
