// mre-server: see --help.
#include <signal.h>

#include <cstdio>

#include "model/base/lock_order_checks.h"
#include "model/base/log.h"
#include "server/check.h"
#include "server/config.h"
#include "server/server.h"
#include "server/stop_signals.h"

int main(int argc, char** argv) {
  const mre::CommandLine line = mre::ParseCommandLine(argc, argv);
  if (!line.run) return line.exit_code;

  mre::SetLogFormat(line.config.log_format == "json" ? mre::LogFormat::kJson
                                                     : mre::LogFormat::kText);
  mre::TurnOffLockOrderChecks();
  if (line.config.check) return mre::CheckModels(line.config);
  mre::TakeStopSignals();
  signal(SIGPIPE, SIG_IGN);

  auto server = mre::Server::Start(line.config);
  if (!server.ok()) {
    mre::Log(mre::Severity::kError, server.status().message());
    return 1;
  }
  mre::AwaitStop([&] {
    std::printf("%s\n", (*server)->ReadyLine().c_str());
    std::fflush(stdout);
  });
  (*server)->Drain();
  return 0;
}
