#include "client/console/request_flags.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/console/duration_flag.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

constexpr char kSecurity[] = "TLS and token";
constexpr char kTokenVariable[] = "MRE_TOKEN";

constexpr char kBudget[] = "Budget (the first limit that holds stops a row)";

// What the model bounds from above is the server's to check.
absl::Status CheckNotNegative(absl::string_view flag, float value) {
  if (value >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, " is ", value, ", not 0 or above"));
}

// Not `value < 0 || value > 1`: that would let NaN pass.
absl::Status CheckShare(absl::string_view flag, float value) {
  if (value >= 0 && value <= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, " is ", value, ", not between 0 and 1"));
}

absl::StatusOr<v1::Delivery> ParseDelivery(const std::string& text) {
  if (text == "all") return v1::DELIVERY_ALL;
  if (text == "latest") return v1::DELIVERY_LATEST;
  return absl::InvalidArgumentError(
      absl::StrCat("--delivery is \"", text, "\", not all or latest"));
}

// What is in the file, but for the end of its line; else the environment's.
absl::StatusOr<std::string> ReadToken(const std::string& path) {
  if (path.empty()) {
    const char* token = std::getenv(kTokenVariable);
    return std::string(token == nullptr ? "" : token);
  }
  auto text = ReadFile(path);
  if (!text.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--token_file: ", text.status().message()));
  }
  std::string token(absl::StripAsciiWhitespace(*text));
  if (token.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--token_file: ", path, " is empty"));
  }
  return token;
}

void AddSecurityFlags(CLI::App& app, ServerFlags& flags) {
  app.add_flag("--tls", flags.tls,
               "Encrypt, and check the server's certificate")
      ->group(kSecurity);
  // Each of these means TLS by itself.
  app.add_option("--ca_cert", flags.ca_cert,
                 "PEM file of the authorities that the server's certificate "
                 "must come from; if not given the system's. Implies --tls")
      ->type_name("FILE")
      ->group(kSecurity);
  app.add_option("--client_cert", flags.client_cert,
                 "PEM file of a certificate, for servers that ask for one. "
                 "Implies --tls")
      ->type_name("FILE")
      ->group(kSecurity);
  app.add_option("--client_key", flags.client_key, "PEM file of its key")
      ->type_name("FILE")
      ->group(kSecurity);
  app.add_option("--server_name", flags.server_name,
                 "Whom the server's certificate must be of, if not --server's "
                 "host")
      ->type_name("NAME")
      ->group(kSecurity);
  app.add_option("--token_file", flags.token_file,
                 "File of the token to send; if not given what the "
                 "environment has as MRE_TOKEN")
      ->type_name("FILE")
      ->group(kSecurity);
  app.add_flag("--allow_plaintext_token", flags.allow_plaintext_token,
               "Send the token without TLS, not to this machine only")
      ->group(kSecurity);
}

}  // namespace

void AddBudgetFlags(CLI::App& app, BudgetFlags& budget) {
  app.add_option("--max_steps", budget.max_steps,
                 "Steps to run at most: experts of an mre, thresholds of a "
                 "raytracing, layers of other kinds; 0: no limit")
      ->type_name("N")
      ->group(kBudget);
  app.add_option("--max_macs", budget.max_macs,
                 "Multiply-accumulates to spend at most; 0: no limit; what "
                 "`mre models` gives for step 0 runs the stem alone")
      ->type_name("N")
      ->group(kBudget);
  app.add_option("--max_time", budget.max_time,
                 "The best answer within this time, such as 5ms; 0s: no "
                 "limit")
      ->type_name("TIME")
      ->group(kBudget);
  app.add_option("--min_confidence", budget.min_confidence,
                 "Stop when the largest probability reaches this; 0: no "
                 "limit")
      ->type_name("0..1")
      ->group(kBudget);
  app.add_option("--min_ray_coverage", budget.min_ray_coverage,
                 "Stop when this share of the rays reaches the output; 0: no "
                 "limit")
      ->type_name("0..1")
      ->group(kBudget);
  app.add_option("--stable_steps", budget.stable_steps,
                 "Stop when the answer has stayed for this many steps; 0: no "
                 "limit")
      ->type_name("N")
      ->group(kBudget);
  app.add_option("--theta_out", budget.theta_out,
                 "Mass at the output that ends a relaxation; 0: the model's "
                 "(kind raytracing only)")
      ->type_name("MASS")
      ->group(kBudget);
  app.add_option("--theta_decay", budget.theta_decay,
                 "From one threshold to the next; 0: the model's (kind "
                 "raytracing only)")
      ->type_name("0..1")
      ->group(kBudget);
}

absl::StatusOr<BudgetFlags> ParseBudgetFields(absl::string_view text) {
  BudgetFlags flags;
  CLI::App app;
  app.set_help_flag();
  AddBudgetFlags(app, flags);
  std::string wrong;
  std::vector<std::string> args;
  for (const absl::string_view field : absl::StrSplit(text, ',')) {
    // CLI11 itself would pass over "--" and take "--NAME VALUE" too.
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(field, absl::MaxSplits('=', 1));
    if (parts.first.empty() || parts.second.empty()) {
      wrong = absl::StrCat("\"", field, "\"");
    }
    args.push_back(absl::StrCat("--", field));
  }
  if (wrong.empty()) {
    try {
      app.parse(args);
      return flags;
    } catch (const CLI::Error& error) {
      wrong = error.what();
    }
  }
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    names.push_back(option->get_single_name());
  }
  return absl::InvalidArgumentError(
      absl::StrCat(wrong, "; expected FIELD=VALUE,... of the fields ",
                   absl::StrJoin(names, ", ")));
}

