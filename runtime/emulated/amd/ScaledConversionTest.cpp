//===- ScaledConversionTest.cpp - Conversions with a scale -----------------===//
//
// V_CVT_SCALEF32_* and V_CVT_SR_* of gfx950. Codes are decoded here from the definition of the formats; a
// conversion to a small format is compared with a search for the nearest code, and a stochastic one with the
// sum of the number in units of its last place and the random fraction.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/TestKernels.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

namespace quern::runtime::emulated::amd {
namespace {

using Words = std::vector<uint32_t>;

struct Format {
  const char *name;
  unsigned exponentBits, fractionBits;
  int bias;
  unsigned largest; ///< code of the largest number
  bool saturates;   ///< has neither infinity nor NaN
  unsigned bits() const { return 1 + exponentBits + fractionBits; }
  unsigned signBit() const { return 1u << (bits() - 1); }
  double value(unsigned code) const {
    unsigned magnitude = code & (signBit() - 1), exponent = magnitude >> fractionBits;
    double sign = code & signBit() ? -1 : 1;
    if (magnitude > largest)
      return exponentBits == 5 && magnitude == largest + 1 ? sign * INFINITY : NAN;
    double fraction = magnitude % (1u << fractionBits);
    return sign * std::ldexp(exponent ? fraction + double(1u << fractionBits) : fraction,
                             int(exponent ? exponent : 1) - bias - int(fractionBits));
  }
  unsigned overflow() const { return saturates ? largest : exponentBits == 5 ? largest + 1 : signBit() - 1; }
  /// Nearest code, ties to the even one.
  unsigned nearest(double x) const {
    unsigned sign = std::signbit(x) ? signBit() : 0, best = 0;
    if (std::isnan(x))
      return sign | (saturates ? largest : signBit() - 1);
    double next = value(largest) + (value(largest) - value(largest - 1)); // where the next number would stand
    for (unsigned code = 1; code <= largest + 1; ++code) {
      double at = code > largest ? next : value(code), to = std::fabs(std::fabs(x) - at),
             from = std::fabs(std::fabs(x) - (best > largest ? next : value(best)));
      if (to < from || (to == from && code % 2 == 0))
        best = code;
    }
    return sign | (best > largest || std::isinf(x) ? overflow() : best);
  }
  /// Stochastic: |fractionBitsOfSource| of the type that x comes from.
  unsigned stochastic(double x, uint32_t random, unsigned fractionBitsOfSource) const {
    unsigned sign = std::signbit(x) ? signBit() : 0, dropped = fractionBitsOfSource - fractionBits;
    if (x == 0)
      return sign;
    int exponent = std::max(std::ilogb(x), 1 - bias);
    double inUnits = std::ldexp(std::fabs(x), int(fractionBits) - exponent); // of the last place
    double cut = std::floor(std::ldexp(inUnits, int(dropped))), top = double(random >> (32 - dropped));
    double rounded = std::floor(std::ldexp(cut + top, -int(dropped)));
    double result = std::ldexp(rounded, exponent - int(fractionBits));
    return sign | (result > value(largest) ? overflow() : nearest(result));
  }
};
const Format kFp8{"fp8", 4, 3, 7, 126, false}, kBf8{"bf8", 5, 2, 15, 123, false},
    kFp6{"fp6", 2, 3, 1, 31, true}, kBf6{"bf6", 3, 2, 3, 31, true}, kFp4{"fp4", 2, 1, 1, 7, true};

/// The types on the other side.
struct Wide {
  const char *name;
  unsigned bits, fractionBits;
  double value(uint32_t code) const {
    return bits == 32           ? real(code)
           : fractionBits == 10 ? double(std::bit_cast<_Float16>(uint16_t(code)))
                                : double(real(code << 16));
  }
  uint32_t code(double x) const {
    if (bits == 32)
      return amd::bits(float(x));
    if (fractionBits == 10)
      return std::bit_cast<uint16_t>(_Float16(x));
    uint32_t word = amd::bits(float(x));
    return std::isnan(x) ? 0x7fc0 : (word + 0x7fff + (word >> 16 & 1)) >> 16;
  }
};
const Wide kWides[] = {{"f32", 32, 23}, {"f16", 16, 10}, {"bf16", 16, 7}};

std::string registers(unsigned first, unsigned count) {
  return count == 1 ? "v" + std::to_string(first)
                    : "v[" + std::to_string(first) + ":" + std::to_string(first + count - 1) + "]";
}
bool sameNumber(double a, double b) {
  return a == b ? std::signbit(a) == std::signbit(b) : std::isnan(a) && std::isnan(b);
}

/// Runs a conversion of many registers: inputs in v[8:..], results in v[100:..] that hold 0x5a5a5a5a before.
std::vector<Words> convert(const std::string &text, const std::vector<Words> &inputs, unsigned outputs) {
  std::string snippet;
  for (unsigned i = 0; i < outputs; ++i)
    snippet += "v_mov_b32 v" + std::to_string(100 + i) + ", 0x5a5a5a5a\n";
  // runSnippet gives inputs in v10 on and takes results from v30 on: room for 34 inputs needs a copy.
  std::string body = "s_load_dwordx4 s[8:11], s[0:1], 0x0\ns_waitcnt lgkmcnt(0)\nv_lshlrev_b32 v1, 2, "
                     "v0\nv_mov_b32 v2, v1\n";
  Words all;
  for (size_t i = 0; i < inputs.size(); ++i) {
    body += "global_load_dword v" + std::to_string(8 + i) + ", v1, s[8:9]\nv_add_u32 v1, 0x100, v1\n";
    all.insert(all.end(), inputs[i].begin(), inputs[i].end());
  }
  body += "s_waitcnt vmcnt(0)\n" + snippet + text + "\n";
  for (unsigned i = 0; i < outputs; ++i)
    body += "global_store_dword v2, v" + std::to_string(100 + i) + ", s[10:11]\nv_add_u32 v2, 0x100, v2\n";
  KernelRun run("gfx950", assemble("gfx950", kernelAssembly("gfx950", body, 2)));
  run.options.sanitize = false; // numbers that become NaN are meant to
  run.buffer(all).buffer(Words(size_t(outputs) * 64)).expectSuccess(1, 64);
  std::vector<Words> result;
  for (unsigned i = 0; i < outputs; ++i)
    result.emplace_back(run.words(1).begin() + i * 64, run.words(1).begin() + (i + 1) * 64);
  return result;
}

uint32_t field(const std::vector<Words> &words, unsigned lane, unsigned at, unsigned bits) {
  uint64_t value = words[at / 32][lane];
  if (at % 32 + bits > 32)
    value |= uint64_t(words[at / 32 + 1][lane]) << 32;
  return uint32_t(value >> at % 32 & ((uint64_t(1) << bits) - 1));
}

/// Scales of lanes: 2^-3 to 2^4, some with fraction bits, which do not count.
Words scales() {
  Words words(64);
  for (unsigned lane = 0; lane < 64; ++lane)
    words[lane] = bits(std::ldexp(lane % 3 ? 1.0f : 1.75f, int(lane % 8) - 3));
  return words;
}
double scaleOf(uint32_t word) { return std::ldexp(1.0, int(word >> 23) - 127); }

std::string flags(std::initializer_list<unsigned> list) {
  std::string text;
  for (unsigned bit : list)
    text += (text.empty() ? " op_sel:[" : ",") + std::to_string(bit);
  return text + "]";
}

TEST(ScaledConversions, FromBytesAndNibbles) {
  Words source(64), scale = scales();
  for (unsigned lane = 0; lane < 64; ++lane) // all codes of 8 bits
    source[lane] = (4 * lane) | (4 * lane + 1) << 8 | (4 * lane + 2) << 16 | (4 * lane + 3) << 24;
  struct Case {
    std::string name;
    const Format &format;
    const Wide &wide;
    unsigned elements, select; ///< byte (or word) of the source
    bool high;
  };
  std::vector<Case> cases;
  for (const Wide &wide : kWides) {
    for (const Format *format : {&kFp8, &kBf8}) {
      for (unsigned byte = 0; byte < 4 && wide.name != std::string("bf16"); ++byte)
        cases.push_back({std::string(wide.name) + "_" + format->name, *format, wide, 1, byte,
                         wide.bits == 16 && byte % 2});
      for (unsigned word = 0; word < 2; ++word)
        cases.push_back({std::string("pk_") + wide.name + "_" + format->name, *format, wide, 2, word, false});
    }
    for (unsigned byte = 0; byte < 4; ++byte)
      cases.push_back({std::string("pk_") + wide.name + "_fp4", kFp4, wide, 2, byte, false});
  }
  for (const Case &c : cases) {
    unsigned outputs = c.elements == 2 && c.wide.bits == 32 ? 2 : 1,
             step = c.elements == 2 && c.format.bits() == 8 ? 16 : 8;
    std::string text = "v_cvt_scalef32_" + c.name + " " + registers(100, outputs) + ", v8, v9" +
                       flags({c.select & 1, c.select >> 1, unsigned(c.high)});
    auto outs = convert(text, {source, scale}, outputs);
    for (unsigned lane = 0; lane < 64; ++lane)
      for (unsigned i = 0; i < c.elements; ++i) {
        uint32_t code =
            source[lane] >> (c.select * step + i * c.format.bits()) & ((1u << c.format.bits()) - 1);
        double expected = c.wide.value(c.wide.code(c.format.value(code) * scaleOf(scale[lane])));
        unsigned at = i * c.wide.bits + (c.high ? 16 : 0);
        ASSERT_TRUE(sameNumber(c.wide.value(field(outs, lane, at, c.wide.bits)), expected))
            << text << " lane " << lane << " code " << code << ": "
            << c.wide.value(field(outs, lane, at, c.wide.bits)) << " for " << expected;
        if (c.elements == 1 && c.wide.bits == 16)
          ASSERT_EQ(field(outs, lane, c.high ? 0 : 16, 16), 0x5a5au) << text;
      }
  }
}

/// Numbers that exercise a format: its codes, their midpoints, neighbours, and what is past its ends; times a
/// scale.
double sample(const Format &format, const Wide &wide, std::mt19937 &random, double scale) {
  double x;
  switch (random() % 6) {
  case 0:
    x = std::ldexp(double(random()), -32 - int(random() % 12)) * 2 * format.value(format.largest);
    break;
  case 1:
    x = format.value(format.largest) * (1 + (random() % 64) / 128.0);
    break;
  case 2:
    x = random() % 2 ? 0.0 : 1e-12;
    break;
  default: {
    unsigned code = random() % format.largest;
    x = (format.value(code) + format.value(code + 1)) / 2;
    x += (int(random() % 3) - 1) * std::ldexp(x, -20);
  }
  }
  x = (random() % 2 ? -x : x) * scale;
  return wide.value(wide.code(x)); // as the type holds it
}

TEST(ScaledConversions, ToSmallFormats) {
  std::mt19937 random(3);
  Words scale = scales();
  for (const Wide &wide : kWides)
    for (const Format *format : {&kFp8, &kBf8, &kFp6, &kBf6, &kFp4})
      for (bool stochastic : {false, true})
        for (unsigned round = 0; round < 2; ++round) {
          std::string f = format->name, w = wide.name;
          bool six = format->bits() == 6, eight = format->bits() == 8;
          unsigned elements = six                   ? 32
                              : eight && stochastic ? 1
                                                    : 2,
                   registersIn = (elements * wide.bits + 31) / 32;
          std::vector<Words> inputs(registersIn, Words(64));
          std::vector<std::vector<double>> numbers(64, std::vector<double>(elements));
          for (unsigned lane = 0; lane < 64; ++lane)
            for (unsigned i = 0; i < elements; ++i) {
              double x = numbers[lane][i] = sample(*format, wide, random, scaleOf(scale[lane]));
              inputs[i * wide.bits / 32][lane] |= wide.code(x) << i * wide.bits % 32;
            }
          Words seeds(64);
          for (uint32_t &seed : seeds)
            seed = random();
          inputs.push_back(seeds);
          inputs.push_back(scale);
          std::string seed = registers(8 + registersIn, 1), scaleRegister = registers(9 + registersIn, 1),
                      source, name;
          unsigned place = random() % 4, outputs = six ? 6 : 1, at = 0;
          bool interleaved = six && wide.bits == 32 && !stochastic;
          std::string select;
          if (six) {
            name = (stochastic ? "sr_pk32_" : wide.bits == 32 ? "2xpk16_" : "pk32_") + f + "_" + w;
            source = interleaved ? "v[8:23], v[24:39]" : registers(8, registersIn);
          } else if (eight && !stochastic) {
            name = "pk_" + f + "_" + w;
            source = wide.bits == 32 ? "v8, v9" : "v8";
            at = 16 * (place & 1);
            select = wide.bits == 32 ? flags({0, 0, 0, place & 1}) : flags({0, 0, place & 1});
          } else {
            name = std::string(stochastic ? "sr_" : "") + (eight ? "" : "pk_") + f + "_" + w;
            source = wide.bits == 32 && !eight ? (stochastic ? "v[8:9]" : "v8, v9") : "v8";
            at = 8 * place;
            select = flags({0, 0, place & 1, place >> 1});
          }
          std::string text = "v_cvt_scalef32_" + name + " " + registers(100, outputs) + ", " + source + ", " +
                             (stochastic ? seed + ", " : "") + scaleRegister + select;
          auto outs = convert(text, inputs, outputs);
          for (unsigned lane = 0; lane < 64; ++lane) {
            for (unsigned i = 0; i < elements; ++i) {
              // 2xpk16: elements alternate between the two sources.
              double x = numbers[lane][interleaved ? i / 2 + 16 * (i % 2) : i] / scaleOf(scale[lane]);
              unsigned expected =
                  stochastic ? format->stochastic(x, seeds[lane], wide.fractionBits) : format->nearest(x);
              unsigned got = field(outs, lane, at + i * format->bits(), format->bits());
              ASSERT_EQ(got, expected) << text << " lane " << lane << " element " << i << " of " << x;
            }
            if (outputs == 1) { // the rest of the register stays
              unsigned width = elements * format->bits();
              uint32_t mask = ((1u << width) - 1) << at;
              ASSERT_EQ(outs[0][lane] & ~mask, 0x5a5a5a5au & ~mask) << text;
            }
          }
        }
}

TEST(ScaledConversions, NaNsAndExtremeScales) {
  auto one = [](const std::string &text, uint32_t a, uint32_t scale) {
    return convert(text, {Words(64, a), Words(64, scale)}, 1)[0][7];
  };
  EXPECT_TRUE(std::isnan(real(one("v_cvt_scalef32_f32_fp8 v100, v8, v9", 0x38, 0x7f800000)))); // scale 255
  EXPECT_EQ(real(one("v_cvt_scalef32_f32_fp8 v100, v8, v9", 0x38, 0)), 0x1p-127f);             // scale 0
  EXPECT_EQ(one("v_cvt_scalef32_f32_fp8 v100, v8, v9", 0x7e, bits(0x1p127f)), 0x7f800000u);
  EXPECT_EQ(one("v_cvt_scalef32_pk_fp8_f32 v100, v8, v8, v9", bits(NAN), bits(1.0f)) & 0x7f7f, 0x7f7fu);
  EXPECT_EQ(one("v_cvt_scalef32_pk_fp8_f32 v100, v8, v8, v9", bits(449.0f), bits(1.0f)) & 0xffff, 0x7e7eu);
  EXPECT_EQ(one("v_cvt_scalef32_pk_fp8_f32 v100, v8, v8, v9", bits(500.0f), bits(1.0f)) & 0xffff, 0x7f7fu);
  EXPECT_EQ(one("s_setreg_imm32_b32 hwreg(HW_REG_MODE, 23, 1), 1\nv_cvt_scalef32_pk_fp8_f32 v100, v8, v8, v9",
                bits(500.0f), bits(1.0f)) &
                0xffff,
            0x7e7eu); // FP16_OVFL
  EXPECT_EQ(one("v_cvt_scalef32_pk_bf8_f32 v100, v8, v8, v9", bits(1e9f), bits(1.0f)) & 0xffff, 0x7c7cu);
  EXPECT_EQ(one("v_cvt_scalef32_pk_fp4_f32 v100, v8, v8, v9", bits(-INFINITY), bits(1.0f)) & 0xff, 0xffu);
  EXPECT_EQ(one("v_cvt_scalef32_pk_fp4_f32 v100, v8, -v8, v9", bits(2.0f), bits(1.0f)) & 0xff, 0xc4u);
}

TEST(StochasticConversions, ToHalves) {
  std::mt19937 random(8);
  Words a(64), b(64);
  for (unsigned i = 0; i < 64; ++i) {
    a[i] = bits(std::ldexp(float(int32_t(random())), int(random() % 44) - 58));
    b[i] = random();
  }
  auto outs = runSnippet("gfx950",
                         "v_cvt_sr_f16_f32 v30, v10, v11\nv_cvt_sr_f16_f32 v31, v10, v11 op_sel:[0,0,1]\n"
                         "v_cvt_sr_bf16_f32 v32, v10, v11\nv_cvt_sr_bf16_f32 v33, -|v10|, v11\n",
                         {a, b}, 4);
  for (unsigned i = 0; i < 64; ++i) {
    double x = real(a[i]);
    // f16 to all its places, subnormal ones included.
    int exponent = std::max(std::ilogb(x), -14);
    double cut = std::floor(std::ldexp(std::fabs(x), 23 - exponent)), sum = cut + (b[i] >> 19);
    double expected = std::copysign(std::ldexp(std::floor(std::ldexp(sum, -13)), exponent - 10), x);
    if (std::fabs(expected) > 65504)
      expected = std::copysign(INFINITY, x);
    ASSERT_TRUE(sameNumber(std::bit_cast<_Float16>(uint16_t(outs[0][i])), expected)) << x;
    ASSERT_EQ(outs[0][i] >> 16, 0x5a5au);
    ASSERT_EQ(outs[1][i], (outs[0][i] & 0xffff) << 16 | 0x5a5a);
    uint32_t brainBits = (a[i] + (b[i] >> 16)) >> 16;
    ASSERT_EQ(outs[2][i], 0x5a5a0000u | brainBits);
    ASSERT_EQ(outs[3][i], 0x5a5a0000u | brainBits | 0x8000);
  }
}

} // namespace
} // namespace quern::runtime::emulated::amd
