#include "client/loadtest/loadtest.h"

#include <algorithm>
#include <iostream>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/console/words.h"
#include "client/loadtest/inputs.h"
#include "client/loadtest/interrupts.h"
#include "client/loadtest/outage.h"
#include "client/loadtest/plan.h"
#include "client/loadtest/progress.h"
#include "client/loadtest/report.h"
#include "client/loadtest/wire_transport.h"
#include "model/base/cpus.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(20);
constexpr Nanos kSecond = 1'000'000'000;
// How long the server may take to say, after a run with failures, that it is
// still there.
constexpr absl::Duration kProbe = absl::Seconds(2);

// What is wrong, with the exit code that goes with it.
int Fail(const absl::Status& status) {
  const bool usage = absl::IsInvalidArgument(status);
  std::cerr << "mre-loadtest: "
            << (usage ? Printable(status.message()) : ErrorText(status))
            << std::endl;
  return usage ? kExitUsage : kExitFailed;
}

// Whatever is wrong with the files is for who typed their name to put right.
absl::StatusOr<Inputs> ReadInputs(const LoadtestFlags& flags,
                                  const v1::ModelInfo& model) {
  const std::vector<int64_t> shape(model.input_shape().begin(),
                                   model.input_shape().end());
  auto inputs = flags.random_inputs ? Inputs::Random(shape, flags.seed)
                                    : Inputs::Read(flags.dataset_dir, shape);
  if (inputs.ok()) return inputs;
  return absl::InvalidArgumentError(inputs.status().message());
}

// One run, from its start to the last request's end.
class Run {
 public:
  // All but `flags` must outlive this.
  Run(LoadtestFlags flags, const Plan& plan, const Inputs& inputs,
      WireTransport& transport)
      : flags_(std::move(flags)),
        plan_(plan),
        transport_(transport),
        recorder_(plan.recorder),
        runner_(plan.load, &plan.mix, &inputs, &transport, &recorder_) {}

  // Fills in what the run found out; the rest of `report` stays.
  void Go(Report& report) {
    before_ = Sample();  // With a warmup: again when it has passed.
    start_ = NowNanos();
    next_line_ = start_ + kSecond;
    warming_up_ = plan_.load.warmup > absl::ZeroDuration();
    runner_.Start(start_);
    while (!runner_.AwaitStopped(NextTick())) {
      Tick();
      if (!interrupts_.Take()) continue;
      interrupted_ |= NowNanos() < runner_.state().to;  // Else it was whole.
      runner_.Stop();
    }
    const bool timed = plan_.load.requests == 0;
    std::optional<Samples> after;
    if (timed) after = Sample();
    Drain();
    if (!after.has_value()) after = Sample();

    report.state = runner_.state();
    if (report.state.to == std::numeric_limits<Nanos>::max()) {
      report.state.to = std::max(report.state.last_end, report.state.from);
    }
    report.window_seconds =
        static_cast<double>(report.state.to - report.state.from) * 1e-9;
    report.results = recorder_.Results();
    for (const ClassResult& result : report.results) {
      report.all.tally.Merge(result.tally);
      report.all.window.ok += result.window.ok;
      report.all.window.predictions += result.window.predictions;
    }
    report.interrupted = interrupted_;
    report.connection_lost = lost_ || Unreachable(report);
    if (!flags_.metrics.empty()) {
      report.server = UsageBetween(before_.server, after->server);
    }
    report.client = UsageBetween(before_.client, after->client);
    report.client_cores = AvailableThreads();
  }

 private:
  struct Samples {
    UsageSample server;
    UsageSample client;
  };

  Samples Sample() const {
    Samples samples;
    if (!flags_.metrics.empty()) {
      auto server = ScrapeServer(flags_.metrics);
      if (server.ok()) samples.server = *std::move(server);
    }
    samples.client = SampleSelf();
    return samples;
  }

  // The window's start is one too, so that its CPU time is measured from then.
  absl::Duration NextTick() const {
    if (!warming_up_) return kTick;
    return std::clamp(absl::Nanoseconds(runner_.state().from - NowNanos()),
                      absl::ZeroDuration(), kTick);
  }

  // What has to be done now and then while requests run.
  void Tick() {
    const Nanos now = NowNanos();
    if (warming_up_ && now >= runner_.state().from) {
      warming_up_ = false;
      before_ = Sample();
    }
    if (now >= next_line_) {
      Line(now);
      next_line_ += kSecond;
    }
  }

