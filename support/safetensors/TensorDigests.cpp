//===- TensorDigests.cpp --------------------------------------------------===//
#include "support/safetensors/TensorDigests.h"

#include "support/Interrupt.h"

#include <algorithm>
#include <atomic>
#include <sys/stat.h>
#include <time.h>

namespace quern {

namespace {

constexpr std::string_view magic("QNDIGST1");
constexpr uint64_t chunkBytes = 4 << 20; // between two looks at Ctrl-C and two reports
constexpr uint64_t maxCacheBytes = uint64_t(256) << 20;

/// What tells one state of a file from another.
struct Identity {
  uint64_t device, inode, size, seconds, nanoseconds;
  bool operator==(const Identity &) const = default;

  std::string bytes() const {
    std::string result;
    for (uint64_t field : {device, inode, size, seconds, nanoseconds})
      appendLittle(result, field);
    return result;
  }
  /// A file that was changed just now may change again within the same tick of its clock.
  bool isSettled() const {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<int64_t>(seconds) + 2 < now.tv_sec;
  }
};

std::optional<Identity> identityOf(const std::string &path) {
  struct stat facts;
  if (::stat(path.c_str(), &facts) != 0)
    return std::nullopt;
  return Identity{facts.st_dev, facts.st_ino, static_cast<uint64_t>(facts.st_size),
                  static_cast<uint64_t>(facts.st_mtim.tv_sec), static_cast<uint64_t>(facts.st_mtim.tv_nsec)};
}

std::string cachePath(const std::string &folder, const Identity &identity) {
  return folder + "/" + xxhash128(identity.bytes()).hex() + ".digests";
}

/// The cache file of a shard: mark, identity, (offset, size, digest) per tensor, checksum of all that.
std::string encode(const Identity &identity, const std::vector<StoredTensor> &tensors,
                   const std::vector<Digest> &digests) {
  std::string bytes(magic);
  bytes += identity.bytes();
  for (size_t i = 0; i != tensors.size(); ++i) {
    appendLittle(bytes, tensors[i].offset);
    appendLittle(bytes, tensors[i].size);
    bytes += asText(std::as_bytes(std::span(digests[i].bytes)));
  }
  appendLittle(bytes, xxhash64(bytes));
  return bytes;
}

/// True if |bytes| is the cache file of exactly these tensors; fills |digests|.
bool decode(const std::string &bytes, const Identity &identity, const std::vector<StoredTensor> &tensors,
            std::vector<Digest> &digests) {
  digests.resize(tensors.size());
  constexpr size_t entry = 48, checksum = 8;
  size_t head = magic.size() + identity.bytes().size();
  if (bytes.size() != head + tensors.size() * entry + checksum)
    return false;
  for (size_t i = 0; i != tensors.size(); ++i)
    std::memcpy(digests[i].bytes.data(), bytes.data() + head + i * entry + 16, 32);
  return encode(identity, tensors, digests) == bytes;
}

} // namespace

Expected<TensorDigests> TensorDigests::compute(const Checkpoint &checkpoint,
                                               const TensorDigestOptions &options) {
  TensorDigests result;
  bool caching = !options.cacheFolder.empty() && makeDirectories(options.cacheFolder).ok();
  auto report = [&](uint64_t bytes) {
    if (options.progress)
      options.progress->add(bytes);
  };
  for (const Checkpoint::Shard &shard : checkpoint.shards()) {
    const std::vector<StoredTensor> &tensors = shard.file.tensors();
    std::string path = checkpoint.directory() + "/" + shard.name;
    std::optional<Identity> identity = caching ? identityOf(path) : std::nullopt;
    std::vector<Digest> digests;
    bool remembered = false;
    if (identity) {
      Expected<std::string> cached = readFile(cachePath(options.cacheFolder, *identity), maxCacheBytes);
      remembered = cached.ok() && decode(*cached, *identity, tensors, digests);
    }
    digests.resize(tensors.size());
    auto hashOne = [&](uint64_t first, uint64_t last, unsigned) {
      for (uint64_t i = first; i != last && !interrupted(); ++i) {
        Sha256 hash;
        for (ByteSpan rest = shard.file.bytes(tensors[i]); !rest.empty() && !interrupted();) {
          ByteSpan chunk = rest.first(std::min<uint64_t>(rest.size(), chunkBytes));
          rest = rest.subspan(chunk.size());
          hash.update(chunk);
          report(chunk.size());
        }
        digests[i] = hash.finish();
      }
    };
    if (remembered) {
      for (const StoredTensor &tensor : tensors)
        report(tensor.size);
    } else {
      if (options.pool)
        options.pool->parallelFor(0, tensors.size(), 1, hashOne);
      else
        hashOne(0, tensors.size(), 0);
      QUERN_RETURN_IF_ERROR(checkInterrupt());
      for (const StoredTensor &tensor : tensors)
        result.hashed += tensor.size;
      // Only if the file is still the one that was hashed.
      if (identity && identity->isSettled() && identityOf(path) == identity)
        (void)writeFile(cachePath(options.cacheFolder, *identity), encode(*identity, tensors, digests)).ok();
    }
    for (size_t i = 0; i != tensors.size(); ++i)
      result.digests.emplace(&tensors[i], digests[i]);
  }
  return result;
}

} // namespace quern
