#include "server/repository/repository.h"

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/base/file.h"
#include "tests/server/repository/repository_fixture.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

TEST_F(RepositoryTest, FindsVersionsAndTheNewestByDefault) {
  Add("a", 1);
  Add("a", 10);
  Add("a", 9);
  Add("b", 2);
  ASSERT_OK_AND_ASSIGN(const auto repository, Open());
  EXPECT_THAT(repository->List(), SizeIs(4));
  EXPECT_EQ((*repository->Find("a", 0))->version, 10);
  EXPECT_EQ((*repository->Find("a", 9))->version, 9);
  EXPECT_EQ((*repository->Find("b", 0))->version, 2);
  EXPECT_EQ(follower_.added, 4);
}

TEST_F(RepositoryTest, SaysWhatThereIsWhenSomethingIsNotFound) {
  Add("a", 1);
  Add("b", 3);
  ASSERT_OK_AND_ASSIGN(const auto repository, Open());
  EXPECT_THAT(repository->Find("c", 0),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("\"c\""), HasSubstr("a, b"))));
  EXPECT_THAT(repository->Find("b", 4),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("3")));
  EXPECT_THAT(
      repository->Find("b", -1),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("model_version")));
  EXPECT_THAT(
      repository->Find("b", 0, "stable"),
      StatusIs(absl::StatusCode::kNotFound,
               AllOf(HasSubstr("model_label"), HasSubstr("\"stable\""))));
}

TEST_F(RepositoryTest, ADamagedVersionIsListedAndTheOthersAreServed) {
  Add("a", 1);
  AddDamaged("a", 2);
  AddDamaged("b", 1);
  ASSERT_OK_AND_ASSIGN(const auto repository, Open());
  EXPECT_EQ((*repository->Find("a", 0))->version, 1);
  EXPECT_THAT(
      repository->Find("a", 2),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr("model.safetensors")));
  EXPECT_THAT(repository->Find("b", 0),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("b")));
  // What was refused can still be looked at.
  EXPECT_EQ((*repository->Get("a", 0)).version, 1);
  EXPECT_EQ((*repository->Get("a", 2)).state, VersionState::kFailed);
  EXPECT_THAT((*repository->Get("b", 0)).reason, HasSubstr("b/1/model"));
}

TEST_F(RepositoryTest, RefusesARootWithNothingToServe) {
  EXPECT_THAT(Open(), StatusIs(absl::StatusCode::kNotFound,
                               HasSubstr("model.safetensors")));
  AddDamaged("a", 1);
  EXPECT_THAT(Open(), StatusIs(absl::StatusCode::kFailedPrecondition,
                               HasSubstr("refused")));
  options_.load.root = root_.File("nowhere");
  EXPECT_THAT(Open(),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("nowhere")));
}

TEST_F(RepositoryTest, SaysThatAModelsDirectoryIsNoRepository) {
  const std::string hint = "did you mean its parent?";
  EXPECT_THAT(Open(),
              StatusIs(absl::StatusCode::kNotFound, Not(HasSubstr(hint))));
  Add("a", 1);
  options_.load.root = root_.File("a");
  EXPECT_THAT(Open(), StatusIs(absl::StatusCode::kNotFound, HasSubstr(hint)));
}

TEST_F(RepositoryTest, RefusesAModelWhoseRowsTakeTooMuchMemory) {
  Add("a", 1);
  ASSERT_OK_AND_ASSIGN(const auto repository, Open());
  options_.load.max_row_bytes = (*repository->Find("a", 1))->model->RowBytes();
  EXPECT_THAT(Open(), IsOk());
  --options_.load.max_row_bytes;
  EXPECT_FALSE(Open().ok());
}

TEST_F(RepositoryTest, ADamagedNewestDoesNotTakeThePlaceOfTheOneBefore) {
  options_.versions.kind = VersionPolicy::Kind::kLatest;
  Add("a", 1);
  Add("a", 2);
  AddDamaged("a", 3);
  ASSERT_OK_AND_ASSIGN(const auto repository, Open());
  EXPECT_THAT(Ready(*repository, "a"), ElementsAre(2));
  EXPECT_EQ((*repository->Get("a", 3)).state, VersionState::kFailed);
  EXPECT_THAT(repository->Get("a", 1),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("2, 3")));
}

