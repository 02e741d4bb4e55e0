//===- HostComparisonTest.cpp - One function, compiled for GPU and host ---===//
//
// Each case is a function body in LLVM IR over two or three operands. LLVM compiles it for every target and
// for the host; the emulated result must equal the host's, bit for bit (any NaN equals any NaN). The
// semantics in between are LLVM's, so that a wrong instruction shows whichever instructions the compiler
// chose.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/TestKernels.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <random>
#include <unistd.h>

namespace quern::runtime::emulated::amd {
namespace {

struct Case {
  std::string name, type;    ///< type of all operands and the result
  std::string body;          ///< defines %r from %a, %b, %c
  std::string hostBody = {}; ///< another formula for the host, where its libraries lack the operation
};

unsigned bytesOf(const std::string &type) {
  if (type == "i64" || type == "double" || type == "<2 x float>" || type == "<2 x i32>")
    return 8;
  if (type == "i16" || type == "half")
    return 2;
  return type == "i8" ? 1 : 4;
}

std::vector<Case> cases() {
  std::vector<Case> list;
  auto add = [&](const std::string &name, const std::string &type, const std::string &body) {
    list.push_back({name, type, body, {}});
  };
  std::string t;
  for (const char *type : {"i8", "i16", "i32", "i64"}) {
    t = type;
    unsigned bits = bytesOf(t) * 8;
    std::string mask = std::to_string(bits - 1);
    auto simple = [&](const std::string &op) { add(op + "_" + t, t, "%r = " + op + " " + t + " %a, %b"); };
    for (const char *op : {"add", "sub", "mul", "and", "or", "xor"})
      simple(op);
    for (const char *op : {"shl", "lshr", "ashr"})
      add(std::string(op) + "_" + t, t,
          "%s = and " + t + " %b, " + mask + "\n%r = " + op + " " + t + " %a, %s");
    for (const char *op : {"udiv", "sdiv", "urem", "srem"}) // never by zero, never MIN / -1
      add(std::string(op) + "_" + t, t,
          "%m = lshr " + t + " %b, 1\n%d = or " + t + " %m, 1\n%r = " + op + " " + t + " %a, %d");
    for (const char *op : {"umin", "umax", "smin", "smax", "uadd.sat", "usub.sat", "sadd.sat", "ssub.sat"})
      add(std::string(op) + "_" + t, t,
          "%r = call " + t + " @llvm." + op + "." + t + "(" + t + " %a, " + t + " %b)");
    for (const char *op : {"ctpop", "bitreverse"})
      add(std::string(op) + "_" + t, t, "%r = call " + t + " @llvm." + op + "." + t + "(" + t + " %a)");
    for (const char *op : {"ctlz", "cttz"})
      add(std::string(op) + "_" + t, t,
          "%r = call " + t + " @llvm." + op + "." + t + "(" + t + " %a, i1 false)");
    for (const char *op : {"fshl", "fshr"})
      add(std::string(op) + "_" + t, t,
          "%r = call " + t + " @llvm." + op + "." + t + "(" + t + " %a, " + t + " %b, " + t + " %c)");
    for (const char *op : {"eq", "ne", "ult", "ule", "ugt", "uge", "slt", "sle", "sgt", "sge"})
      add(std::string("icmp_") + op + "_" + t, t,
          "%i = icmp " + std::string(op) + " " + t + " %a, %b\n%r = select i1 %i, " + t + " %c, " + t +
              " %b");
    add("mad_" + t, t, "%p = mul " + t + " %a, %b\n%r = add " + t + " %p, %c");
    add("abs_" + t, t, "%r = call " + t + " @llvm.abs." + t + "(" + t + " %a, i1 false)");
    add("addshift_" + t, t,
        "%s = shl " + t + " %a, 3\n%x = add " + t + " %s, %b\n%y = xor " + t + " %x, %c\n%r = or " + t +
            " %y, 5");
    add("bfi_" + t, t,
        "%n = xor " + t + " %a, -1\n%x = and " + t + " %a, %b\n%y = and " + t + " %n, %c\n%r = or " + t +
            " %x, %y");
  }
  for (const char *pair : {"i32 i64", "i16 i32"}) {
    std::string narrow(pair, 3), wide(pair + 4);
    std::string half = std::to_string(bytesOf(narrow) * 8);
    for (const char *ext : {"sext", "zext"})
      add(std::string("mulhi_") + ext + "_" + narrow, narrow,
          "%x = " + std::string(ext) + " " + narrow + " %a to " + wide + "\n%y = " + ext + " " + narrow +
              " %b to " + wide + "\n%p = mul " + wide + " %x, %y\n%h = lshr " + wide + " %p, " + half +
              "\n%r = trunc " + wide + " %h to " + narrow);
    for (const char *ext : {"sext", "zext"})
      add(std::string("madwide_") + ext + "_" + wide, wide,
          "%s = trunc " + wide + " %a to " + narrow + "\n%u = trunc " + wide + " %b to " + narrow +
              "\n%x = " + ext + " " + narrow + " %s to " + wide + "\n%y = " + ext + " " + narrow + " %u to " +
              wide + "\n%p = mul " + wide + " %x, %y\n%r = add " + wide + " %p, %c");
  }
  add("mul24", "i32",
      "%x = and i32 %a, 16777215\n%y = and i32 %b, 16777215\n%p = mul i32 %x, %y\n%r = add i32 %p, %c");
  add("imul24", "i32",
      "%s = shl i32 %a, 8\n%x = ashr i32 %s, 8\n%u = shl i32 %b, 8\n%y = ashr i32 %u, 8\n%p = mul i32 %x, "
      "%y\n%r = add i32 %p, %c");
  add("bfe_unsigned", "i32", "%s = lshr i32 %a, 7\n%r = and i32 %s, 2047");
  add("bfe_signed", "i32", "%s = shl i32 %a, 9\n%r = ashr i32 %s, 21");
  add("bfe_signed64", "i64", "%s = shl i64 %a, 9\n%r = ashr i64 %s, 41");
  add("bytes_swapped", "i32", "%r = call i32 @llvm.bswap.i32(i32 %a)");
  add("median_unsigned", "i32",
      "%l = call i32 @llvm.umin.i32(i32 %a, i32 %b)\n%h = call i32 @llvm.umax.i32(i32 %a, i32 %b)\n%m = call "
      "i32 @llvm.umin.i32(i32 %h, i32 %c)\n%r = call i32 @llvm.umax.i32(i32 %l, i32 %m)");
  add("median_signed", "i32",
      "%l = call i32 @llvm.smin.i32(i32 %a, i32 %b)\n%h = call i32 @llvm.smax.i32(i32 %a, i32 %b)\n%m = call "
      "i32 @llvm.smin.i32(i32 %h, i32 %c)\n%r = call i32 @llvm.smax.i32(i32 %l, i32 %m)");

  for (const char *type : {"half", "float", "double"}) {
    t = type;
    for (const char *op : {"fadd", "fsub", "fmul", "fdiv"})
      add(std::string(op) + "_" + t, t, "%r = " + std::string(op) + " " + t + " %a, %b");
    std::string suffix = t == "half" ? "f16" : t == "float" ? "f32" : "f64";
    // minnum and maxnum may give either zero, so that zeros are told apart from below only by adding 0.
    for (const char *op : {"minnum", "maxnum"})
      add(std::string(op) + "_" + t, t,
          "%x = call " + t + " @llvm." + op + "." + suffix + "(" + t + " %a, " + t + " %b)\n%r = fadd " + t +
              " %x, 0.0");
    for (const char *op : {"copysign"})
      add(std::string(op) + "_" + t, t,
          "%r = call " + t + " @llvm." + op + "." + suffix + "(" + t + " %a, " + t + " %b)");
    for (const char *op : {"floor", "ceil", "trunc", "rint", "sqrt", "fabs"})
      add(std::string(op) + "_" + t, t, "%r = call " + t + " @llvm." + op + "." + suffix + "(" + t + " %a)");
    if (t != "half")
      add("fma_" + t, t,
          "%r = call " + t + " @llvm.fma." + suffix + "(" + t + " %a, " + t + " %b, " + t + " %c)");
    for (const char *op :
         {"oeq", "ogt", "oge", "olt", "ole", "one", "ord", "ueq", "ugt", "uge", "ult", "ule", "une", "uno"})
      add(std::string("fcmp_") + op + "_" + t, t,
          "%i = fcmp " + std::string(op) + " " + t + " %a, %b\n%r = select i1 %i, " + t + " %c, " + t +
              " %b");
    add("negations_" + t, t,
        "%x = call " + t + " @llvm.fabs." + suffix + "(" + t + " %a)\n%n = fneg " + t + " %x\n%m = fneg " +
            t + " %b\n%r = fadd " + t + " %n, %m");
  }
  // Conversions; the other type is reached and left through the operand's bits.
  add("float_to_i32", "float",
      "%i = call i32 @llvm.fptosi.sat.i32.f32(float %a)\n%r = bitcast i32 %i to float");
  add("float_to_u32", "float",
      "%i = call i32 @llvm.fptoui.sat.i32.f32(float %a)\n%r = bitcast i32 %i to float");
  add("double_to_i32", "double",
      "%i = call i32 @llvm.fptosi.sat.i32.f64(double %a)\n%w = sext i32 %i to i64\n%r = bitcast i64 %w to "
      "double");
  add("double_to_u32", "double",
      "%i = call i32 @llvm.fptoui.sat.i32.f64(double %a)\n%w = zext i32 %i to i64\n%r = bitcast i64 %w to "
      "double");
  add("double_to_i64", "double",
      "%w = call i64 @llvm.fptosi.sat.i64.f64(double %a)\n%r = bitcast i64 %w to double");
  add("i32_to_float", "i32", "%f = sitofp i32 %a to float\n%r = bitcast float %f to i32");
  add("u32_to_float", "i32", "%f = uitofp i32 %a to float\n%r = bitcast float %f to i32");
  add("i64_to_float", "i64",
      "%f = sitofp i64 %a to float\n%i = bitcast float %f to i32\n%r = zext i32 %i to i64");
  add("i64_to_double", "i64", "%f = sitofp i64 %a to double\n%r = bitcast double %f to i64");
  add("u64_to_double", "i64", "%f = uitofp i64 %a to double\n%r = bitcast double %f to i64");
  add("bytes_to_float", "i32",
      "%x = and i32 %a, 255\n%f = uitofp i32 %x to float\n%y = lshr i32 %a, 24\n%g = uitofp i32 %y to "
      "float\n%h = fadd float %f, %g\n%r = bitcast float %h to i32");
  add("float_to_half_and_back", "float", "%h = fptrunc float %a to half\n%r = fpext half %h to float");
  add("double_to_float_and_back", "double", "%h = fptrunc double %a to float\n%r = fpext float %h to double");
  add("float_to_bfloat_and_back", "float", "%h = fptrunc float %a to bfloat\n%r = fpext bfloat %h to float");
  list.back().hostBody = R"(%i = bitcast float %a to i32
  %s = lshr i32 %i, 16
  %odd = and i32 %s, 1
  %j = add i32 %i, 32767
  %k = add i32 %j, %odd
  %nan = fcmp uno float %a, 0.0
  %quiet = or i32 %i, 4194304
  %l = select i1 %nan, i32 %quiet, i32 %k
  %m = and i32 %l, -65536
  %r = bitcast i32 %m to float)";
  // Two bfloat values in one word; the host adds in float and rounds by integer arithmetic.
  for (const char *op : {"fadd", "fmul"}) {
    add(std::string("packed_") + op + "_bfloat", "i32",
        "%x = bitcast i32 %a to <2 x bfloat>\n%y = bitcast i32 %b to <2 x bfloat>\n%z = " + std::string(op) +
            " <2 x bfloat> %x, %y\n%u = fcmp uno <2 x bfloat> %z, zeroinitializer\n%q = select <2 x i1> %u, "
            "<2 x bfloat> "
            "<bfloat 0xR7FC0, bfloat 0xR7FC0>, <2 x bfloat> %z\n%r = bitcast <2 x bfloat> %q to i32");
    std::string host;
    for (const char *half : {"l", "h"}) {
      std::string k(half);
      for (const char *name : {"a", "b"}) {
        std::string n(name);
        host += k == "l" ? "%" + n + k + " = shl i32 %" + n + ", 16\n"
                         : "%" + n + k + " = and i32 %" + n + ", -65536\n";
        host += "%" + n + "f" + k + " = bitcast i32 %" + n + k + " to float\n";
      }
      host += "%f" + k + " = " + op + " float %af" + k + ", %bf" + k + "\n%i" + k + " = bitcast float %f" +
              k + " to i32\n%s" + k + " = lshr i32 %i" + k + ", 16\n%o" + k + " = and i32 %s" + k +
              ", 1\n%j" + k + " = add i32 %i" + k + ", 32767\n%k" + k + " = add i32 %j" + k + ", %o" + k +
              "\n%n" + k + " = fcmp uno float %f" + k + ", 0.0\n%m" + k + " = select i1 %n" + k +
              ", i32 2143289344, i32 %k" + k + "\n";
    }
    list.back().hostBody = host + "%rl = lshr i32 %ml, 16\n%rh = and i32 %mh, -65536\n%r = or i32 %rl, %rh";
  }
  add("i16_to_half", "i16", "%f = sitofp i16 %a to half\n%r = bitcast half %f to i16");
  add("ldexp_float", "float",
      "%i = bitcast float %b to i32\n%s = srem i32 %i, 300\n%r = call float @llvm.ldexp.f32.i32(float %a, "
      "i32 %s)");
  add("ldexp_double", "double",
      "%i = bitcast double %b to i64\n%s = srem i64 %i, 2300\n%e = trunc i64 %s to i32\n%r = call double "
      "@llvm.ldexp.f64.i32(double %a, i32 %e)");
  add("frexp_float", "float",
      "%p = call {float, i32} @llvm.frexp.f32.i32(float %a)\n%m = extractvalue {float, i32} %p, 0\n%r = fadd "
      "float %m, 1.0");
  // Two at once.
  for (const char *op : {"add", "sub", "mul", "shl"})
    add(std::string("packed_") + op, "<2 x i16>",
        std::string(op) == "shl" ? "%s = and <2 x i16> %b, <i16 15, i16 15>\n%r = shl <2 x i16> %a, %s"
                                 : "%r = " + std::string(op) + " <2 x i16> %a, %b");
  for (const char *op : {"umin", "smax", "uadd.sat", "ssub.sat"})
    add(std::string("packed_") + op, "<2 x i16>",
        "%r = call <2 x i16> @llvm." + std::string(op) + ".v2i16(<2 x i16> %a, <2 x i16> %b)");
  add("packed_swapped_add", "<2 x i16>",
      "%s = shufflevector <2 x i16> %b, <2 x i16> %b, <2 x i32> <i32 1, i32 0>\n%r = add <2 x i16> %a, %s");
  for (const char *op : {"fadd", "fmul"}) {
    add(std::string("packed_") + op + "_half", "<2 x half>",
        "%r = " + std::string(op) + " <2 x half> %a, %b");
    add(std::string("packed_") + op + "_float", "<2 x float>",
        "%n = fneg <2 x float> %b\n%r = " + std::string(op) + " <2 x float> %a, %n");
  }
  add("packed_fma_float", "<2 x float>",
      "%s = shufflevector <2 x float> %b, <2 x float> %b, <2 x i32> <i32 1, i32 0>\n%r = call <2 x float> "
      "@llvm.fma.v2f32(<2 x float> %a, <2 x float> %s, <2 x float> %c)");
  add("half_sum_of_products", "<2 x half>",
      "%n = fneg <2 x half> %b\n%s = shufflevector <2 x half> %n, <2 x half> %n, <2 x i32> <i32 1, i32 "
      "0>\n%p = fmul <2 x half> %a, %s\n%r = fadd <2 x half> %p, %c");
  // Control flow.
  add("loop_with_divergent_exit", "i32", R"(br label %loop
loop:
  %i = phi i32 [0, %entry], [%i1, %next]
  %x = phi i32 [%a, %entry], [%x1, %next]
  %done = icmp ult i32 %x, 16
  br i1 %done, label %exit, label %next
next:
  %odd = and i32 %x, 1
  %isodd = icmp ne i32 %odd, 0
  %half = lshr i32 %x, 1
  %third = udiv i32 %x, 3
  %x1 = select i1 %isodd, i32 %third, i32 %half
  %i1 = add i32 %i, 1
  br label %loop
exit:
  %y = mul i32 %i, %b
  %r = add i32 %y, %x)");
  add("nested_branches", "i32", R"(%p = icmp slt i32 %a, 0
  br i1 %p, label %neg, label %pos
neg:
  %q = icmp ugt i32 %b, 1000000
  br i1 %q, label %deep, label %join
deep:
  %d = mul i32 %a, %c
  br label %join
pos:
  %e = xor i32 %b, %c
  br label %join
join:
  %r = phi i32 [%b, %neg], [%d, %deep], [%e, %pos])");
  add("switch", "i32", R"(%k = and i32 %a, 7
  switch i32 %k, label %other [i32 0, label %l0
    i32 3, label %l3
    i32 5, label %l5]
l0:
  %x0 = add i32 %b, 1
  br label %join
l3:
  %x3 = mul i32 %b, %c
  br label %join
l5:
  %x5 = udiv i32 %b, 7
  br label %join
other:
  br label %join
join:
  %r = phi i32 [%x0, %l0], [%x3, %l3], [%x5, %l5], [%c, %other])");
  add("private_array", "i32", R"(%p = alloca [8 x i32], addrspace(5)
  %k0 = and i32 %a, 7
  %k1 = and i32 %b, 7
  br label %fill
fill:
  %i = phi i32 [0, %entry], [%i1, %fill]
  %q = getelementptr [8 x i32], ptr addrspace(5) %p, i32 0, i32 %i
  %v = mul i32 %i, %c
  store volatile i32 %v, ptr addrspace(5) %q
  %i1 = add i32 %i, 1
  %end = icmp eq i32 %i1, 8
  br i1 %end, label %use, label %fill
use:
  %q0 = getelementptr [8 x i32], ptr addrspace(5) %p, i32 0, i32 %k0
  store volatile i32 %a, ptr addrspace(5) %q0
  %q1 = getelementptr [8 x i32], ptr addrspace(5) %p, i32 0, i32 %k1
  %w = load volatile i32, ptr addrspace(5) %q1
  %r = add i32 %w, %k0)");
  // Registers with a computed number: the same for all lanes of a wave, and different ones.
  std::string vector;
  for (unsigned i = 0; i < 16; ++i) {
    std::string k = std::to_string(i);
    vector += "%m" + k + " = mul i32 %b, " + std::to_string(i * 77 + 1) + "\n%e" + k + " = xor i32 %m" + k +
              ", %c\n%v" + std::to_string(i + 1) + " = insertelement <16 x i32> " +
              (i ? "%v" + k : std::string("poison")) + ", i32 %e" + k + ", i32 " + k + "\n";
  }
  add("vector_element_by_number", "i32",
      vector + "%k = and i32 %a, 15\n%r = extractelement <16 x i32> %v16, i32 %k");
  add("vector_element_replaced", "i32",
      vector +
          "%k = and i32 %a, 15\n%w = insertelement <16 x i32> %v16, i32 %a, i32 %k\n%j = and i32 %b, 15\n"
          "%x = extractelement <16 x i32> %w, i32 %j\n%y = extractelement <16 x i32> %w, i32 %k\n%r = add "
          "i32 %x, %y");
  add("vector_element_in_a_uniform_loop", "i32", vector + R"(br label %loop
loop:
  %i = phi i32 [3, %entry], [%i1, %loop]
  %s = phi i32 [0, %entry], [%s1, %loop]
  %w = phi <16 x i32> [%v16, %entry], [%w1, %loop]
  %x = extractelement <16 x i32> %w, i32 %i
  %s3 = mul i32 %s, 3
  %s1 = add i32 %s3, %x
  %i2 = add i32 %i, 5
  %i1 = and i32 %i2, 15
  %w1 = insertelement <16 x i32> %w, i32 %s1, i32 %i1
  %end = icmp eq i32 %i1, 3
  br i1 %end, label %exit, label %loop
exit:
  %r = add i32 %s1, %a)");
  return list;
}

/// Host: a plain function. Lanes: one element per thread. Scalars: one element per block of one thread, so
/// that all is uniform and the compiler uses the scalar unit where it can.
enum class Form { Host, Lanes, Scalars };

std::string module(const Case &test, Form form) {
  bool host = form == Form::Host;
  std::string t = test.type, ptr = host ? "ptr" : "ptr addrspace(1)",
              body = host && !test.hostBody.empty() ? test.hostBody : test.body;
  std::string text;
  if (host) {
    // Private memory is plain memory on the host.
    for (size_t at; (at = body.find("ptr addrspace(5)")) != std::string::npos;)
      body.replace(at, 16, "ptr");
    for (size_t at; (at = body.find(", addrspace(5)")) != std::string::npos;)
      body.replace(at, 14, "");
    text = "define void @kernel(ptr %pa, ptr %pb, ptr %pc, ptr %pr, i64 %index) {\nentry:\n";
  } else {
    text =
        "define amdgpu_kernel void @kernel(ptr addrspace(1) noalias %pa, ptr addrspace(1) noalias %pb, "
        "ptr addrspace(1) noalias %pc, ptr addrspace(1) noalias %pr, i32 %count) #0 {\nguard:\n"
        "%thread = call i32 @llvm.amdgcn.workitem.id.x()\n%block = call i32 @llvm.amdgcn.workgroup.id.x()\n"
        "%first = mul i32 %block, 128\n%lane32 = add i32 %first, %thread\n%index32 = " +
        std::string(form == Form::Lanes ? "add i32 %lane32, 0" : "add i32 %block, 0") +
        "\n%index = zext i32 %index32 to i64\n"
        "%inside = icmp ult i32 %index32, %count\nbr i1 %inside, label %entry, label %outside\noutside:\nret "
        "void\nentry:\n";
  }
  for (const char *name : {"a", "b", "c"})
    text += std::string("%q") + name + " = getelementptr " + t + ", " + ptr + " %p" + name +
            ", i64 %index\n%" + name + " = load " + t + ", " + ptr + " %q" + name + ", align " +
            std::to_string(bytesOf(t)) + "\n";
  text += body + "\n%qr = getelementptr " + t + ", " + ptr + " %pr, i64 %index\nstore " + t + " %r, " + ptr +
          " %qr, align " + std::to_string(bytesOf(t)) + "\nret void\n}\n";
  return text;
}

/// Operands: random bits, small numbers, and the special values of the type.
std::vector<uint8_t> operands(const std::string &type, unsigned count, uint32_t seed) {
  std::mt19937_64 random(seed);
  unsigned bytes = bytesOf(type);
  std::vector<uint8_t> data(size_t(count) * bytes);
  bool isFloat =
      type.find("half") != std::string::npos || type.find("float") != std::string::npos || type == "double";
  static const double specials[] = {0.0,   -0.0,   1.0,    -1.0,     0.5,       1.5,      2.5,
                                    -2.5,  1e30,   -1e-30, INFINITY, -INFINITY, NAN,      65504,
                                    1e-45, 5e-324, 6e-8,   1e-40,    3.4e38,    8388609.5};
  for (unsigned i = 0; i < count; ++i) {
    uint64_t word = random();
    unsigned kind = random() % 4;
    unsigned element = type.starts_with("<") ? bytes / 2 : bytes;
    uint64_t parts[2];
    for (uint64_t &part : parts) {
      part = random();
      double value = kind == 0 ? specials[random() % std::size(specials)]
                               : std::ldexp(double(int64_t(random())), -63 + int(random() % 20));
      if (isFloat && kind != 1) {
        if (element == 8)
          part = std::bit_cast<uint64_t>(value);
        else if (element == 4)
          part = std::bit_cast<uint32_t>(float(value));
        else
          part = std::bit_cast<uint16_t>(_Float16(float(value)));
      } else if (!isFloat && kind == 0) {
        static const uint64_t edges[] = {
            0,  1,  ~0ull, 0x8000000000000000ull, 0x80000000ull, 0x7fffffffull, 0x8000, 0x7fff, 0x80, 0x7f,
            31, 32, 63};
        part = edges[random() % std::size(edges)];
      } else if (!isFloat && kind == 1) {
        part >>= random() % 64;
      }
    }
    word = parts[0];
    if (element != bytes)
      word = element == 4 ? uint32_t(parts[0]) | parts[1] << 32
                          : uint16_t(parts[0]) | uint64_t(uint16_t(parts[1])) << 16;
    std::memcpy(&data[size_t(i) * bytes], &word, bytes);
  }
  return data;
}

bool sameValue(const std::string &type, const uint8_t *x, const uint8_t *y) {
  unsigned bytes = bytesOf(type);
  if (!std::memcmp(x, y, bytes))
    return true;
  unsigned element = type.starts_with("<") ? bytes / 2 : bytes;
  if (type.find("half") == std::string::npos && type.find("float") == std::string::npos && type != "double")
    return false;
  for (unsigned at = 0; at < bytes; at += element) {
    if (!std::memcmp(x + at, y + at, element))
      continue;
    auto isNan = [&](const uint8_t *p) {
      uint64_t word = 0;
      std::memcpy(&word, p, element);
      return element == 8   ? (word & 0x7fffffffffffffff) > 0x7ff0000000000000
             : element == 4 ? (word & 0x7fffffff) > 0x7f800000
                            : (word & 0x7fff) > 0x7c00;
    };
    if (!isNan(x + at) || !isNan(y + at))
      return false;
  }
  return true;
}

using HostFunction = void (*)(const void *, const void *, const void *, void *, uint64_t);

/// All cases as functions of one host library.
const std::map<std::string, HostFunction> &hostFunctions() {
  static const std::map<std::string, HostFunction> functions = [] {
    std::string base =
        (std::filesystem::temp_directory_path() / ("quern-amd-host-" + std::to_string(getpid()))).string();
    std::map<std::string, HostFunction> result;
    std::string text;
    std::vector<std::string> names;
    for (const Case &test : cases()) {
      std::string one = module(test, Form::Host), name = "case_" + std::to_string(names.size());
      one.replace(one.find("@kernel"), 7, "@" + name);
      text += one;
      names.push_back(test.name);
    }
    std::ofstream(base + ".ll") << text;
    std::string tools = QUERN_LLVM_TOOLS;
    std::string command =
        tools + "/clang -O1 -w -fPIC -shared -ffp-contract=off -x ir " + base + ".ll -o " + base + ".so -lm";
    if (std::system(command.c_str()) != 0) {
      ADD_FAILURE() << "the host library cannot be built: " << command;
      return result;
    }
    void *library = dlopen((base + ".so").c_str(), RTLD_NOW);
    if (!library)
      ADD_FAILURE() << dlerror();
    for (size_t i = 0; library && i < names.size(); ++i)
      result[names[i]] =
          reinterpret_cast<HostFunction>(dlsym(library, ("case_" + std::to_string(i)).c_str()));
    std::filesystem::remove(base + ".ll");
    std::filesystem::remove(base + ".so");
    return result;
  }();
  return functions;
}

std::vector<uint32_t> asWords(const std::vector<uint8_t> &data) {
  std::vector<uint32_t> words((data.size() + 3) / 4);
  std::memcpy(words.data(), data.data(), data.size());
  return words;
}

class HostComparison : public testing::TestWithParam<std::string> {
protected:
  void compare(Form form);
};
INSTANTIATE_TEST_SUITE_P(Targets, HostComparison, testing::ValuesIn(allTargets()),
                         [](const auto &info) { return info.param; });

void HostComparison::compare(Form form) {
  const unsigned count = form == Form::Lanes ? 500 : 160; // not a multiple of the block
  // One code object per target: all cases as kernels of one module.
  std::string text, declarations;
  std::vector<std::string> names;
  for (const Case &test : cases()) {
    std::string one = module(test, form), name = "kernel_" + std::to_string(names.size());
    one.replace(one.find("@kernel("), 8, "@" + name + "(");
    text += one;
    names.push_back(name);
  }
  text += "declare i32 @llvm.amdgcn.workitem.id.x()\ndeclare i32 @llvm.amdgcn.workgroup.id.x()\n"
          "attributes #0 = { \"amdgpu-flat-work-group-size\"=\"" +
          std::string(form == Form::Lanes ? "128,128" : "1,1") + "\" }\n";
  auto object = compileIr(GetParam(), text);
  ASSERT_FALSE(object.empty());
  auto loaded = loadPrograms(GetParam(), object);
  auto list = cases();
  for (size_t i = 0; i < list.size(); ++i) {
    const Case &test = list[i];
    auto host = hostFunctions().find(test.name);
    ASSERT_NE(host, hostFunctions().end());
    unsigned bytes = bytesOf(test.type);
    auto a = operands(test.type, count, 1), b = operands(test.type, count, 2),
         c = operands(test.type, count, 3);
    std::vector<uint8_t> expected(a.size());
    for (uint64_t k = 0; k < count; ++k)
      host->second(a.data(), b.data(), c.data(), expected.data(), k);
    KernelRun run(loaded, names[i]);
    run.buffer(asWords(a))
        .buffer(asWords(b))
        .buffer(asWords(c))
        .buffer(std::vector<uint32_t>((a.size() + 3) / 4, 0xCDCDCDCD))
        .integer(count);
    Status status = form == Form::Lanes ? run.launch(4, 128) : run.launch(count, 1);
    EXPECT_TRUE(status.ok()) << test.name << ": " << status.message();
    if (!status.ok())
      continue;
    const uint8_t *actual = reinterpret_cast<const uint8_t *>(run.words(3).data());
    unsigned wrong = 0;
    for (unsigned k = 0; k < count; ++k)
      if (!sameValue(test.type, actual + k * bytes, &expected[k * bytes]) && ++wrong <= 2) {
        uint64_t va = 0, vb = 0, vc = 0, got = 0, want = 0;
        std::memcpy(&va, &a[k * bytes], bytes);
        std::memcpy(&vb, &b[k * bytes], bytes);
        std::memcpy(&vc, &c[k * bytes], bytes);
        std::memcpy(&got, actual + k * bytes, bytes);
        std::memcpy(&want, &expected[k * bytes], bytes);
        ADD_FAILURE() << test.name << std::hex << " a=" << va << " b=" << vb << " c=" << vc << " gives "
                      << got << ", host " << want;
      }
  }
}

TEST_P(HostComparison, EveryFunctionEqualsTheHosts) { compare(Form::Lanes); }

TEST_P(HostComparison, EveryUniformFunctionEqualsTheHosts) { compare(Form::Scalars); }

} // namespace
} // namespace quern::runtime::emulated::amd
