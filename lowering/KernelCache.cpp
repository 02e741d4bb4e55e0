//===- KernelCache.cpp ----------------------------------------------------===//
#include "lowering/KernelCache.h"
#include "lowering/Compile.h"
#include "lowering/KernelExchange.h"
#include "support/Files.h"
#include "support/Hash.h"

namespace quern::lowering {

KernelCache::KernelCache(bool enabled) {
  if (!enabled)
    return;
  Expected<std::string> root = cacheDirectory();
  if (root.ok() && makeDirectories(*root + "/kernels").ok())
    directory = *root + "/kernels";
}

std::string KernelCache::path(const KernelRequest &request, const CodeTarget &target) const {
  std::string key = std::string(compilerFingerprint()) + "\n" + target.name + " " + target.features + "\n" +
                    request.text();
  return directory + "/" + sha256(key).hex();
}

void KernelCache::store(const KernelRequest &request, const CodeTarget &target, const CompiledKernel &kernel) const {
  if (directory.empty())
    return;
  // A kernel that cannot be kept is compiled again; that is no error.
  Status ignored = writeFile(path(request, target), writeCompiledKernel(kernel));
  (void)ignored;
}

bool KernelCache::find(const KernelRequest &request, const CodeTarget &target, CompiledKernel &kernel) const {
  if (directory.empty())
    return false;
  Expected<std::string> bytes = readFile(path(request, target), uint64_t(64) << 20);
  if (!bytes.ok())
    return false;
  std::optional<CompiledKernel> found = readCompiledKernel(*bytes);
  if (!found || found->symbol != request.symbol())
    return false;
  kernel = *std::move(found);
  return true;
}

} // namespace quern::lowering
