//===- MatrixMoveTest.cpp - ldmatrix, stmatrix, movmatrix -----------------===//
//
// PTX ISA 9.0, 9.7.14.5.15 to 9.7.14.5.17. Shared memory holds bytes that name their place; the rows of the
// matrices start at addresses in disorder.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/AssemblerTest.h"
#include "runtime/emulated/nvidia/PtxTest.h"

#include <map>

namespace quern::runtime::emulated {
namespace {

constexpr uint32_t rowStride = 48; ///< of the rows in shared memory, not a power of two

/// Place of the row that lane |lane| addresses.
uint32_t rowOf(uint32_t lane) { return (lane * 11 + 5) % 32; }
uint8_t byteAt(uint32_t row, uint32_t column) { return static_cast<uint8_t>(row * 37 + column * 11 + 3); }

std::string head(const std::string &target) {
  return ".version 8.8\n.target " + target + "\n.address_size 64\n";
}

/// Fills shared memory from |in| (32 rows of 48 bytes), runs |body|, which finds the row's address in %r2 and
/// its registers in %a0 to %a3, then stores those to |out|, and shared memory after them.
std::string kernel(const std::string &name, const std::string &body) {
  return ".visible .entry " + name + R"((.param .u64 .ptr in, .param .u64 .ptr words, .param .u64 .ptr out) {
  .reg .pred %p<4>; .reg .b32 %r<16>; .reg .b32 %a<8>; .reg .b64 %d<8>;
  .shared .align 16 .b8 s[1536];
  mov.u32 %r1, %tid.x; mov.u32 %r3, s;
  mad.lo.u32 %r4, %r1, 48, %r3; mul.wide.u32 %d2, %r1, 48; ld.param.u64 %d1, [in]; add.u64 %d1, %d1, %d2;
)" +
         [] {
           std::string copy;
           for (int i = 0; i < 48; i += 4) {
             std::string at = std::to_string(i);
             copy += "ld.global.b32 %r5, [%d1+" + at + "]; st.shared.b32 [%r4+" + at + "], %r5;\n";
           }
           return copy;
         }() +
         R"(
  ld.param.u64 %d3, [words]; mul.wide.u32 %d2, %r1, 16; add.u64 %d3, %d3, %d2;
  ld.global.v4.b32 {%a0, %a1, %a2, %a3}, [%d3];
  mul.lo.u32 %r2, %r1, 11; add.u32 %r2, %r2, 5; and.b32 %r2, %r2, 31; mad.lo.u32 %r2, %r2, 48, %r3;
  bar.sync 0;
)" + body +
         R"(
  bar.sync 0;
  ld.param.u64 %d4, [out]; mul.wide.u32 %d2, %r1, 64; add.u64 %d4, %d4, %d2;
  st.global.v4.b32 [%d4], {%a0, %a1, %a2, %a3};
)" +
         [] {
           std::string copy;
           for (int i = 0; i < 48; i += 4)
             copy += "ld.shared.b32 %r5, [%r4+" + std::to_string(i) + "]; st.global.b32 [%d4+" +
                     std::to_string(16 + i) + "], %r5;\n";
           return copy;
         }() +
         "ret;\n}\n";
}

struct Result {
  std::vector<std::array<uint32_t, 4>> words;       ///< by lane
  std::vector<std::array<uint8_t, rowStride>> rows; ///< of shared memory, afterwards
};

uint32_t inputWord(uint32_t lane, uint32_t i) { return 0x9E3779B9u * (lane * 4 + i + 1); }

