//===- AsyncCopies.h - Copies of cp.async that have not ended -------------===//
//
// PTX ISA 9.7.9.25.3 (cp.async). Each thread has its own copies, in groups that it closes; a wait of the
// thread, or an mbarrier that follows them, says when they have ended at the latest. When they take effect
// before that is open: at the issue, at the wait, or by chance, as RunOptions::asynchronous says. Until a
// copy has ended nobody may touch its destination, not even the thread that started it
// (SharedShadow::beginCopy).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_ASYNCCOPIES_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_ASYNCCOPIES_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace quern::runtime::emulated::nvidia {

/// |bytes| at |to| become the first |sourceBytes| at |from| and zeros.
struct AsyncCopy {
  std::byte *to = nullptr;
  const std::byte *from = nullptr;
  uint64_t shadowOffset = 0;
  uint32_t bytes = 0, sourceBytes = 0, site = 0;
  bool applied = false;

  void apply();
};

/// The copies of one thread, oldest first.
class AsyncCopies {
public:
  void clear() {
    copies.clear();
    groups.clear();
    ungrouped = 0;
  }
  bool empty() const { return copies.empty(); }
  void add(const AsyncCopy &copy) {
    copies.push_back(copy);
    ++ungrouped;
  }
  /// Closes the group of the copies that are in none; it may be empty.
  void commit() {
    groups.push_back(ungrouped);
    ungrouped = 0;
  }
  /// The copies of all but the |open| newest groups, which are no longer here then.
  std::vector<AsyncCopy> takeGroups(size_t open);
  /// All copies; the groups stay, empty.
  std::vector<AsyncCopy> takeAll();

private:
  std::vector<AsyncCopy> copies;
  std::vector<size_t> groups; ///< number of copies, oldest first
  size_t ungrouped = 0;
};

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_ASYNCCOPIES_H
