#include "server/schedule/row_queue.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace mre {
namespace {

class RowQueueTest : public testing::Test, public Request::Waker {
 protected:
  void Wake() override {}
  void Reconsider() override { ++reconsidered_; }

  // Admitted `at` milliseconds after the start, and pushed.
  std::shared_ptr<Request> Push(uint64_t client, uint32_t rows, int at = 0,
                                absl::Duration max_time = {},
                                uint32_t priority = kDefaultPriority) {
    Request::Spec spec;
    spec.client = client;
    spec.priority = priority;
    spec.rows = rows;
    spec.budget.max_time = max_time;
    auto request = std::make_shared<Request>(std::move(spec), nullptr);
    request->Admit(At(at), this);
    queue_.Push(request);
    return request;
  }
  static absl::Time At(int ms) {
    return absl::UnixEpoch() + absl::Milliseconds(ms);
  }
  // Clients of the next rows.
  std::vector<uint64_t> PopClients(int count) {
    std::vector<uint64_t> clients;
    while (count-- > 0) {
      clients.push_back(queue_.Pop().request->spec().client);
    }
    return clients;
  }

  RowQueue queue_;
  int reconsidered_ = 0;
};

TEST_F(RowQueueTest, OneClientIsServedInOrder) {
  const auto first = Push(1, 2);
  const auto second = Push(1, 1);
  EXPECT_EQ(queue_.rows(), 3);
  for (const auto& [request, row] :
       {std::pair(first, 0u), std::pair(first, 1u), std::pair(second, 0u)}) {
    const RowQueue::Row popped = queue_.Pop();
    EXPECT_EQ(popped.request, request);
    EXPECT_EQ(popped.row, row);
  }
  EXPECT_TRUE(queue_.empty());
  EXPECT_EQ(queue_.rows(), 0);
}

TEST_F(RowQueueTest, ClientsTakeTurnsHoweverMuchOneAsks) {
  Push(1, 100);
  Push(1, 1);
  Push(2, 2);
  Push(3, 1);
  EXPECT_EQ(PopClients(6), (std::vector<uint64_t>{1, 2, 3, 1, 2, 1}));
  Push(2, 1);  // who comes back waits for one row of the other
  EXPECT_EQ(PopClients(3), (std::vector<uint64_t>{1, 2, 1}));
}

TEST_F(RowQueueTest, TheMostUrgentGoFirstAndTakeTurnsAmongThemselves) {
  Push(1, 1, 0, {}, kLastPriority);
  Push(2, 2);
  Push(3, 1);
  Push(4, 3, 0, {}, kFirstPriority);
  Push(5, 1, 0, {}, kFirstPriority);
  EXPECT_EQ(PopClients(5), (std::vector<uint64_t>{4, 5, 4, 4, 2}));
  Push(6, 1, 0, {}, kDefaultPriority - 1);  // passes those that wait
  EXPECT_EQ(PopClients(4), (std::vector<uint64_t>{6, 3, 2, 1}));
  EXPECT_TRUE(queue_.empty());
}

TEST_F(RowQueueTest, OneClientMayHaveRowsOfEachPriority) {
  Push(1, 1, 10, {}, kFirstPriority);
  const auto last = Push(1, 1, 5, {}, kLastPriority);
  Push(1, 1, 20);
  EXPECT_EQ(queue_.Waited(1, At(30)), absl::Milliseconds(25));
  last->Cancel();
  queue_.Reconsider();
  EXPECT_EQ(queue_.Waited(1, At(30)), absl::Milliseconds(20));
  EXPECT_EQ(PopClients(2), (std::vector<uint64_t>{1, 1}));
  EXPECT_EQ(queue_.Waited(1, At(30)), absl::ZeroDuration());
  EXPECT_TRUE(queue_.empty());
}

TEST_F(RowQueueTest, ARowWhoseTimeIsOverLeavesBeforeTheMoreUrgent) {
  Push(1, 2, 0, {}, kFirstPriority);
  const auto late = Push(2, 1, 0, absl::Milliseconds(10), kLastPriority);
  std::vector<RowQueue::Row> expired;
  queue_.PopExpired(At(10), 100, expired);
  ASSERT_EQ(expired.size(), 1u);
  EXPECT_EQ(expired[0].request, late);
  EXPECT_EQ(PopClients(2), (std::vector<uint64_t>{1, 1}));
  EXPECT_TRUE(queue_.empty());
}

TEST_F(RowQueueTest, TellsWhoHasWaitedLongest) {
  EXPECT_EQ(queue_.Waited(At(5)), absl::ZeroDuration());
  Push(1, 2, 0);
  Push(2, 1, 10);
  EXPECT_EQ(queue_.Waited(At(30)), absl::Milliseconds(30));
  EXPECT_EQ(queue_.Waited(1, At(30)), absl::Milliseconds(30));
  EXPECT_EQ(queue_.Waited(2, At(30)), absl::Milliseconds(20));
  EXPECT_EQ(queue_.Waited(3, At(30)), absl::ZeroDuration());
  PopClients(2);  // 1 and 2
  EXPECT_EQ(queue_.Waited(2, At(30)), absl::ZeroDuration());
  EXPECT_EQ(queue_.Waited(At(40)), absl::Milliseconds(40)) << "a row is left";
  PopClients(1);
  EXPECT_EQ(queue_.Waited(At(40)), absl::ZeroDuration());
}

TEST_F(RowQueueTest, RowsWhoseTimeIsOverLeaveAtOnce) {
  Push(1, 2);
  const auto hurried = Push(1, 2, 0, absl::Milliseconds(10));
  Push(2, 1, 0, absl::Milliseconds(20));
  std::vector<RowQueue::Row> out;
  queue_.PopExpired(At(9), 100, out);
  EXPECT_TRUE(out.empty());
  queue_.PopExpired(At(10), 100, out);
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0].request, hurried);
  EXPECT_EQ(out[1].row, 1u);
  EXPECT_EQ(queue_.rows(), 3);
  EXPECT_EQ(PopClients(3), (std::vector<uint64_t>{1, 2, 1}));
  out.clear();
  queue_.PopExpired(At(30), 100, out);
  EXPECT_TRUE(out.empty());
}

