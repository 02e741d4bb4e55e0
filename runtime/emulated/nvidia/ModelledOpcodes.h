//===- ModelledOpcodes.h - Which PTX instructions are modelled ------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_MODELLEDOPCODES_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_MODELLEDOPCODES_H

#include <string_view>

namespace quern::runtime::emulated::nvidia {

/// True if some form of |opcode| ("ld", "wgmma") is modelled.
bool isModelledOpcode(std::string_view opcode);

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_MODELLEDOPCODES_H