Result run(const std::string &body, const std::string &target, RunOptions options = {}) {
  std::vector<uint8_t> in;
  for (uint32_t row = 0; row < 32; ++row)
    for (uint32_t column = 0; column < rowStride; ++column)
      in.push_back(byteAt(row, column));
  std::vector<uint32_t> words;
  for (uint32_t i = 0; i < 128; ++i)
    words.push_back(inputWord(i / 4, i % 4));
  Gpu gpu("nvidia:" + target, options);
  auto inBuffer = gpu.buffer(in), wordBuffer = gpu.buffer(words), out = gpu.blank<uint8_t>(32 * 64);
  LaunchShape shape;
  shape.threads = 32;
  Status status = gpu.run(head(target) + kernel("k", body), shape,
                          {pointerTo(*inBuffer), pointerTo(*wordBuffer), pointerTo(*out)});
  EXPECT_TRUE(status.ok()) << status.message() << body;
  auto bytes = gpu.read<uint8_t>(*out);
  Result result;
  for (uint32_t lane = 0; lane < 32; ++lane) {
    std::array<uint32_t, 4> mine;
    std::memcpy(mine.data(), &bytes[lane * 64], 16);
    result.words.push_back(mine);
    std::array<uint8_t, rowStride> row;
    std::memcpy(row.data(), &bytes[lane * 64 + 16], rowStride);
    result.rows.push_back(row);
  }
  return result;
}

std::string list(uint32_t count) {
  std::string text = "{";
  for (uint32_t i = 0; i < count; ++i)
    text += (i ? ", %a" : "%a") + std::to_string(i);
  return text + "}";
}

uint32_t countOf(const std::string &number) { return static_cast<uint32_t>(number[1] - '0'); }

TEST(MatrixMove, LoadsOfHalves) {
  for (const std::string number : {"x1", "x2", "x4"})
    for (bool transposed : {false, true})
      for (uint64_t seed : {0, 4}) {
        std::string body = "ldmatrix.sync.aligned.m8n8." + number + (transposed ? ".trans" : "") +
                           ".shared.b16 " + list(countOf(number)) + ", [%r2];";
        Result result = run(body, "sm_80", RunOptions{.seed = seed});
        for (uint32_t lane = 0; lane < 32; ++lane)
          for (uint32_t i = 0; i < 4; ++i) {
            uint32_t expected = inputWord(lane, i);
            if (i < countOf(number)) {
              expected = 0;
              for (uint32_t half = 0; half < 2; ++half) {
                // Thread T of row r holds columns 2 (T % 4) and the next; transposed: row and column change
                // places.
                uint32_t row = lane / 4, column = 2 * (lane % 4) + half;
                if (transposed)
                  std::swap(row, column);
                uint32_t at = rowOf(8 * i + row);
                expected |= (byteAt(at, 2 * column) | byteAt(at, 2 * column + 1) << 8) << (16 * half);
              }
            }
            ASSERT_EQ(result.words[lane][i], expected) << body << lane << " " << i;
          }
      }
}

uint8_t packedElement(uint32_t row, uint32_t i, uint32_t bits) {
  uint32_t value = 0;
  for (uint32_t bit = 0; bit < bits; ++bit) {
    uint32_t at = i * bits + bit;
    value |= (byteAt(row, at / 8) >> (at % 8) & 1u) << bit;
  }
  return static_cast<uint8_t>(value);
}

TEST(MatrixMove, LoadsOfBytesAndSmaller) {
  struct Case {
    std::string type;
    uint32_t bits;
  };
  for (const std::string target : {"sm_100a", "sm_120a"})
    for (const Case &test : {Case{"b8", 8}, Case{"b8x16.b6x16_p32", 6}, Case{"b8x16.b4x16_p64", 4}}) {
      for (const std::string number : {"x1", "x2"}) {
        std::string body = "ldmatrix.sync.aligned.m16n16." + number + ".trans.shared." + test.type + " " +
                           list(2 * countOf(number)) + ", [%r2];";
        Result result = run(body, target);
        for (uint32_t lane = 0; lane < 32; ++lane)
          for (uint32_t i = 0; i < 2 * countOf(number); ++i)
            for (uint32_t byte = 0; byte < 4; ++byte)
              ASSERT_EQ(result.words[lane][i] >> (8 * byte) & 255,
                        packedElement(rowOf(16 * (i / 2) + 4 * (lane % 4) + byte), lane / 4 + 8 * (i % 2),
                                      test.bits))
                  << body << lane << " " << i;
      }
      if (test.bits == 8)
        continue;
      for (const std::string number : {"x1", "x2", "x4"}) {
        std::string body = "ldmatrix.sync.aligned.m8n16." + number + ".shared::cta." + test.type + " " +
                           list(countOf(number)) + ", [%r2];";
        Result result = run(body, target);
        for (uint32_t lane = 0; lane < 32; ++lane)
          for (uint32_t i = 0; i < countOf(number); ++i)
            for (uint32_t byte = 0; byte < 4; ++byte)
              ASSERT_EQ(result.words[lane][i] >> (8 * byte) & 255,
                        packedElement(rowOf(8 * i + lane / 4), 4 * (lane % 4) + byte, test.bits))
                  << body << lane << " " << i;
      }
    }
}

