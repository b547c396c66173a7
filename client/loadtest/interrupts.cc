#include "client/loadtest/interrupts.h"

#include <pthread.h>
#include <time.h>

#include <initializer_list>

namespace mre {

Interrupts Interrupts::Block() {
  Interrupts interrupts;
  sigemptyset(&interrupts.signals_);
  for (const int number : {SIGINT, SIGTERM}) {
    sigaddset(&interrupts.signals_, number);
    // A shell lets background jobs ignore SIGINT; ignored ones do not wait.
    signal(number, SIG_DFL);
  }
  pthread_sigmask(SIG_BLOCK, &interrupts.signals_, nullptr);
  return interrupts;
}

bool Interrupts::Take() const {
  const timespec now = {};
  return sigtimedwait(&signals_, nullptr, &now) > 0;
}

}  // namespace mre
