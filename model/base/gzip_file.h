// Files on the disk, gzipped or not.
#ifndef MRE_MODEL_BASE_GZIP_FILE_H_
#define MRE_MODEL_BASE_GZIP_FILE_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace mre {

// The content of a file; one that begins as a gzip file is unpacked, to at most
// `max_bytes`. Every error names the file: NOT_FOUND when there is none,
// RESOURCE_EXHAUSTED when it would unpack to more, INVALID_ARGUMENT when it is
// damaged.
absl::StatusOr<std::string> ReadGzipFile(const std::string& path,
                                         size_t max_bytes);

// `stem`.gz if there is such a file, otherwise `stem`.
std::string PackedOrPlain(const std::string& stem);

}  // namespace mre

#endif  // MRE_MODEL_BASE_GZIP_FILE_H_
