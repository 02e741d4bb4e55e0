//===- Fibre.cpp - Stacks that one host thread switches between -----------===//

#include "runtime/emulated/nvidia/Fibre.h"

#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define QUERN_FIBRES_UNDER_ASAN
#endif
#endif

#ifndef __x86_64__
#error "the fibre switch is written for x86-64"
#endif

namespace quern::runtime::emulated::nvidia {

// The frame of a fibre that does not run, from its stack pointer upwards: r15, r14, r13, r12, rbx, rbp,
// return address. A new fibre returns into quernStartFibre with its entry in r12 and its argument in r13.
asm(R"(
    .text
    .p2align 4
    .globl quernSwitchFibre
    .hidden quernSwitchFibre
    .type quernSwitchFibre, @function
quernSwitchFibre:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    retq
    .size quernSwitchFibre, .-quernSwitchFibre

    .p2align 4
    .hidden quernStartFibre
    .type quernStartFibre, @function
quernStartFibre:
    movq %r13, %rdi
    xorl %ebp, %ebp
    callq *%r12
    ud2
    .size quernStartFibre, .-quernStartFibre
)");

extern "C" void quernStartFibre();

FibreStacks::~FibreStacks() {
  if (base)
    munmap(base, size_t(capacity) * stackBytes);
}

bool FibreStacks::reserve(uint32_t count) {
  if (count <= capacity)
    return true;
  size_t bytes = size_t(count) * stackBytes;
  void *fresh =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (fresh == MAP_FAILED)
    return false;
  if (base)
    munmap(base, size_t(capacity) * stackBytes);
  base = static_cast<std::byte *>(fresh);
  capacity = count;
  // The lowest page of each stack is a guard: an overflow stops instead of writing into the next stack.
  for (uint32_t i = 0; i < count; ++i)
    mprotect(base + size_t(i) * stackBytes, 4096, PROT_NONE);
  return true;
}

void *FibreStacks::prepare(uint32_t index, void (*entry)(void *), void *argument) {
#ifdef QUERN_FIBRES_UNDER_ASAN
  // A fibre that ended by a fault left its frames' red zones behind.
  __asan_unpoison_memory_region(base + size_t(index) * stackBytes, stackBytes);
#endif
  // Stack tops are staggered so that the hot lines of the fibres do not all fall into the same cache sets.
  size_t top = (size_t(index) + 1) * stackBytes - (index % 64) * 320 - 64;
  auto *frame = reinterpret_cast<uint64_t *>(base + (top & ~size_t(63)));
  // After the switch returns into the start routine the stack pointer is a multiple of 16, as its call needs.
  *--frame = reinterpret_cast<uint64_t>(&quernStartFibre);
  *--frame = 0;                                    // rbp
  *--frame = 0;                                    // rbx
  *--frame = reinterpret_cast<uint64_t>(entry);    // r12
  *--frame = reinterpret_cast<uint64_t>(argument); // r13
  *--frame = 0;                                    // r14
  *--frame = 0;                                    // r15
  return frame;
}

} // namespace quern::runtime::emulated::nvidia
