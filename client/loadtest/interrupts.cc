#include "client/loadtest/interrupts.h"

#include <signal.h>

#include <atomic>

namespace mre {
namespace {

// Set by the handler, on whichever thread the signal interrupts.
std::atomic<bool> came = false;
static_assert(std::atomic<bool>::is_always_lock_free);

void Handle(void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

Interrupts::Interrupts() {
  came = false;
  Handle([](int) { came = true; });
}

Interrupts::~Interrupts() { Handle(SIG_DFL); }

bool Interrupts::Take() { return came.exchange(false); }

}  // namespace mre
