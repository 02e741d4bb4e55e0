//===- ConversionTest.cpp - Number formats on every target ----------------===//
//
// tile.convert must agree with support/Float8 bit for bit: all codes decode, and encoders are swept over the
// boundaries between codes, ties, saturation, NaN, signed zeros and subnormals.
//
//===----------------------------------------------------------------------===//
#include "support/Float8.h"
#include "tests/kernels/KernelHarness.h"

#include <cmath>
#include <random>

using namespace quern;
using namespace quern::test;
using H = KernelHarness;

namespace {

class ConversionTest : public KernelTest {};

const char *const convertText = R"(
!a = tensor<?x!tile.elem<"A">, #tile.dims<BN>>
!b = tensor<?x!tile.elem<"B">, #tile.dims<BN>>
tile.kernel @convert(%x: !tile.ptr<!tile.elem<"A">>, %y: !tile.ptr<!tile.elem<"B">>, %n: i32)
    attributes {tile_names = ["BN"]} {
  %bn = tile.param "BN" : i32
  %i = tile.domain %n by %bn
  %xv = tile.view %x[%n] : !tile.ptr<!tile.elem<"A">> -> !tile.view<1, !tile.elem<"A">>
  %yv = tile.view %y[%n] : !tile.ptr<!tile.elem<"B">> -> !tile.view<1, !tile.elem<"B">>
  %a = tile.load %xv[%i] : !tile.view<1, !tile.elem<"A">> -> !a
  %b = tile.convert %a : !a -> !b
  tile.store %b, %yv[%i] : !b, !tile.view<1, !tile.elem<"B">>
  tile.return
}
)";

template <typename To, typename From>
std::vector<To> convertAll(H &harness, const std::vector<From> &x, const char *from, const char *to) {
  auto dx = harness.upload(x);
  auto dy = harness.allocate<To>(x.size());
  lowering::KernelRequest request = harness.request("convert", {{"A", from}, {"B", to}}, {256}, 2);
  harness.launchText(convertText, request, {H::argument(dx), H::argument(dy), H::argument(int(x.size()))});
  return harness.download(dy);
}

constexpr std::pair<Float8, const char *> formats[] = {{Float8::E4M3FN, "f8E4M3FN"},
                                                       {Float8::E4M3FNUZ, "f8E4M3FNUZ"}};

TEST_P(ConversionTest, AllFloat8CodesDecode) {
  H harness(GetParam());
  std::vector<uint8_t> codes(256);
  for (int i = 0; i < 256; ++i)
    codes[i] = uint8_t(i);
  for (auto [format, name] : formats) {
    std::vector<float> wide = convertAll<float>(harness, codes, name, "f32");
    std::vector<uint16_t> narrow = convertAll<uint16_t>(harness, codes, name, "bf16");
    for (int i = 0; i < 256; ++i) {
      float want = decode(format, uint8_t(i));
      if (std::isnan(want)) {
        EXPECT_TRUE(std::isnan(wide[i])) << name << " " << i;
        EXPECT_TRUE(std::isnan(bf16ToFloat(narrow[i]))) << name << " " << i;
        continue;
      }
      EXPECT_EQ(std::bit_cast<uint32_t>(wide[i]), std::bit_cast<uint32_t>(want)) << name << " " << i;
      EXPECT_EQ(narrow[i], floatToBf16(want)) << name << " " << i;
    }
  }
}

/// The values around |v|: itself and its neighbours, of both signs.
void around(std::vector<float> &out, float v) {
  for (float x : {v, std::nextafter(v, INFINITY), std::nextafter(v, -INFINITY)}) {
    out.push_back(x);
    out.push_back(-x);
  }
}

std::vector<float> specials() {
  std::vector<float> out = {INFINITY, -INFINITY, std::numeric_limits<float>::max(),
                            -std::numeric_limits<float>::max()};
  for (uint32_t nan : {0x7fc00000u, 0xffc00000u, 0x7f800001u, 0xff812345u, 0x7fffffffu, 0xffffffffu})
    out.push_back(std::bit_cast<float>(nan));
  for (float v :
       {0.0f, 1e-45f, 1e-38f, 1.1754944e-38f, 1e-20f, 1e20f, 447.0f, 448.0f, 464.0f, 465.0f, 240.0f, 248.0f})
    around(out, v);
  return out;
}

TEST_P(ConversionTest, Float8Encode) {
  H harness(GetParam());
  for (auto [format, name] : formats) {
    std::vector<float> x = specials();
    std::vector<float> values;
    for (int i = 0; i < 128; ++i)
      if (float v = decode(format, uint8_t(i)); !std::isnan(v))
        values.push_back(v);
    for (size_t i = 0; i < values.size(); ++i) {
      around(x, values[i]);
      if (i)
        around(x, (values[i - 1] + values[i]) / 2); // a tie
    }
    std::mt19937 generator(1);
    for (int i = 0; i < 2000; ++i)
      x.push_back(std::ldexp(float(int32_t(generator())), int(generator() % 24) - 44));
    std::vector<uint8_t> got = convertAll<uint8_t>(harness, x, "f32", name);
    for (size_t i = 0; i < x.size(); ++i)
      ASSERT_EQ(int(got[i]), int(encode(format, x[i]))) << name << " of " << x[i] << ", " << i;
  }
}

TEST_P(ConversionTest, Bf16) {
  H harness(GetParam());
  std::vector<float> x = specials();
  std::mt19937 generator(2);
  for (int i = 0; i < 3000; ++i) {
    uint32_t bits = generator();
    if (i % 3 == 0)
      bits = (bits & 0xffff0000u) | 0x8000; // a tie
    x.push_back(std::bit_cast<float>(bits));
  }
  std::vector<uint16_t> got = convertAll<uint16_t>(harness, x, "f32", "bf16");
  for (size_t i = 0; i < x.size(); ++i)
    if (std::isnan(x[i]))
      EXPECT_TRUE(std::isnan(bf16ToFloat(got[i]))) << i;
    else
      ASSERT_EQ(got[i], floatToBf16(x[i])) << x[i] << ", " << i;
  std::vector<float> back = convertAll<float>(harness, got, "bf16", "f32");
  for (size_t i = 0; i < x.size(); ++i)
    ASSERT_EQ(std::bit_cast<uint32_t>(back[i]), uint32_t(got[i]) << 16);
}

TEST_P(ConversionTest, Integers) {
  H harness(GetParam());
  std::vector<int32_t> x;
  for (int i = -300; i < 300; ++i)
    x.push_back(i * 7919);
  std::vector<float> got = convertAll<float>(harness, x, "i32", "f32"), fractions;
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(got[i], float(x[i]));
    fractions.push_back(float(x[i]) / 1000);
  }
  std::vector<int32_t> back = convertAll<int32_t>(harness, fractions, "f32", "i32");
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(back[i], int32_t(fractions[i]));
}

QUERN_INSTANTIATE_KERNEL_TEST(ConversionTest);

} // namespace