TEST_F(RepositoryTest, SettingsGiveAModelItsOwnPolicyAndLabels) {
  for (const int64_t version : {1, 2, 3}) {
    Add("a", version);
    Add("b", version);
  }
  options_.versions.kind = VersionPolicy::Kind::kLatest;
  settings_ = [] {
    ModelSettings settings;
    settings.versions = ParseVersionPolicy("1,3").value();
    settings.labels = {{"stable", 1}, {"canary", 3}, {"gone", 9}};
    return Repository::Settings{{"a", settings}};
  };
  ASSERT_OK_AND_ASSIGN(const auto repository, Open());
  EXPECT_THAT(Ready(*repository, "a"), ElementsAre(1, 3));
  EXPECT_THAT(Ready(*repository, "b"), ElementsAre(3));
  EXPECT_EQ((*repository->Find("a", 0, "stable"))->version, 1);
  EXPECT_EQ((*repository->Find("a", 0, "canary"))->version, 3);
  EXPECT_THAT(repository->Find("a", 0, "gone"),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("\"gone\""), HasSubstr("1, 3"))));
  EXPECT_THAT(
      repository->Find("a", 1, "stable"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("model_label")));
}

TEST_F(RepositoryTest, ALabelMovesWhenItsVersionIsServed) {
  options_.control = Repository::Control::kPoll;
  options_.versions.kind = VersionPolicy::Kind::kLatest;
  std::atomic<int64_t> stable = 1;
  settings_ = [&] {
    ModelSettings settings;
    settings.labels = {{"stable", stable.load()}};
    return Repository::Settings{{"a", settings}};
  };
  Add("a", 1);
  ASSERT_OK_AND_ASSIGN(const auto repository, Open());
  EXPECT_EQ((*repository->Find("a", 0, "stable"))->version, 1);
  // Before the version is there, and while it is damaged.
  stable = 2;
  AddDamaged("a", 2);
  ASSERT_TRUE(Await([&] { return repository->load_counts()[0].refused == 1; }));
  AwaitPolls();
  EXPECT_EQ((*repository->Find("a", 0, "stable"))->version, 1);
  // At no moment is there none.
  std::atomic<bool> always = true;
  std::atomic<bool> done = false;
  std::thread asking([&] {
    while (!done) always = always && repository->Find("a", 0, "stable").ok();
  });
  Add("a", 2);
  EXPECT_TRUE(Await(
      [&] { return (*repository->Find("a", 0, "stable"))->version == 2; }));
  done = true;
  asking.join();
  EXPECT_TRUE(always);
}

TEST_F(RepositoryTest, WhatIsServedStaysWhereNothingWantedCanBe) {
  options_.control = Repository::Control::kPoll;
  Add("a", 1);
  std::atomic<bool> second = false;
  settings_ = [&] {
    ModelSettings settings;
    settings.versions = ParseVersionPolicy(second ? "2" : "1").value();
    return Repository::Settings{{"a", settings}};
  };
  ASSERT_OK_AND_ASSIGN(const auto repository, Open());
  AddDamaged("a", 2);
  second = true;
  ASSERT_TRUE(Await([&] { return repository->load_counts()[0].refused == 1; }));
  AwaitPolls();
  EXPECT_THAT(Ready(*repository, "a"), ElementsAre(1));
  Add("a", 2);
  EXPECT_TRUE(Await([&] { return repository->Find("a", 2).ok(); }));
  EXPECT_TRUE(Await([&] { return !repository->Find("a", 1).ok(); }));
}

TEST_F(RepositoryTest, AVersionWithoutItsFileIsAwaited) {
  options_.control = Repository::Control::kPoll;
  options_.versions.kind = VersionPolicy::Kind::kLatest;
  Add("a", 1);
  AddDirectory("a", 3);  // there from the start
  ASSERT_OK_AND_ASSIGN(const auto repository, Open());
  AddDirectory("a", 2);
  AwaitPolls();
  for (const int64_t version : {2, 3}) {
    EXPECT_THAT(repository->Get("a", version),
                StatusIs(absl::StatusCode::kNotFound, testing::_));
  }
  EXPECT_THAT(Ready(*repository, "a"), ElementsAre(1));
  // Nor is the file of one that is served missed.
  fs::remove(Path("a", 1));
  AwaitPolls();
  EXPECT_THAT(Ready(*repository, "a"), ElementsAre(1));
  Add("a", 2);
  EXPECT_TRUE(Await([&] { return repository->Find("a", 2).ok(); }));
  EXPECT_EQ(repository->load_counts()[0].refused, 0);
}

TEST_F(RepositoryTest, AVersionWithoutItsFileIsRefusedWhereNobodyLooksAgain) {
  options_.versions.kind = VersionPolicy::Kind::kLatest;
  Add("a", 1);
  AddDirectory("a", 2);
  ASSERT_OK_AND_ASSIGN(const auto repository, Open());
  EXPECT_THAT(Ready(*repository, "a"), ElementsAre(1));
  EXPECT_EQ(repository->Get("a", 2)->state, VersionState::kFailed);
  EXPECT_THAT(repository->Get("a", 2)->reason, HasSubstr("a/2/model"));
  options_.control = Repository::Control::kExplicit;
  ASSERT_OK_AND_ASSIGN(const auto explicitly, Open());
  EXPECT_THAT(Load(*explicitly, "a"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("a/2/model")));
}

