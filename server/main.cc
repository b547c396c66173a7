// mre-server: see --help.
#include <signal.h>
#include <unistd.h>

#include <cstdio>

#include "absl/synchronization/notification.h"
#include "model/base/lock_order_checks.h"
#include "model/base/log.h"
#include "model/base/stop_signals.h"
#include "server/check.h"
#include "server/config.h"
#include "server/server.h"

namespace {

struct Stop {
  absl::Notification ready;  // before it there is nothing to end well
  absl::Notification asked;
};

// Never destroyed, as the signals' thread goes on to the process's end.
Stop& TheStop() {
  static Stop& stop = *new Stop;
  return stop;
}

// The first signal means to end well, a second one at once.
void OnSignal(int nth, int /*signal*/) {
  const bool ready = TheStop().ready.HasBeenNotified();
  if (nth == 1 && ready) {
    TheStop().asked.Notify();
    return;
  }
  mre::Log(mre::Severity::kWarning,
           ready ? "second signal: exiting at once"
                 : "a signal before the server is ready: exiting");
  _exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  const mre::CommandLine line = mre::ParseCommandLine(argc, argv);
  if (!line.run) return line.exit_code;

  mre::SetLogFormat(line.config.log_format == "json" ? mre::LogFormat::kJson
                                                     : mre::LogFormat::kText);
  mre::TurnOffLockOrderChecks();
  if (line.config.check) return mre::CheckModels(line.config);
  mre::TakeStopSignals(OnSignal);
  signal(SIGPIPE, SIG_IGN);

  auto server = mre::Server::Start(line.config);
  if (!server.ok()) {
    mre::Log(mre::Severity::kError, server.status().message());
    return 1;
  }
  TheStop().ready.Notify();
  std::printf("%s\n", (*server)->ReadyLine().c_str());
  std::fflush(stdout);
  TheStop().asked.WaitForNotification();
  (*server)->Drain();
  return 0;
}
