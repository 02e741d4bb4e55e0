//===- CodeTest.cpp - Code of every target: is it sound? ------------------===//
//
// The kernels of two models with their default schedules, for all targets. Where ptxas is on the machine, PTX
// must assemble without a spill. AMD code objects must say in their notes that nothing spills, that shared
// memory is within the limit and that arguments take what the runtime passes. CPU objects must not need a
// symbol from elsewhere.
//
//===----------------------------------------------------------------------===//
#include "lowering/KernelCompiler.h"
#include "support/target/KnownTargets.h"
#include "tests/kernels/ModelKernels.h"

#include "llvm/BinaryFormat/MsgPackDocument.h"
#include "llvm/Object/ELFObjectFile.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <set>

using namespace quern;
using namespace quern::test;

namespace {

std::string run(const std::string &command, int &code) {
  std::string text;
  FILE *pipe = popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer;
  while (size_t n = fread(buffer.data(), 1, buffer.size(), pipe))
    text.append(buffer.data(), n);
  code = pclose(pipe);
  return text;
}

/// Path of ptxas; empty where there is none.
std::string findPtxas() {
  int code;
  for (std::string path : {"ptxas", "/usr/local/cuda/bin/ptxas"})
    if (run(path + " --version", code).find("release") != std::string::npos)
      return path;
  return {};
}

std::unique_ptr<llvm::object::ObjectFile> openElf(const lowering::CompiledKernel &kernel) {
  auto file = llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(kernel.code, kernel.symbol));
  EXPECT_TRUE(bool(file)) << llvm::toString(file.takeError());
  return std::move(*file);
}

/// The note AMDGPU/32 of a code object (AMDGPU backend's user guide, code object V5 metadata).
void checkNotes(const lowering::CompiledKernel &kernel, const TargetInfo &info, const std::string &what) {
  std::unique_ptr<llvm::object::ObjectFile> file = openElf(kernel);
  auto &elf = llvm::cast<llvm::object::ELF64LEObjectFile>(*file).getELFFile();
  llvm::msgpack::Document document;
  auto segments = elf.program_headers();
  ASSERT_TRUE(bool(segments));
  for (const auto &segment : *segments) {
    if (segment.p_type != llvm::ELF::PT_NOTE)
      continue;
    llvm::Error error = llvm::Error::success();
    for (const auto &note : elf.notes(segment, error))
      if (note.getName() == "AMDGPU" && note.getType() == llvm::ELF::NT_AMDGPU_METADATA)
        ASSERT_TRUE(document.readFromBlob(note.getDescAsStringRef(segment.p_align), false)) << what;
    ASSERT_FALSE(bool(error)) << what;
  }
  ASSERT_TRUE(document.getRoot().isMap()) << what << " has no metadata";
  llvm::msgpack::MapDocNode notes = document.getRoot().getMap()["amdhsa.kernels"].getArray()[0].getMap();
  auto number = [&](const char *name) { return notes[name].getUInt(); };
  EXPECT_EQ(number(".vgpr_spill_count"), 0u) << what;
  EXPECT_EQ(number(".sgpr_spill_count"), 0u) << what;
  EXPECT_EQ(number(".private_segment_fixed_size"), 0u) << what;
  EXPECT_LE(number(".group_segment_fixed_size"), representativeCard(info)->sharedPerBlockBytes) << what;
  EXPECT_EQ(number(".group_segment_fixed_size"), uint64_t(kernel.sharedBytes)) << what;
  EXPECT_EQ(number(".max_flat_workgroup_size"), uint64_t(kernel.threads)) << what;
  EXPECT_LE(kernel.threads, int(info.gpu.maxThreadsPerBlock)) << what;
  // Pointers and scalars at their natural alignment, and nothing hidden behind them.
  uint64_t bytes = 0;
  for (lowering::KernelArgument argument : kernel.arguments) {
    uint64_t size =
        argument == lowering::KernelArgument::Pointer || argument == lowering::KernelArgument::I64 ? 8 : 4;
    bytes = (bytes + size - 1) / size * size + size;
  }
  EXPECT_EQ(number(".kernarg_segment_size"), bytes) << what;
}