TEST_F(RepositoryTest, AReasonIsCutToWhatAnAnswerHasRoomFor) {
  options_.control = Repository::Control::kExplicit;
  std::string name;
  while (name.size() < 1'000'000) name += "\u00e9";
  // In one of these two the cut would be within a letter.
  for (const std::string& tensor : {name, "x" + name}) {
    const std::string header = absl::StrCat("{\"", tensor, "\":1}");
    std::string file(8, '\0');
    for (int i = 0; i < 4; ++i) {
      file[i] = static_cast<char>(header.size() >> (8 * i));
    }
    AddDirectory("a", 1);
    ASSERT_THAT(WriteFileAtomically(Path("a", 1), file + header), IsOk());
    ASSERT_OK_AND_ASSIGN(const auto repository, Open());
    const absl::Status refusal = Load(*repository, "a");
    const std::string reason = repository->Get("a", 1)->reason;
    EXPECT_EQ(std::string(refusal.message()), reason);
    EXPECT_THAT(reason, StartsWith(Path("a", 1)));
    EXPECT_THAT(reason, testing::EndsWith("\u00e9..."));
    EXPECT_LE(reason.size(), 512u);
    EXPECT_LE(repository->Find("a", 1).status().message().size(), 600u);
  }
}

TEST_F(RepositoryTest, StopCutsALoadShortAndSaysSo) {
  // Stays in the middle of a load.
  struct : Follower {
    void Added(const ServedModel&) override {
      begun.Notify();
      go_on.WaitForNotification();
    }
    absl::Notification begun, go_on;
  } observer;
  options_.control = Repository::Control::kExplicit;
  options_.observer = &observer;
  Add("a", 1);
  Add("a", 2);
  ASSERT_OK_AND_ASSIGN(const auto repository, Open());
  absl::Notification ended;
  absl::Status result;
  repository->Load("a", [&](absl::Status status) {
    result = std::move(status);
    ended.Notify();
  });
  observer.begun.WaitForNotification();
  repository->Stop();
  observer.go_on.Notify();
  ended.WaitForNotification();
  EXPECT_THAT(result, StatusIs(absl::StatusCode::kUnavailable,
                               HasSubstr("shutting down")));
  EXPECT_FALSE(repository->Find("a", 1).ok());
}

TEST_F(RepositoryTest, StopEndsCommands) {
  options_.control = Repository::Control::kExplicit;
  Add("a", 1);
  ASSERT_OK_AND_ASSIGN(const auto repository, Open());
  std::atomic<int> ended = 0;
  for (int i = 0; i < 100; ++i) {
    repository->Load("a", [&](const absl::Status&) { ++ended; });
  }
  repository->Stop();
  EXPECT_TRUE(Await([&] { return ended == 100; }));
  EXPECT_THAT(Load(*repository, "a"), StatusIs(absl::StatusCode::kUnavailable,
                                               HasSubstr("shutting down")));
}

TEST_F(RepositoryTest, PollFollowsTheDirectory) {
  options_.control = Repository::Control::kPoll;
  options_.versions.kind = VersionPolicy::Kind::kLatest;
  ASSERT_OK_AND_ASSIGN(const auto repository, Open());
  EXPECT_THAT(repository->List(), SizeIs(0));

  Add("a", 1);
  ASSERT_TRUE(Await([&] { return repository->Find("a", 1).ok(); }));
  auto held = *repository->Find("a", 1);
  Add("a", 2);
  ASSERT_TRUE(Await([&] { return !repository->Find("a", 1).ok(); }));
  EXPECT_THAT(Ready(*repository, "a"), ElementsAre(2));
  // It was never without a version; the old one is there while it is held.
  EXPECT_EQ(held->model->config().layers, RandomConfig(1).layers);
  EXPECT_TRUE(Await([&] {
    const auto index = repository->Index();
    return index.size() == 2 && index[0].state == VersionState::kUnloading;
  }));
  EXPECT_EQ(repository->Get("a", 1)->state, VersionState::kUnloading);
  EXPECT_EQ(repository->Get("a", 0)->version, 2);
  EXPECT_EQ(follower_.removed, 0);
  held = nullptr;
  EXPECT_TRUE(Await([&] { return follower_.removed == 1; }));
  EXPECT_GE(follower_.retired, 1);
  EXPECT_TRUE(Await([&] { return repository->Index().size() == 1; }));

  fs::remove_all(root_.File("a"));
  EXPECT_TRUE(Await([&] { return repository->List().empty(); }));
  EXPECT_THAT(repository->Find("a", 0),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("none")));
}

