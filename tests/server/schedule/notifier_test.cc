#include "server/schedule/notifier.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "tests/support/await_true.h"

namespace mre {
namespace {

// Says when it is told, and may hold the one who tells it.
class Client : public Request::Listener {
 public:
  Client() : request(std::make_shared<Request>(Request::Spec(), this)) {}
  ~Client() override { request->Detach(); }
  void OnReady() override {
    if (hold != nullptr) hold->WaitForNotification();
    by = std::this_thread::get_id();
    ++told;
  }

  std::shared_ptr<Request> request;
  absl::Notification* hold = nullptr;
  std::atomic<int> told{0};
  std::thread::id by;
};

void Touch(Notifier& notifier, const std::vector<Client*>& clients) {
  std::vector<std::shared_ptr<Request>> touched;
  for (const Client* client : clients) {
    if (client->request->Touch()) touched.push_back(client->request);
  }
  notifier.Push(touched);
  EXPECT_TRUE(touched.empty());
}

TEST(NotifierTest, TellsOnAThreadOfItsOwn) {
  Client one, two;
  {
    Notifier notifier([] {});
    Touch(notifier, {&one, &two});
  }
  EXPECT_EQ(one.told, 1);
  EXPECT_EQ(two.told, 1);
  EXPECT_NE(one.by, std::this_thread::get_id());
}

TEST(NotifierTest, WhoWaitsToBeToldIsToldOnce) {
  absl::Notification release;
  Client slow, other;
  slow.hold = &release;
  {
    Notifier notifier([] {});
    Touch(notifier, {&slow});
    for (int i = 0; i < 3; ++i) Touch(notifier, {&other});
    EXPECT_EQ(other.told, 0);
    release.Notify();
  }
  EXPECT_EQ(other.told, 1);
  EXPECT_EQ(slow.told, 1);
}

TEST(NotifierTest, WhatIsPutWhileOneIsToldIsToldAgain) {
  absl::Notification release;
  Client client;
  client.hold = &release;
  Notifier notifier([] {});
  Touch(notifier, {&client});
  // It may be touched again from when its telling has begun.
  AwaitTrue([&] { return client.request->Touch(); });
  std::vector<std::shared_ptr<Request>> again = {client.request};
  notifier.Push(again);
  release.Notify();
  AwaitTrue([&] { return client.told >= 2; });
}

TEST(NotifierTest, OwesWhatIsCompleteAndNotTold) {
  std::atomic<int> told{0};
  absl::Notification release;
  Client slow, complete;
  slow.hold = &release;
  Notifier notifier([&] { ++told; });
  Touch(notifier, {&slow, &complete});
  EXPECT_EQ(notifier.owed(), 0) << "has something to say, but is not complete";
  Prediction last;
  last.stop_reason = StopReason::kExhausted;
  EXPECT_TRUE(complete.request->Put(last));
  notifier.Owe(1);
  EXPECT_FALSE(complete.request->Touch()) << "waits already";
  EXPECT_EQ(notifier.owed(), 1);
  EXPECT_EQ(told, 0);
  release.Notify();
  AwaitTrue([&] { return notifier.owed() <= 0; });
  AwaitTrue([&] { return told > 0; });
  EXPECT_EQ(complete.told, 1);
  // Told again, it is not owed less.
  Touch(notifier, {&complete});
  AwaitTrue([&] { return complete.told >= 2; });
  EXPECT_EQ(notifier.owed(), 0);
}

}  // namespace
}  // namespace mre
