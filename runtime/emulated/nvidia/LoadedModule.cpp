//===- LoadedModule.cpp - A PTX module in memory --------------------------===//

#include "runtime/emulated/nvidia/LoadedModule.h"

#include "runtime/emulated/nvidia/PtxParser.h"

#include <algorithm>
#include <cstring>

namespace quern::runtime::emulated::nvidia {

Expected<KernelEntry> LoadedKernel::entry(Jit &jit, Checks checks) {
  std::lock_guard guard(lock);
  std::unique_ptr<HostCode> &mine = code[checks.number()];
  if (!mine) {
    QUERN_ASSIGN_OR_RETURN(mine, jit.compile(image, checks));
  }
  return mine->entry;
}

const CountPlan &LoadedKernel::countPlan() {
  std::lock_guard guard(lock);
  if (!plan)
    plan = std::make_unique<CountPlan>(image);
  return *plan;
}

Expected<std::shared_ptr<LoadedModule>> LoadedModule::load(std::string_view text) {
  auto loaded = std::make_shared<LoadedModule>();
  QUERN_ASSIGN_OR_RETURN(loaded->module, parsePtx(text));
  QUERN_RETURN_IF_ERROR(loaded->placeVariables());
  for (const auto &function : loaded->module->functions)
    if (function->isEntry && function->isDefined)
      loaded->byName[function->name] =
          std::make_unique<LoadedKernel>(layOut(*loaded->module, *function, loaded->addresses));
  return loaded;
}

Status LoadedModule::placeVariables() {
  for (const Variable &variable : module->variables) {
    if (variable.space != Space::Global && variable.space != Space::Const)
      continue;
    if (variable.isExtern || variable.bytes == 0)
      continue; // an instruction that names it is not modelled
    uint64_t align = std::max<uint64_t>(variable.align, 256);
    auto bytes = std::make_unique<std::byte[]>(variable.bytes + align);
    auto base = (reinterpret_cast<uint64_t>(bytes.get()) + align - 1) / align * align;
    std::memset(reinterpret_cast<void *>(base), 0, variable.bytes);
    std::memcpy(reinterpret_cast<void *>(base), variable.init.data(), variable.init.size());
    addresses[&variable] = base;
    (variable.space == Space::Const ? constants : variables).add(base, variable.bytes);
    writable |= variable.space == Space::Global;
    storage.push_back(std::move(bytes));
  }
  std::map<std::string_view, uint64_t> byName;
  for (const auto &[variable, address] : addresses)
    byName[variable->name] = address;
  for (const auto &[variable, address] : addresses)
    for (const Relocation &relocation : variable->relocations) {
      auto target = byName.find(relocation.symbol);
      if (target == byName.end())
        return Status::error(Exit::BadInput, "E-EMULATED-CODE",
                             "an initialiser names the unknown variable `" + relocation.symbol + "`");
      uint64_t value = target->second + relocation.addend;
      std::memcpy(reinterpret_cast<void *>(address + relocation.offset), &value, 8);
    }
  return Status::success();
}

} // namespace quern::runtime::emulated::nvidia
