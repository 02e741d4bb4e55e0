//===- TestGemm.cpp - Matrix-core products in assembly, for tests ----------===//
//
// See TestGemm.h.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/TestGemm.h"

#include "runtime/emulated/amd/TestKernels.h"

#include <bit>

namespace quern::runtime::emulated::amd {
namespace {

std::string text(unsigned number) { return std::to_string(number); }
std::string range(const char *file, unsigned first, unsigned count) {
  return file + ("[" + text(first) + ":" + text(first + count - 1) + "]");
}

/// Replaces each "{name}" by its value.
std::string filled(std::string pattern, std::initializer_list<std::pair<const char *, std::string>> values) {
  for (auto &[name, value] : values) {
    std::string key = std::string("{") + name + "}";
    for (size_t at; (at = pattern.find(key)) != std::string::npos;)
      pattern.replace(at, key.size(), value);
  }
  return pattern;
}

std::string mfmaBody(const std::string &target, const GemmShape &shape, const GemmFaults &faults) {
  bool wide = target == "gfx950"; // 16 k in one instruction
  unsigned pitch = shape.k * 2;
  std::string body = filled(R"(
s_load_dwordx4 s[8:11], s[0:1], 0x0
s_load_dwordx2 s[12:13], s[0:1], 0x10
s_waitcnt lgkmcnt(0)
s_lshr_b32 s3, s2, {log}           ; block of rows
s_and_b32 s4, s2, {tilesN} - 1     ; block of columns
s_mov_b32 s16, s8
s_and_b32 s17, s9, 0xffff
s_mov_b32 s18, {bytesA}
s_mov_b32 s19, 0x00027000
s_mov_b32 s20, s10
s_and_b32 s21, s11, 0xffff
s_mov_b32 s22, {bytesB}
s_mov_b32 s23, 0x00027000
v_lshrrev_b32 v1, 6, v0
v_readfirstlane_b32 s5, v1         ; wave
v_and_b32 v1, 63, v0               ; lane
s_lshr_b32 s32, s5, 1
s_and_b32 s33, s5, 1
s_lshl_b32 s6, s5, 4
s_lshl_b32 s7, s5, 10
; A load of a wave fills four rows of 32 k: 16 lanes a row.
v_lshrrev_b32 v2, 4, v1
v_add_u32 v2, s6, v2
v_mov_b32 v4, {pitch}
v_mul_lo_u32 v3, v2, v4
v_and_b32 v4, 15, v1
v_lshl_add_u32 v3, v4, 2, v3
s_mul_i32 s24, s3, {pitch} * 64
s_mul_i32 s25, s4, {pitch} * 64
; Fragments: row lane % 32 of the wave's 32, k by lane / 32.
v_and_b32 v4, 31, v1
v_lshrrev_b32 v9, 5, v1
s_lshl_b32 s34, s32, 5
v_add_u32 v5, s34, v4
v_lshlrev_b32 v5, 6, v5
v_lshl_add_u32 v5, v9, {fragmentShift}, v5
s_lshl_b32 s35, s33, 5
v_add_u32 v6, s35, v4
v_lshlrev_b32 v6, 6, v6
v_lshl_add_u32 v6, v9, {fragmentShift}, v6
)",
                            {{"log", text(unsigned(std::countr_zero(shape.tilesN())))},
                             {"tilesN", text(shape.tilesN())},
                             {"bytesA", text(shape.m * pitch)},
                             {"bytesB", text(shape.n * pitch)},
                             {"pitch", text(pitch)},
                             {"fragmentShift", wide ? "4" : "3"}});
  for (unsigned i = 0; i < 16; ++i)
    body += "v_accvgpr_write_b32 a" + text(i) + ", 0\n";
  // s27: byte offset of k; s30: buffer to fill; s31: buffer to multiply.
  std::string loads = "s_add_u32 s29, s7, s30\n";
  for (unsigned i = 0; i < 8; ++i) {
    bool second = i >= 4;
    loads += filled("s_add_u32 s28, {tile}, s27\ns_add_u32 s28, s28, {rows}\ns_add_u32 m0, s29, {place}\n"
                    "buffer_load_dword v3, {descriptor}, s28 offen lds\n",
                    {{"tile", second ? "s25" : "s24"},
                     {"rows", text(i % 4 * 4 * pitch)},
                     {"place", text((second ? 4096 : 0) + i % 4 * 256)},
                     {"descriptor", second ? "s[20:23]" : "s[16:19]"}});
  }
  std::string compute = "v_add_u32 v7, s31, v5\nv_add_u32 v8, s31, v6\n";
  unsigned steps = wide ? 2 : 4, registersOf = wide ? 4 : 2;
  for (unsigned k = 0; k < steps; ++k)
    for (bool second : {false, true})
      compute += std::string(wide ? "ds_read_b128 " : "ds_read_b64 ") +
                 range("v", 10 + k * 2 * registersOf + (second ? registersOf : 0), registersOf) +
                 (second ? ", v8" : ", v7") + " offset:" + text(k * registersOf * 8 + (second ? 4096 : 0)) +
                 "\n";
  compute += "s_waitcnt lgkmcnt(0)\n";
  const char *instruction = wide                 ? "v_mfma_f32_32x32x16_bf16"
                            : target == "gfx942" ? "v_mfma_f32_32x32x8_bf16"
                                                 : "v_mfma_f32_32x32x8bf16_1k";
  for (unsigned k = 0; k < steps; ++k)
    compute += std::string(instruction) + " a[0:15], " + range("v", 10 + k * 2 * registersOf, registersOf) +
               ", " + range("v", 10 + k * 2 * registersOf + registersOf, registersOf) + ", a[0:15]\n";
  std::string ready =
      std::string(faults.noWait ? "" : "s_waitcnt vmcnt(0)\n") + (faults.noBarrier ? "" : "s_barrier\n");
  body +=
      "s_mov_b32 s27, 0\ns_mov_b32 s30, 0\ns_mov_b32 s31, 0\n" + loads + ready +
      filled("again:\ns_add_u32 s27, s27, 64\ns_xor_b32 s30, s30, 8192\ns_cmp_lt_u32 s27, {pitch}\n"
             "s_cbranch_scc0 last\n",
             {{"pitch", text(pitch)}}) +
      loads + "last:\n" + compute + ready +
      filled(
          "s_xor_b32 s31, s31, 8192\ns_cmp_lt_u32 s27, {pitch}\ns_cbranch_scc1 again\ns_nop 15\ns_nop 15\n",
          {{"pitch", text(pitch)}});
  // Item r of a lane: row r % 4 + 8 * (r / 4) + 4 * (lane / 32), column lane % 32.
  body += filled(R"(
s_mul_i32 s36, s3, {n} * 256
s_lshl_b32 s37, s4, 8
s_add_u32 s36, s36, s37
s_add_u32 s12, s12, s36
s_addc_u32 s13, s13, 0
v_lshlrev_b32 v9, 2, v9
v_add_u32 v9, s34, v9
v_mov_b32 v10, {n}
v_mul_lo_u32 v9, v9, v10
v_add_u32 v9, v9, v4
v_add_u32 v9, s35, v9
v_lshlrev_b32 v9, 2, v9
)",
                 {{"n", text(shape.n)}});
  for (unsigned r = 0; r < 16; ++r)
    body += filled(
        "v_accvgpr_read_b32 v20, a{r}\nv_add_u32 v21, {offset}, v9\nglobal_store_dword v21, v20, s[12:13]\n",
        {{"r", text(r)}, {"offset", text((r % 4 + r / 4 * 8) * shape.n * 4)}});
  return body;
}

