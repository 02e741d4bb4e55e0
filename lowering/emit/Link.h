//===- Link.h - Links one object in this process --------------------------===//
#ifndef QUERN_LOWERING_EMIT_LINK_H
#define QUERN_LOWERING_EMIT_LINK_H

#include "support/Status.h"

#include <string>

namespace quern::lowering {

/// Links one relocatable ELF object (AMD or x86-64) to a shared object that needs no other library; an
/// undefined symbol is Exit::CompileFailed "E-LINK". Not more than one call runs at a time (lld is not
/// thread-safe).
Expected<std::string> linkShared(const std::string &object);

} // namespace quern::lowering

#endif // QUERN_LOWERING_EMIT_LINK_H
