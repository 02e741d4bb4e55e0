//===- KernelCache.cpp ----------------------------------------------------===//
#include "lowering/KernelCache.h"
#include "lowering/Compile.h"
#include "support/Files.h"
#include "support/Hash.h"

#include <sstream>

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

// The file: a line of facts, a line with the digest of the code, the code.
void KernelCache::store(const KernelRequest &request, const CodeTarget &target, const CompiledKernel &kernel) const {
  if (directory.empty())
    return;
  std::ostringstream facts;
  facts << "quern-kernel-1 " << kernel.symbol << " " << kernel.threads << " " << kernel.sharedBytes << " "
        << kernel.arguments.size();
  for (KernelArgument argument : kernel.arguments)
    facts << " " << int(argument);
  facts << " " << kernel.grid.size();
  for (const GridDimension &d : kernel.grid)
    facts << " " << d.argument << " " << d.extent << " " << d.step;
  std::string text = facts.str();
  text += "\n" + sha256(text + kernel.code).hex() + "\n" + kernel.code;
  // A kernel that cannot be kept is compiled again; that is no error.
  Status ignored = writeFile(path(request, target), text);
  (void)ignored;
}

bool KernelCache::find(const KernelRequest &request, const CodeTarget &target, CompiledKernel &kernel) const {
  if (directory.empty())
    return false;
  Expected<std::string> text = readFile(path(request, target), uint64_t(64) << 20);
  if (!text.ok())
    return false;
  size_t line = text->find('\n'), digest = line == std::string::npos ? line : text->find('\n', line + 1);
  if (digest == std::string::npos)
    return false;
  std::string facts = text->substr(0, line);
  CompiledKernel found;
  found.code = text->substr(digest + 1);
  if (sha256(facts + found.code).hex() != text->substr(line + 1, digest - line - 1))
    return false;
  std::istringstream in(facts);
  std::string magic;
  size_t count = 0;
  in >> magic >> found.symbol >> found.threads >> found.sharedBytes >> count;
  for (size_t i = 0; i < count && in; ++i) {
    int kind = 0;
    in >> kind;
    found.arguments.push_back(KernelArgument(kind));
  }
  count = 0;
  in >> count;
  for (size_t i = 0; i < count && in; ++i) {
    GridDimension d;
    in >> d.argument >> d.extent >> d.step;
    found.grid.push_back(d);
  }
  if (!in || magic != "quern-kernel-1" || found.symbol != request.symbol())
    return false;
  kernel = std::move(found);
  return true;
}

} // namespace quern::lowering
