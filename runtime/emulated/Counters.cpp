//===- Counters.cpp - Counts what kernels do to memory --------------------===//
#include "runtime/emulated/Counters.h"

#include <algorithm>
#include <bit>

namespace quern::runtime::emulated {

namespace {

constexpr uint64_t pageBytes = 4096;
constexpr unsigned wordsOfPhase = 64 * 4; ///< 64 lanes of 16 bytes

} // namespace

const BankPhases &MemoryRules::bankRule(bool write, uint32_t bytes) const {
  const BankPhases *best = nullptr;
  for (const BankPhases &rule : banks) {
    if (rule.write != write)
      continue;
    bool fits = rule.bytes >= bytes, bestFits = best && best->bytes >= bytes;
    if (!best || (fits && !bestFits) ||
        (fits == bestFits && (fits ? rule.bytes < best->bytes : rule.bytes > best->bytes)))
      best = &rule;
  }
  return *best;
}

Counters::Counters(const MemoryRules &rules) : rules(rules) {
  sum.sectorBytes = rules.sectorBytes;
  for (const BankPhases &rule : rules.banks) {
    std::array<uint8_t, 64> phases{};
    phases.fill(0xff);
    uint8_t next = 0;
    for (uint32_t lane = 0; lane < rules.lanes; ++lane) {
      if (phases[lane] != 0xff)
        continue;
      // The coset of |lane|: it XOR every sum of the rule's numbers.
      for (uint32_t subset = 0; subset < (1u << rule.together.size()); ++subset) {
        uint32_t other = lane;
        for (size_t i = 0; i < rule.together.size(); ++i)
          if (subset >> i & 1)
            other ^= rule.together[i];
        if (other < 64)
          phases[other] = next;
      }
      ++next;
    }
    phaseOf.push_back(phases);
  }
}

/// One phase: each bank gives one word a clock; lanes that ask for the same word get it together.
void Counters::phase(SharedCount &count, const BankPhases &rule, const uint64_t *words, unsigned number) {
  uint64_t seen[wordsOfPhase];
  uint8_t previous[wordsOfPhase], last[64], busy[64] = {};
  constexpr uint8_t none = 0xff;
  std::fill(last, last + rule.banks, none);
  unsigned distinct = 0, most = 0;
  for (unsigned i = 0; i < number; ++i) {
    auto bank = static_cast<unsigned>(words[i] % rule.banks);
    bool found = false;
    for (uint8_t at = last[bank]; at != none && !found; at = previous[at])
      found = seen[at] == words[i];
    if (found)
      continue;
    seen[distinct] = words[i];
    previous[distinct] = last[bank];
    last[bank] = static_cast<uint8_t>(distinct++);
    most = std::max<unsigned>(most, ++busy[bank]);
  }
  count.wavefronts += most;
  count.ideal += (distinct + rule.banks - 1) / rule.banks;
}

void Counters::shared(bool write, const uint64_t *addresses, uint64_t lanes, uint32_t bytes) {
  if (lanes == 0)
    return;
  SharedCount &count = write ? sum.sharedStores : sum.sharedLoads;
  ++count.requests;
  count.bytes += uint64_t(bytes) * unsigned(std::popcount(lanes));
  const BankPhases &rule = rules.bankRule(write, bytes);
  const std::array<uint8_t, 64> &phases = phaseOf[size_t(&rule - rules.banks.data())];
  while (lanes) {
    uint8_t mine = phases[unsigned(std::countr_zero(lanes))];
    uint64_t words[wordsOfPhase];
    unsigned number = 0;
    for (uint64_t rest = lanes; rest; rest &= rest - 1) {
      auto lane = unsigned(std::countr_zero(rest));
      if (phases[lane] != mine)
        continue;
      lanes &= ~(uint64_t(1) << lane);
      for (uint64_t word = addresses[lane] / 4; word <= (addresses[lane] + bytes - 1) / 4; ++word)
        if (number < wordsOfPhase - 1)
          words[number++] = word;
    }
    phase(count, rule, words, number);
  }
}

void Counters::sharedRows(bool write, const uint64_t *addresses, uint64_t lanes, uint32_t rowBytes) {
  if (lanes == 0)
    return;
  SharedCount &count = write ? sum.sharedStores : sum.sharedLoads;
  ++count.requests;
  count.bytes += uint64_t(rowBytes) * unsigned(std::popcount(lanes));
  const BankPhases &rule = rules.bankRule(write, rowBytes);
  for (unsigned first = 0; first < 64; first += 8) {
    uint64_t words[wordsOfPhase];
    unsigned number = 0;
    for (unsigned lane = first; lane < first + 8; ++lane)
      if (lanes >> lane & 1)
        for (uint32_t at = 0; at < rowBytes; at += 4)
          words[number++] = (addresses[lane] + at) / 4;
    if (number)
      phase(count, rule, words, number);
  }
}

void Counters::sharedPiece(bool write, uint64_t bytes) {
  SharedCount &count = write ? sum.sharedStores : sum.sharedLoads;
  ++count.requests;
  uint64_t clockBytes = uint64_t(rules.banks.empty() ? 32 : rules.banks.front().banks) * 4;
  count.wavefronts += (bytes + clockBytes - 1) / clockBytes;
  count.ideal += (bytes + clockBytes - 1) / clockBytes;
  count.bytes += bytes;
}

void Counters::touch(bool write, uint64_t firstSector, uint64_t lastSector) {
  Pages &pages = write ? written : read;
  const uint64_t perPage = pageBytes / rules.sectorBytes;
  for (uint64_t sector = firstSector; sector <= lastSector;) {
    Page &page = pages[sector / perPage];
    uint64_t end = std::min(lastSector, sector / perPage * perPage + perPage - 1);
    for (; sector <= end; ++sector)
      page[sector % perPage / 64] |= uint64_t(1) << (sector % perPage % 64);
  }
}

void Counters::global(bool write, const uint64_t *addresses, uint64_t lanes, uint32_t bytes) {
  if (lanes == 0)
    return;
  GlobalCount &count = write ? sum.globalStores : sum.globalLoads;
  ++count.requests;
  uint64_t asked[64], sectors[64 * 3];
  unsigned askedNumber = 0, number = 0;
  const uint64_t size = rules.sectorBytes;
  for (uint64_t rest = lanes; rest; rest &= rest - 1) {
    uint64_t address = addresses[unsigned(std::countr_zero(rest))];
    asked[askedNumber++] = address;
    for (uint64_t s = address / size; s <= (address + bytes - 1) / size; ++s)
      if (number == 0 || sectors[number - 1] != s)
        sectors[number++] = s;
  }
  count.bytes += uint64_t(bytes) * askedNumber;
  std::sort(asked, asked + askedNumber);
  uint64_t distinct = uint64_t(std::unique(asked, asked + askedNumber) - asked);
  std::sort(sectors, sectors + number);
  number = unsigned(std::unique(sectors, sectors + number) - sectors);
  count.sectors += number;
  count.ideal += (distinct * bytes + size - 1) / size;
  for (unsigned i = 0; i < number;) {
    unsigned end = i;
    while (end + 1 < number && sectors[end + 1] == sectors[end] + 1)
      ++end;
    touch(write, sectors[i], sectors[end]);
    i = end + 1;
  }
}

void Counters::globalPiece(bool write, uint64_t address, uint64_t bytes, bool first) {
  if (bytes == 0)
    return;
  GlobalCount &count = write ? sum.globalStores : sum.globalLoads;
  count.requests += first;
  count.bytes += bytes;
  uint64_t begin = address / rules.sectorBytes, end = (address + bytes - 1) / rules.sectorBytes;
  count.sectors += end - begin + 1;
  count.ideal += (bytes + rules.sectorBytes - 1) / rules.sectorBytes;
  touch(write, begin, end);
}

KernelCounters Counters::collect(std::span<Counters *const> all) {
  KernelCounters sum;
  Pages read, written;
  for (Counters *one : all) {
    sum.add(one->sum);
    for (auto [to, from] : {std::pair(&read, &one->read), std::pair(&written, &one->written)})
      for (const auto &[number, page] : *from) {
        Page &mine = (*to)[number];
        mine[0] |= page[0];
        mine[1] |= page[1];
      }
  }
  auto bytes = [&](const Pages &pages) {
    uint64_t sectors = 0;
    for (const auto &[number, page] : pages)
      sectors += unsigned(std::popcount(page[0]) + std::popcount(page[1]));
    return sectors * sum.sectorBytes;
  };
  sum.readBytes = bytes(read);
  sum.writtenBytes = bytes(written);
  return sum;
}

} // namespace quern::runtime::emulated
