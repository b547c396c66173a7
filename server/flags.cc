#include "server/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/loopback.h"
#include "server/door_flags.h"
#include "server/flag_checks.h"

namespace mre {
namespace {

constexpr int64_t kHourMs = 3600000;
constexpr int64_t kDaySeconds = 86400;

// Takes what was found wrong.
class Problems {
 public:
  template <typename... Texts>
  void Add(const std::string& flag, const Texts&... texts) {
    problems_.push_back({flag, absl::StrCat(texts...)});
  }
  void Add(std::vector<FlagProblem> more) {
    std::move(more.begin(), more.end(), std::back_inserter(problems_));
  }
  std::vector<FlagProblem> Take() { return std::move(problems_); }

 private:
  std::vector<FlagProblem> problems_;
};

void AddRepositoryFlags(CLI::App& app, ServerConfig& config) {
  app.add_option("--model_repository", config.model_repository,
                 "Directory of <name>/<version>/model.safetensors")
      ->required();
  app.add_option(
         "--model_control_mode", config.model_control_mode,
         "none: what is in the repository at the start is served; poll: "
         "what is there now; explicit: what --load_model and the calls "
         "RepositoryModelLoad and -Unload say")
      ->check(OneOf({"none", "poll", "explicit"}));
  app.add_option("--repository_poll_seconds", config.repository_poll_seconds,
                 "How often poll looks; a file is loaded when it has been the "
                 "same for two looks")
      ->check(Number(0.001, kDaySeconds));
  app.add_option("--load_model", config.load_model,
                 "With explicit: a model to load at the start; may be given "
                 "again; *: all");
  app.add_option("--version_policy", config.version_policy,
                 "Versions that are served of each model: latest, latest:N, "
                 "all, or such as 1,3. One that is damaged does not count")
      ->check(Parses(ParseVersionPolicy));
}

void CheckRepository(const ServerConfig& config, Problems& problems) {
  if (!config.load_model.empty() && config.model_control_mode != "explicit") {
    problems.Add("load_model",
                 "expected only with --model_control_mode=explicit, which is ",
                 config.model_control_mode);
  }
}

void AddServingFlags(CLI::App& app, ServerConfig& config) {
  app.add_option("--host", config.host, "Address to listen on, both ports");
  app.add_option("--grpc_port", config.grpc_port, "gRPC port; 0: a free one")
      ->check(WholeNumber(0, 65535));
  app.add_option("--metrics_port", config.metrics_port,
                 "Port of GET /metrics; 0: a free one")
      ->check(WholeNumber(0, 65535));
  app.add_option("--threads", config.threads,
                 "Engine threads: each runs an equal part of the rows; more "
                 "than 1 pays where cores are left beside the transport's")
      ->check(WholeNumber(1, 1024));
  app.add_option("--precision", config.precision,
                 "Of experts and head: auto, f32 or bf16 (auto: bf16 where the "
                 "CPU has AMX)")
      ->check(OneOf({"auto", "f32", "bf16"}));
}

void CheckServing(const ServerConfig& config, Problems& problems) {
  if (config.grpc_port != 0 && config.grpc_port == config.metrics_port) {
    problems.Add("metrics_port", "expected another port than --grpc_port, got ",
                 config.metrics_port);
  }
}

void AddLimitFlags(CLI::App& app, ServerConfig& config) {
  app.add_option("--max_active_rows", config.max_active_rows,
                 "Rows computed at once, shared out among --threads: a part is "
                 "rounded up, so each thread runs at least one")
      ->check(WholeNumber(1, 1 << 20));
  app.add_option("--max_queued_rows", config.max_queued_rows,
                 "Rows that may wait; more are refused with RESOURCE_EXHAUSTED")
      ->check(WholeNumber(1, 1 << 24));
  app.add_option("--max_queue_ms", config.max_queue_ms,
                 "While a row of a client (a token, or without tokens a "
                 "connection) waits in the queue for longer, more requests of "
                 "it are refused; 0: no limit. If not given at least 4 times "
                 "--brownout_full_ms")
      ->check(NumberUpTo(kHourMs));
  app.add_option("--max_rows_per_request", config.max_rows_per_request,
                 "Rows that one request may carry; at most --max_queued_rows")
      ->check(WholeNumber(1, 1 << 20));
  app.add_option("--stall_seconds", config.stall_seconds,
                 "How long a message may take to be sent: a call whose client "
                 "does not read is then cancelled; 0: no limit")
      ->check(NumberUpTo(kDaySeconds));
  app.add_option("--drain_delay_seconds", config.drain_delay_seconds,
                 "How long new requests are still taken after SIGTERM, while "
                 "health and readiness say no: as long as load balancers take "
                 "to see that")
      ->check(NumberUpTo(kDaySeconds));
  app.add_option("--drain_seconds", config.drain_seconds,
                 "How long running rows may go on, and their answers be read, "
                 "once new requests are refused")
      ->check(NumberUpTo(kDaySeconds));
}

void CheckLimits(const CLI::App& app, ServerConfig& config,
                 Problems& problems) {
  // The default must not outgrow a queue that was made smaller.
  if (app.count("--max_rows_per_request") == 0) {
    config.max_rows_per_request =
        std::min(config.max_rows_per_request, config.max_queued_rows);
  }
  if (config.max_rows_per_request > config.max_queued_rows) {
    problems.Add("max_rows_per_request",
                 "expected at most --max_queued_rows, which is ",
                 config.max_queued_rows,
                 ", or no such request could ever be admitted; got ",
                 config.max_rows_per_request);
  }
}

void AddBrownoutFlags(CLI::App& app, ServerConfig& config) {
  app.add_option("--brownout", config.brownout,
                 "on: while rows wait because all --max_active_rows places are "
                 "taken, rows are granted fewer steps and end with OVERLOAD; "
                 "off: they are only refused")
      ->check(OneOf({"on", "off"}));
  app.add_option("--brownout_begin_ms", config.brownout_begin_ms,
                 "Longest wait in the queue at which all steps are granted; "
                 "beyond, fewer and fewer")
      ->check(NumberUpTo(kHourMs));
  app.add_option("--brownout_full_ms", config.brownout_full_ms,
                 "Wait at which only --brownout_floor steps are granted; a "
                 "queue that is three quarters full counts as much. More than "
                 "--brownout_begin_ms; if not given at least 5 times that")
      ->check(NumberUpTo(kHourMs));
  app.add_option("--brownout_end_ms", config.brownout_end_ms,
                 "Wait below which all steps are granted again; at most "
                 "--brownout_begin_ms, if not given half of that")
      ->check(NumberUpTo(kHourMs));
  app.add_option("--brownout_floor", config.brownout_floor,
                 "Steps that every row is granted; 0: the first prediction "
                 "only")
      ->check(WholeNumber(0, 1 << 20));
}

void CheckBrownout(const CLI::App& app, ServerConfig& config,
                   Problems& problems) {
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
    problems.Add("brownout_full_ms",
                 "expected at least 0.001 more than --brownout_begin_ms, which "
                 "is ",
                 config.brownout_begin_ms, ", got ", config.brownout_full_ms);
  }
  if (app.count("--max_queue_ms") == 0) {
    config.max_queue_ms =
        std::max(config.max_queue_ms, 4 * config.brownout_full_ms);
  }
  if (config.brownout == "on" && config.max_queue_ms > 0 &&
      config.max_queue_ms < config.brownout_full_ms) {
    problems.Add("max_queue_ms",
                 "expected at least --brownout_full_ms, which is ",
                 config.brownout_full_ms,
                 ": requests would be refused before what they are granted is "
                 "lowered; or 0, or --brownout=off; got ",
                 config.max_queue_ms);
  }
  if (config.brownout_end_ms > config.brownout_begin_ms) {
    problems.Add("brownout_end_ms",
                 "expected at most --brownout_begin_ms, which is ",
                 config.brownout_begin_ms, ", got ", config.brownout_end_ms);
  }
}

void AddLogFlags(CLI::App& app, ServerConfig& config) {
  app.add_option("--log_format", config.log_format,
                 "Of the lines on stderr: text, or json, an object a line")
      ->check(OneOf({"text", "json"}));
  app.add_option("--log_requests", config.log_requests,
                 "A line for each call that ends: none; errors: of those that "
                 "fail and were not cancelled, the first ten a second and how "
                 "many more there were; all")
      ->check(OneOf({"none", "errors", "all"}));
}

void AddTransportFlags(CLI::App& app, ServerConfig& config) {
  app.add_option("--load_reports", config.load_reports,
                 "on: each answer says how busy the server is (ORCA's trailer "
                 "endpoint-load-metrics-bin), for balancers that weigh")
      ->check(OneOf({"on", "off"}));
  app.add_option("--accept_compression", config.accept_compression,
                 "on: requests may come in gzip or deflate; off: those are "
                 "refused. gRPC unpacks a message before it looks at its size, "
                 "so a small one may take a thousand times its memory")
      ->check(OneOf({"on", "off"}));
  app.add_option("--response_compression", config.response_compression,
                 "Of answers to clients that accept it")
      ->check(OneOf({"none", "gzip", "deflate"}));
  app.add_option("--reflection", config.reflection,
                 "gRPC server reflection, for grpcurl and its like")
      ->check(OneOf({"on", "off"}));
  app.add_option("--channelz", config.channelz,
                 "grpc.channelz.v1, which shows all connections to anybody who "
                 "asks; only with a --host that is loopback")
      ->check(OneOf({"on", "off"}));
}

void CheckTransport(const ServerConfig& config, Problems& problems) {
  if (config.channelz == "on" && !IsLoopback(config.host)) {
    problems.Add("channelz",
                 "expected off with a --host that others can reach, which is ",
                 config.host,
                 ", for it shows every connection and asks for no token; got "
                 "on");
  }
}

}  // namespace

void AddAllFlags(CLI::App& app, ServerConfig& config) {
  AddRepositoryFlags(app, config);
  AddServingFlags(app, config);
  AddLimitFlags(app, config);
  AddBrownoutFlags(app, config);
  AddDoorFlags(app, config);
  AddLogFlags(app, config);
  AddTransportFlags(app, config);
}

std::vector<FlagProblem> CheckFlags(const CLI::App& app, ServerConfig& config) {
  Problems problems;
  CheckRepository(config, problems);
  CheckServing(config, problems);
  CheckLimits(app, config, problems);
  CheckBrownout(app, config, problems);
  problems.Add(CheckDoorFlags(config));
  CheckTransport(config, problems);
  return problems.Take();
}

}  // namespace mre
