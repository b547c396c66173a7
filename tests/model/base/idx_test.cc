#include "model/base/idx.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace mre {
namespace {

std::string BigEndian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(value >> shift & 0xff));
  }
  return bytes;
}

std::string Header(uint8_t type, const std::vector<uint32_t>& dimensions) {
  std::string bytes = {0, 0, static_cast<char>(type),
                       static_cast<char>(dimensions.size())};
  for (const uint32_t size : dimensions) bytes += BigEndian(size);
  return bytes;
}

void ExpectRefused(const std::string& bytes, absl::string_view why) {
  const auto idx = ParseIdx(bytes);
  ASSERT_FALSE(idx.ok());
  EXPECT_EQ(idx.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(idx.status().message().find(why), absl::string_view::npos)
      << idx.status();
}

TEST(IdxTest, ReadsImages) {
  const auto idx = ParseIdx(Header(8, {2, 1, 3}) + "abcdef");
  ASSERT_TRUE(idx.ok()) << idx.status();
  EXPECT_EQ(idx->count, 2u);
  EXPECT_EQ(idx->item_shape, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(idx->Item(0), "abc");
  EXPECT_EQ(idx->Item(1), "def");
}

TEST(IdxTest, ReadsLabels) {
  const auto idx = ParseIdx(Header(8, {3}) + "\x07\x01\x02");
  ASSERT_TRUE(idx.ok()) << idx.status();
  EXPECT_EQ(idx->count, 3u);
  EXPECT_TRUE(idx->item_shape.empty());
  EXPECT_EQ(idx->data, "\x07\x01\x02");
}

TEST(IdxTest, AllowsNoItems) {
  const auto idx = ParseIdx(Header(8, {0}));
  ASSERT_TRUE(idx.ok()) << idx.status();
  EXPECT_EQ(idx->count, 0u);
}

TEST(IdxTest, RefusesEveryTruncation) {
  const std::string whole = Header(8, {2, 2, 2}) + "abcdefgh";
  ASSERT_TRUE(ParseIdx(whole).ok());
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(ParseIdx(whole.substr(0, size)).ok()) << size;
  }
}

TEST(IdxTest, RefusesBytesThatFollow) {
  ExpectRefused(Header(8, {2}) + "abc", "2 items of 1 bytes, but 3 follow");
}

TEST(IdxTest, RefusesWrongMagic) {
  ExpectRefused("PNG!", "two zero bytes");
  ExpectRefused(Header(0x0d, {1}) + "abcd", "type 0xd");
  ExpectRefused(Header(8, {}), "without dimensions");
}

TEST(IdxTest, RefusesDimensionsThatOverflow) {
  ExpectRefused(Header(8, {0xffffffff, 0xffffffff, 0xffffffff}) + "abcd",
                "dimension 1 is 4294967295");
  ExpectRefused(Header(8, {0xffffffff}) + "abcd", "4294967295 items");
  // 2^32 * 2^32 is 0 in 64 bits.
  ExpectRefused(Header(8, std::vector<uint32_t>(255, 1u << 31)), "dimension 1");
  ExpectRefused(Header(8, {0, 0xffffffff}), "dimension 1");
}

TEST(IdxTest, RefusesItemsOfNoBytes) {
  ExpectRefused(Header(8, {0xffffffff, 0}), "dimension 1 is 0");
}

}  // namespace
}  // namespace mre
