//===- TestMatrices.cpp - Matrix instructions with data for tests ---------===//
//
// See TestMatrices.h.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/TestMatrices.h"

#include "runtime/emulated/amd/TestKernels.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <sstream>

namespace quern::runtime::emulated::amd {
namespace {

using Words = std::vector<uint32_t>;

/// "i0 i1 k2": bit positions of coordinates, lowest first; "-" for a bit that repeats the element.
struct Bits {
  std::vector<std::pair<char, unsigned>> list;
  Bits(const std::string &text) {
    std::istringstream in(text);
    for (std::string word; in >> word;)
      list.push_back({word[0], unsigned(word.size() > 1 ? std::stoi(word.substr(1)) : 0)});
  }
};

double smallFloat(uint64_t code, unsigned exponentBits, unsigned fractionBits, int bias) {
  unsigned fraction = code & ((1u << fractionBits) - 1),
           exponent = code >> fractionBits & ((1u << exponentBits) - 1);
  double value = std::ldexp(exponent ? fraction + double(1u << fractionBits) : fraction,
                            int(exponent ? exponent : 1) - bias - int(fractionBits));
  return code >> (exponentBits + fractionBits) & 1 ? -value : value;
}

/// Codes of a small float; |last| is the highest code that is a number.
Element smallElement(unsigned exponentBits, unsigned fractionBits, int bias, unsigned last) {
  unsigned bits = 1 + exponentBits + fractionBits;
  auto value = [=](uint64_t code) { return smallFloat(code, exponentBits, fractionBits, bias); };
  return {bits,
          [=](std::mt19937 &random, bool small) {
            for (;;) {
              uint64_t code = random() % (last + 1);
              double x = value(code);
              if (small && (x > 4 || x != std::floor(x)))
                continue;
              return code && random() % 2 ? code | 1ull << (bits - 1) : code;
            }
          },
          value};
}

/// Subnormals of 16-bit inputs are zeros on gfx90a.
double flushedBelow(double x, double smallest, bool flushes) {
  return flushes && std::fabs(x) < smallest ? 0 : x;
}

Element elementOf(const std::string &type, const std::string &target) {
  bool fnuz = target == "gfx942", flushes = target == "gfx90a";
  auto integer = [](std::mt19937 &random) { return double(int(random() % 9) - 4); };
  auto wide = [](std::mt19937 &random) {
    return std::ldexp(int(random() % 65536) - 32768, int(random() % 12) - 18);
  };
  auto half = [](double x) { return uint64_t(std::bit_cast<uint16_t>(_Float16(x))); };
  if (type == "f64")
    return {64, [=](auto &r, bool small) { return std::bit_cast<uint64_t>(small ? integer(r) : wide(r)); },
            [](uint64_t c) { return std::bit_cast<double>(c); }};
  if (type == "f32")
    return {32, [=](auto &r, bool small) { return uint64_t(bits(float(small ? integer(r) : wide(r)))); },
            [](uint64_t c) { return double(real(uint32_t(c))); }};
  if (type == "xf32")
    return {32,
            [=](auto &r, bool small) {
              return small ? uint64_t(bits(float(integer(r)))) : bits(float(wide(r))) ^ r() % 8192;
            },
            [](uint64_t c) { return double(real(uint32_t(c) & 0xffffe000u)); }};
  if (type == "f16")
    return {16, [=](auto &r, bool small) { return half(small ? integer(r) : wide(r) / 64); },
            [=](uint64_t c) {
              return flushedBelow(double(std::bit_cast<_Float16>(uint16_t(c))), 0x1p-14, flushes);
            }};
  if (type == "bf16")
    return {16,
            [=](auto &r, bool small) { return uint64_t(bits(float(small ? integer(r) : wide(r))) >> 16); },
            [](uint64_t c) { return double(real(uint32_t(c) << 16)); }};
  if (type == "i8")
    return {8, [](auto &r, bool) { return uint64_t(r() & 255); },
            [](uint64_t c) { return double(int8_t(c)); }};
  if (type == "u8")
    return {8, [](auto &r, bool) { return uint64_t(r() & 255); }, [](uint64_t c) { return double(c); }};
  if (type == "i4")
    return {4, [](auto &r, bool) { return uint64_t(r() & 15); },
            [](uint64_t c) { return double(c < 8 ? int(c) : int(c) - 16); }};
  if (type == "u4")
    return {4, [](auto &r, bool) { return uint64_t(r() & 15); }, [](uint64_t c) { return double(c); }};
  if (type == "fp8")
    return fnuz ? smallElement(4, 3, 8, 127) : smallElement(4, 3, 7, 126);
  if (type == "bf8")
    return fnuz ? smallElement(5, 2, 16, 127) : smallElement(5, 2, 15, 123);
  if (type == "fp6")
    return smallElement(2, 3, 1, 31);
  if (type == "bf6")
    return smallElement(3, 2, 3, 31);
  return smallElement(2, 1, 1, 7); // fp4
}

/// Registers by lanes of a matrix: |code| gives the element at a coordinate.
Words packed(const Layout &layout, unsigned width, unsigned bits,
             const std::function<uint64_t(Coordinate)> &code) {
  unsigned items = layout.itemCount();
  Words words(size_t(((items * bits + 31) / 32)) * width);
  for (unsigned lane = 0; lane < width; ++lane)
    for (unsigned item = 0; item < items; ++item) {
      uint64_t value = code(coordinateAt(layout, item, lane));
      for (unsigned bit = 0; bit < bits; ++bit)
        if (value >> bit & 1)
          words[(item * bits + bit) / 32 * width + lane] |= 1u << (item * bits + bit) % 32;
    }
  return words;
}
uint64_t itemOf(const Words &words, unsigned width, unsigned bits, unsigned lane, unsigned item) {
  uint64_t value = 0;
  for (unsigned bit = 0; bit < bits; ++bit)
    value |= uint64_t(words[(item * bits + bit) / 32 * width + lane] >> (item * bits + bit) % 32 & 1) << bit;
  return value;
}

const char *kC32 = "i0 i1 i3 i4", *kC32Lanes = "j0 j1 j2 j3 j4 i2";
const Layout kSquare32 = {kC32, kC32Lanes}, kTwo32 = {"i0 i1 i3 i4 b0", kC32Lanes},
             kSquare16 = {"i0 i1", "j0 j1 j2 j3 i2 i3"}, kFour16 = {"i0 i1 b0 b1", "j0 j1 j2 j3 i2 i3"},
             kSixteen4 = {"i0 i1", "j0 j1 b0 b1 b2 b3"};
const char *kI5 = "i0 i1 i2 i3 i4 ", *kI4 = "i0 i1 i2 i3 ";

} // namespace

unsigned Layout::itemCount() const { return 1u << Bits(items).list.size(); }

Coordinate coordinateAt(const Layout &layout, unsigned item, unsigned lane) {
  Coordinate c;
  auto apply = [&](const std::string &text, unsigned number) {
    Bits bits(text);
    for (size_t n = 0; n < bits.list.size(); ++n)
      if (number >> n & 1 && bits.list[n].first != '-')
        c.of(bits.list[n].first) |= 1u << bits.list[n].second;
  };
  apply(layout.items, item);
  apply(layout.lanes, lane);
  return c;
}

Layout forColumns(Layout layout) {
  for (std::string *text : {&layout.items, &layout.lanes})
    for (char &c : *text)
      c = c == 'i' ? 'j' : c;
  return layout;
}

std::vector<Shape> mfmaShapes() {
  std::string all = "gfx90a gfx942 gfx950", old = "gfx90a", newer = "gfx942 gfx950", newest = "gfx950";
  std::string five = kI5, four = kI4;
  std::vector<Shape> list;
  auto add = [&](std::string name, unsigned m, unsigned k, unsigned blocks, std::string type, std::string d,
                 Layout a, std::string targets) {
    Layout c = m == 32   ? (blocks == 2 ? kTwo32 : kSquare32)
               : m == 16 ? (blocks == 4 ? kFour16 : kSquare16)
                         : kSixteen4;
    list.push_back({name, m, m, k, blocks, type, type, d, a, c, targets});
  };
  for (bool recent : {false, true}) {
    std::string who = recent ? newer : old;
    auto named = [&](std::string shape, std::string blocks, std::string type) {
      return "v_mfma_" + std::string(type == "i8" ? "i32_" : "f32_") + shape +
             (recent ? blocks + "_" + type : type);
    };
    add(named("32x32x1", "_2b", "f32"), 32, 1, 2, "f32", "f32", {"", five + "b0"}, who);
    add(named("16x16x1", "_4b", "f32"), 16, 1, 4, "f32", "f32", {"", four + "b0 b1"}, who);
    add(named("4x4x1", "_16b", "f32"), 4, 1, 16, "f32", "f32", {"", "i0 i1 b0 b1 b2 b3"}, who);
    add(named("32x32x2", "", "f32"), 32, 2, 1, "f32", "f32", {"", five + "k0"}, who);
    add(named("16x16x4", "", "f32"), 16, 4, 1, "f32", "f32", {"", four + "k0 k1"}, who);
    for (std::string type : {"f16", "bf16", "i8"}) {
      std::string tail = !recent && type == "bf16" ? "_1k" : "", d = type == "i8" ? "i32" : "f32";
      add(named("32x32x4", "_2b", type) + tail, 32, 4, 2, type, d, {"k0 k1", five + "b0"}, who);
      add(named("16x16x4", "_4b", type) + tail, 16, 4, 4, type, d, {"k0 k1", four + "b0 b1"}, who);
      add(named("4x4x4", "_16b", type) + tail, 4, 4, 16, type, d, {"k0 k1", "i0 i1 b0 b1 b2 b3"}, who);
      if (type == "i8" && recent)
        continue;
      add(named("32x32x8", "", type) + tail, 32, 8, 1, type, d, {"k0 k1", five + "k2"}, who);
      add(named("16x16x16", "", type) + tail, 16, 16, 1, type, d, {"k0 k1", four + "k2 k3"}, who);
    }
    std::string f64 = recent ? "_f64" : "f64";
    list.push_back({"v_mfma_f64_16x16x4" + f64,
                    16,
                    16,
                    4,
                    1,
                    "f64",
                    "f64",
                    "f64",
                    {"", four + "k0 k1"},
                    {"i2 i3", "j0 j1 j2 j3 i0 i1"},
                    who});
    list.push_back({std::string("v_mfma_f64_4x4x4") + (recent ? "_4b" : "") + f64,
                    4,
                    4,
                    4,
                    4,
                    "f64",
                    "f64",
                    "f64",
                    {"", "i0 i1 b0 b1 k0 k1"},
                    {"", "j0 j1 b0 b1 i0 i1"},
                    who});
  }
  add("v_mfma_f32_32x32x2bf16", 32, 2, 2, "bf16", "f32", {"k0", five + "b0"}, old);
  add("v_mfma_f32_16x16x2bf16", 16, 2, 4, "bf16", "f32", {"k0", four + "b0 b1"}, old);
  add("v_mfma_f32_4x4x2bf16", 4, 2, 16, "bf16", "f32", {"k0", "i0 i1 b0 b1 b2 b3"}, old);
  add("v_mfma_f32_32x32x4bf16", 32, 4, 1, "bf16", "f32", {"k0", five + "k1"}, old);
  add("v_mfma_f32_16x16x8bf16", 16, 8, 1, "bf16", "f32", {"k0", four + "k1 k2"}, old);
  add("v_mfma_i32_32x32x16_i8", 32, 16, 1, "i8", "i32", {"k0 k1 k2", five + "k3"}, newer);
  add("v_mfma_i32_16x16x32_i8", 16, 32, 1, "i8", "i32", {"k0 k1 k2", four + "k3 k4"}, newer);
  add("v_mfma_f32_32x32x4_xf32", 32, 4, 1, "xf32", "f32", {"k0", five + "k1"}, "gfx942");
  add("v_mfma_f32_16x16x8_xf32", 16, 8, 1, "xf32", "f32", {"k0", four + "k1 k2"}, "gfx942");
  for (std::string a : {"fp8", "bf8"})
    for (std::string b : {"fp8", "bf8"}) {
      add("v_mfma_f32_32x32x16_" + a + "_" + b, 32, 16, 1, a, "f32", {"k0 k1 k2", five + "k3"}, newer);
      list.back().typeB = b;
      add("v_mfma_f32_16x16x32_" + a + "_" + b, 16, 32, 1, a, "f32", {"k0 k1 k2", four + "k3 k4"}, newer);
      list.back().typeB = b;
    }
  for (std::string type : {"f16", "bf16"}) {
    add("v_mfma_f32_32x32x16_" + type, 32, 16, 1, type, "f32", {"k0 k1 k2", five + "k3"}, newest);
    add("v_mfma_f32_16x16x32_" + type, 16, 32, 1, type, "f32", {"k0 k1 k2", four + "k3 k4"}, newest);
  }
  add("v_mfma_i32_32x32x32_i8", 32, 32, 1, "i8", "i32", {"k0 k1 k2 k3", five + "k4"}, newest);
  add("v_mfma_i32_16x16x64_i8", 16, 64, 1, "i8", "i32", {"k0 k1 k2 k3", four + "k4 k5"}, newest);
  const char *formats[] = {"fp8", "bf8", "fp6", "bf6", "fp4"};
  for (unsigned a = 0; a < 5; ++a)
    for (unsigned b = 0; b < 5; ++b)
      for (bool big : {false, true}) {
        auto layout = [&](unsigned format) -> Layout {
          if (format < 2)
            return big ? Layout{"k0 k1 k2 k3 k5", five + "k4"} : Layout{"k0 k1 k2 k3 k6", four + "k4 k5"};
          return big ? Layout{"k0 k1 k2 k3 k4", five + "k5"} : Layout{"k0 k1 k2 k3 k4", four + "k5 k6"};
        };
        add(big ? "v_mfma_f32_32x32x64_f8f6f4" : "v_mfma_f32_16x16x128_f8f6f4", big ? 32 : 16, big ? 64 : 128,
            1, formats[a], "f32", layout(a), newest);
        list.back().typeB = formats[b];
        list.back().b = forColumns(layout(b));
        list.back().suffix = " cbsz:" + std::to_string(a) + " blgp:" + std::to_string(b);
      }
  return list;
}

std::vector<Shape> wmmaShapes() {
  std::vector<Shape> list;
  auto add = [&](std::string name, unsigned k, std::string a, std::string b, std::string d, Layout in,
                 Layout out, std::string target, std::string suffix = "") {
    list.push_back({"v_wmma_" + name, 16, 16, k, 1, a, b, d, in, out, target, suffix});
  };
  std::string rows = kI4;
  Layout row11{"k0 k1 k2 k3", rows + "-"}, d11{"i1 i2 i3", "j0 j1 j2 j3 i0"},
      d11half{"- i1 i2 i3", "j0 j1 j2 j3 i0"};
  Layout wide12{"k0 k1 k3", rows + "k2"}, narrow12{"k0 k1 k2", rows + "k3"},
      d12{"i0 i1 i2", "j0 j1 j2 j3 i3"};
  for (std::string t : {"f16", "bf16"}) {
    add("f32_16x16x16_" + t, 16, t, t, "f32", row11, d11, "gfx1100");
    add("f32_16x16x16_" + t, 16, t, t, "f32", wide12, d12, "gfx1201");
    add(t + "_16x16x16_" + t, 16, t, t, t, row11, d11half, "gfx1100");
    add(t + "_16x16x16_" + t, 16, t, t, t, wide12, d12, "gfx1201");
  }
  const char *suffixes[] = {"", " neg_lo:[1,0,0]", " neg_lo:[0,1,0]", " neg_lo:[1,1,0]"};
  for (unsigned s = 0; s < 4; ++s) {
    std::string a8 = s & 1 ? "i8" : "u8", b8 = s & 2 ? "i8" : "u8", a4 = s & 1 ? "i4" : "u4",
                b4 = s & 2 ? "i4" : "u4";
    add("i32_16x16x16_iu8", 16, a8, b8, "i32", row11, d11, "gfx1100", suffixes[s]);
    add("i32_16x16x16_iu8", 16, a8, b8, "i32", narrow12, d12, "gfx1201", suffixes[s]);
    add("i32_16x16x16_iu4", 16, a4, b4, "i32", row11, d11, "gfx1100", suffixes[s]);
    add("i32_16x16x16_iu4", 16, a4, b4, "i32", narrow12, d12, "gfx1201", suffixes[s]);
    add("i32_16x16x32_iu4", 32, a4, b4, "i32", {"k0 k1 k2 k3", rows + "k4"}, d12, "gfx1201", suffixes[s]);
  }
  for (std::string a : {"fp8", "bf8"})
    for (std::string b : {"fp8", "bf8"})
      add("f32_16x16x16_" + a + "_" + b, 16, a, b, "f32", narrow12, d12, "gfx1201");
  return list;
}

const Shape &shapeOf(const std::vector<Shape> &shapes, const std::string &name, const std::string &target) {
  for (const Shape &shape : shapes)
    if (shape.name == name && shape.targets.find(target) != std::string::npos)
      return shape;
  ADD_FAILURE() << name;
  return shapes[0];
}

std::vector<Words> runMatrices(const std::string &target, const std::vector<MatrixJob> &jobs) {
  bool wave32 = isWave32(target), gfx12 = target == "gfx1201";
  unsigned width = wave32 ? 32 : 64;
  const unsigned first[] = {16, 48, 64, 112, 113};
  std::string load = wave32 ? "global_load_b32 " : "global_load_dword ",
              store = wave32 ? "global_store_b32 " : "global_store_dword ",
              step = std::string(wave32 ? "v_add_nc_u32" : "v_add_u32") + " %, 0x" + (wave32 ? "80" : "100") +
                     ", %\n",
              wait = gfx12 ? "s_wait_loadcnt 0x0\ns_wait_kmcnt 0x0\n" : "s_waitcnt vmcnt(0) lgkmcnt(0)\n",
              all = wave32 ? "s_mov_b32 exec_lo, -1\n" : "s_mov_b64 exec, -1\ns_nop 15\ns_nop 15\n";
  auto advance = [&](const std::string &pointer) {
    std::string text = step;
    for (size_t at; (at = text.find('%')) != std::string::npos;)
      text.replace(at, 1, pointer);
    return text;
  };
  // v1 walks over the inputs, v2 over the results.
  std::string text =
      (wave32 ? "s_load_b128 s[8:11], s[0:1], 0x0\n" : "s_load_dwordx4 s[8:11], s[0:1], 0x0\n") + wait +
      "v_lshlrev_b32 v1, 2, v0\nv_mov_b32 v2, v1\n";
  Words data;
  size_t outputs = 0;
  for (const MatrixJob &job : jobs) {
    for (size_t n = 0; n < job.inputs.size(); ++n) {
      data.insert(data.end(), job.inputs[n].begin(), job.inputs[n].end());
      for (unsigned r = 0; r < job.inputs[n].size() / width; ++r)
        text += load + "v" + std::to_string(first[n] + r) + ", v1, s[8:9]\n" + advance("v1");
    }
    text += wait;
    bool hasC = job.inputs.size() > 2 && !job.inputs[2].empty();
    for (unsigned r = 0; r < job.outputs; ++r)
      text += job.accumulation ? "v_accvgpr_write_b32 a" + std::to_string(r) + ", " +
                                     (hasC ? "v" + std::to_string(64 + r) : "0") + "\n"
                               : "v_mov_b32 v" + std::to_string(128 + r) + ", 0x7fffffff\n";
    text += job.text + "\n" + all;
    for (unsigned r = 0; r < job.outputs; ++r) {
      if (job.accumulation)
        text += "v_accvgpr_read_b32 v3, a" + std::to_string(r) + "\n";
      text += store + "v2, " + (job.accumulation ? "v3" : "v" + std::to_string(128 + r)) + ", s[10:11]\n" +
              advance("v2");
    }
    outputs += job.outputs;
  }
  KernelRun run(target, assemble(target, kernelAssembly(target, text, 2)));
  run.buffer(data).buffer(Words(outputs * width, 0x5a5a5a5a));
  run.expectSuccess(1, width);
  std::vector<Words> results;
  auto from = run.words(1).begin();
  for (const MatrixJob &job : jobs) {
    results.emplace_back(from, from + job.outputs * width);
    from += job.outputs * width;
  }
  return results;
}

std::string registers(const char *file, unsigned first, unsigned count) {
  return count == 1 ? file + std::to_string(first)
                    : file + ("[" + std::to_string(first) + ":" + std::to_string(first + count - 1) + "]");
}

MatrixJob Problem::job(const std::string &modifiers, const std::string &c, bool accumulation) const {
  unsigned n = outputs();
  std::string d = accumulation ? registers("a", 0, n) : registers("v", 128, n);
  std::string text = shape.name + " " + d + ", " + registers("v", 16, registersOf(packedA)) + ", " +
                     registers("v", 48, registersOf(packedB)) + ", " +
                     (!c.empty()     ? c
                      : accumulation ? d
                                     : registers("v", 64, n)) +
                     shape.suffix + modifiers;
  MatrixJob result{text, {packedA, packedB}, n, accumulation};
  if (c.empty())
    result.inputs.push_back(packedC);
  return result;
}

Problem::Problem(const Shape &shape, const std::string &target, unsigned seed, bool small)
    : shape(shape), a(elementOf(shape.typeA, target)), b(elementOf(shape.typeB, target)),
      d(shape.typeD == "i32" ? Element{32, [](auto &r, bool) { return uint64_t(r()); },
                                       [](uint64_t c) { return double(int32_t(c)); }}
                             : elementOf(shape.typeD, target)),
      width(isWave32(target) ? 32 : 64) {
  std::mt19937 random(seed);
  auto fill = [&](auto &matrices, size_t count, const Element &element) {
    matrices.assign(shape.blocks, std::vector<uint64_t>(count));
    for (auto &matrix : matrices)
      for (uint64_t &code : matrix)
        code = element.code(random, small);
  };
  fill(left, size_t(shape.m) * shape.k, a);
  fill(right, size_t(shape.n) * shape.k, b);
  fill(start, size_t(shape.m) * shape.n, d);
  Layout layoutB = shape.b.lanes.empty() ? forColumns(shape.a) : shape.b;
  packedA = packed(shape.a, width, a.bits, [&](Coordinate c) { return left[c.b][c.i * shape.k + c.k]; });
  packedB = packed(layoutB, width, b.bits, [&](Coordinate c) { return right[c.b][c.j * shape.k + c.k]; });
  packedC = packed(shape.d, width, d.bits, [&](Coordinate c) { return start[c.b][c.i * shape.n + c.j]; });
}

void Problem::check(const Words &out, bool exact, const std::string &what,
                    const std::function<double(unsigned, unsigned, unsigned)> &factor,
                    const std::function<unsigned(unsigned)> &blockOfA) const {
  unsigned items = shape.d.itemCount();
  for (unsigned lane = 0; lane < width; ++lane)
    for (unsigned item = 0; item < items; ++item) {
      if (shape.d.items.starts_with("-") && item % 2)
        continue; // the half that stays
      Coordinate c = coordinateAt(shape.d, item, lane);
      double sum = d.value(start[c.b][c.i * shape.n + c.j]), terms = std::fabs(sum);
      unsigned from = blockOfA ? blockOfA(c.b) : c.b;
      for (unsigned k = 0; k < shape.k; ++k) {
        double product = a.value(left[from][c.i * shape.k + k]) * b.value(right[c.b][c.j * shape.k + k]);
        if (factor)
          product *= factor(c.i, c.j, k);
        sum += product;
        terms += std::fabs(product);
      }
      double got = d.value(itemOf(out, width, d.bits, lane, item));
      if (shape.typeD == "i32")
        sum = double(int32_t(uint32_t(int64_t(sum))));
      double unit = shape.typeD == "f64"   ? 0x1p-50
                    : shape.typeD == "f32" ? 0x1p-21
                    : shape.typeD == "f16" ? 0x1p-11
                    : shape.typeD == "i32" ? 0
                                           : 0x1p-8;
      // Small integers are exact up to 2^11 (f16) and 2^8 (bf16).
      double tolerance = exact && (d.bits > 16 || shape.typeD == "f16") ? 0 : terms * unit + 0x1p-25;
      ASSERT_LE(std::fabs(got - sum), tolerance)
          << what << " (" << c.i << ", " << c.j << ") block " << c.b << ": " << got << " for " << sum;
    }
}

} // namespace quern::runtime::emulated::amd
