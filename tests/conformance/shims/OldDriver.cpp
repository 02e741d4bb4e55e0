//===- OldDriver.cpp - A library that has almost nothing ------------------===//
//
// Stands for a driver from before the entry points that are needed.
//
//===----------------------------------------------------------------------===//
extern "C" __attribute__((visibility("default"))) int cuInit(unsigned) { return 0; }
extern "C" __attribute__((visibility("default"))) int hipInit(unsigned) { return 0; }
