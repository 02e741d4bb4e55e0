//===- ParserTest.cpp - What PTX text is read, and what is refused --------===//

#include "runtime/emulated/nvidia/PtxParser.h"
#include "runtime/emulated/nvidia/PtxTest.h"

#include <cctype>
#include <fstream>
#include <random>
#include <sstream>

namespace quern::runtime::emulated {
namespace {

using nvidia::parsePtx;

std::string errorOf(const std::string &text) {
  auto parsed = parsePtx(text);
  if (parsed.ok())
    return "";
  EXPECT_EQ(parsed.error().exit(), Exit::BadInput);
  EXPECT_EQ(parsed.error().id(), "E-EMULATED-CODE");
  return parsed.error().sentence() + " / " + parsed.error().causeText();
}

TEST(Parser, ReadsWhatCompilersWrite) {
  auto parsed = parsePtx(ptxHead() + R"(
// comment
.file 1 "a/b.cu"
.extern .func (.param .b32 r) vprintf (.param .b64 a, .param .b64 b) ;
.visible .const .align 8 .b8 table[6] = {1, -1, 0x10, 010, 0b11, 7};
.weak .global .attribute(.managed) .align 4 .f32 x[2][3] = {{0f3F800000, 1.0}, {-2.5e0}};
.visible .entry kernel(.param .u64 .ptr .global .align 16 kernel_param_0, .param .align 4 .b8 kernel_param_1[12])
.maxntid 128, 2, 1
.minnctapersm 4
.pragma "nounroll";
{
  .reg .pred %p<3>;
  .reg.b32 %r<10>, single;
  .loc 1 7 2
  .loc 1 8 2, function_name $L__info_string0, inlined_at 1 4 1
/* block
   comment */
  @!%p1 mov.b32 {%r1, %r2}, {%r3, _};
  .pragma "nounroll";
  ld.global.L2::cache_hint.v2.b32 {%r1, %r2}, [%r3+-8], %r4;
  ret;
}
.section .debug_abbrev { .b8 1 { } .b8 2 }
)");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  const nvidia::Module &module = **parsed;
  EXPECT_EQ(module.versionMajor, 8u);
  EXPECT_EQ(module.versionMinor, 8u);
  EXPECT_EQ(module.target, "sm_100a");
  EXPECT_EQ(module.files.at(1), "a/b.cu");
  ASSERT_EQ(module.variables.size(), 2u);
  EXPECT_EQ(module.variables[0].init, (std::vector<uint8_t>{1, 255, 16, 8, 3, 7}));
  EXPECT_EQ(module.variables[1].bytes, 24u);
  EXPECT_EQ(module.variables[1].init.size(), 12u);
  const nvidia::Function *kernel = module.find("kernel");
  ASSERT_TRUE(kernel);
  EXPECT_EQ(kernel->maximumThreads, 256u);
  ASSERT_EQ(kernel->parameters.size(), 2u);
  EXPECT_TRUE(kernel->variables[0].isPointer);
  EXPECT_EQ(kernel->variables[1].bytes, 12u);
  ASSERT_EQ(kernel->instructions.size(), 3u);
  const nvidia::Instruction &move = kernel->instructions[0];
  EXPECT_TRUE(move.guardNegated);
  EXPECT_EQ(move.sourceLine, 8u);
  EXPECT_EQ(move.text, "@!%p1 mov.b32 {%r1, %r2}, {%r3, _}");
  const nvidia::Instruction &load = kernel->instructions[1];
  EXPECT_EQ(load.opcode, "ld");
  EXPECT_EQ(load.modifiers, (std::vector<std::string>{"global", "L2::cache_hint", "v2", "b32"}));
  EXPECT_EQ(load.operands[1].value, uint64_t(-8));
}

TEST(Parser, DamagedTextIsRefusedWithItsLine) {
  EXPECT_NE(errorOf("").find("no .version"), std::string::npos);
  EXPECT_NE(errorOf("hello").find("expected a directive / line 1"), std::string::npos);
  EXPECT_NE(errorOf(ptxHead() + ".visible .entry k() { ret").find("expected `;` / line 4"),
            std::string::npos);
  EXPECT_NE(errorOf(ptxHead() + ".visible .entry k() { ret;").find("expected `}`"), std::string::npos);
  EXPECT_NE(errorOf(ptxHead() + ".visible .entry k() { @%p1 ret; }").find("unknown predicate"),
            std::string::npos);
  EXPECT_NE(
      errorOf(ptxHead() + ".visible .entry k() { a: ret; a: ret; }").find("the label `a` is defined twice"),
      std::string::npos);
  EXPECT_NE(errorOf(ptxHead() + ".visible .entry k() { t: .branchtargets x; ret; }")
                .find("the branch target `x` is not defined"),
            std::string::npos);
  EXPECT_NE(errorOf(ptxHead() + ".global .b9 x;").find("unknown type"), std::string::npos);
  EXPECT_NE(errorOf(ptxHead() + ".global .b8 x[0x7FFFFFFFFFFFFFFF];").find("too large"), std::string::npos);
  EXPECT_NE(errorOf(ptxHead() + ".global .b64 x[0x10000][0x10000][0x10000];").find("too large"),
            std::string::npos);
  EXPECT_NE(errorOf(ptxHead() + ".global .b8 x[2] = {1, 2, 3};").find("larger than the variable"),
            std::string::npos);
  EXPECT_NE(errorOf(ptxHead() + ".global .align 3 .b8 x;").find("power of two"), std::string::npos);
  EXPECT_NE(errorOf(ptxHead() + ".global .b32 x = y;").find("64-bit variable"), std::string::npos);
  EXPECT_NE(errorOf(".version 8.0 .target sm_80 .address_size 32").find("64-bit addresses"),
            std::string::npos);
  EXPECT_NE(errorOf(ptxHead() + ".global .b8 x = " + std::string(100000, '{')).find("nested too deeply"),
            std::string::npos);
  EXPECT_NE(errorOf(ptxHead() + ".visible .entry k() " + std::string(100000, '{')).find("nested too deeply"),
            std::string::npos);
}

TEST(Parser, DeepOperandsAreUnreadableAndNotACrash) {
  auto parsed = parsePtx(ptxHead() + ".visible .entry k() { mov.u32 " + std::string(50000, '[') + "; }");
  ASSERT_TRUE(parsed.ok());
  EXPECT_FALSE((*parsed)->find("k")->instructions[0].readable);
}

TEST(Parser, TargetsThatTheDeviceDoesNotRun) {
  Gpu gpu("nvidia:sm_90a");
  auto refused = [&](const std::string &target) {
    auto found = gpu.kernel(ptxHead(target) + ".visible .entry k() { ret; }");
    return found.ok() ? std::string() : found.error().id();
  };
  EXPECT_EQ(refused("sm_90a"), "");
  EXPECT_EQ(refused("sm_80"), "");
  EXPECT_EQ(refused("sm_90"), "");
  EXPECT_EQ(refused("sm_100a"), "E-EMULATED-TARGET");
  EXPECT_EQ(refused("sm_100"), "E-EMULATED-TARGET");
  EXPECT_EQ(openEmulated("nvidia:sm_12").error().id(), "E-EMULATED-TARGET");
  EXPECT_EQ(openEmulated("abc:sm_90").error().id(), "E-EMULATED-TARGET");
  EXPECT_EQ(openEmulated("").error().id(), "E-EMULATED-TARGET");
}

/// Cuts and changes of a real module neither crash nor hang; what still loads may run into any error.
TEST(Parser, ChangedTextNeverCrashes) {
  std::ifstream file(QUERN_SOURCE_DIR "/runtime/emulated/nvidia/testdata/programs.ptx");
  std::stringstream stream;
  stream << file.rdbuf();
  const std::string whole = stream.str();
  std::mt19937 random(11);
  for (int i = 0; i < 400; ++i) {
    std::string text = whole;
    if (i % 4 == 0)
      text.resize(random() % text.size());
    for (int j = 0; j < 3; ++j) {
      size_t at = random() % (text.size() + 1);
      if (random() % 2 && at < text.size())
        text[at] = "{}[]();:,.@%$|\"0_aZ-+\n"[random() % 22];
      else
        text.insert(at, std::string(1, "{}[]();:,.@%$|\"0_aZ-+\n"[random() % 22]));
    }
    (void)parsePtx(text);
  }
}

/// Words of a real module exchanged for each other: what still loads runs, or ends with an error.
TEST(Parser, ExchangedWordsNeverCrash) {
  std::ifstream file(QUERN_SOURCE_DIR "/runtime/emulated/nvidia/testdata/programs.ptx");
  std::stringstream stream;
  stream << file.rdbuf();
  const std::string whole = stream.str();
  auto inWord = [&](size_t i) {
    return i < whole.size() &&
           (std::isalnum(static_cast<unsigned char>(whole[i])) || std::strchr("%._$", whole[i]));
  };
  std::vector<std::string> words;
  std::vector<size_t> places;
  for (size_t i = 0; i < whole.size(); ++i)
    if (inWord(i)) {
      size_t begin = i;
      while (inWord(i))
        ++i;
      places.push_back(begin);
      words.push_back(whole.substr(begin, i - begin));
    }
  size_t loaded = 0;
  for (uint32_t seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    std::string text = whole;
    size_t at = random() % words.size();
    text.replace(places[at], words[at].size(), words[random() % words.size()]);
    Gpu gpu("nvidia:sm_90a", RunOptions{.workers = 1, .stepLimit = 200000});
    auto module = gpu.device->load(std::as_bytes(std::span(text)));
    if (!module.ok())
      continue;
    ++loaded;
    auto buffer = gpu.buffer(std::vector<uint32_t>(1024, 7));
    for (auto [name, pointers] :
         {std::pair{"block_sum", 2u}, {"softmax", 2u}, {"histogram", 2u}, {"local_array", 1u}}) {
      auto kernel = (*module)->kernel(name);
      std::vector<Argument> arguments(pointers, pointerTo(*buffer));
      arguments.push_back(i32(100));
      LaunchShape shape;
      shape.threads = 64;
      if (kernel.ok() && gpu.device->launch(**kernel, shape, arguments).ok())
        EXPECT_NE(gpu.device->synchronize().exit(), Exit::CompileFailed);
    }
  }
  EXPECT_GT(loaded, 20u);
}

} // namespace
} // namespace quern::runtime::emulated
