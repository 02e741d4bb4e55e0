//===- GemmProgram.h - A matrix product in PTX, for tests and the bench ---===//
//
// C = A * B^T written by hand for tensor cores: bf16 in, f32 out, tiles of 128 x 128 x 32, two buffers in
// shared memory that cp.async fills ahead, ldmatrix from rows of 64 bytes whose 16-byte chunks are swizzled,
// eight warps of 64 x 32. Edges are ragged: rows beyond the matrices and elements beyond k are filled with
// zeros by the copies, and only elements inside C are stored.
//
// Kernel k(A, B, C, m, n, k, stride): A is m x k and B is n x k with |stride| elements, a multiple of 8,
// between rows; C is m x n without gaps. Launch ceil(m / 128) * ceil(n / 128) blocks of 256 threads.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_GEMMPROGRAM_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_GEMMPROGRAM_H

#include <cstdint>
#include <string>

namespace quern::runtime::emulated::test {

class GemmProgram {
public:
  static std::string text() {
    GemmProgram program;
    program.head();
    program.loop();
    program.stores();
    return program.out;
  }
  static uint32_t blocks(uint32_t m, uint32_t n) { return (m + 127) / 128 * ((n + 127) / 128); }

private:
  static std::string number(uint32_t value) { return std::to_string(value); }
  static std::string sum(uint32_t mi, uint32_t ni) {
    std::string text = "{";
    for (uint32_t i = 0; i < 4; ++i)
      text += (i ? ", %c" : "%c") + number(16 * mi + 4 * ni + i);
    return text + "}";
  }

  void head() {
    out = R"(.version 8.0
.target sm_80
.address_size 64
.visible .entry k(.param .u64 .ptr pa, .param .u64 .ptr pb, .param .u64 .ptr pc, .param .u32 pm, .param .u32 pn,
                  .param .u32 pk, .param .u32 pstride) {
  .reg .pred %p<8>;
  .reg .b32 %r<64>;
  .reg .b32 %a<16>;
  .reg .b32 %b<8>;
  .reg .b32 %c<64>;
  .reg .b64 %d<16>;
  .shared .align 128 .b8 tiles[32768];
  ld.param.u64 %d1, [pa];
  ld.param.u64 %d2, [pb];
  ld.param.u64 %d3, [pc];
  ld.param.u32 %r1, [pm];
  ld.param.u32 %r2, [pn];
  ld.param.u32 %r3, [pk];
  ld.param.u32 %r4, [pstride];
  mov.u32 %r5, %tid.x;
  mov.u32 %r6, %ctaid.x;
  add.u32 %r7, %r2, 127;
  shr.u32 %r7, %r7, 7;
  div.u32 %r8, %r6, %r7;
  rem.u32 %r9, %r6, %r7;
  shl.b32 %r8, %r8, 7; // first row of the tile
  shl.b32 %r9, %r9, 7; // first column
  mov.u32 %r10, tiles;
  and.b32 %r11, %r5, 31;
  shr.u32 %r12, %r5, 5;
  and.b32 %r13, %r12, 1; // the warp's 64 rows
  shr.u32 %r14, %r12, 1; // the warp's 32 columns
  // A: row = 64 * %r13 + (lane & 15), chunk = lane >> 4. %r20: address for the first 16 of k, %r21: the second.
  and.b32 %r15, %r11, 15;
  shl.b32 %r16, %r13, 6;
  add.u32 %r15, %r15, %r16;
  shr.u32 %r16, %r11, 4;
  shr.u32 %r17, %r15, 1;
  and.b32 %r17, %r17, 3;
  xor.b32 %r18, %r16, %r17;
  mad.lo.u32 %r20, %r15, 64, %r10;
  add.u32 %r21, %r20, 0;
  mad.lo.u32 %r20, %r18, 16, %r20;
  xor.b32 %r18, %r18, 2;
  mad.lo.u32 %r21, %r18, 16, %r21;
  // B: row = 32 * %r14 + 8 * (lane >> 4) + (lane & 7), chunk = (lane >> 3) & 1; its tile follows that of A.
  and.b32 %r15, %r11, 7;
  shr.u32 %r16, %r11, 4;
  mad.lo.u32 %r15, %r16, 8, %r15;
  mad.lo.u32 %r15, %r14, 32, %r15;
  shr.u32 %r16, %r11, 3;
  and.b32 %r16, %r16, 1;
  shr.u32 %r17, %r15, 1;
  and.b32 %r17, %r17, 3;
  xor.b32 %r18, %r16, %r17;
  mad.lo.u32 %r22, %r15, 64, %r10;
  add.u32 %r22, %r22, 8192;
  add.u32 %r23, %r22, 0;
  mad.lo.u32 %r22, %r18, 16, %r22;
  xor.b32 %r18, %r18, 2;
  mad.lo.u32 %r23, %r18, 16, %r23;
)";
    // Each thread copies two chunks of 16 bytes of A and two of B: rows tid / 4 and 64 more, chunk tid % 4.
    out += "  shr.u32 %r24, %r5, 2;\n  and.b32 %r25, %r5, 3;\n  shl.b32 %r26, %r25, 3;\n"
           "  shr.u32 %r27, %r24, 1;\n  and.b32 %r27, %r27, 3;\n  xor.b32 %r27, %r27, %r25;\n"
           "  mad.lo.u32 %r28, %r24, 64, %r10;\n  mad.lo.u32 %r28, %r27, 16, %r28;\n";
    for (uint32_t i = 0; i < 4; ++i) {
      // %d4 .. %d7: address at k = 0; %p1 .. %p4: the row exists.
      std::string first = i < 2 ? "%r8" : "%r9", limit = i < 2 ? "%r1" : "%r2", base = i < 2 ? "%d1" : "%d2";
      out += "  add.u32 %r29, %r24, " + number(64 * (i % 2)) + ";\n  add.u32 %r29, %r29, " + first +
             ";\n  setp.lt.u32 %p" + number(1 + i) + ", %r29, " + limit +
             ";\n  mad.lo.u32 %r29, %r29, %r4, %r26;\n  mul.wide.u32 %d" + number(4 + i) +
             ", %r29, 2;\n  add.u64 %d" + number(4 + i) + ", %d" + number(4 + i) + ", " + base + ";\n";
    }
    for (uint32_t i = 0; i < 64; ++i)
      out += "  mov.b32 %c" + number(i) + ", 0;\n";
    out += "  add.u32 %r30, %r3, 31;\n  shr.u32 %r30, %r30, 5; // steps of k\n  mov.u32 %r31, 0;\n"
           "  mov.u32 %r32, 0; // buffer of the copies\n";
    copies();
  }

