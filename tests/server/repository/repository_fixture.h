// A repository in a directory of its own, for tests.
#ifndef MRE_TESTS_SERVER_REPOSITORY_REPOSITORY_FIXTURE_H_
#define MRE_TESTS_SERVER_REPOSITORY_REPOSITORY_FIXTURE_H_

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "model/base/file.h"
#include "server/repository/repository.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {

// Follows what the repository tells.
class Follower : public Repository::Observer {
 public:
  void Added(const ServedModel&) override { ++added; }
  void Retired(const ServedModel&) override { ++retired; }
  void Removed(const ServedModel*) override { ++removed; }

  std::atomic<int> added = 0;
  std::atomic<int> retired = 0;  // calls
  std::atomic<int> removed = 0;
};

class RepositoryTest : public testing::Test {
 protected:
  RepositoryTest() {
    options_.load.root = root_.path();
    options_.versions.kind = VersionPolicy::Kind::kAll;
    options_.observer = &follower_;
    options_.poll = absl::Milliseconds(10);
    options_.settings = [this] {
      ++looks_;
      return settings_ ? settings_() : Repository::Settings();
    };
  }

  std::string Path(const std::string& name, int64_t version) const {
    return ModelFilePath(root_.path(), name, version);
  }
  void Add(const std::string& name, int64_t version, uint64_t seed = 0) {
    ASSERT_THAT(WriteToRepository(
                    root_.path(), name, version,
                    RandomModel(RandomConfig(1), seed > 0 ? seed : version)),
                IsOk());
  }
  // What a version has before it has its file.
  void AddDirectory(const std::string& name, int64_t version) {
    std::filesystem::create_directories(
        std::filesystem::path(Path(name, version)).parent_path());
  }
  void AddDamaged(const std::string& name, int64_t version) {
    AddDirectory(name, version);
    ASSERT_THAT(WriteFileAtomically(Path(name, version), "damaged"), IsOk());
  }
  absl::StatusOr<std::unique_ptr<Repository>> Open() {
    return Repository::Open(options_);
  }

  // Whether it comes to hold, within a time that is long for all of this.
  template <typename Condition>
  static bool Await(Condition holds) {
    for (int i = 0; i < 3000 && !holds(); ++i) {
      absl::SleepFor(absl::Milliseconds(10));
    }
    return holds();
  }
  // Until a poll that began later has acted on what is there now, and one more
  // has ended: for what must not happen.
  void AwaitPolls() {
    const int before = looks_;
    ASSERT_TRUE(Await([&] { return looks_ >= before + 4; }));
  }
  static absl::Status Load(Repository& repository, const std::string& name) {
    return Command([&](auto done) { repository.Load(name, done); });
  }
  static absl::Status Unload(Repository& repository, const std::string& name) {
    return Command([&](auto done) { repository.Unload(name, done); });
  }
  // The versions of a model that can be asked for.
  static std::vector<int64_t> Ready(const Repository& repository,
                                    const std::string& name) {
    std::vector<int64_t> versions;
    for (const VersionStatus& status : repository.Index()) {
      if (status.name == name && status.state == VersionState::kReady) {
        versions.push_back(status.version);
      }
    }
    return versions;
  }

  TempDir root_;
  Follower follower_;
  Repository::Options options_;
  std::function<Repository::Settings()> settings_;  // null: none

 private:
  template <typename Call>
  static absl::Status Command(Call call) {
    absl::Notification ended;
    absl::Status result;
    call([&](absl::Status status) {
      result = std::move(status);
      ended.Notify();
    });
    ended.WaitForNotification();
    return result;
  }

  std::atomic<int> looks_ = 0;  // how often the settings were read
};

}  // namespace mre

#endif  // MRE_TESTS_SERVER_REPOSITORY_REPOSITORY_FIXTURE_H_