void checkSymbols(const lowering::CompiledKernel &kernel, const std::string &what) {
  std::unique_ptr<llvm::object::ObjectFile> file = openElf(kernel);
  auto &elf = llvm::cast<llvm::object::ELFObjectFileBase>(*file);
  std::set<std::string> defined;
  for (const llvm::object::ELFSymbolRef &symbol : elf.getDynamicSymbolIterators()) {
    std::string name = llvm::cantFail(symbol.getName()).str();
    if (llvm::cantFail(symbol.getFlags()) & llvm::object::SymbolRef::SF_Undefined)
      EXPECT_TRUE(name.empty()) << what << " needs " << name;
    else
      defined.insert(name);
  }
  EXPECT_TRUE(defined.contains(kernel.symbol)) << what;
}

/// Assembles all of |texts| in one call; the report names each kernel that spills.
void checkPtx(const std::vector<lowering::CompiledKernel> &kernels,
              const std::vector<lowering::KernelRequest> &requests, const TargetInfo &info) {
  static const std::string ptxas = findPtxas();
  if (ptxas.empty())
    GTEST_SKIP() << "there is no ptxas";
  for (size_t i = 0; i < kernels.size(); ++i) {
    const lowering::CompiledKernel &kernel = kernels[i];
    std::string path = testing::TempDir() + "/" + std::string(info.architecture) + kernel.symbol + ".ptx";
    std::ofstream(path) << kernel.code;
    int code;
    std::string report =
        run(ptxas + " -v --warn-on-spills -arch=" + std::string(info.architecture) + " -o /dev/null " + path,
            code);
    std::remove(path.c_str());
    EXPECT_EQ(code, 0) << report;
    EXPECT_NE(report.find("0 bytes stack frame, 0 bytes spill stores"), std::string::npos)
        << requests[i].text() << "\n"
        << report;
  }
}

class CodeTest : public testing::TestWithParam<std::string> {};

TEST_P(CodeTest, DefaultSchedules) {
  auto targets = lowering::codeTargets(GetParam());
  ASSERT_TRUE(targets.ok());
  const lowering::CodeTarget &target = targets->front();
  const TargetInfo &info =
      *findTarget(target.vendor, std::string_view(target.name).substr(target.vendor.size() + 1));
  std::vector<lowering::KernelRequest> requests = kernelsOf(demoModel, target);
  for (auto &more : {kernelsOf(largerModel, target), headAttentionKernels(target), otherKernels(target)})
    requests.insert(requests.end(), more.begin(), more.end());
  std::vector<lowering::CompiledKernel> kernels;
  for (const lowering::KernelRequest &request : requests) {
    auto compiled = lowering::compileKernel(request, target);
    ASSERT_TRUE(compiled.ok()) << compiled.error().message();
    std::string what = target.name + " " + request.text();
    if (info.form == CodeForm::CodeObject)
      checkNotes(*compiled, info, what);
    if (info.form == CodeForm::SharedObject)
      checkSymbols(*compiled, what);
    kernels.push_back(*std::move(compiled));
  }
  if (info.form == CodeForm::Ptx)
    checkPtx(kernels, requests, info);
}

std::vector<std::string> allTargets() {
  std::vector<std::string> names;
  for (const TargetInfo &info : knownTargets())
    names.push_back(std::string(info.vendor) + ":" + std::string(info.architecture));
  return names;
}

INSTANTIATE_TEST_SUITE_P(Targets, CodeTest, testing::ValuesIn(allTargets()), [](const auto &info) {
  std::string name = info.param;
  for (char &c : name)
    if (!isalnum(static_cast<unsigned char>(c)))
      c = '_';
  return name;
});

} // namespace
