//===- TargetSpecTest.cpp -------------------------------------------------===//
#include "support/target/TargetSpec.h"

#include <gtest/gtest.h>

using namespace quern;

namespace {

std::string canonical(std::string_view text) {
  auto spec = parseTarget(text);
  if (!spec.ok())
    return spec.error().id();
  auto again = parseTarget(spec->text());
  EXPECT_TRUE(again.ok() && *again == *spec) << text << " -> " << spec->text();
  return spec->text();
}

TEST(TargetSpecTest, EveryKnownTargetParsesToItself) {
  for (const TargetInfo &target : knownTargets()) {
    std::string name = std::string(target.vendor) + ":" + std::string(target.architecture);
    EXPECT_EQ(canonical(name), name);
    auto spec = parseTarget(name);
    EXPECT_EQ(spec->info(), &target);
  }
}

TEST(TargetSpecTest, OptionsHaveOneForm) {
  EXPECT_EQ(canonical("nvidia:sm_90a,sms=44,mem=26GiB"), "nvidia:sm_90a,sms=44,mem=26GiB");
  EXPECT_EQ(canonical("nvidia:sm_90a,mem=26624MiB,units=44"), "nvidia:sm_90a,sms=44,mem=26GiB");
  EXPECT_EQ(canonical("amd:gfx942,units=38"), "amd:gfx942,cus=38");
  EXPECT_EQ(canonical("cpu,mem=8GB"), "cpu,mem=7812500KiB");
  EXPECT_EQ(canonical("cpu:x86-64-v4,threads=3"), "cpu:x86-64-v4,threads=3");
  EXPECT_EQ(canonical("H100"), "nvidia:sm_90a");
  EXPECT_EQ(canonical("mi300x,cus=38"), "amd:gfx942,cus=38");
  EXPECT_EQ(canonical("cpu:native"), "cpu:native");
  EXPECT_EQ(parseTarget("nvidia:sm_90a,sms=44,mem=1GiB")->folder(), "nvidia-sm_90a-sms=44-mem=1GiB");
}

TEST(TargetSpecTest, RefusesTheRest) {
  for (const char *text : {"", "gpu", "nvidia", "amd", "nvidia:", "nvidia:sm_90", "amd:sm_90a",
                           "cpu:", "cpu:v4", "nvidia:sm_90a ", "NVIDIA:sm_90a", ":sm_90a", "x:native"})
    EXPECT_EQ(canonical(text), "E-TARGET-UNKNOWN") << text;
  EXPECT_EQ(parseTarget("x").error().exit(), Exit::Unsupported);
  for (const char *text :
       {"cpu,", "cpu,mem", "cpu,mem=", "cpu,mem=0", "cpu,mem=1Gib", "cpu,mem=-1", "cpu,mem=1.5GiB",
        "cpu,mem=99999999999GiB", "cpu,sms=3", "cpu,threads=0", "cpu,threads=70000", "amd:gfx942,sms=3",
        "nvidia:sm_90a,sms=1,sms=1", "cpu,mem=1,mem=1", "cpu,x=1"})
    EXPECT_EQ(canonical(text), "E-TARGET-OPTION") << text;
  EXPECT_EQ(parseTarget("cpu,x=1").error().exit(), Exit::Usage);
  EXPECT_EQ(parseTargets({}).error().id(), "E-TARGET-OPTION");
  auto unique = parseTargets({"h100", "cpu", "nvidia:sm_90a", "cpu,mem=1GiB"});
  ASSERT_TRUE(unique.ok());
  EXPECT_EQ(unique->size(), 3u);
}

TEST(TargetSpecTest, EveryAliasIsATarget) {
  for (const TargetAlias &alias : targetAliases())
    EXPECT_EQ(canonical(alias.alias), alias.target);
}

TEST(TargetSpecTest, PlansForTheCardOrWhatIsGiven) {
  auto whole = parseTarget("h100");
  EXPECT_EQ(whole->plannedUnits(), 132u);
  EXPECT_EQ(whole->plannedMemory(), 80'000'000'000u);
  auto part = parseTarget("nvidia:sm_90a,sms=44,mem=26GiB");
  EXPECT_EQ(part->plannedUnits(), 44u);
  EXPECT_EQ(part->plannedMemory(), uint64_t(26) << 30);
  auto cpu = parseTarget("cpu");
  EXPECT_EQ(cpu->members().size(), 3u);
  EXPECT_EQ(cpu->info()->architecture, "x86-64-v3");
  EXPECT_EQ(cpu->plannedUnits(), 0u);
  EXPECT_TRUE(parseTarget("cpu:native")->members().empty());
}

TEST(TargetSpecTest, ByteSizes) {
  EXPECT_EQ(parseByteSize("26GiB"), uint64_t(26) << 30);
  EXPECT_EQ(parseByteSize("80GB"), 80'000'000'000u);
  EXPECT_EQ(parseByteSize("7"), 7u);
  EXPECT_EQ(parseByteSize("7B"), 7u);
  EXPECT_FALSE(parseByteSize("GiB"));
  EXPECT_FALSE(parseByteSize("16777216TiB")) << "2^64";
  EXPECT_EQ(byteSizeText(1536), "1536");
  EXPECT_EQ(byteSizeText(3 << 20), "3MiB");
  EXPECT_EQ(byteSizeText(uint64_t(1) << 60), "1048576TiB");
}

/// The text of the chosen target, or the error.
std::string choice(const std::vector<std::string> &texts, const DeviceFacts &device) {
  auto specs = parseTargets(texts);
  EXPECT_TRUE(specs.ok());
  auto index = chooseTarget(*specs, device);
  if (index.ok())
    return (*specs)[*index].text();
  EXPECT_EQ(index.error().exit(), Exit::Unsupported);
  EXPECT_EQ(index.error().id(), "E-TARGET-NOT-IN-ARTIFACT");
  return index.error().remedyText();
}

TEST(TargetSpecTest, ChoosesExactThenTheHighestThatRuns) {
  DeviceFacts h100{"nvidia", "sm_90", 132}, l40s{"nvidia", "sm_89", 142}, ampere{"nvidia", "sm_86", 84};
  EXPECT_EQ(choice({"cpu", "nvidia:sm_80", "nvidia:sm_90a", "nvidia:sm_89"}, h100), "nvidia:sm_90a");
  EXPECT_EQ(choice({"nvidia:sm_80", "nvidia:sm_100a", "nvidia:sm_89"}, h100), "nvidia:sm_89");
  EXPECT_EQ(choice({"nvidia:sm_80", "nvidia:sm_90a"}, l40s), "nvidia:sm_80");
  EXPECT_EQ(choice({"nvidia:sm_89", "nvidia:sm_80"}, ampere), "nvidia:sm_80");
  EXPECT_EQ(choice({"nvidia:sm_90a"}, DeviceFacts{"nvidia", "sm_100", 148}),
            "compile again with --target nvidia:sm_100a");
  EXPECT_EQ(choice({"nvidia:sm_89"}, ampere), "compile again with --target nvidia:sm_80");
  EXPECT_EQ(choice({"nvidia:sm_90a"}, DeviceFacts{"nvidia", "sm_75", 40}),
            "use another device; code for this one cannot be made");
  EXPECT_EQ(choice({"amd:gfx942"}, DeviceFacts{"amd", "gfx950", 256}),
            "compile again with --target amd:gfx950");
  EXPECT_EQ(choice({"cpu"}, DeviceFacts{"amd", "gfx942", 304}), "compile again with --target amd:gfx942");
  EXPECT_EQ(choice({"amd:gfx90a", "amd:gfx942"}, DeviceFacts{"amd", "gfx942", 304}), "amd:gfx942");
}

TEST(TargetSpecTest, ChoosesByTheNumberOfUnits) {
  std::vector<std::string> texts = {"nvidia:sm_90a,sms=16", "nvidia:sm_90a,sms=44", "nvidia:sm_90a"};
  EXPECT_EQ(choice(texts, {"nvidia", "sm_90", 44}), "nvidia:sm_90a,sms=44");
  EXPECT_EQ(choice(texts, {"nvidia", "sm_90", 132}), "nvidia:sm_90a");
  texts.pop_back();
  EXPECT_EQ(choice(texts, {"nvidia", "sm_90", 132}), "nvidia:sm_90a,sms=44");
  EXPECT_EQ(choice(texts, {"nvidia", "sm_90", 30}), "nvidia:sm_90a,sms=16");
  EXPECT_EQ(choice({"nvidia:sm_90a,sms=44", "nvidia:sm_89"}, {"nvidia", "sm_90", 8}), "nvidia:sm_90a,sms=44");
}

} // namespace
