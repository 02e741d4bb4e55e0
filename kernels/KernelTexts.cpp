//===- KernelTexts.cpp ----------------------------------------------------===//
#include "kernels/KernelTexts.h"

namespace quern {

static const KernelText texts[] = {
#include "kernels/KernelTexts.inc"
};

static const KernelText spaces[] = {
#include "kernels/KernelSpaces.inc"
};

static const KernelText *find(std::span<const KernelText> all, std::string_view name) {
  for (const KernelText &text : all)
    if (name == text.name)
      return &text;
  return nullptr;
}

std::span<const KernelText> kernelTexts() { return texts; }
std::span<const KernelText> kernelSpaces() { return spaces; }

const KernelText *findKernelText(std::string_view name) { return find(texts, name); }

const KernelText *findKernelSpace(std::string_view name) { return find(spaces, name); }

} // namespace quern
