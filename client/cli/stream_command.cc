// `mre stream`: every step, as a moving picture, as text or as JSON.
#include <deque>
#include <iostream>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cli/commands.h"
#include "client/cli/picture.h"
#include "client/cli/request.h"
#include "client/cli/screen.h"
#include "client/cli/setup.h"
#include "client/cli/text.h"
#include "client/console/duration_flag.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

constexpr absl::Duration kDefaultPace = absl::Milliseconds(40);
// A finished picture stays for this many paces before the next one begins.
constexpr int kPacesBetweenSamples = 12;

absl::Status NoFinal() {
  return absl::InternalError("the stream ended before a final prediction");
}

// A stream read on a thread of its own, so that a slow picture does not slow
// the server's steps (whose times are shown) down. What is not drawn yet waits
// here: at most as many predictions as the model has experts.
//
// Next() is for one thread.
class ReadAhead {
 public:
  // `setup` must outlive this.
  ReadAhead(const Setup& setup, const v1::PredictRequest& request)
      : reader_([this, &setup, request] { Run(setup, request); }) {}
  // Ends the stream if it still runs.
  ~ReadAhead() {
    {
      absl::MutexLock lock(&mu_);
      wanted_ = false;
    }
    reader_.join();
  }

  // Waits for the next prediction; nullopt: the stream ended well.
  absl::StatusOr<std::optional<v1::Prediction>> Next() {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &ReadAhead::HasNews));
    if (waiting_.empty()) {
      RETURN_IF_ERROR(*end_);
      return std::optional<v1::Prediction>();
    }
    std::optional<v1::Prediction> next = std::move(waiting_.front());
    waiting_.pop_front();
    return next;
  }

 private:
  bool HasNews() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !waiting_.empty() || end_.has_value();
  }

  void Run(const Setup& setup, const v1::PredictRequest& request) {
    const absl::Status status = setup.client->Stream(
        request,
        [this](const v1::PredictUpdate& update) {
          absl::MutexLock lock(&mu_);
          waiting_.insert(waiting_.end(), update.predictions().begin(),
                          update.predictions().end());
          return wanted_;
        },
        setup.call);
    absl::MutexLock lock(&mu_);
    end_ = status;
  }

  absl::Mutex mu_;
  std::deque<v1::Prediction> waiting_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
  bool wanted_ ABSL_GUARDED_BY(mu_) = true;
  std::thread reader_;  // Last: it uses the members above.
};

// Draws the i-th sample's steps and returns the final one.
absl::StatusOr<v1::Prediction> Watch(const Setup& setup, size_t i,
                                     const PictureStyle& style,
                                     absl::Duration pace, Screen& screen) {
  ReadAhead steps(setup, setup.RequestFor(i));
  std::vector<v1::Prediction> history;
  while (true) {
    ASSIGN_OR_RETURN(std::optional<v1::Prediction> next, steps.Next());
    if (!next.has_value()) break;
    if (!history.empty()) absl::SleepFor(pace);
    history.push_back(*std::move(next));
    screen.Draw(PictureLines(setup.samples[i], setup.model, history, style));
  }
  if (history.empty() || !history.back().final()) return NoFinal();
  return history.back();
}

int ShowPictures(Setup& setup, const PictureStyle& style, absl::Duration pace,
                 Totals& totals) {
  if (setup.model.classes_size() <= kMaxBars) {
    setup.request.mutable_output()->set_probabilities(true);
  }
  absl::Status status;
  {
    Screen screen;
    for (size_t i = 0; i < setup.samples.size(); ++i) {
      const auto last = Watch(setup, i, style, pace, screen);
      if (!last.ok()) {
        status = last.status();
        break;
      }
      totals.Add(setup.samples[i], *last);
      if (i + 1 < setup.samples.size()) {
        absl::SleepFor(kPacesBetweenSamples * pace);
        screen.Erase();
      }
      screen.Keep();
      for (const std::string& line :
           FoldLine(SummaryLine(setup.samples[i], *last, setup.model),
                    style.width)) {
        std::cout << line << std::endl;
      }
    }
  }
  // Only now: the cursor is back, and below the picture.
  return status.ok() ? kExitOk : FailCall(status);
}

int PrintText(const Setup& setup, absl::Duration pace, Totals& totals) {
  for (size_t i = 0; i < setup.samples.size(); ++i) {
    v1::Prediction last;
    const auto print = [&](const v1::PredictUpdate& update) {
      for (const v1::Prediction& prediction : update.predictions()) {
        std::cout << StepLine(prediction, setup.model) << std::endl;
        absl::SleepFor(pace);
        last = prediction;
      }
      return true;
    };
    const absl::Status status =
        setup.client->Stream(setup.RequestFor(i), print, setup.call);
    if (!status.ok()) return FailCall(status);
    if (!last.final()) return FailCall(NoFinal());
    totals.Add(setup.samples[i], last);
    std::cout << SummaryLine(setup.samples[i], last, setup.model) << std::endl;
  }
  return kExitOk;
}

int PrintJson(const Setup& setup) {
  for (size_t i = 0; i < setup.samples.size(); ++i) {
    const auto print = [](const v1::PredictUpdate& update) {
      std::cout << ToJson(update) << std::endl;
      return true;
    };
    const absl::Status status =
        setup.client->Stream(setup.RequestFor(i), print, setup.call);
    if (!status.ok()) return FailCall(status);
  }
  return kExitOk;
}

}  // namespace

int RunStream(const Flags& flags) {
  const std::optional<PictureStyle> terminal =
      flags.json || flags.plain ? std::nullopt : FindTerminal();
  absl::Duration pace =
      terminal.has_value() ? kDefaultPace : absl::ZeroDuration();
  if (!flags.pace.empty()) {
    const auto chosen = ParseDurationFlag("pace", flags.pace);
    if (!chosen.ok()) return FailUsage(chosen.status());
    pace = *chosen;
  }
  Setup setup;
  if (const int exit = Prepare(flags, setup); exit != kExitOk) return exit;
  if (flags.json) return PrintJson(setup);
  Totals totals;
  const int exit = terminal.has_value()
                       ? ShowPictures(setup, *terminal, pace, totals)
                       : PrintText(setup, pace, totals);
  if (totals.samples > 1) {
    std::cout << TotalsLine(totals, setup.model) << std::endl;
  }
  return exit;
}

}  // namespace mre
