#include "server/service/message_pool.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "proto/mre/v1/anytime.pb.h"

namespace mre {
namespace {

using Pool = MessagePool<v1::PredictUpdate>;

std::unique_ptr<v1::PredictUpdate> Sent(std::unique_ptr<v1::PredictUpdate> m,
                                        size_t id_bytes) {
  m->set_request_id(std::string(id_bytes, 'x'));
  m->add_predictions()->set_step(3);
  m->SerializeAsString();
  return m;
}

TEST(MessagePoolTest, GivesBackWhatWasGivenEmpty) {
  Pool pool;
  auto message = Sent(pool.Take(), 10);
  const v1::PredictUpdate* const address = message.get();
  pool.Give(std::move(message));
  message = pool.Take();
  EXPECT_EQ(message.get(), address);
  EXPECT_EQ(message->ByteSizeLong(), 0u);
  EXPECT_NE(pool.Take().get(), address);
}

TEST(MessagePoolTest, KeepsNoLargeOnesAndNotTooMany) {
  Pool pool;
  pool.Give(nullptr);
  pool.Give(Sent(pool.Take(), Pool::kLargestKept));
  EXPECT_EQ(pool.kept(), 0u);
  for (size_t i = 0; i < Pool::kMostKept + 5; ++i) {
    pool.Give(Sent(std::make_unique<v1::PredictUpdate>(), 1));
  }
  EXPECT_EQ(pool.kept(), Pool::kMostKept);
}

}  // namespace
}  // namespace mre