TEST(MatrixMove, Stores) {
  for (const std::string shape : {"m8n8", "m16n8"})
    for (const std::string number : {"x1", "x2", "x4"})
      for (bool transposed : {false, true}) {
        bool isBytes = shape == "m16n8";
        if (isBytes && !transposed)
          continue;
        std::string body = "stmatrix.sync.aligned." + shape + "." + number + (transposed ? ".trans" : "") +
                           ".shared" + (isBytes ? ".b8" : ".b16") + " [%r2], " + list(countOf(number)) + ";";
        Result result = run(body, isBytes ? "sm_100a" : "sm_90a");
        std::map<uint32_t, uint32_t> giverOf;
        for (uint32_t lane = 0; lane < 8 * countOf(number); ++lane)
          giverOf[rowOf(lane)] = lane;
        for (uint32_t at = 0; at < 32; ++at)
          for (uint32_t byte = 0; byte < rowStride; ++byte) {
            uint32_t expected = byteAt(at, byte);
            if (giverOf.count(at) && byte < 16) {
              uint32_t giver = giverOf[at], row = giver % 8, matrix = giver / 8;
              if (isBytes) {
                // An 8-bit matrix of 16 rows and 8 columns, stored by columns: this is column |row|. Threads
                // hold two columns of rows T / 4 and T / 4 + 8.
                uint32_t lane = byte % 8 * 4 + row / 2, shift = 8 * (row % 2) + 16 * (byte / 8);
                expected = inputWord(lane, matrix) >> shift & 255;
              } else {
                uint32_t r = row, c = byte / 2;
                if (transposed)
                  std::swap(r, c);
                expected = inputWord(r * 4 + c / 2, matrix) >> (16 * (c % 2) + 8 * (byte % 2)) & 255;
              }
            }
            ASSERT_EQ(result.rows[at][byte], expected) << body << at << " " << byte;
          }
      }
}

TEST(MatrixMove, TransposesInRegisters) {
  Result result = run("movmatrix.sync.aligned.m8n8.trans.b16 %a1, %a2;", "sm_80");
  for (uint32_t lane = 0; lane < 32; ++lane) {
    uint32_t expected = 0;
    for (uint32_t half = 0; half < 2; ++half) {
      uint32_t row = 2 * (lane % 4) + half, column = lane / 4;
      expected |= (inputWord(row * 4 + column / 2, 2) >> (16 * (column % 2)) & 0xFFFF) << (16 * half);
    }
    EXPECT_EQ(result.words[lane][1], expected) << lane;
    EXPECT_EQ(result.words[lane][0], inputWord(lane, 0));
  }
}

TEST(MatrixMove, GenericAddresses) {
  Result plain = run("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%a0, %a1, %a2, %a3}, [%r2+16];", "sm_80");
  Result generic = run("cvt.u64.u32 %d5, %r2; cvta.shared.u64 %d5, %d5; "
                       "ldmatrix.sync.aligned.m8n8.x4.b16 {%a0, %a1, %a2, %a3}, [%d5+16];",
                       "sm_80");
  EXPECT_EQ(plain.words, generic.words);
  EXPECT_NE(plain.words[0][0], inputWord(0, 0));
}

/// How a kernel ends that uses 512 bytes of shared memory; %r2 is 16 times the lane.
std::string endOf(const std::string &body, const std::string &target = "sm_90a", RunOptions options = {}) {
  std::string text = head(target) +
                     ".visible .entry k(.param .u64 out) {\n.shared .align 16 .b8 s[512];\n"
                     ".reg .pred %p<4>; .reg .b32 %r<16>;\n"
                     "mov.u32 %r1, %tid.x; shl.b32 %r2, %r1, 4; mov.u32 %r3, 0; mov.u32 %r4, 0; "
                     "mov.u32 %r5, 0; mov.u32 %r6, 0;\n" +
                     body + "\nret;\n}\n";
  Gpu gpu("nvidia:" + target, options);
  auto out = gpu.blank<uint32_t>(1);
  LaunchShape shape;
  shape.threads = 32;
  return idOf(gpu.run(text, shape, {pointerTo(*out)}));
}

