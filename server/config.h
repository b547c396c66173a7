// What mre-server is told on its command line and in its configuration file.
#ifndef MRE_SERVER_CONFIG_H_
#define MRE_SERVER_CONFIG_H_

#include <cstdint>
#include <string>

#include "model/math/kernels.h"
#include "server/door/options.h"

namespace mre {

// Defaults are those of --help.
struct ServerConfig {
  std::string model_repository;
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
  std::string brownout = "on";  // or "off"
  double brownout_begin_ms = 50;
  double brownout_full_ms = 250;
  double brownout_end_ms = 25;
  uint32_t brownout_floor = 4;
  double stall_seconds = 60;  // 0: no limit
  double drain_seconds = 30;
  DoorOptions door;
};

// "auto" resolved for this CPU.
Precision ChosenPrecision(const ServerConfig& config);

// Either a config to run with, or the code to exit with: 0 when help or version
// were asked for, 2 for bad usage.
struct CommandLine {
  bool run = false;
  ServerConfig config;
  int exit_code = 0;
};

// Parses flags and, with --config=FILE, a file of `flag=value` lines (flags
// win; unknown names are errors). Prints help, version or what is wrong.
CommandLine ParseCommandLine(int argc, char** argv);

}  // namespace mre

#endif  // MRE_SERVER_CONFIG_H_