absl::StatusOr<v1::Budget> MakeBudget(const BudgetFlags& flags) {
  RETURN_IF_ERROR(CheckShare("min_confidence", flags.min_confidence));
  RETURN_IF_ERROR(CheckShare("min_ray_coverage", flags.min_ray_coverage));
  RETURN_IF_ERROR(CheckNotNegative("theta_out", flags.theta_out));
  RETURN_IF_ERROR(CheckShare("theta_decay", flags.theta_decay));
  v1::Budget budget;
  budget.set_max_steps(flags.max_steps);
  budget.set_max_macs(flags.max_macs);
  if (!flags.max_time.empty()) {
    ASSIGN_OR_RETURN(const absl::Duration time,
                     ParseDurationFlag("max_time", flags.max_time));
    const int64_t ns = absl::ToInt64Nanoseconds(time);
    budget.mutable_max_time()->set_seconds(ns / 1'000'000'000);
    budget.mutable_max_time()->set_nanos(ns % 1'000'000'000);
  }
  budget.set_min_confidence(flags.min_confidence);
  budget.set_min_ray_coverage(flags.min_ray_coverage);
  budget.set_stable_steps(flags.stable_steps);
  budget.set_theta_out(flags.theta_out);
  budget.set_theta_decay(flags.theta_decay);
  return budget;
}

void AddConnectionFlags(CLI::App& app, ServerFlags& flags) {
  app.add_option("--server", flags.server,
                 "Where mre-server listens; several with commas between are "
                 "used in turn")
      ->type_name("HOST:PORT")
      ->capture_default_str()
      ->group(kConnectionGroup);
  app.add_option("--connect_timeout", flags.connect_timeout,
                 "How long to try to connect")
      ->type_name("TIME")
      ->capture_default_str()
      ->group(kConnectionGroup);
  app.add_option("--deadline", flags.deadline,
                 "A call fails with DEADLINE_EXCEEDED after this; none by "
                 "default")
      ->type_name("TIME")
      ->group(kConnectionGroup);
  AddSecurityFlags(app, flags);
}

absl::StatusOr<ClientOptions> MakeClientOptions(const ServerFlags& flags) {
  ClientOptions options;
  options.target = flags.server;
  options.tls = {
      .on = flags.tls || !flags.ca_cert.empty() || !flags.client_cert.empty(),
      .ca_cert_file = flags.ca_cert,
      .client_cert_file = flags.client_cert,
      .client_key_file = flags.client_key,
      .server_name = flags.server_name};
  ASSIGN_OR_RETURN(options.token, ReadToken(flags.token_file));
  options.allow_plaintext_token = flags.allow_plaintext_token;
  ASSIGN_OR_RETURN(options.connect_timeout,
                   ParseDurationFlag("connect_timeout", flags.connect_timeout));
  return options;
}

absl::StatusOr<CallOptions> MakeCallOptions(const ServerFlags& flags) {
  CallOptions options;
  if (flags.deadline.empty()) return options;
  ASSIGN_OR_RETURN(options.timeout,
                   ParseDurationFlag("deadline", flags.deadline));
  return options;
}

void AddModelFlags(CLI::App& app, ServerFlags& flags,
                   const std::string& group) {
  app.add_option("--model", flags.model,
                 "Name of the model; needed where the server has several")
      ->type_name("NAME")
      ->group(group);
  app.add_option("--model_version", flags.model_version,
                 "0: the newest that is ready")
      ->type_name("N")
      ->group(group);
  app.add_option("--model_label", flags.model_label,
                 "Instead of --model_version: what the server calls it, such "
                 "as stable")
      ->type_name("LABEL")
      ->excludes("--model_version")
      ->group(group);
}

void AddTopKFlag(CLI::App& app, OutputFlags& flags, const std::string& group) {
  app.add_option("--top_k", flags.top_k, "Classes to send; 0: 5")
      ->type_name("N")
      ->group(group);
}

void AddStepFlags(CLI::App& app, OutputFlags& flags, const std::string& group) {
  app.add_option("--every", flags.every, "Send each n-th step and the last")
      ->type_name("N")
      ->group(group);
  app.add_option("--delivery", flags.delivery,
                 "When the reader is slow: all steps, or latest: those that "
                 "wait may be skipped for newer ones")
      ->type_name("all|latest")
      ->capture_default_str()
      ->group(group);
}

absl::StatusOr<v1::Output> MakeOutput(const OutputFlags& flags) {
  v1::Output output;
  output.set_top_k(flags.top_k);
  output.set_every(flags.every);
  ASSIGN_OR_RETURN(const v1::Delivery delivery, ParseDelivery(flags.delivery));
  output.set_delivery(delivery);
  return output;
}

}  // namespace mre
