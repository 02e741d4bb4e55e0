//===- KernelCache.h - Compiled kernels, found again by content -----------===//
//
// A kernel's code follows from its request, its target and the compiler; the cache keeps it in one file named by the
// hash of these. A file is published by one rename, so that concurrent compilers never see a part of one.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_KERNELCACHE_H
#define QUERN_LOWERING_KERNELCACHE_H

#include "lowering/KernelCompiler.h"

namespace quern::lowering {

class KernelCache {
public:
  /// A cache that is not |enabled|, or whose directory cannot be made, finds nothing and keeps nothing.
  explicit KernelCache(bool enabled);

  /// True, with |kernel| filled in, where the kernel is there and whole.
  bool find(const KernelRequest &request, const CodeTarget &target, CompiledKernel &kernel) const;
  /// Errors are ignored: a kernel that cannot be kept is compiled again.
  void store(const KernelRequest &request, const CodeTarget &target, const CompiledKernel &kernel) const;

private:
  std::string path(const KernelRequest &request, const CodeTarget &target) const;
  std::string directory;
};

} // namespace quern::lowering

#endif // QUERN_LOWERING_KERNELCACHE_H
