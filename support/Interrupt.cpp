//===- Interrupt.cpp ------------------------------------------------------===//
#include "support/Interrupt.h"

#include <csignal>

namespace quern {

namespace {
volatile std::sig_atomic_t caught = 0;

void onSignal(int) { caught = 1; }
} // namespace

void catchInterrupts() {
  caught = 0;
  struct sigaction action{};
  action.sa_handler = onSignal;
  // Without SA_RESTART a blocking read or write returns EINTR; our loops repeat it, a prompt at a terminal
  // ends.
  action.sa_flags = SA_RESETHAND;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return caught != 0; }

Status checkInterrupt() {
  if (!interrupted())
    return Status::success();
  return Status::error(Exit::Interrupted, "E-INTERRUPTED", "interrupted before the work was complete")
      .remedy("run the command again; a previous output is unchanged");
}

} // namespace quern
