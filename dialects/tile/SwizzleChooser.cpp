//===- SwizzleChooser.cpp - Conversions through shared memory -------------===//
//
// The method is described in Conversion.h. Which vectors come first is not decided by rule: the few sensible
// choices are all built and counted, and the fewest clocks win.
//
//===----------------------------------------------------------------------===//
#include "dialects/tile/Conversion.h"

#include <algorithm>
#include <bit>

namespace quern::tile {

namespace {

using Vectors = std::vector<uint64_t>;

/// One side of the conversion in packed coordinates of the core.
struct Side {
  const Layout &layout;
  Direction direction;
  Vectors registers, lanes;

  Side(const Layout &layout, Direction direction) : layout(layout), direction(direction) {
    CoordinateBits bits(layout.core());
    for (const Coordinate &basis : layout.bases(Hardware::Register))
      registers.push_back(bits.pack(basis));
    for (const Coordinate &basis : layout.bases(Hardware::Lane))
      lanes.push_back(bits.pack(basis));
  }

  bool inRegisters(uint64_t vector) const {
    return vector && std::find(registers.begin(), registers.end(), vector) != registers.end();
  }
  /// How many of the leading |vectors| one lane holds.
  unsigned held(const Vectors &vectors) const {
    unsigned count = 0;
    while (count < vectors.size() && inRegisters(vectors[count]))
      ++count;
    return count;
  }
};

/// Chooses memory layouts for one pair of sides.
class Chooser {
public:
  Chooser(const Layout &from, const Layout &to, unsigned elementBits, const std::vector<BankRule> &banks)
      : store(from, Direction::Write), load(to, Direction::Read), elementBits(elementBits), banks(banks),
        coordinates(from.core()) {}

  SharedExchange best();

private:
  unsigned widest() const; ///< vectors of the widest access of either side
  const BankRule *ruleOf(const Side &side, const Vectors &first) const;
  /// What the lanes of one phase add, beside |first|.
  Span phase(const Side &side, const Vectors &first, const BankRule &rule) const;
  MemoryLayout build(const Vectors &first, int32_t rowBanks) const;
  SharedSide measure(const Side &side, const MemoryLayout &memory, const Vectors &first) const;

