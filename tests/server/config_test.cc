#include "server/config.h"

#include <fstream>
#include <initializer_list>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/random_model.h"

namespace mre {
namespace {

CommandLine Parse(std::initializer_list<std::string> flags) {
  std::vector<std::string> words = {"mre-server", "--model_repository=x"};
  words.insert(words.end(), flags);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return ParseCommandLine(static_cast<int>(argv.size()), argv.data());
}

using testing::HasSubstr;

// What is said of a command line.
std::string Complaint(std::initializer_list<std::string> flags) {
  testing::internal::CaptureStderr();
  EXPECT_FALSE(Parse(flags).run);
  return testing::internal::GetCapturedStderr();
}

class ConfigFileFlagTest : public testing::Test {
 protected:
  // --config=FILE with this in the file.
  std::string With(const std::string& text) {
    std::ofstream(path_) << text;
    return "--config=" + path_;
  }

  const TempDir dir_;
  const std::string path_ = dir_.File("config.json");
};

TEST_F(ConfigFileFlagTest, KeysAreFlagsAndFlagsWin) {
  const std::string file = With(R"({
    "threads": 3, "host": "::1", "max_queue_ms": 600, "brownout": false,
    "grpc_port": 0, "models": {"a": {"versions": "all"}}})");
  const ServerConfig config = Parse({file, "--threads=2"}).config;
  EXPECT_EQ(config.threads, 2);
  EXPECT_EQ(config.host, "::1");
  EXPECT_EQ(config.max_queue_ms, 600);
  EXPECT_EQ(config.brownout, "off");
  EXPECT_EQ(config.grpc_port, 0);
  EXPECT_EQ(config.metrics_port, 8002);
  EXPECT_EQ(config.models.count("a"), 1u);
  EXPECT_EQ(config.config_file, path_);
}

TEST_F(ConfigFileFlagTest, DefaultsFollowTheFilesValues) {
  EXPECT_EQ(
      Parse({With(R"({"brownout_begin_ms": 200})")}).config.brownout_full_ms,
      1000);
}

TEST_F(ConfigFileFlagTest, AllProblemsAreNamedWithFileAndKey) {
  const std::string said = Complaint({With(R"({
    "threads": 0, "brownout": "maybe", "port": 1, "host": 7,
    "grpc_port": "8001", "max_active_rows": 1.5, "stall_seconds": [1],
    "check": true, "config": "x", "models": 7})")});
  const std::string start = "mre-server: " + path_ + ": ";
  EXPECT_EQ(said,
            start + "models: expected an object, got 7\n" + start +
                "threads: expected a whole number from 1 to 1024, got 0\n" +
                start + "brownout: expected on or off, got maybe\n" + start +
                "port: is not known here: expected the name of a flag (see "
                "--help)\n" +
                start + "host: expected a text, got 7\n" + start +
                "grpc_port: expected a whole number, got 8001\n" + start +
                "max_active_rows: expected a whole number, got 1.5\n" + start +
                "stall_seconds: expected a number, got a list\n" + start +
                "check: is not known here: expected the name of a flag (see "
                "--help)\n" +
                start +
                "config: is not known here: expected the name of a flag (see "
                "--help)\n");
}

TEST_F(ConfigFileFlagTest, ValuesThatDoNotGoTogetherAreNamedWhereTheyStand) {
  EXPECT_EQ(Complaint({With(R"({"max_queued_rows": 9,
                                "max_rows_per_request": 10})"),
                       "--brownout_end_ms=51"}),
            "mre-server: " + path_ +
                ": max_rows_per_request: expected at most --max_queued_rows, "
                "which is 9, or no such request could ever be admitted; got "
                "10\n"
                "mre-server: --brownout_end_ms: expected at most "
                "--brownout_begin_ms, which is 50, got 51\n");
}

TEST_F(ConfigFileFlagTest, FilesThatAreMissingOrNoJsonAreRefused) {
  EXPECT_THAT(Complaint({"--config=" + dir_.File("none")}),
              HasSubstr(dir_.File("none")));
  EXPECT_THAT(Complaint({With("threads=2\n")}),
              HasSubstr(path_ + ": expected JSON: parse error at line 1"));
  EXPECT_EQ(Parse({With("{}"), "--check", "--threads=0"}).exit_code, 1);
  EXPECT_EQ(Parse({With("{}"), "--threads=0"}).exit_code, 2);
}

// What deploy/ shows must be true.
TEST_F(ConfigFileFlagTest, TheSampleIsRight) {
  const CommandLine line = Parse({"--config=" MRE_DEPLOY "/mre-server.json"});
  ASSERT_TRUE(line.run);
  EXPECT_EQ(line.config.log_format, "json");
  EXPECT_FALSE(line.config.models.empty());
}

TEST(ServerConfigTest, WrongFlagsAreAnsweredWithTheirValues) {
  EXPECT_EQ(Complaint({"--threads=x"}),
            "mre-server: --threads: expected a whole number from 1 to 1024, "
            "got x\n"
            "mre-server: run with --help for more information\n");
  EXPECT_THAT(Complaint({"--thread=1"}),
              HasSubstr("mre-server: unknown argument \"--thread=1\"\n"));
  EXPECT_THAT(Complaint({"--log_format=xml"}),
              HasSubstr("expected text or json, got xml"));
  EXPECT_THAT(Complaint({"--log_requests=some"}),
              HasSubstr("expected none, errors or all, got some"));
  EXPECT_THAT(Complaint({"--grpc_port=7", "--metrics_port=7"}),
              HasSubstr("expected another port than --grpc_port, got 7"));
}

TEST(ServerConfigTest, ChannelzIsForThisMachineOnly) {
  EXPECT_TRUE(Parse({"--channelz=on"}).run);
  EXPECT_TRUE(Parse({"--channelz=on", "--host=::1"}).run);
  EXPECT_THAT(Complaint({"--channelz=on", "--host=0.0.0.0"}),
              HasSubstr("--channelz: expected off with a --host that others "
                        "can reach, which is 0.0.0.0"));
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
