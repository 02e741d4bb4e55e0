//===- Interrupt.h - Ctrl-C as a flag -------------------------------------===//
//
// Long work asks `checkInterrupt()` between two steps and returns its error upward, so that outputs that are
// not complete are removed on the way. A second Ctrl-C ends the process at once.
//
// The flag is the one piece of global state in support/: a signal has no other way in.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_SUPPORT_INTERRUPT_H
#define QUERN_SUPPORT_INTERRUPT_H

#include "support/Status.h"

namespace quern {

/// From now on the first SIGINT or SIGTERM sets the flag; the next one has its default effect.
void catchInterrupts();

bool interrupted();

/// Exit::Interrupted "E-INTERRUPTED" once a signal has come, else success.
Status checkInterrupt();

} // namespace quern

#endif // QUERN_SUPPORT_INTERRUPT_H
