//===- HandlerTable.cpp - Which handler executes which mnemonic -----------===//
//
// See HandlerTable.h.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/HandlerTable.h"

namespace quern::runtime::emulated::amd {

HandlerTable::HandlerTable() {
  addScalarArithmetic();
  addScalarFloat();
  addScalarMemory();
  addControl();
  addVectorInteger();
  addVectorFloat();
  addVectorDouble();
  addVectorHalf();
  addCompares();
  addConversions();
  addSmallFloatConversions();
  addScaledConversions();
  addPacked();
  addMatrix();
  addScaledMatrix();
  addWaveMatrix();
  addCrossLane();
  addLocalMemory();
  addTransposingLoads();
  addDirectLoads();
  addGlobalMemory();
  addAtomics();
}

const HandlerTable &handlerTable() {
  static const HandlerTable table;
  return table;
}

} // namespace quern::runtime::emulated::amd
