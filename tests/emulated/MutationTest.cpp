//===- MutationTest.cpp - Would the emulated devices notice a fault? --------===//
//
// Compiles models, runs them on the emulated devices, and at the first launch of each kernel runs its mutants
// (Mutants.h) on the same memory under several seeds. A mutant is killed when the device reports it, or when
// memory afterwards is not what the kernel itself leaves there. Of the mutants of order at least 95 of 100
// must be killed; not counted are waits that never find anything to wait for (a compiler's, for a path that
// these inputs do not take), which a record of the emulated device tells.
//
//   emulated_mutation_test --gtest_filter=*sm_90a*             one target
//   QUERN_MUTATION=full emulated_mutation_test                 all targets, all mutants
//   QUERN_MUTATION_RECORD=FILE                                 appends the table and the survivors
//
//===----------------------------------------------------------------------===//
#include "support/target/KnownTargets.h"
#include "tests/emulated/Mutants.h"
#include "tests/emulated/ObservedDevice.h"
#include "tests/runtime/CompiledModel.h"

#include <gtest/gtest.h>

#include <climits>
#include <cstdlib>
#include <fstream>

using namespace quern;
using namespace quern::runtime;
using namespace quern::test;

namespace {

bool isFull() {
  const char *mode = std::getenv("QUERN_MUTATION");
  return mode && std::string(mode) == "full";
}

/// Mutants of one kind that are tried in one kernel, evenly spread over it.
size_t sampleSize(bool ofOrder) { return isFull() ? (ofOrder ? SIZE_MAX : 4) : (ofOrder ? 8 : 1); }

/// Kernels of one text that are tried.
int kernelsOfText() { return isFull() ? INT_MAX : 1; }

struct Count {
  int made = 0, idle = 0, found = 0, changed = 0; ///< found: by a report; changed: by the result
  int killed() const { return found + changed; }
  int alive() const { return made - idle - killed(); }
};

/// What all mutants of one target came to.
struct Tally {
  std::map<std::string, Count> byKind;
  std::map<std::string, Count> byKernel; ///< of order, by the name of the kernel text
  std::map<std::string, int> byId;
  std::vector<std::string> survivors;
  std::set<std::string> seen;        ///< symbols
  std::map<std::string, int> ofText; ///< kernels tried, by the name of their text
  int kernels = 0;
};

/// Who opens the device of a session gets only a plain function, so what it observes for stands here.
Tally *current = nullptr;

constexpr uint64_t kStepLimit = 4000000;

void prepare(ObservedDevice &device, uint64_t seed) {
  emulated::RunOptions &options = device.emulated().options();
  options = {};
  options.seed = seed;
  options.registers = options.globalRaces = options.smallNans = true;
  options.workers = 1;
  options.stepLimit = kStepLimit;
}

class Trial {
public:
  Trial(ObservedDevice &device, const ObservedDevice::Launch &launch) : device(device), launch(launch) {
    before = device.memory();
    prepare(device, 0);
    Status status = device.run(launch, launch.code);
    EXPECT_TRUE(status.ok()) << launch.symbol << ": " << status.message();
    after = device.memory();
    // What the kernel writes is poisoned first, where it does not read it too.
    MemoryImage poisoned = before;
    for (size_t i = 0; i < before.size(); ++i)
      for (size_t j = 0; j < before[i].second.size(); ++j)
        if (before[i].second[j] != after[i].second[j])
          poisoned[i].second[j] = std::byte(0xCB);
    ObservedDevice::restore(poisoned);
    if (device.run(launch, launch.code).ok() && ObservedDevice::matches(after))
      before.swap(poisoned);
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      ObservedDevice::restore(before);
      prepare(device, seed);
      device.emulated().options().waits = &waits;
      status = device.run(launch, launch.code);
      EXPECT_TRUE(status.ok()) << launch.symbol << ", seed " << seed << ": " << status.message();
      EXPECT_TRUE(ObservedDevice::matches(after))
          << launch.symbol << ": seed " << seed << " changes the result";
    }
    original.swap(poisoned);
    device.emulated().options().waits = nullptr;
  }
  ~Trial() {
    ObservedDevice::restore(before);
    if (!original.empty())
      ObservedDevice::restore(original);
  }

  /// True if the instruction waits for nothing whenever the kernel itself reaches it: then the mutant is the
  /// kernel, as far as these inputs go.
  bool isIdle(const Mutant &mutant) const {
    return mutant.kind == "wait" && mutant.address && !waits.isUseful(mutant.address);
  }
  /// The id of the report, "result" where only memory differs, empty where the mutant survives.
  std::string run(const Mutant &mutant) {
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      ObservedDevice::restore(before);
      prepare(device, seed);
      Status status = device.run(launch, mutant.code);
      if (!status.ok())
        return status.id();
      if (!ObservedDevice::matches(after))
        return "result";
    }
    return {};
  }

private:
  static constexpr uint64_t kSeeds = 4;
  ObservedDevice &device;
  const ObservedDevice::Launch &launch;
  MemoryImage before, after, original;
  emulated::WaitRecord waits;
};

