//===- ScratchDirectory.h - A directory that lives as long as one test ----===//
//
// For tests only: a fresh directory under $TMPDIR that is removed with everything in it.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_SUPPORT_SCRATCHDIRECTORY_H
#define QUERN_SUPPORT_SCRATCHDIRECTORY_H

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace quern {

class ScratchDirectory {
public:
  ScratchDirectory() {
    std::string pattern = std::filesystem::temp_directory_path() / "quern-test-XXXXXX";
    if (!::mkdtemp(pattern.data()))
      std::abort();
    root = pattern;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(root, ignored);
  }
  ScratchDirectory(const ScratchDirectory &) = delete;
  ScratchDirectory &operator=(const ScratchDirectory &) = delete;

  const std::string &path() const { return root; }
  std::string operator/(const std::string &name) const { return root + "/" + name; }
  /// Names of what is in it, sorted.
  std::vector<std::string> entries() const {
    std::vector<std::string> names;
    for (const auto &entry : std::filesystem::directory_iterator(root))
      names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

private:
  std::string root;
};

} // namespace quern

#endif // QUERN_SUPPORT_SCRATCHDIRECTORY_H
