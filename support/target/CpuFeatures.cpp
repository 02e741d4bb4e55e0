//===- CpuFeatures.cpp ----------------------------------------------------===//
#include "support/target/CpuFeatures.h"

#include <algorithm>
#include <utility>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace quern {

namespace {

constexpr bool bit(uint64_t word, unsigned index) { return (word >> index & 1) != 0; }

/// Intel SDM volume 1, 13.3: SSE and AVX state; opmask, upper halves and upper registers; tile state.
constexpr uint64_t avxState = 0x6, avx512State = 0xE6, amxState = 0x60000;

/// 1 to 4; 0 for what is no level.
int levelNumber(const std::string &name) {
  static constexpr const char *names[] = {"x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"};
  for (int i = 0; i < 4; ++i)
    if (name == names[i])
      return i + 1;
  return 0;
}

} // namespace

CpuidFacts readCpuid() {
  CpuidFacts facts;
#if defined(__x86_64__)
  unsigned a, b, c, d;
  if (__get_cpuid(0, &a, &b, &c, &d))
    for (unsigned word : {b, d, c})
      for (unsigned shift = 0; shift < 32; shift += 8)
        facts.maker += static_cast<char>(word >> shift & 0xFF);
  if (__get_cpuid(1, &a, &b, &c, &d)) {
    facts.leaf1Eax = a;
    facts.leaf1Ecx = c;
  }
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    unsigned subleaves = a;
    facts.leaf7Ebx = b;
    facts.leaf7Ecx = c;
    facts.leaf7Edx = d;
    if (subleaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
      facts.leaf7s1Eax = a;
  }
  if (__get_cpuid(0x80000001, &a, &b, &c, &d))
    facts.extended1Ecx = c;
  if (bit(facts.leaf1Ecx, 27)) { // OSXSAVE
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    facts.xcr0 = uint64_t(high) << 32 | low;
  }
  if (__get_cpuid(0x80000000, &a, &b, &c, &d) && a >= 0x80000004) {
    for (unsigned leaf = 0x80000002; leaf <= 0x80000004; ++leaf) {
      __get_cpuid(leaf, &a, &b, &c, &d);
      for (unsigned word : {a, b, c, d})
        for (unsigned shift = 0; shift < 32; shift += 8)
          if (char letter = static_cast<char>(word >> shift & 0xFF))
            facts.brand += letter;
    }
    while (!facts.brand.empty() && facts.brand.back() == ' ')
      facts.brand.pop_back();
    facts.brand.erase(0, facts.brand.find_first_not_of(' '));
  }
#endif
  return facts;
}

std::string cpuHardware(const CpuidFacts &facts) {
  // Intel SDM volume 2, CPUID leaf 1; AMD's manual has the same rule.
  const uint32_t word = facts.leaf1Eax, base = word >> 8 & 15;
  const uint32_t family = base + (base == 15 ? word >> 20 & 255 : 0);
  const uint32_t model = (word >> 4 & 15) + (base == 6 || base == 15 ? (word >> 16 & 15) << 4 : 0);
  std::string maker;
  for (char letter : facts.maker)
    if (letter > ' ' && letter <= '~')
      maker += letter;
  return "cpu:" + (maker.empty() ? "unknown" : maker) + "-" + std::to_string(family) + "-" +
         std::to_string(model) + "-" + std::to_string(word & 15);
}

CpuFeatures decideCpuFeatures(const CpuidFacts &f) {
  CpuFeatures result;
  const uint32_t c1 = f.leaf1Ecx, b7 = f.leaf7Ebx;
  const bool avx = (f.xcr0 & avxState) == avxState, avx512 = (f.xcr0 & avx512State) == avx512State;

  // psABI 3.1.1. v2: CMPXCHG16B, LAHF, POPCNT, SSE3, SSE4.1, SSE4.2, SSSE3.
  const bool v2 = bit(c1, 13) && bit(f.extended1Ecx, 0) && bit(c1, 23) && bit(c1, 0) && bit(c1, 19) &&
                  bit(c1, 20) && bit(c1, 9);
  // v3: AVX, AVX2, BMI1, BMI2, F16C, FMA, LZCNT, MOVBE, OSXSAVE.
  const bool v3 = v2 && avx && bit(c1, 28) && bit(b7, 5) && bit(b7, 3) && bit(b7, 8) && bit(c1, 29) &&
                  bit(c1, 12) && bit(f.extended1Ecx, 5) && bit(c1, 22) && bit(c1, 27);
  // v4: AVX512 F, BW, CD, DQ, VL.
  const bool v4 = v3 && avx512 && bit(b7, 16) && bit(b7, 30) && bit(b7, 28) && bit(b7, 17) && bit(b7, 31);
  result.level = v4 ? "x86-64-v4" : v3 ? "x86-64-v3" : v2 ? "x86-64-v2" : "x86-64";

  auto add = [&](bool present, const char *name) {
    if (present)
      result.features.push_back(name);
  };
  add(v4 && bit(f.leaf7s1Eax, 5), "avx512bf16");
  add(v4 && bit(f.leaf7Edx, 23), "avx512fp16");
  add(v4 && bit(f.leaf7Ecx, 1), "avx512vbmi");
  add(v4 && bit(f.leaf7Ecx, 11), "avx512vnni");
  add(v3 && bit(f.leaf7s1Eax, 4), "avxvnni");
  const bool tiles = v4 && (f.xcr0 & amxState) == amxState && bit(f.leaf7Edx, 24);
  add(tiles && bit(f.leaf7Edx, 22), "amx-bf16");
  add(tiles && bit(f.leaf7Edx, 25), "amx-int8");
  add(tiles, "amx-tile");
  std::sort(result.features.begin(), result.features.end());
  return result;
}

ptrdiff_t chooseCpuCode(const CpuFeatures &own, std::span<const std::string> names) {
  const int level = levelNumber(own.level);
  std::pair<int, int> best{0, -1}; // level, number of features
  ptrdiff_t chosen = -1;
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string &name = names[i];
    size_t end = std::min(name.find_first_of("+,"), name.size());
    std::pair<int, int> rank{levelNumber(name.substr(0, end)), 0};
    bool fits = rank.first != 0 && rank.first <= level;
    while (fits && end < name.size()) {
      size_t next = std::min(name.find_first_of("+,", end + 1), name.size());
      fits = std::ranges::count(own.features, name.substr(end + 1, next - end - 1)) != 0;
      ++rank.second;
      end = next;
    }
    if (fits && rank > best) {
      best = rank;
      chosen = static_cast<ptrdiff_t>(i);
    }
  }
  return chosen;
}

Expected<TargetSpec> resolveNative(TargetSpec spec, const CpuFeatures &own) {
  if (!spec.isNative())
    return spec;
  std::vector<std::string> names;
  for (const TargetInfo &target : knownTargets())
    if (target.isCpu())
      names.emplace_back(target.architecture);
  ptrdiff_t chosen = chooseCpuCode(own, names);
  if (chosen < 0)
    return Status::error(Exit::Unsupported, "E-TARGET-NATIVE",
                         "no code can be made for this machine's processor")
        .cause("its level is " + own.level + ", the lowest with code " + names.front())
        .remedy("name the target of the machine that the model is for");
  spec.architecture = names[static_cast<size_t>(chosen)];
  return spec;
}

} // namespace quern
