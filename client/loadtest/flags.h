// What the command line says, as plain data. main.cc fills it.
#ifndef MRE_CLIENT_LOADTEST_FLAGS_H_
#define MRE_CLIENT_LOADTEST_FLAGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "client/console/budget_flags.h"

namespace mre {

struct LoadtestFlags {
  std::string server = "127.0.0.1:8001";
  std::string metrics;  // HOST:PORT; empty: the server's usage is not known.
  std::string connect_timeout = "5s";
  int connections = 1;
  int sessions = 0;  // interactive; 0: one a connection.

  std::string model;  // Empty: the first that is ready.
  int64_t model_version = 0;
  std::string method = "stream";  // Or "predict", "interactive".
  std::string deadline;           // "1s"; empty: none.

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
  uint32_t top_k = 0;
  uint32_t every = 0;
  std::string delivery = "all";  // Or "latest".

  double confidence = 0.9;
  double objective_ms = 0;  // 0: no goodput.
  bool json = false;
  bool quiet = false;
};

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_FLAGS_H_
