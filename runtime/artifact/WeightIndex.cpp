//===- WeightIndex.cpp ----------------------------------------------------===//
#include "runtime/artifact/WeightIndex.h"

#include "support/Files.h"

#include <algorithm>
#include <cmath>

namespace quern::runtime {

namespace {

constexpr std::string_view magic("QNWIDX\r\n", 8); // the line end shows a text-mode transfer
constexpr uint32_t version = 1;
constexpr uint64_t headBytes = 48, recordBytes = 144, sourceBytes = 16;

// Offsets of a record's fields.
constexpr uint64_t atName = 0, atNameBytes = 4, atType = 8, atRank = 9, atKind = 10, atFlags = 11,
                   atContainer = 12, atOffset = 16, atSize = 24, atLow = 32, atHigh = 40, atShape = 48,
                   atDigest = 112;
constexpr uint8_t hasDigest = 1;

void put(std::string &record, uint64_t at, const void *value, size_t size) {
  std::memcpy(record.data() + at, value, size);
}

std::string encodeRecord(const Weight &weight, uint32_t nameOffset) {
  std::string record(recordBytes, '\0');
  auto nameBytes = static_cast<uint32_t>(weight.name.size());
  uint8_t flags = weight.digest ? hasDigest : 0;
  uint64_t offset = weight.kind == WeightKind::Random ? weight.seed : weight.offset;
  uint64_t size = tensorBytes(weight.type, weight.shape()).value_or(0);
  put(record, atName, &nameOffset, 4);
  put(record, atNameBytes, &nameBytes, 4);
  put(record, atType, &weight.type, 1);
  put(record, atRank, &weight.rank, 1);
  put(record, atKind, &weight.kind, 1);
  put(record, atFlags, &flags, 1);
  put(record, atContainer, &weight.container, 4);
  put(record, atOffset, &offset, 8);
  put(record, atSize, &size, 8);
  put(record, atLow, &weight.low, 8);
  put(record, atHigh, &weight.high, 8);
  put(record, atShape, weight.extents.data(), weight.rank * 8);
  if (weight.digest)
    put(record, atDigest, weight.digest->bytes.data(), 32);
  return record;
}

/// What is wrong with a record whose place in memory is sound; empty where nothing is.
std::string faultOf(const Weight &weight, std::span<const uint64_t> dataSizes,
                    const std::vector<WeightSource> &sources) {
  std::optional<uint64_t> size = tensorBytes(weight.type, weight.shape());
  if (!size || *size != weight.size)
    return "has a size that is not that of its shape";
  auto within = [&](uint64_t whole) {
    return weight.offset <= whole && weight.size <= whole - weight.offset;
  };
  if (weight.kind == WeightKind::Stored) {
    if (weight.container >= dataSizes.size())
      return "is in data member " + std::to_string(weight.container) + ", which does not exist";
    if (!within(dataSizes[weight.container]))
      return "reaches beyond its data member";
    if (weight.offset % tensorAlignment != 0)
      return "is not aligned to " + std::to_string(tensorAlignment) + " bytes";
    if (!weight.digest)
      return "has no digest";
  } else if (weight.kind == WeightKind::Linked) {
    if (weight.container >= sources.size())
      return "is in source " + std::to_string(weight.container) + ", which does not exist";
    if (!within(sources[weight.container].size))
      return "reaches beyond its source";
  } else {
    if (weight.digest || weight.container)
      return "is random and has a place";
    if (!isLoadable(weight.type))
      return "has a type that cannot be random";
    if (!std::isfinite(weight.low) || !std::isfinite(weight.high) || weight.low > weight.high)
      return "has no range for its random values";
    return "";
  }
  if (weight.low != 0 || weight.high != 0)
    return "is not random and has a range for random values";
  return "";
}

} // namespace

std::string encodeWeightIndex(std::vector<Weight> weights, const std::vector<WeightSource> &sources) {
  std::sort(weights.begin(), weights.end(), [](const Weight &a, const Weight &b) { return a.name < b.name; });
  std::string records, table, pool;
  for (const Weight &weight : weights) {
    records += encodeRecord(weight, static_cast<uint32_t>(pool.size()));
    pool += weight.name;
  }
  for (const WeightSource &source : sources) {
    appendLittle<uint32_t>(table, static_cast<uint32_t>(pool.size()));
    appendLittle<uint32_t>(table, static_cast<uint32_t>(source.name.size()));
    appendLittle<uint64_t>(table, source.size);
    pool += source.name;
  }
  std::string bytes(magic);
  appendLittle<uint32_t>(bytes, version);
  appendLittle<uint32_t>(bytes, recordBytes);
  appendLittle<uint64_t>(bytes, weights.size());
  appendLittle<uint64_t>(bytes, sources.size());
  appendLittle<uint64_t>(bytes, pool.size());
  appendLittle<uint64_t>(bytes, 0); // reserved
  return bytes + records + table + pool;
}

Expected<WeightIndex> WeightIndex::parse(std::string contents, std::span<const uint64_t> dataSizes,
                                         const std::string &name) {
  auto bad = [&](const std::string &sentence) {
    return Status::error(Exit::BadInput, "E-ARTIFACT-INDEX",
                         "`" + name + "`: the index of weights " + sentence);
  };
  WeightIndex index;
  index.bytes = std::move(contents);
  ByteReader reader(asBytes(index.bytes));
  if (asText(reader.take(magic.size())) != magic)
    return bad("does not begin with its mark");
  if (uint32_t found = reader.read<uint32_t>(); found != version && !reader.failed())
    return Status::error(Exit::BadInput, "E-ARTIFACT-VERSION",
                         "`" + name + "`: the index of weights has version " + std::to_string(found) +
                             ", this program reads version " + std::to_string(version))
        .remedy("use the version of Quern that wrote it, or compile again");
  uint32_t recordSize = reader.read<uint32_t>();
  uint64_t weights = reader.read<uint64_t>(), sources = reader.read<uint64_t>(),
           poolBytes = reader.read<uint64_t>(), reserved = reader.read<uint64_t>();
  if (reader.failed() || recordSize != recordBytes || reserved != 0)
    return bad("has a damaged head");
  uint64_t rest = reader.remaining();
  if (weights > rest / recordBytes || sources > (rest - weights * recordBytes) / sourceBytes ||
      poolBytes != rest - weights * recordBytes - sources * sourceBytes)
    return bad("has a size that is not what its head says");
  index.count = weights;
  index.pool = index.bytes.size() - poolBytes;

  // The names stand one behind the other in the order of the records, then those of the sources.
  uint64_t nextName = 0;
  auto takeName = [&](const std::byte *record) {
    uint64_t offset = loadLittle<uint32_t>(record), size = loadLittle<uint32_t>(record + 4);
    bool good = offset == nextName && size <= poolBytes - offset;
    nextName += size;
    return good;
  };
  const std::byte *base = asBytes(index.bytes).data();
  for (uint64_t i = 0; i != weights; ++i)
    if (!takeName(base + headBytes + i * recordBytes + atName))
      return bad("has a damaged record " + std::to_string(i));
  for (uint64_t i = 0; i != sources; ++i) {
    const std::byte *record = base + headBytes + weights * recordBytes + i * sourceBytes;
    if (!takeName(record))
      return bad("has a damaged source " + std::to_string(i));
    WeightSource source{
        index.bytes.substr(index.pool + loadLittle<uint32_t>(record), loadLittle<uint32_t>(record + 4)),
        loadLittle<uint64_t>(record + 8)};
    if (!isPlainFileName(source.name))
      return bad("names the source `" + source.name + "`, which is not a plain file name");
    index.files.push_back(std::move(source));
  }
  if (nextName != poolBytes)
    return bad("has bytes behind its names");
  struct Place {
    uint32_t container;
    uint64_t begin, end;
  };
  std::vector<Place> places;
  std::string_view before;
  for (uint64_t i = 0; i != weights; ++i) {
    const std::byte *record = base + headBytes + i * recordBytes;
    auto byteAt = [&](uint64_t at) { return std::to_integer<uint8_t>(record[at]); };
    if (byteAt(atType) >= elementTypeCount || byteAt(atRank) > maxRank ||
        byteAt(atKind) > static_cast<uint8_t>(WeightKind::Random) || byteAt(atFlags) > hasDigest)
      return bad("has a damaged record " + std::to_string(i));
    Weight weight = index[i];
    if (i && weight.name <= before)
      return bad("is not sorted at `" + std::string(weight.name) + "`");
    before = weight.name;
    if (std::string fault = faultOf(weight, dataSizes, index.files); !fault.empty())
      return bad("says that `" + std::string(weight.name) + "` " + fault);
    // Whatever is not read must be zero, so that equal indices have equal bytes.
    if (asText({record, recordBytes}) != encodeRecord(weight, loadLittle<uint32_t>(record + atName)))
      return bad("has a damaged record " + std::to_string(i));
    if (weight.kind == WeightKind::Stored)
      places.push_back({weight.container, weight.offset, weight.offset + weight.size});
    if (__builtin_add_overflow(index.total, weight.size, &index.total))
      return bad("describes more bytes than 64 bits can count");
  }
  std::sort(places.begin(), places.end(), [](const Place &a, const Place &b) {
    return std::tie(a.container, a.begin, a.end) < std::tie(b.container, b.begin, b.end);
  });
  for (size_t i = 1; i < places.size(); ++i)
    if (places[i].container == places[i - 1].container && places[i].begin < places[i - 1].end)
      return bad("describes tensors that overlap");
  return index;
}

Weight WeightIndex::operator[](size_t i) const {
  const std::byte *record = asBytes(bytes).data() + headBytes + i * recordBytes;
  Weight weight;
  weight.name = std::string_view(bytes).substr(pool + loadLittle<uint32_t>(record + atName),
                                               loadLittle<uint32_t>(record + atNameBytes));
  weight.type = static_cast<ElementType>(record[atType]);
  weight.rank = std::to_integer<uint8_t>(record[atRank]);
  weight.kind = static_cast<WeightKind>(record[atKind]);
  weight.container = loadLittle<uint32_t>(record + atContainer);
  (weight.kind == WeightKind::Random ? weight.seed : weight.offset) = loadLittle<uint64_t>(record + atOffset);
  weight.size = loadLittle<uint64_t>(record + atSize);
  weight.low = loadLittle<double>(record + atLow);
  weight.high = loadLittle<double>(record + atHigh);
  std::memcpy(weight.extents.data(), record + atShape, weight.rank * 8);
  if (std::to_integer<uint8_t>(record[atFlags]) & hasDigest)
    std::memcpy(weight.digest.emplace().bytes.data(), record + atDigest, 32);
  return weight;
}

std::optional<size_t> WeightIndex::find(std::string_view name) const {
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    const std::byte *record = asBytes(bytes).data() + headBytes + middle * recordBytes;
    std::string_view found = std::string_view(bytes).substr(pool + loadLittle<uint32_t>(record + atName),
                                                            loadLittle<uint32_t>(record + atNameBytes));
    if (found == name)
      return middle;
    if (found < name)
      low = middle + 1;
    else
      high = middle;
  }
  return std::nullopt;
}

} // namespace quern::runtime
