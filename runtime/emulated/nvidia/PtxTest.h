//===- PtxTest.h - Running PTX in tests -----------------------------------===//
//
// `Gpu` is an emulated device with typed buffers; `evaluate` runs a few instructions on many inputs.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_PTXTEST_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_PTXTEST_H

#include "runtime/emulated/EmulatedDevice.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cstring>
#include <string>
#include <vector>

namespace quern::runtime::emulated {

inline Argument pointerTo(const Buffer &buffer, uint64_t offset = 0) {
  return {ArgumentKind::Pointer, buffer.address() + offset};
}
inline Argument i32(uint32_t value) { return {ArgumentKind::I32, value}; }
inline Argument i64(uint64_t value) { return {ArgumentKind::I64, value}; }
inline Argument f32(float value) { return {ArgumentKind::F32, std::bit_cast<uint32_t>(value)}; }

struct Gpu {
  std::unique_ptr<EmulatedDevice> device;
  std::vector<std::unique_ptr<runtime::Module>> modules;

  explicit Gpu(const std::string &target = "nvidia:sm_100a", RunOptions options = {}) {
    auto opened = openEmulated(target, options);
    if (!opened.ok())
      ADD_FAILURE() << opened.error().message();
    else
      device = *std::move(opened);
  }

  template <typename T> std::unique_ptr<Buffer> buffer(const std::vector<T> &values) {
    auto made = device->allocate(values.size() * sizeof(T));
    EXPECT_TRUE(made.ok());
    EXPECT_TRUE(device->upload(**made, 0, std::as_bytes(std::span(values))).ok());
    return *std::move(made);
  }
  /// |count| elements of 0xA5 bytes.
  template <typename T> std::unique_ptr<Buffer> blank(size_t count) {
    std::vector<T> values(count);
    std::memset(values.data(), 0xA5, count * sizeof(T));
    return buffer(values);
  }
  template <typename T> std::vector<T> read(Buffer &from) {
    std::vector<T> values(from.size() / sizeof(T));
    Status status = device->download(from, 0, std::as_writable_bytes(std::span(values)));
    EXPECT_TRUE(status.ok()) << status.message();
    return values;
  }

  Expected<Kernel *> kernel(const std::string &ptx, const std::string &name = "k") {
    auto module = device->load(std::as_bytes(std::span(ptx)));
    if (!module.ok())
      return module.takeError();
    modules.push_back(*std::move(module));
    return modules.back()->kernel(name);
  }
  /// Loads, launches and waits.
  Status run(const std::string &ptx, LaunchShape shape, std::vector<Argument> arguments,
             const std::string &name = "k") {
    auto found = kernel(ptx, name);
    if (!found.ok())
      return found.takeError();
    QUERN_RETURN_IF_ERROR(device->launch(**found, shape, arguments));
    return device->synchronize();
  }
};

/// The error's id, or "" for success.
inline std::string idOf(const Status &status) {
  return status.ok() ? std::string() : std::string(status.id());
}

inline std::string ptxHead(const std::string &target = "sm_100a") {
  return ".version 8.8\n.target " + target + "\n.address_size 64\n";
}

using Inputs = std::vector<std::array<uint64_t, 4>>;

/// Runs |body| once for each input. It finds the inputs in %d1 to %d4, their low halves in %r1 to %r4 and %h1
/// to %h4, and leaves its result in %d0; %r5 to %r15, %h5 to %h15, %d5 to %d15, %p0 to %p7 are free.
inline std::vector<uint64_t> evaluate(const std::string &body, const Inputs &inputs,
                                      RunOptions options = {}) {
  std::string text = ptxHead() + R"(
.visible .entry k(.param .u64 in, .param .u64 out, .param .u32 n) {
  .reg .pred %p<8>;
  .reg .b16 %h<16>;
  .reg .b32 %r<20>;
  .reg .b64 %d<20>;
  mov.u32 %r16, %ctaid.x;
  mov.u32 %r17, %ntid.x;
  mov.u32 %r18, %tid.x;
  mad.lo.u32 %r16, %r16, %r17, %r18;
  ld.param.u32 %r17, [n];
  setp.ge.u32 %p7, %r16, %r17;
  @%p7 bra done;
  ld.param.u64 %d16, [in];
  mul.wide.u32 %d17, %r16, 32;
  add.u64 %d16, %d16, %d17;
  ld.global.u64 %d1, [%d16];
  ld.global.u64 %d2, [%d16+8];
  ld.global.u64 %d3, [%d16+16];
  ld.global.u64 %d4, [%d16+24];
  cvt.u32.u64 %r1, %d1;
  cvt.u32.u64 %r2, %d2;
  cvt.u32.u64 %r3, %d3;
  cvt.u32.u64 %r4, %d4;
  cvt.u16.u64 %h1, %d1;
  cvt.u16.u64 %h2, %d2;
  cvt.u16.u64 %h3, %d3;
  cvt.u16.u64 %h4, %d4;
  mov.u64 %d0, 0;
  mov.u32 %r0, 0;
  mov.u16 %h0, 0;
)" + body + R"(
  ld.param.u64 %d18, [out];
  mul.wide.u32 %d17, %r16, 8;
  add.u64 %d18, %d18, %d17;
  st.global.u64 [%d18], %d0;
done:
  ret;
}
)";
  Gpu gpu("nvidia:sm_100a", options);
  auto in = gpu.buffer(inputs);
  auto out = gpu.blank<uint64_t>(inputs.size());
  LaunchShape shape;
  shape.threads = 96;
  shape.blocks = static_cast<uint32_t>((inputs.size() + 95) / 96);
  Status status =
      gpu.run(text, shape, {pointerTo(*in), pointerTo(*out), i32(static_cast<uint32_t>(inputs.size()))});
  EXPECT_TRUE(status.ok()) << status.message() << "\n" << body;
  return gpu.read<uint64_t>(*out);
}

/// Bodies that leave a 32-bit or 16-bit result.
inline std::string to32(const std::string &instruction) { return instruction + " cvt.u64.u32 %d0, %r0;"; }
inline std::string to16(const std::string &instruction) { return instruction + " cvt.u64.u16 %d0, %h0;"; }
inline std::string toPredicate(const std::string &instruction) {
  return instruction + " selp.u64 %d0, 1, 0, %p0;";
}

} // namespace quern::runtime::emulated

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_PTXTEST_H
