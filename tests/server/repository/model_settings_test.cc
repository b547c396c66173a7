#include "server/repository/model_settings.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<int64_t> Served(const char* policy,
                            const std::set<int64_t>& available,
                            const std::set<int64_t>& refused = {},
                            const std::set<int64_t>& labelled = {}) {
  return VersionsToServe(ParseVersionPolicy(policy).value(), labelled,
                         available, refused);
}

TEST(VersionsToServeTest, FollowsThePolicy) {
  EXPECT_THAT(Served("latest", {1, 2, 9}), ElementsAre(9));
  EXPECT_THAT(Served("latest:2", {1, 2, 9}), ElementsAre(9, 2));
  EXPECT_THAT(Served("latest:5", {1, 2, 9}), ElementsAre(9, 2, 1));
  EXPECT_THAT(Served("all", {1, 2, 9}), ElementsAre(9, 2, 1));
  EXPECT_THAT(Served("2,9,7", {1, 2, 9}), ElementsAre(9, 2));
  EXPECT_THAT(Served("3", {1, 2, 9}), IsEmpty());
  EXPECT_THAT(Served("latest", {}), IsEmpty());
}

TEST(VersionsToServeTest, AnOlderOneTakesThePlaceOfARefusedOne) {
  EXPECT_THAT(Served("latest", {1, 2, 9}, {9}), ElementsAre(2));
  EXPECT_THAT(Served("latest:2", {1, 2, 9}, {2}), ElementsAre(9, 1));
  EXPECT_THAT(Served("all", {1, 2, 9}, {1, 9}), ElementsAre(2));
  EXPECT_THAT(Served("2,9", {1, 2, 9}, {9}), ElementsAre(2));
}

TEST(VersionsToServeTest, WhatHasALabelIsServedToo) {
  EXPECT_THAT(Served("latest", {1, 2, 9}, {}, {1}), ElementsAre(9, 1));
  EXPECT_THAT(Served("latest", {1, 2, 9}, {}, {9}), ElementsAre(9));
  EXPECT_THAT(Served("latest:2", {1, 2, 9}, {9}, {1, 9}), ElementsAre(2, 1));
  EXPECT_THAT(Served("9", {1, 2, 9}, {}, {2, 5}), ElementsAre(9, 2));
}

TEST(ParseVersionPolicyTest, SaysWhatItExpected) {
  EXPECT_EQ(ParseVersionPolicy("latest:3")->latest, 3);
  EXPECT_THAT(ParseVersionPolicy("3,1")->specific, ElementsAre(1, 3));
  for (const char* bad : {"", "newest", "latest:", "latest:0", "latest:-1",
                          "latest:x", "1,", ",1", "0", "-1", "1;2", "All"}) {
    EXPECT_THAT(ParseVersionPolicy(bad),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("expected latest")))
        << '"' << bad << '"';
  }
}

TEST(IsModelNameTest, KeepsToASafeAlphabet) {
  EXPECT_TRUE(IsModelName("fashion-mnist"));
  EXPECT_TRUE(IsModelName("a.b_C-9"));
  for (const char* bad : {"", ".", "..", ".hidden", "a/b", "a b", "\xc3\xa9"}) {
    EXPECT_FALSE(IsModelName(bad)) << '"' << bad << '"';
  }
  EXPECT_FALSE(IsModelName(std::string(129, 'a')));
}

TEST(IsVersionLabelTest, BeginsWithALetter) {
  EXPECT_TRUE(IsVersionLabel("stable"));
  EXPECT_TRUE(IsVersionLabel("canary-2"));
  EXPECT_FALSE(IsVersionLabel("-1"));
  EXPECT_FALSE(IsVersionLabel("1.0"));
  EXPECT_FALSE(IsVersionLabel("12"));
  EXPECT_FALSE(IsVersionLabel(""));
}

}  // namespace
}  // namespace mre
