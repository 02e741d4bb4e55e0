//===- TestKernels.cpp - Builds and runs small kernels in tests -----------===//
//
// See TestKernels.h.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/TestKernels.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <unistd.h>

namespace quern::runtime::emulated::amd {
namespace {

std::string scratchFile(const std::string &extension) {
  static unsigned count = 0;
  return (std::filesystem::temp_directory_path() /
          ("quern-amd-" + std::to_string(getpid()) + "-" + std::to_string(count++) + extension))
      .string();
}

std::string readText(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Runs |command| from |source| to an object, which is then linked, or to the |linked| object at once; reads
/// the result.
std::vector<std::byte> build(const std::string &command, const std::string &source,
                             const std::string &extension, bool linkedAtOnce = false) {
  static std::map<std::string, std::vector<std::byte>> known;
  std::string key = command + '\n' + source;
  if (auto it = known.find(key); it != known.end())
    return it->second;
  std::string input = scratchFile(extension), object = scratchFile(".o"), linked = scratchFile(".so"),
              log = scratchFile(".log");
  std::ofstream(input, std::ios::binary) << source;
  std::string tools = QUERN_LLVM_TOOLS;
  std::string shell = linkedAtOnce
                          ? tools + "/" + command + " " + input + " -o " + linked + " > " + log + " 2>&1"
                          : tools + "/" + command + " -filetype=obj " + input + " -o " + object + " > " +
                                log + " 2>&1 && " + tools + "/ld.lld -shared --no-undefined " + object +
                                " -o " + linked + " >> " + log + " 2>&1";
  int code = std::system(shell.c_str());
  std::vector<std::byte> bytes;
  if (code == 0) {
    std::string text = readText(linked);
    bytes.resize(text.size());
    std::memcpy(bytes.data(), text.data(), text.size());
  } else {
    ADD_FAILURE() << command << " failed:\n" << readText(log) << "\nsource:\n" << source;
  }
  for (const std::string &path : {input, object, linked, log})
    std::filesystem::remove(path);
  return known[key] = bytes;
}

} // namespace

std::vector<std::byte> compileIr(const std::string &target, const std::string &ir,
                                 const std::string &attributes) {
  std::string module =
      "target triple = \"amdgcn-amd-amdhsa\"\n" + ir +
      "\n!llvm.module.flags = !{!900}\n!900 = !{i32 1, !\"amdhsa_code_object_version\", i32 500}\n";
  return build("llc -O3 -mcpu=" + target + (attributes.empty() ? "" : " -mattr=" + attributes), module,
               ".ll");
}

std::vector<std::byte> assemble(const std::string &target, const std::string &assembly) {
  return build("llvm-mc -triple=amdgcn-amd-amdhsa -mcpu=" + target, assembly, ".s");
}

std::vector<std::byte> compileOpenCl(const std::string &target, const std::string &source) {
  static const char *head = R"(
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#define THREAD ((int)__builtin_amdgcn_workitem_id_x())
#define BLOCK ((int)__builtin_amdgcn_workgroup_id_x())
#define KERNEL(threads) __attribute__((reqd_work_group_size(threads, 1, 1))) kernel void
#define BARRIER() \
  do { \
    __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup"); \
    __builtin_amdgcn_s_barrier(); \
    __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup"); \
  } while (0)
)";
  return build("clang -target amdgcn-amd-amdhsa -mcpu=" + target + " -nogpulib -O3 -x cl -cl-std=CL2.0",
               head + source, ".cl", true);
}

std::vector<std::byte> compileKernels(const std::string &target, const std::string &ir) {
  return compileIr(target,
                   "declare i32 @llvm.amdgcn.workitem.id.x()\ndeclare i32 @llvm.amdgcn.workgroup.id.x()\n" +
                       ir + "\nattributes #0 = { \"amdgpu-flat-work-group-size\"=\"128,128\" }\n");
}

std::string guarded(const std::string &arguments, const std::string &body) {
  return "define amdgpu_kernel void @kernel(" + arguments + R"(, i32 %n) #0 {
  %t = call i32 @llvm.amdgcn.workitem.id.x()
  %g = call i32 @llvm.amdgcn.workgroup.id.x()
  %base = mul i32 %g, 128
  %i = add i32 %base, %t
  %w = zext i32 %i to i64
  %in = icmp ult i32 %i, %n
)" + body +
         "\n}\n";
}