  /// Starts the copies for step %r31 into buffer %r32 and goes on to the next step and buffer.
  void copies() {
    out += "  mad.lo.u32 %r33, %r31, 32, %r26;\n  sub.u32 %r34, %r3, %r33;\n  shl.b32 %r34, %r34, 1;\n"
           "  min.s32 %r34, %r34, 16;\n  max.s32 %r34, %r34, 0;\n  mul.wide.u32 %d8, %r31, 64;\n"
           "  mad.lo.u32 %r36, %r32, 16384, %r28;\n";
    for (uint32_t i = 0; i < 4; ++i)
      out += "  selp.b32 %r35, %r34, 0, %p" + number(1 + i) + ";\n  add.u64 %d9, %d" + number(4 + i) +
             ", %d8;\n  cp.async.cg.shared.global [%r36+" + number(4096 * i) + "], [%d9], 16, %r35;\n";
    out += "  cp.async.commit_group;\n  add.u32 %r31, %r31, 1;\n  xor.b32 %r32, %r32, 1;\n";
  }

  void loop() {
    out += "step:\n  setp.lt.u32 %p5, %r31, %r30;\n  @%p5 bra ahead;\n  cp.async.wait_group 0;\n"
           "  add.u32 %r31, %r31, 1;\n  xor.b32 %r32, %r32, 1;\n  bra ready;\nahead:\n";
    copies();
    out += "  cp.async.wait_group 1;\nready:\n  bar.sync 0;\n  shl.b32 %r37, %r32, 14;\n";
    for (uint32_t half = 0; half < 2; ++half) {
      std::string a = "%r" + number(20 + half), b = "%r" + number(22 + half);
      out += "  add.u32 %r38, " + a + ", %r37;\n  add.u32 %r39, " + b + ", %r37;\n";
      for (uint32_t mi = 0; mi < 4; ++mi)
        out += "  ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%a" + number(4 * mi) + ", %a" +
               number(4 * mi + 1) + ", %a" + number(4 * mi + 2) + ", %a" + number(4 * mi + 3) + "}, [%r38+" +
               number(1024 * mi) + "];\n";
      for (uint32_t nj = 0; nj < 2; ++nj)
        out += "  ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%b" + number(4 * nj) + ", %b" +
               number(4 * nj + 1) + ", %b" + number(4 * nj + 2) + ", %b" + number(4 * nj + 3) + "}, [%r39+" +
               number(1024 * nj) + "];\n";
      for (uint32_t mi = 0; mi < 4; ++mi)
        for (uint32_t ni = 0; ni < 4; ++ni)
          out += "  mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 " + sum(mi, ni) + ", {%a" +
                 number(4 * mi) + ", %a" + number(4 * mi + 1) + ", %a" + number(4 * mi + 2) + ", %a" +
                 number(4 * mi + 3) + "}, {%b" + number(2 * ni) + ", %b" + number(2 * ni + 1) + "}, " +
                 sum(mi, ni) + ";\n";
    }
    // %r31 is one step ahead of the products.
    out += "  bar.sync 0;\n  setp.le.u32 %p5, %r31, %r30;\n  @%p5 bra step;\n";
  }

  void stores() {
    out += "  shr.u32 %r40, %r11, 2;\n  mad.lo.u32 %r40, %r13, 64, %r40;\n  add.u32 %r40, %r40, %r8;\n"
           "  and.b32 %r41, %r11, 3;\n  shl.b32 %r41, %r41, 1;\n  mad.lo.u32 %r41, %r14, 32, %r41;\n"
           "  add.u32 %r41, %r41, %r9;\n";
    for (uint32_t mi = 0; mi < 4; ++mi)
      for (uint32_t half = 0; half < 2; ++half) {
        out +=
            "  add.u32 %r42, %r40, " + number(16 * mi + 8 * half) +
            ";\n  setp.lt.u32 %p6, %r42, %r1;\n  mul.wide.u32 %d10, %r42, %r2;\n  cvt.u64.u32 %d11, %r41;\n"
            "  add.u64 %d10, %d10, %d11;\n  shl.b64 %d10, %d10, 2;\n  add.u64 %d10, %d10, %d3;\n";
        for (uint32_t ni = 0; ni < 4; ++ni)
          for (uint32_t i = 0; i < 2; ++i)
            out += "  add.u32 %r43, %r41, " + number(8 * ni + i) +
                   ";\n  setp.lt.and.u32 %p7, %r43, %r2, %p6;\n  @%p7 st.global.b32 [%d10+" +
                   number(4 * (8 * ni + i)) + "], %c" + number(16 * mi + 4 * ni + 2 * half + i) + ";\n";
      }
    out += "  ret;\n}\n";
  }

  std::string out;
};

} // namespace quern::runtime::emulated::test

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_GEMMPROGRAM_H
