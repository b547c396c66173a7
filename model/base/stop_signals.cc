#include "model/base/stop_signals.h"

#include <pthread.h>
#include <signal.h>

#include <thread>
#include <utility>

namespace mre {

void TakeStopSignals(std::function<void(int nth, int signal)> take) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([signals, take = std::move(take)] {
    for (int nth = 1;; ++nth) {
      int signal = 0;
      sigwait(&signals, &signal);
      take(nth, signal);
    }
  }).detach();
}

}  // namespace mre