TEST(MatrixMove, Faults) {
  const std::string fill = "st.shared.v4.b32 [%r2], {%r3, %r4, %r5, %r6};",
                    load = "ldmatrix.sync.aligned.m8n8.x4.shared."
                           "b16 {%r3, %r4, %r5, %r6}, [%r2",
                    store = "stmatrix.sync.aligned.m8n8.x4.shared.b16 [%r2";
  EXPECT_EQ(endOf(fill + "bar.sync 0;" + load + "];"), "");
  EXPECT_EQ(endOf(fill + "bar.warp.sync -1;" + load + "];"), "");
  // Lane 31 would read beyond the end, and every lane from between two rows.
  EXPECT_EQ(endOf(fill + "bar.sync 0;" + load + "+16];"), "E-EMULATED-OUT-OF-BOUNDS");
  EXPECT_EQ(endOf(fill + "bar.sync 0; and.b32 %r2, %r2, 127;" + load + "+8];"), "E-EMULATED-MISALIGNED");
  EXPECT_EQ(endOf(fill + "bar.sync 0; and.b32 %r2, %r2, 127;" + load + "+8];", "sm_90a", {.sanitize = false}),
            "E-EMULATED-MISALIGNED");
  EXPECT_EQ(endOf(load + "];"), "E-EMULATED-UNINITIALISED");
  // Each lane wrote the row that it names; other lanes receive it.
  EXPECT_EQ(endOf(fill + load + "];"), "E-EMULATED-RACE");
  // A row that is stored by the warp and read by another lane without a barrier.
  EXPECT_EQ(endOf(store + "], {%r3, %r4, %r5, %r6}; bar.sync 0;" + load + "];"), "");
  EXPECT_EQ(endOf(store + "], {%r3, %r4, %r5, %r6};" + load + "];"), "E-EMULATED-RACE");
  EXPECT_EQ(endOf("stmatrix.sync.aligned.m8n8.x1.shared.b16 [%r2], {%r3};", "sm_89"),
            "E-EMULATED-NOT-MODELLED");
  EXPECT_EQ(endOf("ldmatrix.sync.aligned.m16n16.x1.trans.shared.b8 {%r3, %r4}, [%r2];", "sm_90a"),
            "E-EMULATED-NOT-MODELLED");
  EXPECT_EQ(endOf("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r3}, [%r2];"), "E-EMULATED-NOT-MODELLED");
}

TEST(MatrixMove, TheAssemblerTakesEveryForm) {
  std::string text = head("sm_100a");
  int index = 0;
  auto add = [&](const std::string &body) { text += kernel("k" + std::to_string(index++), body); };
  for (const std::string number : {"x1", "x2", "x4"}) {
    std::string registers = list(countOf(number)), twice = list(2 * countOf(number));
    for (const std::string trans : {"", ".trans"}) {
      add("ldmatrix.sync.aligned.m8n8." + number + trans + ".shared.b16 " + registers + ", [%r2];");
      add("stmatrix.sync.aligned.m8n8." + number + trans + ".shared.b16 [%r2], " + registers + ";");
    }
    add("stmatrix.sync.aligned.m16n8." + number + ".trans.shared.b8 [%r2], " + registers + ";");
    for (const std::string type : {"b8x16.b6x16_p32", "b8x16.b4x16_p64"}) {
      add("ldmatrix.sync.aligned.m8n16." + number + ".shared." + type + " " + registers + ", [%r2];");
      if (number != "x4")
        add("ldmatrix.sync.aligned.m16n16." + number + ".trans.shared." + type + " " + twice + ", [%r2];");
    }
    if (number != "x4")
      add("ldmatrix.sync.aligned.m16n16." + number + ".trans.shared.b8 " + twice + ", [%r2];");
  }
  add("movmatrix.sync.aligned.m8n8.trans.b16 %a0, %a1;");
  test::expectAssembles(text, "sm_100a");
}

} // namespace
} // namespace quern::runtime::emulated
