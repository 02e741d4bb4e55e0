//===- Ranges.cpp ---------------------------------------------------------===//
#include "runtime/hip/Ranges.h"

#include <dlfcn.h>

namespace quern::runtime::hip {

namespace {

using PushEntry = int (*)(const char *);
using PopEntry = int (*)();

class RoctxMarks final : public RangeMarks {
public:
  RoctxMarks(PushEntry push, PopEntry pop) : pushEntry(push), popEntry(pop) {}
  void push(const char *name) override { pushEntry(name); }
  void pop() override { popEntry(); }

private:
  PushEntry pushEntry;
  PopEntry popEntry;
};

} // namespace

std::unique_ptr<RangeMarks> openRangeMarks() {
  for (const char *name : {"librocprofiler-sdk-roctx.so.1", "libroctx64.so.4"}) {
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    auto push = library ? reinterpret_cast<PushEntry>(dlsym(library, "roctxRangePushA")) : nullptr;
    auto pop = library ? reinterpret_cast<PopEntry>(dlsym(library, "roctxRangePop")) : nullptr;
    if (push && pop)
      return std::make_unique<RoctxMarks>(push, pop);
  }
  return nullptr;
}

} // namespace quern::runtime::hip