TEST_F(RepositoryTest, AFileThatIsReplacedIsLoadedAside) {
  options_.control = Repository::Control::kPoll;
  Add("a", 1, 5);
  ASSERT_OK_AND_ASSIGN(const auto repository, Open());
  const auto before = *repository->Find("a", 1);
  Add("a", 1, 6);
  ASSERT_TRUE(Await([&] { return *repository->Find("a", 1) != before; }));
  EXPECT_THAT(repository->load_counts(), SizeIs(1));
  EXPECT_EQ(repository->load_counts()[0].loaded, 2);
}

TEST_F(RepositoryTest, ADamagedFileLeavesWhatIsServedAndSaysWhy) {
  options_.control = Repository::Control::kPoll;
  Add("a", 1);
  ASSERT_OK_AND_ASSIGN(const auto repository, Open());
  const auto before = *repository->Find("a", 1);
  AddDamaged("a", 1);
  ASSERT_TRUE(Await([&] { return repository->load_counts()[0].refused == 1; }));
  EXPECT_EQ(*repository->Find("a", 1), before);
  const VersionStatus status = *repository->Get("a", 1);
  EXPECT_EQ(status.state, VersionState::kReady);
  EXPECT_THAT(status.reason, HasSubstr("refused"));
  // It is not tried again until it changes.
  AwaitPolls();
  EXPECT_EQ(repository->load_counts()[0].refused, 1);
  Add("a", 1, 7);
  ASSERT_TRUE(Await([&] { return *repository->Find("a", 1) != before; }));
  EXPECT_EQ((*repository->Get("a", 1)).reason, "");
}

TEST_F(RepositoryTest, ExplicitLoadsAndUnloadsByName) {
  options_.control = Repository::Control::kExplicit;
  options_.load_models = {"b"};
  Add("a", 1);
  Add("b", 1);
  ASSERT_OK_AND_ASSIGN(const auto repository, Open());
  EXPECT_THAT(repository->Find("a", 0),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("b")));
  EXPECT_TRUE(repository->Find("b", 0).ok());
  // What could be loaded is in the index.
  ASSERT_THAT(repository->Index(), SizeIs(2));
  EXPECT_EQ(repository->Index()[0].state, VersionState::kUnloaded);
  EXPECT_EQ(repository->Get("a", 0)->state, VersionState::kUnloaded);
  EXPECT_EQ(repository->Get("a", 1)->state, VersionState::kUnloaded);
  EXPECT_THAT(repository->Get("a", 2), StatusIs(absl::StatusCode::kNotFound));

  EXPECT_THAT(Load(*repository, "a"), IsOk());
  EXPECT_TRUE(repository->Find("a", 0).ok());
  EXPECT_THAT(Load(*repository, "c"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Load(*repository, "../a"),
              StatusIs(absl::StatusCode::kInvalidArgument));

  AddDamaged("a", 2);
  EXPECT_THAT(
      Load(*repository, "a"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("a/2/model")));
  EXPECT_TRUE(repository->Find("a", 1).ok());

  EXPECT_THAT(Unload(*repository, "a"), IsOk());
  EXPECT_FALSE(repository->Find("a", 0).ok());
  EXPECT_THAT(Unload(*repository, "a"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("not loaded")));
  EXPECT_TRUE(Await([&] { return follower_.removed == 1; }));
}

TEST_F(RepositoryTest, AskingForAModelAtTheStartThatIsNotThereIsAnError) {
  options_.control = Repository::Control::kExplicit;
  Add("a", 1);
  options_.load_models = {"a", "b"};
  EXPECT_THAT(Open(),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("--load_model"), HasSubstr("\"b\""))));
  options_.load_models = {"*"};
  ASSERT_OK_AND_ASSIGN(const auto repository, Open());
  EXPECT_TRUE(repository->Find("a", 0).ok());
}

TEST_F(RepositoryTest, CommandsNeedExplicitControl) {
  Add("a", 1);
  for (const auto control :
       {Repository::Control::kNone, Repository::Control::kPoll}) {
    options_.control = control;
    ASSERT_OK_AND_ASSIGN(const auto repository, Open());
    EXPECT_THAT(Load(*repository, "a"),
                StatusIs(absl::StatusCode::kUnavailable,
                         HasSubstr("--model_control_mode=explicit")));
  }
}

}  // namespace
}  // namespace mre