std::string kernelAssembly(const std::string &target, const std::string &body, unsigned arguments,
                           unsigned localBytes, unsigned privateBytes) {
  bool wave32 = isWave32(target), gfx9 = target.starts_with("gfx9");
  std::string number = std::to_string(arguments * 8);
  std::string text =
      ".amdgcn_target \"amdgcn-amd-amdhsa--" + target + "\"\n.amdhsa_code_object_version 5\n" +
      ".text\n.globl kernel\n.p2align 8\n.type kernel,@function\nkernel:\n" + body +
      "\n  s_endpgm\n.size kernel, .-kernel\n" + ".rodata\n.p2align 6\n.amdhsa_kernel kernel\n" +
      "  .amdhsa_user_sgpr_kernarg_segment_ptr 1\n  .amdhsa_next_free_vgpr " + (gfx9 ? "264" : "256") + "\n" +
      "  .amdhsa_next_free_sgpr 96\n  .amdhsa_group_segment_fixed_size " + std::to_string(localBytes) +
      "\n  .amdhsa_private_segment_fixed_size " + std::to_string(privateBytes) + "\n  .amdhsa_kernarg_size " +
      number + "\n  .amdhsa_float_denorm_mode_32 3\n";
  if (privateBytes)
    text += target == "gfx90a" ? "  .amdhsa_system_sgpr_private_segment_wavefront_offset 1\n"
                               : "  .amdhsa_enable_private_segment 1\n";
  if (!gfx9)
    text += std::string("  .amdhsa_wavefront_size32 ") + (wave32 ? "1\n" : "0\n");
  if (target == "gfx90a" || target == "gfx942" || target == "gfx950")
    text += "  .amdhsa_accum_offset 256\n";
  text +=
      ".end_amdhsa_kernel\n.amdgpu_metadata\n---\namdhsa.version: [1, 2]\namdhsa.target: "
      "amdgcn-amd-amdhsa--" +
      target +
      "\namdhsa.kernels:\n  - .name: kernel\n    .symbol: kernel.kd\n    .kernarg_segment_size: " + number +
      "\n    .group_segment_fixed_size: " + std::to_string(localBytes) +
      "\n    .private_segment_fixed_size: " + std::to_string(privateBytes) +
      "\n    .kernarg_segment_align: 8\n    .wavefront_size: " + (wave32 ? "32" : "64") +
      "\n    .sgpr_count: 96\n    .vgpr_count: 256\n    .max_flat_workgroup_size: 1024\n    .args:\n";
  for (unsigned i = 0; i < arguments; ++i)
    text += "      - .offset: " + std::to_string(i * 8) +
            "\n        .size: 8\n        .value_kind: global_buffer\n        .address_space: global\n";
  if (arguments == 0)
    text += "      []\n";
  return text + "...\n.end_amdgpu_metadata\n";
}

std::shared_ptr<LoadedPrograms> loadPrograms(const std::string &target, const std::vector<std::byte> &code) {
  auto result = std::make_shared<LoadedPrograms>();
  auto made = makeAmdMachine(target);
  if (!made.ok()) {
    ADD_FAILURE() << made.error().message();
    return result;
  }
  result->machine = std::move(*made);
  auto loaded = result->machine->load(code);
  if (loaded.ok())
    result->programs = std::move(*loaded);
  else
    ADD_FAILURE() << loaded.error().message();
  return result;
}

KernelRun::KernelRun(std::shared_ptr<LoadedPrograms> loaded, const std::string &name)
    : name(name), loaded(std::move(loaded)) {
  EXPECT_TRUE(this->loaded->programs.count(name)) << name;
}

KernelRun &KernelRun::buffer(std::vector<uint32_t> contents) {
  bufferOf.push_back(int(buffers.size()));
  buffers.push_back(std::move(contents));
  arguments.push_back({ArgumentKind::Pointer, 0});
  return *this;
}
KernelRun &KernelRun::integer(uint32_t value) {
  bufferOf.push_back(-1);
  arguments.push_back({ArgumentKind::I32, value});
  return *this;
}
KernelRun &KernelRun::wide(uint64_t value) {
  bufferOf.push_back(-1);
  arguments.push_back({ArgumentKind::I64, value});
  return *this;
}
KernelRun &KernelRun::real(float value) {
  bufferOf.push_back(-1);
  arguments.push_back({ArgumentKind::F32, bits(value)});
  return *this;
}

Status KernelRun::launch(uint32_t blocks, uint32_t threads) {
  auto it = loaded->programs.find(name);
  if (it == loaded->programs.end())
    return Status::error(Exit::Unexpected, "E-TEST", "no program");
  GlobalMemory memory;
  for (size_t i = 0; i < arguments.size(); ++i)
    if (bufferOf[i] >= 0) {
      std::vector<uint32_t> &contents = buffers[bufferOf[i]];
      arguments[i].bits = reinterpret_cast<uint64_t>(contents.data());
      memory.add(arguments[i].bits, contents.size() * 4);
    }
  LaunchShape shape{blocks, threads, sharedBytes, 0};
  findings.clear();
  return it->second->run(shape, arguments, memory, options, counters, findings);
}

