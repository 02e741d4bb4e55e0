//===- AsyncOperations.cpp - What has been started and has not ended ------===//

#include "runtime/emulated/nvidia/AsyncOperations.h"

#include <utility>

namespace quern::runtime::emulated::nvidia {

void AsyncOperations::reset(const RunOptions &options, uint64_t block) {
  chosen = options.asynchronous;
  if (chosen == AsyncOrder::BySeed)
    chosen = options.seed == 0       ? AsyncOrder::Latest
             : options.seed % 3 == 1 ? AsyncOrder::Earliest
             : options.seed % 3 == 2 ? AsyncOrder::Random
                                     : AsyncOrder::Latest;
  random.seed(options.seed * 0x9E3779B97F4A7C15 + block);
  pending.clear();
  running.clear();
}

void AsyncOperations::issue(AsyncOperation operation) {
  bool now = chosen == AsyncOrder::Earliest || (chosen == AsyncOrder::Random && toss());
  // What must follow in order waits for what is before it.
  if (operation.kind != AsyncOperation::Signal)
    for (const AsyncOperation &other : pending)
      now &= other.kind != operation.kind || other.key != operation.key;
  pending.push_back(std::move(operation));
  if (now)
    applyAt(pending.size() - 1);
}

bool AsyncOperations::isFirstOfStream(size_t index) const {
  for (size_t i = 0; i < index; ++i)
    if (pending[i].kind == AsyncOperation::Stream && pending[i].key == pending[index].key)
      return false;
  return true;
}

void AsyncOperations::applyAt(size_t index) {
  // It may issue others, and it may be the last thing that happens on this stack: it is kept where the next
  // block forgets it.
  running.push_back(std::move(pending[index]));
  pending.erase(pending.begin() + static_cast<ptrdiff_t>(index));
  size_t mine = running.size() - 1;
  if (running[mine].read)
    running[mine].read();
  running[mine].apply();
  running.pop_back();
}

bool AsyncOperations::applyOne() {
  std::vector<size_t> ready;
  for (size_t i = 0; i < pending.size(); ++i)
    if (pending[i].kind == AsyncOperation::Signal ||
        (pending[i].kind == AsyncOperation::Stream && isFirstOfStream(i)))
      ready.push_back(i);
  if (ready.empty())
    return false;
  applyAt(chosen == AsyncOrder::Random ? ready[random() % ready.size()] : ready.back());
  return true;
}

bool AsyncOperations::applyAny() {
  if (pending.empty())
    return false;
  applyAt(0);
  return true;
}

void AsyncOperations::applyGroups(uint64_t key, uint32_t group, bool readOnly) {
  for (size_t i = 0; i < pending.size();) {
    AsyncOperation &operation = pending[i];
    if (operation.kind != AsyncOperation::Group || operation.key != key || operation.group > group) {
      ++i;
    } else if (readOnly) {
      if (operation.read)
        std::exchange(operation.read, nullptr)();
      ++i;
    } else {
      applyAt(i);
    }
  }
}

const AsyncOperation *AsyncOperations::oldest(uint64_t key) const {
  for (const AsyncOperation &operation : pending)
    if (operation.kind == AsyncOperation::Group && operation.key == key && operation.read)
      return &operation;
  return nullptr;
}

} // namespace quern::runtime::emulated::nvidia
