// mre-loadtest: see --help. The exceptions that CLI11 throws stay in this file.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <string>

#include "absl/strings/numbers.h"
#include "client/console/request_flags.h"
#include "client/console/usage.h"
#include "client/loadtest/flags.h"
#include "client/loadtest/loadtest.h"
#include "model/base/lock_order_checks.h"
#include "model/base/version.h"

namespace {

constexpr char kAbout[] =
    "Loads an mre-server with requests and reports what it does: requests and "
    "steps a second, time to the first prediction, time to confidence, "
    "latency, accuracy, CPU. A closed loop keeps --concurrency requests in "
    "flight. An open loop starts --rate requests a second whatever the server "
    "does, and counts latency from when a request was due, so a slow server "
    "cannot hide its queue.";

constexpr char kExamples[] = R"(Examples:
  mre-loadtest --model=fashion-mnist --concurrency=64 --min_confidence=0.9
  mre-loadtest --model=fashion-mnist --rate=500 --duration=1m \
      --objective_ms=20 --metrics=127.0.0.1:8002
  mre-loadtest --model=fashion-mnist --rate=500 \
      --class=phone:3:max_steps=2,max_time=5ms --class=desk:1:min_confidence=0.95
  mre-loadtest --model=fashion-mnist --method=predict --requests=10000 \
      --warmup=0s --max_steps=1
  mre-loadtest --model=fashion-mnist --method=interactive \
      --concurrency=1000 --connections=4
  mre-loadtest --model=other --random_inputs --json | jq .all.latency_ms.p99

Ctrl-C ends a run early, with its report; a second one does not wait for the
requests in flight. README.md in client/loadtest says what is measured.

Exit codes: 0 done; 1 no request succeeded, or the connection was lost; 2 bad
usage, or input that cannot be read or does not fit the model.
)";

const CLI::Validator kAboveZero(
    [](const std::string& text) {
      double number = 0;
      return absl::SimpleAtod(text, &number) && number > 0
                 ? std::string()
                 : "expected a number above 0, got " + text;
    },
    "");

constexpr char kLoad[] = "Load";
constexpr char kRequests[] = "Requests";
constexpr char kReport[] = "Report";

void AddLoad(CLI::App& app, mre::LoadtestFlags& flags) {
  auto* concurrency =
      app.add_option("--concurrency", flags.concurrency,
                     "Closed loop: so many requests are always in flight")
          ->type_name("N")
          ->capture_default_str()
          ->group(kLoad);
  auto* rate = app.add_option("--rate", flags.rate,
                              "Open loop: so many requests a second are due")
                   ->check(kAboveZero)
                   ->type_name("R")
                   ->excludes(concurrency)
                   ->group(kLoad);
  app.add_option("--arrival", flags.arrival,
                 "Open loop: poisson, as of independent clients, or uniform, "
                 "with equal gaps")
      ->type_name("poisson|uniform")
      ->capture_default_str()
      ->needs(rate)
      ->group(kLoad);
  app.add_option("--max_in_flight", flags.max_in_flight,
                 "Open loop: a request that is due when so many are in flight "
                 "waits, and is reported")
      ->type_name("N")
      ->capture_default_str()
      ->needs(rate)
      ->group(kLoad);
  auto* duration = app.add_option("--duration", flags.duration,
                                  "How long requests start and are measured")
                       ->type_name("TIME")
                       ->capture_default_str()
                       ->group(kLoad);
  app.add_option("--requests", flags.requests,
                 "Measure so many requests, however long it takes")
      ->check(kAboveZero)
      ->type_name("N")
      ->excludes(duration)
      ->group(kLoad);
  app.add_option("--warmup", flags.warmup,
                 "Before that, load that is not measured")
      ->type_name("TIME")
      ->capture_default_str()
      ->group(kLoad);
  app.add_option("--drain", flags.drain,
                 "After that, how long requests may take to end before they "
                 "are cancelled and count as failed")
      ->type_name("TIME")
      ->capture_default_str()
      ->group(kLoad);
  app.add_option("--seed", flags.seed,
                 "Of the arrivals, the classes and random inputs")
      ->type_name("N")
      ->capture_default_str()
      ->group(kLoad);
}