  Side store, load;
  unsigned elementBits;
  const std::vector<BankRule> &banks;
  CoordinateBits coordinates;
};

unsigned Chooser::widest() const {
  int32_t bytes = 4;
  for (const BankRule &rule : banks)
    bytes = std::max(bytes, rule.bytes);
  return unsigned(std::bit_width(unsigned(bytes) * 8 / elementBits)) - 1;
}

const BankRule *Chooser::ruleOf(const Side &side, const Vectors &first) const {
  int32_t bytes = int32_t((elementBits << side.held(first)) / 8);
  return findBankRule(banks, side.direction, std::max(bytes, 1));
}

Span Chooser::phase(const Side &side, const Vectors &first, const BankRule &rule) const {
  Span span(first);
  for (int32_t together : rule.together) {
    uint64_t vector = 0;
    for (size_t bit = 0; bit < side.lanes.size(); ++bit)
      if (together >> bit & 1)
        vector ^= side.lanes[bit];
    span.insert(vector);
  }
  return span;
}

MemoryLayout Chooser::build(const Vectors &first, int32_t rowBanks) const {
  unsigned dimensions = coordinates.bits();
  unsigned row = unsigned(std::bit_width(unsigned(rowBanks) * 32 / elementBits)) - 1;
  Span used(first);
  Span ofStore = phase(store, first, *ruleOf(store, first)),
       ofLoad = phase(load, first, *ruleOf(load, first));
  Vectors segments;
  auto unit = [](unsigned bit) { return uint64_t(1) << bit; };
  while (segments.size() + row < dimensions) {
    // Outside of both phases: a coordinate bit, or the sum of one that is outside of the first and one that
    // is outside of the second. Where a phase is everything, outside of the other one.
    uint64_t chosen = 0, outsideStore = 0, outsideLoad = 0, fresh = 0;
    for (unsigned bit = dimensions; bit-- > 0 && !chosen;) {
      bool store = !ofStore.contains(unit(bit)), load = !ofLoad.contains(unit(bit));
      if (store && load)
        chosen = unit(bit);
      if (store && !outsideStore)
        outsideStore = unit(bit);
      if (load && !outsideLoad)
        outsideLoad = unit(bit);
      if (!used.contains(unit(bit)) && !fresh)
        fresh = unit(bit);
    }
    if (!chosen)
      chosen = outsideStore ^ outsideLoad;
    if (!chosen)
      chosen = fresh;
    segments.push_back(chosen);
    used.insert(chosen);
    ofStore.insert(chosen);
    ofLoad.insert(chosen);
  }
  Vectors bases = first;
  for (unsigned bit = 0; bit < dimensions && bases.size() + segments.size() < dimensions; ++bit)
    if (used.insert(unit(bit)))
      bases.push_back(unit(bit));
  bases.insert(bases.end(), segments.begin(), segments.end());

  std::vector<Coordinate> unpacked;
  for (uint64_t vector : bases)
    unpacked.push_back(coordinates.unpack(vector));
  const std::vector<int32_t> &repeats = store.layout.repeats();
  std::vector<int64_t> strides(repeats.size());
  int64_t stride = int64_t(1) << bases.size();
  for (size_t d = repeats.size(); d-- > 0;) {
    strides[d] = stride;
    stride *= repeats[d];
  }
  return MemoryLayout(store.layout.shape(), store.layout.core(), std::move(unpacked), std::move(strides));
}

SharedSide Chooser::measure(const Side &side, const MemoryLayout &memory, const Vectors &first) const {
  // The registers of one access first, in their order in memory.
  std::vector<size_t> order;
  for (unsigned i = 0; i < side.held(first); ++i)
    order.push_back(
        size_t(std::find(side.registers.begin(), side.registers.end(), first[i]) - side.registers.begin()));
  SharedSide result;
  result.vector = 1 << order.size();
  for (size_t i = 0; i < side.registers.size(); ++i)
    if (std::find(order.begin(), order.end(), i) == order.end())
      order.push_back(i);
  std::vector<Coordinate> bases;
  for (size_t i : order)
    bases.push_back(side.layout.bases(Hardware::Register)[i]);
  result.layout = Layout(side.layout.shape(),
                         {bases, side.layout.bases(Hardware::Lane), side.layout.bases(Hardware::Warp)},
                         side.layout.repeats());
  for (int32_t r = 0; r < result.layout.numRegisters(); ++r) {
    int32_t given = r >> order.size() << order.size(); // the repeat
    for (size_t bit = 0; bit < order.size(); ++bit)
      given |= (r >> bit & 1) << order[bit];
    result.registers.push_back(given);
  }
  // Memory may allow less than the vectors suggest.
  result.vector = std::min(result.vector, memory.vectorWidth(result.layout));
  if (const BankRule *rule =
          findBankRule(banks, side.direction, std::max<int32_t>(1, result.vector * int32_t(elementBits) / 8)))
    result.access = sharedAccess(result.layout, memory, elementBits, result.vector, *rule);
  return result;
}

SharedExchange Chooser::best() {
  // Vectors of both sides, in the order of the reader; then what only one side holds.
  Vectors common, onlyStore, onlyLoad;
  for (uint64_t vector : load.registers)
    if (vector)
      (store.inRegisters(vector) ? common : onlyLoad).push_back(vector);
  for (uint64_t vector : store.registers)
    if (vector && !load.inRegisters(vector))
      onlyStore.push_back(vector);
  std::vector<Vectors> candidates;
  auto consider = [&](Vectors vectors) {
    if (vectors.size() > widest())
      vectors.resize(widest());
    if (Span(vectors).rank() == vectors.size() &&
        std::find(candidates.begin(), candidates.end(), vectors) == candidates.end())
      candidates.push_back(std::move(vectors));
  };
  for (size_t length = common.size() + 1; length-- > 0;) {
    Vectors prefix(common.begin(), common.begin() + long(length)), withStore = prefix, withLoad = prefix;
    withStore.insert(withStore.end(), onlyStore.begin(), onlyStore.end());
    withLoad.insert(withLoad.end(), onlyLoad.begin(), onlyLoad.end());
    consider(prefix);
    consider(withStore);
    consider(withLoad);
  }
  for (const Vectors *side : {&onlyStore, &onlyLoad, &store.registers, &load.registers})
    consider(*side);

  SharedExchange best;
  auto price = [](const SharedExchange &exchange) {
    return std::pair(exchange.store.access.clocks + exchange.load.access.clocks,
                     exchange.store.access.instructions + exchange.load.access.instructions);
  };
  for (const Vectors &first : candidates) {
    const BankRule *rules[] = {ruleOf(store, first), ruleOf(load, first)};
    if (!rules[0] || !rules[1])
      continue;
    for (const BankRule *rule : rules) {
      SharedExchange exchange;
      exchange.memory = build(first, rule->banks);
      exchange.store = measure(store, exchange.memory, first);
      exchange.load = measure(load, exchange.memory, first);
      if (!best.memory.rank() || price(exchange) < price(best))
        best = std::move(exchange);
    }
  }
  return best;
}

} // namespace

SharedExchange planSharedExchange(const Layout &from, const Layout &to, unsigned elementBits,
                                  const std::vector<BankRule> &banks) {
  if (!banks.empty() && from.rank() && from.repeats() == to.repeats())
    return Chooser(from, to, elementBits, banks).best();
  SharedExchange exchange;
  exchange.memory = MemoryLayout::dense(from.shape());
  auto plain = [&](const Layout &layout, Direction direction) {
    SharedSide side;
    side.layout = layout;
    for (int32_t r = 0; r < layout.numRegisters(); ++r)
      side.registers.push_back(r);
    if (const BankRule *rule = findBankRule(banks, direction, int32_t(elementBits + 7) / 8))
      side.access = sharedAccess(layout, exchange.memory, elementBits, 1, *rule);
    return side;
  };
  exchange.store = plain(from, Direction::Write);
  exchange.load = plain(to, Direction::Read);
  return exchange;
}

} // namespace quern::tile
