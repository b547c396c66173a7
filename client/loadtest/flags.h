// What the command line says, as plain data. main.cc fills it.
#ifndef MRE_CLIENT_LOADTEST_FLAGS_H_
#define MRE_CLIENT_LOADTEST_FLAGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "client/console/request_flags.h"

namespace mre {

struct LoadtestFlags : ServerFlags, OutputFlags {
  std::string metrics;  // HOST:PORT; empty: the server's usage is not known.
  int connections = 1;
  int sessions = 0;  // interactive; 0: as many as what is in flight needs.

  std::string method = "stream";  // Or "predict", "interactive".

  double rate = 0;  // Above 0: an open loop.
  int concurrency = 1;
  std::string arrival = "poisson";  // Or "uniform".
  int max_in_flight = 10000;
  std::string duration = "10s";
  uint64_t requests = 0;  // Above 0: instead of the duration.
  std::string warmup = "1s";
  std::string drain = "10s";
  uint64_t seed = 0;

  std::string dataset_dir = "/usr/share/datasets/fashion-mnist";
  bool random_inputs = false;

  std::vector<std::string> classes;
  BudgetFlags budget;

  double confidence = 0.9;
  double objective_ms = 0;  // 0: no goodput.
  bool json = false;
  bool quiet = false;
};

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_FLAGS_H_
