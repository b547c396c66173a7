#include "server/stop_signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "absl/synchronization/notification.h"
#include "model/base/log.h"

namespace mre {
namespace {

// Never destroyed, as the signals' thread goes on to the process's end.
struct State {
  absl::Notification awaited;
  absl::Notification stopped;
};

State& TheState() {
  static State& state = *new State;
  return state;
}

[[noreturn]] void ExitNow(const char* why) {
  Log(Severity::kWarning, why);
  _exit(1);
}

void Run(const sigset_t& signals) {
  int number = 0;
  sigwait(&signals, &number);
  if (!TheState().awaited.HasBeenNotified()) {
    ExitNow("a signal before the server is ready: exiting");
  }
  TheState().stopped.Notify();
  sigwait(&signals, &number);
  ExitNow("second signal: exiting at once");
}

}  // namespace

void TakeStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([signals] { Run(signals); }).detach();
}

void AwaitStop(const std::function<void()>& tell_ready) {
  TheState().awaited.Notify();
  tell_ready();
  TheState().stopped.WaitForNotification();
}

}  // namespace mre