TEST_F(RowQueueTest, OnlySoManyRowsLeaveForTheirTimeTheOldestFirst) {
  const auto first = Push(1, 3, 0, absl::Milliseconds(1));
  Push(2, 1, 1);
  const auto second = Push(3, 4, 2, absl::Milliseconds(1), kLastPriority);
  const auto pop = [&](int64_t most) {
    std::vector<RowQueue::Row> out;
    queue_.PopExpired(At(10), most, out);
    return out;
  };
  std::vector<RowQueue::Row> out = pop(2);
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[1].request, first);
  EXPECT_EQ(queue_.rows(), 6);
  EXPECT_EQ(queue_.Waited(At(10)), absl::Milliseconds(10)) << "a row is left";
  out = pop(2);
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0].request, first);
  EXPECT_EQ(out[0].row, 2u);
  EXPECT_EQ(out[1].request, second);
  EXPECT_TRUE(pop(0).empty());
  // Those that are left have their turn as well.
  EXPECT_EQ(PopClients(2), (std::vector<uint64_t>{2, 3}));
  EXPECT_EQ(pop(10).size(), 2u);
  EXPECT_TRUE(queue_.empty());
}

TEST_F(RowQueueTest, TurnsStayAsTheyAre) {
  Push(1, 5);
  Push(2, 5);
  const auto hurried = Push(3, 1, 0, absl::Milliseconds(10));
  EXPECT_EQ(PopClients(1), (std::vector<uint64_t>{1}));
  queue_.Reconsider();
  EXPECT_EQ(PopClients(1), (std::vector<uint64_t>{2}));
  std::vector<RowQueue::Row> out;
  queue_.PopExpired(At(10), 100, out);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].request, hurried);
  EXPECT_EQ(PopClients(3), (std::vector<uint64_t>{1, 2, 1}));
}

TEST_F(RowQueueTest, ReconsiderSeesStopsCancelsAndBudgets) {
  const auto stopped = Push(1, 1);
  const auto cancelled = Push(2, 3);
  const auto hurried = Push(3, 1);
  Push(4, 1);
  stopped->Stop();
  cancelled->Cancel();
  Budget budget;
  budget.max_time = absl::Milliseconds(10);
  hurried->SetBudget(budget);
  EXPECT_EQ(reconsidered_, 3);
  std::vector<RowQueue::Row> out;
  queue_.PopExpired(At(10), 100, out);
  EXPECT_TRUE(out.empty()) << "not looked at yet";
  queue_.Reconsider();
  EXPECT_EQ(queue_.rows(), 3) << "of the cancelled one nothing is left";
  queue_.PopExpired(At(10), 100, out);
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0].request, stopped);
  EXPECT_EQ(out[1].request, hurried);
  EXPECT_EQ(PopClients(1), (std::vector<uint64_t>{4}));
  EXPECT_TRUE(queue_.empty());
}

}  // namespace
}  // namespace mre
