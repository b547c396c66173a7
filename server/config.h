// What mre-server is told on its command line and in its configuration file.
//
// To add a group of flags: its members here, with their defaults, and in
// server/flags.h a function AddXFlags that gives each its flag, called from
// AddAllFlags in server/flags.cc. Where values depend on each other, a function
// CheckX beside it, called from CheckFlags. The file's keys, --help and what is
// said of a wrong value follow from the flags; server/README.md and
// deploy/mre-server.json show those that an operator sets.
#ifndef MRE_SERVER_CONFIG_H_
#define MRE_SERVER_CONFIG_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/math/kernels.h"
#include "server/door/options.h"
#include "server/repository/model_settings.h"

namespace mre {

// Defaults are those of --help. Choices such as on|off are kept as their texts.
struct ServerConfig {
  std::string model_repository;
  std::string model_control_mode = "none";  // or "poll", "explicit"
  double repository_poll_seconds = 15;
  std::vector<std::string> load_model;  // with "explicit"; "*": all
  std::string version_policy = "latest";
  std::string host = "127.0.0.1";
  int grpc_port = 8001;      // 0: a free one
  int metrics_port = 8002;   // 0: a free one
  std::string metrics_host;  // empty: host
  int threads = 1;           // of the engine
  // "auto": bf16 where the CPU is faster at it (AMX), else f32.
  std::string precision = "auto";

  int64_t max_active_rows = 256;
  int64_t max_queued_rows = 4096;
  double max_queue_ms = 1000;  // 0: no limit
  int64_t max_rows_per_request = 256;
  double stall_seconds = 60;  // 0: no limit
  double drain_delay_seconds = 0;
  double drain_seconds = 30;

  std::string brownout = "on";
  double brownout_begin_ms = 50;
  double brownout_full_ms = 250;
  double brownout_end_ms = 25;
  uint32_t brownout_floor = 4;

  DoorOptions door;

  std::string log_format = "text";      // or "json"
  std::string log_requests = "errors";  // or "none", "all"

  std::string load_reports = "off";
  std::string accept_compression = "on";
  std::string response_compression = "none";  // or "gzip", "deflate"
  std::string reflection = "on";
  std::string channelz = "off";

  // The file's name, so that its "models" can be read again
  // (server/config_file.h); empty: none. They are those of the start.
  std::string config_file;
  std::map<std::string, ModelSettings> models;

  // Only look whether all is well.
  bool check = false;
};

// "auto" resolved for this CPU.
Precision ChosenPrecision(const ServerConfig& config);

// Either a config to run with, or the code to exit with: 0 when help or version
// were asked for, 2 for bad usage (1 with --check).
struct CommandLine {
  bool run = false;
  ServerConfig config;
  int exit_code = 0;
};

// Parses flags and, with --config=FILE, a configuration file (flags win;
// unknown keys are errors). Prints help, version or all that is wrong.
CommandLine ParseCommandLine(int argc, char** argv);

}  // namespace mre

#endif  // MRE_SERVER_CONFIG_H_
