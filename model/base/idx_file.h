// IDX files on the disk, gzipped or not.
#ifndef MRE_MODEL_BASE_IDX_FILE_H_
#define MRE_MODEL_BASE_IDX_FILE_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "model/base/idx.h"

namespace mre {

// Reads an IDX file; one that begins as a gzip file is unpacked first, to at
// most `max_bytes`. Every error names the file: NOT_FOUND when there is none,
// RESOURCE_EXHAUSTED when it would unpack to more, INVALID_ARGUMENT when it is
// damaged.
absl::StatusOr<Idx> ReadIdxFile(const std::string& path, size_t max_bytes);

}  // namespace mre

#endif  // MRE_MODEL_BASE_IDX_FILE_H_
