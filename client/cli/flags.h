// What the command line says, as plain data. main.cc fills it.
#ifndef MRE_CLIENT_CLI_FLAGS_H_
#define MRE_CLIENT_CLI_FLAGS_H_

#include <cstdint>
#include <string>

#include "client/console/budget_flags.h"

namespace mre {

// Exactly one of idx, image, raw and text should be set; Input::Read() checks
// it.
struct InputFlags {
  std::string idx;  // IDX file of images, gz or not.
  // Which images of it: "7", or several such as "3,50,42".
  std::string index = "0";
  uint64_t count = 1;  // So many from the one image of `index` on.
  std::string labels;  // IDX file of their true classes; may be empty.
  std::string image;   // PNG file.
  std::string raw;     // File of the bytes of one input.
  std::string text;    // What the next character is asked for.
};

struct Flags {
  std::string server = "127.0.0.1:8001";
  std::string connect_timeout = "5s";
  std::string deadline;  // "1s"; empty: none.

  std::string model;  // Empty: the first that is ready.
  int64_t model_version = 0;
  std::string service;  // health: whose.

  InputFlags input;
  BudgetFlags budget;
  bool sampled = false;
  uint64_t seed = 0;
  uint32_t top_k = 0;
  bool probabilities = false;
  uint32_t every = 0;
  std::string delivery = "all";  // Or "latest".

  bool json = false;
  bool plain = false;
  std::string pace;  // stream: "40ms"; empty: as suits the output.
};

}  // namespace mre

#endif  // MRE_CLIENT_CLI_FLAGS_H_
