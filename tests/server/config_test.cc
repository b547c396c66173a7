#include "server/config.h"

#include <initializer_list>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace mre {
namespace {

CommandLine Parse(std::initializer_list<std::string> flags) {
  std::vector<std::string> words = {"mre-server", "--model_repository=x"};
  words.insert(words.end(), flags);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return ParseCommandLine(static_cast<int>(argv.size()), argv.data());
}

TEST(ServerConfigTest, TheMarksOfABrownoutFollowTheFirst) {
  EXPECT_EQ(Parse({}).config.brownout, "on");
  const ServerConfig early = Parse({"--brownout_begin_ms=2"}).config;
  EXPECT_EQ(early.brownout_end_ms, 1);
  EXPECT_EQ(early.brownout_full_ms, 250);
  const ServerConfig late = Parse({"--brownout_begin_ms=200"}).config;
  EXPECT_EQ(late.brownout_end_ms, 25);
  EXPECT_EQ(late.brownout_full_ms, 1000);
}

TEST(ServerConfigTest, RefusesMarksOfABrownoutThatAreNotInOrder) {
  EXPECT_TRUE(Parse({"--brownout_end_ms=50", "--brownout_full_ms=50.5"}).run);
  EXPECT_EQ(Parse({"--brownout_full_ms=50"}).exit_code, 2);
  EXPECT_EQ(Parse({"--brownout_full_ms=50.0001"}).exit_code, 2);
  EXPECT_EQ(Parse({"--brownout_full_ms=nan"}).exit_code, 2);
  EXPECT_EQ(Parse({"--brownout_begin_ms=nan"}).exit_code, 2);
  EXPECT_EQ(Parse({"--brownout_end_ms=nan"}).exit_code, 2);
  EXPECT_EQ(Parse({"--brownout_end_ms=50.5"}).exit_code, 2);
  EXPECT_EQ(Parse({"--brownout_floor=-1"}).exit_code, 2);
  EXPECT_EQ(Parse({"--brownout=maybe"}).exit_code, 2);
}

TEST(ServerConfigTest, RequestsAreLoweredBeforeTheyWaitForTooLong) {
  EXPECT_EQ(Parse({}).config.max_queue_ms, 1000);
  EXPECT_EQ(Parse({"--brownout_full_ms=2000"}).config.max_queue_ms, 8000);
  EXPECT_EQ(Parse({"--max_queue_ms=249"}).exit_code, 2);
  EXPECT_TRUE(Parse({"--max_queue_ms=250"}).run);
  EXPECT_TRUE(Parse({"--max_queue_ms=249", "--brownout=off"}).run);
  EXPECT_EQ(Parse({"--max_queue_ms=0"}).config.max_queue_ms, 0);
  EXPECT_EQ(Parse({"--max_queue_ms=nan"}).exit_code, 2);
  EXPECT_EQ(Parse({"--max_queue_ms=nan", "--brownout=off"}).exit_code, 2);
}

TEST(ServerConfigTest, TimesAreNumbersInRange) {
  for (const std::string flag :
       {"--stall_seconds", "--drain_seconds", "--max_queue_ms",
        "--brownout_begin_ms", "--brownout_full_ms", "--brownout_end_ms"}) {
    for (const std::string value : {"nan", "-1", "inf", "20ms", ""}) {
      EXPECT_EQ(Parse({flag + "=" + value}).exit_code, 2) << flag << value;
    }
  }
  EXPECT_EQ(Parse({"--stall_seconds=0.5"}).config.stall_seconds, 0.5);
}

TEST(ServerConfigTest, ACertificateAndItsKeyNeedEachOther) {
  EXPECT_EQ(Parse({"--tls_cert_file=a"}).exit_code, 2);
  EXPECT_EQ(Parse({"--tls_key_file=a"}).exit_code, 2);
  EXPECT_EQ(Parse({"--tls_client_ca_file=a"}).exit_code, 2);
  const CommandLine line = Parse(
      {"--tls_cert_file=a", "--tls_key_file=b", "--tls_client_ca_file=c"});
  EXPECT_TRUE(line.run);
  EXPECT_EQ(line.config.door.tls_key_file, "b");
}

TEST(ServerConfigTest, LimitsOfTheDoorAreInRange) {
  EXPECT_EQ(Parse({"--max_connections=0"}).exit_code, 2);
  EXPECT_EQ(Parse({"--max_streams_per_connection=0"}).exit_code, 2);
  EXPECT_EQ(Parse({"--max_message_bytes=1073741825"}).exit_code, 2);
  EXPECT_EQ(Parse({"--max_message_bytes=-1"}).exit_code, 2);
  for (const std::string flag :
       {"--handshake_seconds", "--keepalive_timeout_seconds",
        "--max_connection_idle_seconds", "--max_connection_age_seconds",
        "--max_connection_age_grace_seconds", "--keepalive_seconds",
        "--min_ping_seconds"}) {
    for (const std::string value : {"nan", "-1", "inf", ""}) {
      EXPECT_EQ(Parse({flag + "=" + value}).exit_code, 2) << flag << value;
    }
  }
  // These two have no "never".
  EXPECT_EQ(Parse({"--handshake_seconds=0"}).exit_code, 2);
  EXPECT_EQ(Parse({"--keepalive_timeout_seconds=0"}).exit_code, 2);
  EXPECT_EQ(Parse({"--keepalive_seconds=0"}).config.door.keepalive_seconds, 0);
}

TEST(ServerConfigTest, TheRowsOfARequestFollowAShorterQueue) {
  EXPECT_EQ(Parse({"--max_queued_rows=100"}).config.max_rows_per_request, 100);
  EXPECT_EQ(
      Parse({"--max_queued_rows=100", "--max_rows_per_request=101"}).exit_code,
      2);
}

}  // namespace
}  // namespace mre
