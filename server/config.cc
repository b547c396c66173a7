#include "server/config.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "model/base/version.h"
#include "model/math/parallel.h"
#include "server/door_flags.h"

namespace mre {

Precision ChosenPrecision(const ServerConfig& config) {
  if (config.precision == "bf16") return Precision::kBf16;
  if (config.precision == "f32") return Precision::kF32;
  return CpuPrefersBf16() ? Precision::kBf16 : Precision::kF32;
}

namespace {

// 0 to `most`; neither nan nor a unit, which CLI::Range lets pass or does not
// speak of.
CLI::Validator NumberUpTo(int64_t most) {
  return CLI::Validator(
      [most](const std::string& text) {
        double number = 0;
        if (absl::SimpleAtod(text, &number) && number >= 0 &&
            number <= static_cast<double>(most)) {
          return std::string();
        }
        return absl::StrCat("expected a number from 0 to ", most, ", got ",
                            text);
      },
      absl::StrCat("in [0 - ", most, "]"));
}

void AddBrownout(CLI::App& app, ServerConfig& config) {
  app.add_option("--brownout", config.brownout,
                 "on: while rows wait because all --max_active_rows places are "
                 "taken, rows are granted fewer steps and end with OVERLOAD; "
                 "off: they are only refused")
      ->check(CLI::IsMember({"on", "off"}));
  app.add_option("--brownout_begin_ms", config.brownout_begin_ms,
                 "Longest wait in the queue at which all steps are granted; "
                 "beyond, fewer and fewer")
      ->check(NumberUpTo(3600000));
  app.add_option("--brownout_full_ms", config.brownout_full_ms,
                 "Wait at which only --brownout_floor steps are granted; a "
                 "queue that is three quarters full counts as much. More than "
                 "--brownout_begin_ms; if not given at least 5 times that")
      ->check(NumberUpTo(3600000));
  app.add_option("--brownout_end_ms", config.brownout_end_ms,
                 "Wait below which all steps are granted again; at most "
                 "--brownout_begin_ms, if not given half of that")
      ->check(NumberUpTo(3600000));
  app.add_option("--brownout_floor", config.brownout_floor,
                 "Steps that every row is granted; 0: the first prediction "
                 "only")
      ->check(CLI::Range(0, 1 << 20));
}

void CheckBrownout(const CLI::App& app, ServerConfig& config) {
  // The defaults go with a first mark that was set.
  if (app.count("--brownout_full_ms") == 0) {
    config.brownout_full_ms =
        std::max(config.brownout_full_ms, 5 * config.brownout_begin_ms);
  }
  if (app.count("--brownout_end_ms") == 0) {
    config.brownout_end_ms =
        std::min(config.brownout_end_ms, config.brownout_begin_ms / 2);
  }
  // A microsecond is much more than a Duration's resolution.
  if (config.brownout_full_ms - config.brownout_begin_ms < 0.001) {
    throw CLI::ValidationError(
        "--brownout_full_ms",
        absl::StrCat("expected at least 0.001 more than --brownout_begin_ms, "
                     "which is ",
                     config.brownout_begin_ms));
  }
  if (app.count("--max_queue_ms") == 0) {
    config.max_queue_ms =
        std::max(config.max_queue_ms, 4 * config.brownout_full_ms);
  }
  if (config.brownout == "on" && config.max_queue_ms > 0 &&
      config.max_queue_ms < config.brownout_full_ms) {
    throw CLI::ValidationError(
        "--max_queue_ms",
        absl::StrCat("expected at least --brownout_full_ms, which is ",
                     config.brownout_full_ms,
                     ": requests would be refused before what they are granted "
                     "is lowered; or 0, or --brownout=off"));
  }
  if (config.brownout_end_ms > config.brownout_begin_ms) {
    throw CLI::ValidationError(
        "--brownout_end_ms",
        absl::StrCat("expected at most --brownout_begin_ms, which is ",
                     config.brownout_begin_ms));
  }
}

}  // namespace

CommandLine ParseCommandLine(int argc, char** argv) {
  CommandLine line;
  ServerConfig& config = line.config;
  CLI::App app(
      "mre-server: anytime predictions from Mixtures of Raytraced Experts over "
      "gRPC.\n\nWhen it can serve it prints one line to stdout:\n"
      "  mre-server ready grpc=HOST:PORT metrics=HOST:PORT models=N\n"
      "SIGTERM drains it and ends it with status 0.",
      "mre-server");
  app.option_defaults()->always_capture_default();
  app.add_option("--model_repository", config.model_repository,
                 "Directory of <name>/<version>/model.safetensors")
      ->required();
  app.add_option("--host", config.host, "Address to listen on, both ports");
  app.add_option("--grpc_port", config.grpc_port, "gRPC port; 0: a free one")
      ->check(CLI::Range(0, 65535));
  app.add_option("--metrics_port", config.metrics_port,
                 "Port of GET /metrics; 0: a free one")
      ->check(CLI::Range(0, 65535));
  app.add_option("--threads", config.threads,
                 "Engine threads: each runs an equal part of the rows; more "
                 "than 1 pays where cores are left beside the transport's")
      ->check(CLI::Range(1, 1024));
  app.add_option("--precision", config.precision,
                 "Of experts and head: auto, f32 or bf16 (auto: bf16 where the "
                 "CPU has AMX)")
      ->check(CLI::IsMember({"auto", "f32", "bf16"}));
  app.add_option("--max_active_rows", config.max_active_rows,
                 "Rows computed at once")
      ->check(CLI::Range(1, 1 << 20));
  app.add_option("--max_queued_rows", config.max_queued_rows,
                 "Rows that may wait; more are refused with RESOURCE_EXHAUSTED")
      ->check(CLI::Range(1, 1 << 24));
  app.add_option("--max_queue_ms", config.max_queue_ms,
                 "While a row of a connection waits in the queue for longer, "
                 "more requests on it are refused; 0: no limit. If not given "
                 "at least 4 times --brownout_full_ms")
      ->check(NumberUpTo(3600000));
  app.add_option("--max_rows_per_request", config.max_rows_per_request,
                 "Rows that one request may carry; at most --max_queued_rows")
      ->check(CLI::Range(1, 1 << 20));
  AddBrownout(app, config);
  AddDoorFlags(app, config);
  app.add_option("--stall_seconds", config.stall_seconds,
                 "How long a client that wants every step may leave its full "
                 "outbox unread before its call is cancelled; 0: no limit")
      ->check(NumberUpTo(86400));
  app.add_option("--drain_seconds", config.drain_seconds,
                 "How long running rows may go on after SIGTERM")
      ->check(NumberUpTo(86400));
  app.set_config("--config", "", "File of flag=value lines; flags win");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.set_version_flag("--version", std::string("mre-server ") + kVersion);
  try {
    app.parse(argc, argv);
    // The default must not outgrow a queue that was made smaller.
    if (app.count("--max_rows_per_request") == 0) {
      config.max_rows_per_request =
          std::min(config.max_rows_per_request, config.max_queued_rows);
    }
    if (config.max_rows_per_request > config.max_queued_rows) {
      throw CLI::ValidationError(
          "--max_rows_per_request",
          "expected at most --max_queued_rows, or no such request could ever "
          "be admitted");
    }
    CheckBrownout(app, config);
    CheckDoorFlags(config);
    line.run = true;
  } catch (const CLI::ParseError& error) {
    line.exit_code = app.exit(error) == 0 ? 0 : 2;
  }
  return line;
}

}  // namespace mre
