// What a run says at its end: as a table for people, as JSON for programs.
#ifndef MRE_CLIENT_LOADTEST_REPORT_H_
#define MRE_CLIENT_LOADTEST_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/loadtest/class_mix.h"
#include "client/loadtest/flags.h"
#include "client/loadtest/process_usage.h"
#include "client/loadtest/recorder.h"
#include "client/loadtest/runner.h"
#include "proto/mre/v1/anytime.pb.h"

namespace mre {

struct Report {
  LoadtestFlags flags;
  v1::ModelInfo model;
  std::string inputs;  // Inputs::name().
  std::vector<ClientClass> classes;
  std::vector<ClassResult> results;  // One a class.
  ClassResult all;                   // The sum of `results`.
  Runner::State state;
  double window_seconds = 0;
  bool interrupted = false;      // Ctrl-C.
  bool connection_lost = false;  // The server could not be reached at the end.
  std::optional<Usage> server;   // Unset: --metrics was not given.
  Usage client;
  int client_cores = 1;  // That the client may use.

  // All of the window's requests divided by its seconds; 0 for no window.
  double PerSecond(uint64_t count) const;
};

// "max_steps" for STOP_REASON_MAX_STEPS.
std::string StopName(v1::StopReason reason);

// What makes the numbers less than they seem, a sentence each.
std::vector<std::string> Warnings(const Report& report);

// Lines, each ended by a newline.
std::string ReportText(const Report& report);

// One object in one line, without a newline; README.md says what is in it.
std::string ReportJson(const Report& report);  // report_json.cc

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_REPORT_H_
