#include "model/base/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace mre {
namespace {

constexpr int kGzipWindow = 15 + 16;  // zlib: the largest window, gzip only.
constexpr size_t kChunk = 1 << 18;

}  // namespace

bool IsGzip(absl::string_view bytes) {
  return bytes.substr(0, 2) == absl::string_view("\x1f\x8b", 2);
}

absl::StatusOr<std::string> Gunzip(absl::string_view bytes, size_t max_bytes) {
  z_stream stream = {};
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) {
    return absl::ResourceExhaustedError("zlib: out of memory");
  }
  const auto end = absl::MakeCleanup([&stream] { inflateEnd(&stream); });
  std::string content;
  std::vector<char> chunk(kChunk);
  size_t taken = 0;
  int result = Z_OK;
  while (true) {
    const size_t given = std::min<size_t>(bytes.size() - taken,
                                          std::numeric_limits<uInt>::max());
    stream.next_in = reinterpret_cast<Bytef*>(
        const_cast<char*>(bytes.data() + taken));  // zlib only reads it.
    stream.avail_in = static_cast<uInt>(given);
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = static_cast<uInt>(chunk.size());
    result = inflate(&stream, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END) break;
    taken += given - stream.avail_in;
    const size_t made = chunk.size() - stream.avail_out;
    if (made > max_bytes - content.size()) {
      return absl::ResourceExhaustedError(
          absl::StrCat("gzip: more than ", max_bytes, " bytes inside"));
    }
    content.append(chunk.data(), made);
    if (result == Z_OK) continue;
    if (taken == bytes.size()) return content;
    inflateReset(&stream);  // Another member follows.
  }
  if (result == Z_BUF_ERROR) {
    return absl::InvalidArgumentError("gzip: the file is cut off");
  }
  return absl::InvalidArgumentError(
      absl::StrCat("gzip: ", stream.msg != nullptr ? stream.msg : "damaged"));
}

}  // namespace mre
