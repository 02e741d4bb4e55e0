//===- EmulatedLibrary.cpp - What libquern-emulated.so exports ------------===//
//
// `quern-run` has no LLVM inside; it finds the emulated devices in this library (contract 17,
// runtime/Devices.h).
//
//===----------------------------------------------------------------------===//

#include "runtime/Devices.h"
#include "runtime/emulated/EmulatedDevice.h"

extern "C" __attribute__((visibility("default"))) const quern::runtime::EmulatedLibrary quernEmulatedLibrary;
extern "C" const quern::runtime::EmulatedLibrary quernEmulatedLibrary = {
    quern::runtime::emulatedInterfaceVersion, &quern::runtime::emulated::openEmulatedDevice};
