#include "model/base/idx.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace mre {
namespace {

constexpr size_t kMagicSize = 4;
constexpr size_t kDimensionSize = 4;
constexpr uint8_t kUnsignedByte = 0x08;

uint8_t ByteAt(absl::string_view bytes, size_t i) {
  return static_cast<uint8_t>(bytes[i]);
}

uint32_t DimensionAt(absl::string_view bytes, size_t index) {
  uint32_t value = 0;
  for (size_t i = 0; i < kDimensionSize; ++i) {
    value = value << 8 | ByteAt(bytes, kMagicSize + index * kDimensionSize + i);
  }
  return value;
}

}  // namespace

absl::StatusOr<Idx> ParseIdx(absl::string_view bytes) {
  if (bytes.size() < kMagicSize || ByteAt(bytes, 0) != 0 ||
      ByteAt(bytes, 1) != 0) {
    return absl::InvalidArgumentError(
        "not an IDX file: it does not begin with two zero bytes and a type");
  }
  if (ByteAt(bytes, 2) != kUnsignedByte) {
    return absl::InvalidArgumentError(
        absl::StrCat("IDX element type 0x", absl::Hex(ByteAt(bytes, 2)),
                     " is not 0x8 (unsigned bytes)"));
  }
  const size_t dimensions = ByteAt(bytes, 3);
  if (dimensions == 0) {
    return absl::InvalidArgumentError("IDX file without dimensions");
  }
  const size_t header = kMagicSize + dimensions * kDimensionSize;
  if (bytes.size() < header) {
    return absl::InvalidArgumentError(absl::StrCat(
        "IDX header of ", header, " bytes cut off at ", bytes.size()));
  }
  const size_t available = bytes.size() - header;
  Idx idx;
  idx.count = DimensionAt(bytes, 0);
  idx.item_size = 1;
  for (size_t i = 1; i < dimensions; ++i) {
    const uint32_t size = DimensionAt(bytes, i);
    if (size == 0 || idx.item_size > available / size) {
      return absl::InvalidArgumentError(absl::StrCat(
          "IDX dimension ", i, " is ", size, ", which does not fit a file of ",
          bytes.size(), " bytes"));
    }
    idx.item_size *= size;
    idx.item_shape.push_back(size);
  }
  if (available % idx.item_size != 0 ||
      available / idx.item_size != idx.count) {
    return absl::InvalidArgumentError(
        absl::StrCat("IDX header says ", idx.count, " items of ", idx.item_size,
                     " bytes, but ", available, " follow"));
  }
  idx.data = std::string(bytes.substr(header));
  return idx;
}

}  // namespace mre
