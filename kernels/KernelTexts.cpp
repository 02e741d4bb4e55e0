//===- KernelTexts.cpp ----------------------------------------------------===//
#include "kernels/KernelTexts.h"

namespace quern {

static const KernelText texts[] = {
#include "kernels/KernelTexts.inc"
};

std::span<const KernelText> kernelTexts() { return texts; }

const KernelText *findKernelText(std::string_view name) {
  for (const KernelText &text : texts)
    if (name == text.name)
      return &text;
  return nullptr;
}

} // namespace quern
