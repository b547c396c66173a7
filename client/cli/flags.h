// What the command line says, as plain data. main.cc fills it.
#ifndef MRE_CLIENT_CLI_FLAGS_H_
#define MRE_CLIENT_CLI_FLAGS_H_

#include <cstdint>
#include <string>

#include "client/console/request_flags.h"

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

struct Flags : ServerFlags, OutputFlags {
  std::string service;  // health: whose.
  std::string name;     // load, unload: of the model.

  InputFlags input;
  BudgetFlags budget;
  bool sampled = false;
  uint64_t seed = 0;
  uint32_t priority = 0;  // 1 to 9; 0: as 5
  bool probabilities = false;

  bool json = false;
  bool plain = false;
  std::string pace;  // stream: "40ms"; empty: as suits the output.
};

}  // namespace mre

#endif  // MRE_CLIENT_CLI_FLAGS_H_
