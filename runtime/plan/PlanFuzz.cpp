//===- PlanFuzz.cpp - Fuzz target of the plan reader ----------------------===//
#include "runtime/plan/Plan.h"

#include <cstdlib>

using namespace quern;
using namespace quern::runtime;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto plan = readPlan({reinterpret_cast<const char *>(data), size});
  if (!plan.ok()) {
    if (plan.error().exit() == Exit::Unexpected || !plan.error().id().starts_with("E-PLAN-"))
      std::abort();
    return 0;
  }
  // What was accepted has one text, and its sizes can be computed for any session.
  std::string text = writePlan(*plan);
  auto again = readPlan(text);
  if (!again.ok() || writePlan(*again) != text)
    std::abort();
  SymbolValues symbols;
  for (int64_t &value : symbols.value)
    value = maxSymbolValue;
  for (const PlanEntry &entry : plan->entries)
    for (const WorkBuffer &buffer : entry.work)
      if (buffer.bytes.evaluate(symbols) < 0)
        std::abort();
  return 0;
}
