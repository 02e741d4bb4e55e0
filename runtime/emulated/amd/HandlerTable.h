//===- HandlerTable.h - Which handler executes which mnemonic -------------===//
//
// One table for all targets, by the mnemonic without its encoding suffix ("v_add_f32", not "v_add_f32_e64").
// Mnemonics that the vendor renamed between generations (v_add_nc_u32, ds_load_b32, ...) are entered under
// both names. Each family of instructions fills its part in its own file.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_HANDLERTABLE_H
#define QUERN_RUNTIME_EMULATED_AMD_HANDLERTABLE_H

#include "runtime/emulated/amd/Instruction.h"

#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace quern::runtime::emulated::amd {

struct HandlerEntry {
  Handler handler = nullptr;
  Unit unit = Unit::Vector;
  uint8_t destinations = 1;
  bool preservesHigh = false; ///< a 16-bit result keeps the other half on every target
  uint32_t immediate = 0;     ///< initial value of Instruction::immediate
  bool readsM0 = false;
};

class HandlerTable {
public:
  HandlerTable();

  const HandlerEntry *find(const std::string &mnemonic) const {
    auto it = entries.find(mnemonic);
    return it == entries.end() ? nullptr : &it->second;
  }
  void add(std::initializer_list<std::string_view> names, const HandlerEntry &entry) {
    for (std::string_view name : names)
      entries[std::string(name)] = entry;
  }
  void add(std::string_view name, const HandlerEntry &entry) { entries[std::string(name)] = entry; }
  size_t size() const { return entries.size(); }

private:
  void addScalarArithmetic();
  void addScalarFloat();
  void addScalarMemory();
  void addControl();
  void addVectorInteger();
  void addVectorFloat();
  void addVectorDouble();
  void addVectorHalf();
  void addCompares();
  void addConversions();
  void addSmallFloatConversions();
  void addScaledConversions();
  void addPacked();
  void addMatrix();
  void addScaledMatrix();
  void addWaveMatrix();
  void addCrossLane();
  void addLocalMemory();
  void addTransposingLoads();
  void addDirectLoads();
  void addGlobalMemory();
  void addAtomics();

  std::unordered_map<std::string, HandlerEntry> entries;
};

/// The table, made at its first use.
const HandlerTable &handlerTable();

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_HANDLERTABLE_H