  void Line(Nanos now) {
    const Recorder::Progress progress = recorder_.TakeProgress();
    const Runner::State state = runner_.state();
    ProgressFacts facts;
    facts.seconds = static_cast<double>(now - start_) * 1e-9;
    facts.warmup = now < state.from;
    facts.ending = ending_;
    facts.ended = progress.ended;
    facts.failed = progress.ended - progress.ok;
    facts.in_flight = state.in_flight;
    const auto since = static_cast<double>(now - last_line_) * 1e-9;
    const uint64_t ok = progress.ok - last_ok_;
    facts.per_second =
        static_cast<double>(ok) / (last_line_ == 0 ? facts.seconds : since);
    facts.p99_nanos = static_cast<double>(progress.recent.Quantile(0.99));
    if (plan_.load.requests == 0) {
      facts.seconds_left = static_cast<double>(state.to - now) * 1e-9;
    } else if (facts.per_second > 0) {
      facts.seconds_left =
          static_cast<double>(plan_.load.requests - state.started) /
          facts.per_second;
    }
    if (!flags_.quiet) std::cerr << ProgressLine(facts) << std::endl;

    if (outage_.AddSecond(progress.ended, progress.unavailable)) {
      lost_ = true;
      runner_.Stop();
    }
    last_line_ = now;
    last_ok_ = progress.ok;
  }

  // Waits for the requests in flight, but not longer than they may take, and
  // not after a signal.
  void Drain() {
    ending_ = true;
    const Nanos limit = NowNanos() + absl::ToInt64Nanoseconds(plan_.drain);
    bool cancelled = false;
    while (!runner_.AwaitEnded(kTick)) {
      const bool enough = interrupts_.Take();
      Tick();
      if (!enough && !lost_ && !cancelled && NowNanos() < limit) continue;
      cancelled = true;
      runner_.CancelAll(absl::CancelledError(absl::StrCat(
          "had not ended when the run was over (--drain=", flags_.drain, ")")));
    }
  }

  // After failures: whether the server is gone.
  bool Unreachable(const Report& report) const {
    if (report.all.tally.failed() == 0) return false;
    CallOptions call;
    call.timeout = kProbe;
    const absl::Status status =
        transport_.client()
            .GetModel(report.model.model_name(), 0, call)
            .status();
    return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
  }

  Interrupts interrupts_;
  const LoadtestFlags flags_;
  const Plan& plan_;
  WireTransport& transport_;
  Recorder recorder_;
  Runner runner_;

  Nanos start_ = 0;
  Nanos next_line_ = 0;
  Nanos last_line_ = 0;
  uint64_t last_ok_ = 0;
  Outage outage_;
  bool warming_up_ = false;
  bool ending_ = false;
  bool interrupted_ = false;
  bool lost_ = false;
  Samples before_;
};

}  // namespace

int RunLoadtest(LoadtestFlags flags) {
  auto plan = MakePlan(flags);
  if (!plan.ok()) return Fail(plan.status());
  if (!flags.metrics.empty()) {
    const auto page = ScrapeServer(flags.metrics);
    if (!page.ok()) return Fail(page.status());
  }
  const TransportOptions& options = plan->transport;
  auto transport = WireTransport::Connect(options);
  if (!transport.ok()) return Fail(transport.status());
  auto model =
      (*transport)
          ->client()
          .FindModel(flags.model, {flags.model_version, flags.model_label},
                     {options.client.connect_timeout});
  if (!model.ok()) return Fail(model.status());
  plan->load.request.set_model_name(model->model_name());
  if (flags.model_label.empty()) {
    plan->load.request.set_model_version(model->model_version());
  } else {
    plan->load.request.set_model_label(flags.model_label);
  }
  const auto inputs = ReadInputs(flags, *model);
  if (!inputs.ok()) return Fail(inputs.status());

  Report report;
  report.flags = flags;
  report.model = *std::move(model);
  report.inputs = inputs->name();
  report.classes = plan->mix.classes();
  Run(flags, *plan, *inputs, **transport).Go(report);

  std::cout << (flags.json ? ReportJson(report) + "\n" : ReportText(report))
            << std::flush;
  if (report.connection_lost) {
    std::cerr << "mre-loadtest: the connection to " << flags.server
              << " was lost" << std::endl;
    return kExitFailed;
  }
  if (report.all.tally.ok == 0) {
    std::cerr << "mre-loadtest: no request succeeded" << std::endl;
    return kExitFailed;
  }
  return kExitDone;
}

}  // namespace mre