KernelRun &KernelRun::expectSuccess(uint32_t blocks, uint32_t threads) {
  Status status = launch(blocks, threads);
  if (!status.ok())
    ADD_FAILURE() << status.message();
  return *this;
}

KernelRun &KernelRun::expectFinding(uint32_t blocks, uint32_t threads, const std::string &kind) {
  Status status = launch(blocks, threads);
  EXPECT_FALSE(status.ok());
  if (findings.empty() || findings.front().kind != kind)
    ADD_FAILURE() << "expected a finding `" << kind << "`, got "
                  << (status.ok() ? "success" : status.message());
  return *this;
}

std::vector<float> KernelRun::floats(size_t index) const {
  std::vector<float> result;
  for (uint32_t word : buffers[index])
    result.push_back(amd::real(word));
  return result;
}

std::vector<std::vector<uint32_t>> runSnippet(const std::string &target, const std::string &snippet,
                                              const std::vector<std::vector<uint32_t>> &inputs,
                                              unsigned outputs, bool sanitize) {
  bool wave32 = isWave32(target), gfx12 = target.starts_with("gfx12");
  unsigned width = wave32 ? 32 : 64;
  size_t count = inputs.empty() ? width : inputs[0].size();
  size_t padded = (count + width - 1) / width * width;
  std::string stride = std::to_string(padded * 4);
  std::string load = wave32 ? "global_load_b32 " : "global_load_dword ",
              store = wave32 ? "global_store_b32 " : "global_store_dword ";
  std::string waitAll = gfx12 ? "  s_wait_loadcnt 0x0\n  s_wait_dscnt 0x0\n  s_wait_kmcnt 0x0\n"
                              : "  s_waitcnt vmcnt(0) lgkmcnt(0)\n";
  std::string add = wave32 ? "v_add_nc_u32 " : "v_add_u32 ";
  std::string body =
      wave32 ? "  s_load_b128 s[8:11], s[0:1], 0x0\n" : "  s_load_dwordx4 s[8:11], s[0:1], 0x0\n";
  body += gfx12 ? "  s_mov_b32 s2, ttmp9\n" : "";
  body += waitAll + "  v_lshl_add_u32 v1, s2, " + (wave32 ? "5" : "6") +
          ", v0\n  v_lshlrev_b32 v1, 2, v1\n  v_mov_b32 v2, v1\n";
  for (size_t i = 0; i < inputs.size(); ++i)
    body += "  " + load + "v" + std::to_string(10 + i) + ", v2, s[8:9]\n" + waitAll + "  " + add + "v2, 0x" +
            [&] {
              char text[20];
              std::snprintf(text, sizeof text, "%zx", padded * 4);
              return std::string(text);
            }() +
            ", v2\n";
  for (unsigned k = 0; k < outputs; ++k)
    body += "  v_mov_b32 v" + std::to_string(30 + k) + ", 0x5a5a5a5a\n";
  body += snippet + "\n" + waitAll + (wave32 ? "  s_mov_b32 exec_lo, -1\n" : "  s_mov_b64 exec, -1\n") +
          "  v_mov_b32 v2, v1\n";
  for (unsigned k = 0; k < outputs; ++k)
    body += "  " + store + "v2, v" + std::to_string(30 + k) + ", s[10:11]\n  " + add + "v2, 0x" + [&] {
      char text[20];
      std::snprintf(text, sizeof text, "%zx", padded * 4);
      return std::string(text);
    }() + ", v2\n";
  std::vector<uint32_t> packed;
  for (const auto &input : inputs) {
    packed.insert(packed.end(), input.begin(), input.end());
    packed.resize(packed.size() + padded - count);
  }
  packed.resize(std::max<size_t>(packed.size(), 1));
  KernelRun run(target, assemble(target, kernelAssembly(target, body, 2, 1024)));
  run.buffer(packed).buffer(std::vector<uint32_t>(padded * outputs, 0xdeadbeef));
  run.options.sanitize = sanitize;
  run.expectSuccess(uint32_t(padded / width), width);
  std::vector<std::vector<uint32_t>> result;
  for (unsigned k = 0; k < outputs; ++k)
    result.emplace_back(run.words(1).begin() + k * padded, run.words(1).begin() + k * padded + count);
  return result;
}

} // namespace quern::runtime::emulated::amd
