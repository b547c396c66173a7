// mre-server: see --help.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "model/base/lock_order_checks.h"
#include "model/base/log.h"
#include "server/check.h"
#include "server/config.h"
#include "server/server.h"

int main(int argc, char** argv) {
  const mre::CommandLine line = mre::ParseCommandLine(argc, argv);
  if (!line.run) return line.exit_code;

  mre::SetLogFormat(line.config.log_format == "json" ? mre::LogFormat::kJson
                                                     : mre::LogFormat::kText);
  mre::TurnOffLockOrderChecks();
  if (line.config.check) return mre::CheckModels(line.config);
  // Blocked before any thread starts, so that all threads inherit it and
  // sigwait below is the one place that sees these signals.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  auto server = mre::Server::Start(line.config);
  if (!server.ok()) {
    mre::Log(mre::Severity::kError, server.status().message());
    return 1;
  }
  std::printf("%s\n", (*server)->ReadyLine().c_str());
  std::fflush(stdout);

  int signal_number = 0;
  sigwait(&signals, &signal_number);
  // A second signal means: now.
  std::thread([signals] {
    int second = 0;
    sigwait(&signals, &second);
    mre::Log(mre::Severity::kWarning, "second signal: exiting at once");
    _exit(1);
  }).detach();
  (*server)->Drain();
  return 0;
}