std::vector<Mutant> chosen(std::vector<Mutant> all) {
  std::map<std::string, std::vector<Mutant *>> byKind;
  for (Mutant &mutant : all)
    byKind[mutant.kind].push_back(&mutant);
  std::vector<Mutant> result;
  for (auto &[kind, mutants] : byKind) {
    size_t count = std::min(mutants.size(), sampleSize(mutants[0]->isOfOrder()));
    for (size_t i = 0; i < count; ++i)
      result.push_back(std::move(*mutants[i * mutants.size() / count]));
  }
  return result;
}

void observe(ObservedDevice &device, const ObservedDevice::Launch &launch) {
  if (!current) {
    device.emulated().options() = {};
    device.emulated().options().sanitize = false;
    return;
  }
  prepare(device, 0);
  std::string kernel = launch.symbol.substr(0, launch.symbol.rfind('_'));
  if (!current->seen.insert(launch.symbol).second || current->ofText[kernel] >= kernelsOfText())
    return;
  ++current->ofText[kernel];
  ++current->kernels;
  bool isText = device.info().vendor == "nvidia";
  std::vector<Mutant> mutants =
      chosen(isText ? ptxMutants(launch.code) : codeObjectMutants(device.info().architecture, launch.code));
  Trial trial(device, launch);
  for (const Mutant &mutant : mutants) {
    bool idle = trial.isIdle(mutant);
    std::string outcome = idle ? "" : trial.run(mutant);
    auto note = [&](Count &count) {
      ++count.made;
      count.idle += idle;
      count.found += !outcome.empty() && outcome != "result";
      count.changed += outcome == "result";
    };
    note(current->byKind[mutant.kind]);
    if (mutant.isOfOrder())
      note(current->byKernel[kernel]);
    if (outcome.empty() && !idle)
      current->survivors.push_back(mutant.kind + " | " + launch.symbol + " | " + mutant.place);
    else
      ++current->byId[outcome];
  }
  prepare(device, 0);
}

Expected<std::unique_ptr<Device>> openObserved(const std::string &target, const DeviceOptions &) {
  QUERN_ASSIGN_OR_RETURN(auto inner, emulated::openEmulated(target));
  return std::unique_ptr<Device>(std::make_unique<ObservedDevice>(std::move(inner), observe));
}

std::string table(const std::string &target, const Tally &tally) {
  std::string head =
      " | mutants | wait for nothing | reported | other result | survive |\n|---|---|---|---|---|---|\n";
  std::string text =
      "\n## " + target + "\n\n" + std::to_string(tally.kernels) + " kernels\n\n| change" + head;
  auto row = [&](const std::string &name, const Count &c) {
    text += "| " + name;
    for (int n : {c.made, c.idle, c.found, c.changed, c.alive()})
      text += " | " + std::to_string(n);
    text += " |\n";
  };
  for (const auto &[kind, count] : tally.byKind)
    row(kind, count);
  text += "\n| of order, by kernel" + head;
  for (const auto &[kernel, count] : tally.byKernel)
    row(kernel, count);
  text += "\nReported as:";
  for (const auto &[id, count] : tally.byId)
    if (id != "result")
      text += " " + id + " " + std::to_string(count) + ";";
  text += "\n";
  text += "\nSurvivors:\n\n";
  for (const std::string &survivor : tally.survivors)
    text += "- " + survivor + "\n";
  return text;
}

class MutationTest : public ::testing::TestWithParam<std::string> {};

TEST_P(MutationTest, FaultsOfOrderAreNoticed) {
  std::string target = GetParam();
  Tally tally;
  for (const char *model : {"demo", "llama", "gemma2"}) {
    SessionOptions options{.context = 128};
    options.device = "emulated:" + target;
    options.deviceOptions.emulated = &openObserved;
    std::unique_ptr<Session> session = quern::testing::openModel(model, std::move(options), target);
    ASSERT_TRUE(session);
    // A sequence of some length first, so that loops over it have several trips.
    std::vector<uint32_t> tokens;
    for (uint32_t i = 0; i < 83; ++i)
      tokens.push_back(3 + i * 37 % 200);
    Expected<int32_t> sequence = session->begin();
    ASSERT_TRUE(sequence.ok());
    current = nullptr;
    ASSERT_TRUE(session->run({{*sequence, std::span(tokens).first(76)}}).ok());
    current = &tally;
    ASSERT_TRUE(session->run({{*sequence, std::span(tokens).subspan(76)}}).ok());
    current = nullptr;
  }
  std::string text = table(target, tally);
  std::cout << text;
  if (const char *path = std::getenv("QUERN_MUTATION_RECORD"))
    std::ofstream(path, std::ios::app) << text;
  Count order;
  for (const auto &[kind, count] : tally.byKind)
    if (kind == "barrier" || kind == "wait" || kind == "fence") {
      order.made += count.made;
      order.idle += count.idle;
      order.found += count.found;
      order.changed += count.changed;
    }
  EXPECT_GT(order.made, order.idle);
  EXPECT_GE(order.killed() * 100, (order.made - order.idle) * 95);
}

std::vector<std::string> targets() {
  std::vector<std::string> names;
  for (const TargetInfo &known : knownTargets()) {
    std::string name = std::string(known.vendor) + ":" + std::string(known.architecture);
    if (!known.isCpu() && (isFull() || name == "nvidia:sm_90a" || name == "amd:gfx942"))
      names.push_back(name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Targets, MutationTest, ::testing::ValuesIn(targets()), [](const auto &info) {
  std::string name = info.param;
  for (char &c : name)
    c = isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

} // namespace
