// Reading gzip files.
#ifndef MRE_MODEL_BASE_GZIP_H_
#define MRE_MODEL_BASE_GZIP_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mre {

// Whether `bytes` begin as a gzip file does.
bool IsGzip(absl::string_view bytes);

// The content of a gzip file of one or more members. INVALID_ARGUMENT when it
// is damaged or cut off; RESOURCE_EXHAUSTED when there is more than
// `max_bytes`, of which no more than that is ever held.
absl::StatusOr<std::string> Gunzip(absl::string_view bytes, size_t max_bytes);

}  // namespace mre

#endif  // MRE_MODEL_BASE_GZIP_H_