void AddRequests(CLI::App& app, mre::LoadtestFlags& flags) {
  app.add_option("--method", flags.method,
                 "predict: the final prediction; stream: every step; "
                 "interactive: every step, many requests on one stream")
      ->type_name("predict|stream|interactive")
      ->capture_default_str()
      ->group(kRequests);
  mre::AddModelFlags(app, flags, kRequests);
  auto* dir = app.add_option("--dataset_dir", flags.dataset_dir,
                             "Where the IDX files t10k-images-idx3-ubyte and "
                             "t10k-labels-idx1-ubyte are, gzipped or not")
                  ->type_name("DIR")
                  ->capture_default_str()
                  ->group(kRequests);
  app.add_flag("--random_inputs", flags.random_inputs,
               "Random values instead, for a model of any shape; no accuracy")
      ->excludes(dir)
      ->group(kRequests);
  app.add_option("--class", flags.classes,
                 "A class of clients, again for each: its name, its share of "
                 "the requests, and its budget, as in "
                 "phone:3:max_steps=2,max_time=5ms; fields are the names of "
                 "the budget flags below")
      ->type_name("NAME:SHARE[:FIELD=VALUE,...]")
      ->take_all()
      ->group(kRequests);
  mre::AddTopKFlag(app, flags, kRequests);
  mre::AddStepFlags(app, flags, kRequests);
}

void AddReport(CLI::App& app, mre::LoadtestFlags& flags) {
  app.add_option("--confidence", flags.confidence,
                 "Time to confidence: the first prediction whose largest "
                 "probability reaches this")
      ->type_name("0..1")
      ->capture_default_str()
      ->group(kReport);
  app.add_option("--objective_ms", flags.objective_ms,
                 "Goodput: requests a second that ended well within this; 0: "
                 "not reported")
      ->type_name("MS")
      ->group(kReport);
  app.add_option("--metrics", flags.metrics,
                 "The server's metrics port, for its CPU and memory")
      ->type_name("HOST:PORT")
      ->group(kReport);
  app.add_flag("--json", flags.json, "The report as one JSON object")
      ->group(kReport);
  app.add_flag("--quiet", flags.quiet, "No line on stderr each second")
      ->group(kReport);
}

void AddConnection(CLI::App& app, mre::LoadtestFlags& flags) {
  mre::AddConnectionFlags(app, flags);
  app.add_option("--connections", flags.connections,
                 "So many connections; requests take turns on them")
      ->type_name("N")
      ->capture_default_str()
      ->group(mre::kConnectionGroup);
  app.add_option("--sessions", flags.sessions,
                 "interactive: streams that stay open, spread over the "
                 "connections; 0: one a connection, or more where so many "
                 "requests may be in flight that it would be over 512 each")
      ->type_name("N")
      ->group(mre::kConnectionGroup);
}

int Run(int argc, char** argv) {
  mre::LoadtestFlags flags;
  CLI::App app{kAbout, "mre-loadtest"};
  app.footer(kExamples);
  app.failure_message(mre::UsageErrorText);
  app.set_version_flag("--version",
                       std::string("mre-loadtest ") + mre::kVersion);
  AddLoad(app, flags);
  AddRequests(app, flags);
  mre::AddBudgetFlags(app, flags.budget);
  AddReport(app, flags);
  AddConnection(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? mre::kExitDone : mre::kExitUsage;
  }
  return mre::RunLoadtest(flags);
}

}  // namespace

int main(int argc, char** argv) {
  mre::TurnOffLockOrderChecks();
  try {
    return Run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "mre-loadtest: " << error.what() << std::endl;
    return mre::kExitUsage;
  }
}