std::string wmmaBody(const std::string &target, const GemmShape &shape) {
  bool gfx12 = target == "gfx1201";
  unsigned pitch = shape.k * 2, fragment = gfx12 ? 4 : 8;
  std::string wait = gfx12 ? "s_wait_loadcnt 0x0\n" : "s_waitcnt vmcnt(0)\n", noOffset = gfx12 ? "null" : "0";
  std::string body = filled(R"(
s_load_b128 s[8:11], s[0:1], 0x0
s_load_b64 s[12:13], s[0:1], 0x10
{waitScalar}
s_mov_b32 s2, {block}
s_lshr_b32 s3, s2, {log}
s_and_b32 s4, s2, {tilesN} - 1
s_mov_b32 s16, s8
s_and_b32 s17, s9, 0xffff
s_mov_b32 s18, {bytesA}
s_mov_b32 s19, 0x31027000
s_mov_b32 s20, s10
s_and_b32 s21, s11, 0xffff
s_mov_b32 s22, {bytesB}
s_mov_b32 s23, 0x31027000
s_mov_b32 s28, s12
s_and_b32 s29, s13, 0xffff
s_mov_b32 s30, {bytesC}
s_mov_b32 s31, 0x31027000
v_lshrrev_b32 v1, 5, v0
v_readfirstlane_b32 s5, v1
v_and_b32 v1, 31, v0
v_and_b32 v2, 15, v1               ; row or column
v_lshrrev_b32 v3, 4, v1            ; half of the wave
s_lshr_b32 s32, s5, 1
s_and_b32 s33, s5, 1
s_lshl_b32 s34, s3, 6
s_lshl_b32 s32, s32, 5
s_or_b32 s34, s34, s32
s_lshl_b32 s35, s4, 6
s_lshl_b32 s33, s33, 5
s_or_b32 s35, s35, s33
v_mov_b32 v4, {pitch}
v_mov_b32 v5, 0x7ffffff0           ; outside every descriptor
)",
                            {{"waitScalar", gfx12 ? "s_wait_kmcnt 0x0" : "s_waitcnt lgkmcnt(0)"},
                             {"block", gfx12 ? "ttmp9" : "s2"},
                             {"log", text(unsigned(std::countr_zero(shape.tilesN())))},
                             {"tilesN", text(shape.tilesN())},
                             {"bytesA", text(shape.m * pitch)},
                             {"bytesB", text(shape.n * pitch)},
                             {"bytesC", text(shape.m * shape.n * 4)},
                             {"pitch", text(pitch)}});
  // v10, v11: offsets of the rows of A; v12, v13: of B.
  for (unsigned t = 0; t < 4; ++t)
    body += filled("v_add_nc_u32 v6, {base}, v2\nv_add_nc_u32 v6, {step}, v6\nv_mul_lo_u32 v{to}, v6, v4\n",
                   {{"base", t < 2 ? "s34" : "s35"}, {"step", text(t % 2 * 16)}, {"to", text(10 + t)}});
  for (unsigned r = 0; r < 32; ++r)
    body += "v_mov_b32 v" + text(64 + r) + ", 0\n";
  body += "s_mov_b32 s27, 0\nagain:\n";
  for (unsigned part = 0; part < (gfx12 ? 1u : 2u); ++part) {
    // The k of this lane's eight elements; past the end nothing is read.
    body += gfx12 ? "v_lshl_add_u32 v7, v3, 4, s27\n"
                  : "v_mov_b32 v7, s27\nv_add_nc_u32 v7, " + text(part * 16) + ", v7\n";
    body += "v_cmp_gt_u32 vcc_lo, " + text(pitch) + ", v7\n";
    for (unsigned t = 0; t < 4; ++t)
      body += filled("v_add_nc_u32 v8, v7, v{row}\nv_cndmask_b32 v8, v5, v8, vcc_lo\n"
                     "buffer_load_b128 {to}, v8, {descriptor}, {none} offen\n",
                     {{"row", text(10 + t)},
                      {"to", range("v", 32 + t * fragment + part * 4, 4)},
                      {"descriptor", t < 2 ? "s[16:19]" : "s[20:23]"},
                      {"none", noOffset}});
  }
  body += wait;
  for (unsigned i = 0; i < 2; ++i)
    for (unsigned j = 0; j < 2; ++j) {
      std::string d = range("v", 64 + 8 * (2 * i + j), 8);
      body += "v_wmma_f32_16x16x16_bf16 " + d + ", " + range("v", 32 + i * fragment, fragment) + ", " +
              range("v", 32 + (2 + j) * fragment, fragment) + ", " + d + "\n";
    }
  body +=
      filled("s_add_u32 s27, s27, 32\ns_cmp_lt_u32 s27, {pitch}\ns_cbranch_scc1 again\nv_mov_b32 v4, {n}\n",
             {{"pitch", text(pitch)}, {"n", text(shape.n)}});
  for (unsigned i = 0; i < 2; ++i)
    for (unsigned j = 0; j < 2; ++j)
      for (unsigned r = 0; r < 8; ++r) {
        // gfx11: row 2 * r + half; gfx12: row r + 8 * half.
        body +=
            filled("v_lshl_add_u32 v6, v3, {shift}, {row}\nv_add_nc_u32 v6, s34, v6\n"
                   "v_add_nc_u32 v7, {column}, v2\nv_add_nc_u32 v7, s35, v7\nv_mul_lo_u32 v6, v6, v4\n"
                   "v_add_nc_u32 v6, v6, v7\nv_lshlrev_b32 v6, 2, v6\nv_cmp_gt_u32 vcc_lo, {n}, v7\n"
                   "v_cndmask_b32 v6, v5, v6, vcc_lo\nbuffer_store_b32 v{from}, v6, s[28:31], {none} offen\n",
                   {{"shift", gfx12 ? "3" : "0"},
                    {"row", text(16 * i + (gfx12 ? r : 2 * r))},
                    {"column", text(16 * j)},
                    {"n", text(shape.n)},
                    {"from", text(64 + 8 * (2 * i + j) + r)},
                    {"none", noOffset}});
      }
  return body;
}

} // namespace

std::vector<std::byte> gemmKernel(const std::string &target, const GemmShape &shape,
                                  const GemmFaults &faults) {
  bool wave32 = isWave32(target);
  return assemble(target,
                  kernelAssembly(target, wave32 ? wmmaBody(target, shape) : mfmaBody(target, shape, faults),
                                 3, wave32 ? 0 : 16384));
}

unsigned gemmThreads(const std::string &target) { return isWave32(target) ? 128 : 256; }

} // namespace quern::runtime::emulated::amd
