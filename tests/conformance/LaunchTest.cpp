//===- LaunchTest.cpp - Code and launches ---------------------------------===//
#include "tests/conformance/ConformanceTest.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <sys/resource.h>

namespace quern::conformance {
namespace {

class Launch : public ConformanceTest {
protected:
  void SetUp() override {
    ConformanceTest::SetUp();
    needKernels();
  }

  /// Runs add_indexed over |n| elements and compares all of the output, the sentinels behind the tail
  /// included.
  void addAndCompare(uint32_t n, uint32_t seed) {
    const uint32_t blocks = (n + blockThreads - 1) / blockThreads, room = blocks * blockThreads + 5;
    std::vector<uint32_t> a = randomWords(n, seed), b = randomWords(n, seed + 1000),
                          expected(room, 0xCBCBCBCB);
    for (uint32_t i = 0; i < n; ++i)
      expected[i] = a[i] + 3 * b[i] + i;
    std::unique_ptr<Buffer> bufferA = upload(a), bufferB = upload(b), out = allocate(room * 4);
    EXPECT_OK(device->fill(*out, 0, out->size(), 0xCB));
    EXPECT_OK(device->launch(kernel("add_indexed"), shape(blocks),
                             std::vector{pointer(*out), pointer(*bufferA), pointer(*bufferB), i32(n)}));
    EXPECT_EQ(download(*out), expected) << "n = " << n << ", seed " << seed;
    EXPECT_EQ(download(*bufferA), a);
    EXPECT_EQ(download(*bufferB), b);
  }
};

TEST_F(Launch, AdoptedMemoryIsReadWhereItIs) {
  const uint32_t n = 300;
  const std::vector<uint32_t> words = randomWords(n + 4, 21);
  // 16 bytes behind the start of an allocation: no more than the promised alignment.
  auto *memory = static_cast<std::byte *>(std::aligned_alloc(256, 2048));
  std::unique_ptr<std::byte, decltype(&std::free)> owner(memory, &std::free);
  std::memcpy(memory, words.data(), words.size() * 4);
  std::unique_ptr<Buffer> adopted = device->adopt(std::span<const std::byte>(memory + 16, n * 4));
  if (!adopted)
    GTEST_SKIP() << "kernels of this device do not read host memory in place";
  EXPECT_EQ(device->counters().bytesAllocated, 0u) << "adopted memory is not the device's";
  EXPECT_EQ(adopted->size(), n * 4u);
  const std::vector<uint32_t> a(words.begin() + 4, words.end());
  EXPECT_EQ(download(*adopted), a);
  std::vector<uint32_t> b = randomWords(n, 22), expected(n);
  for (uint32_t i = 0; i < n; ++i)
    expected[i] = a[i] + 3 * b[i] + i;
  std::unique_ptr<Buffer> bufferB = upload(b), out = allocate(n * 4);
  EXPECT_OK(device->launch(kernel("add_indexed"), shape((n + blockThreads - 1) / blockThreads),
                           std::vector{pointer(*out), pointer(*adopted), pointer(*bufferB), i32(n)}));
  EXPECT_EQ(download(*out), expected);
  adopted.reset();
  EXPECT_EQ(std::memcmp(memory, words.data(), words.size() * 4), 0) << "the owner's bytes stay";
}

TEST_F(Launch, DamagedCodeIsRefused) {
  const std::vector<std::byte> whole = code();
  std::vector<std::vector<std::byte>> bad = {{}, {whole.begin(), whole.begin() + 3}};
  const char *text = "this is neither text nor an object that any device loads";
  bad.emplace_back(reinterpret_cast<const std::byte *>(text),
                   reinterpret_cast<const std::byte *>(text) + strlen(text));
  bad.emplace_back(whole.begin(), whole.begin() + whole.size() / 2);
  for (const std::vector<std::byte> &bytes : bad) {
    Expected<std::unique_ptr<Module>> loaded = device->load(bytes);
    ASSERT_FALSE(loaded.ok()) << bytes.size() << " bytes";
    EXPECT_EQ(loaded.error().exit(), Exit::BadInput) << loaded.error().message();
    EXPECT_TRUE(loaded.error().id() == "E-CODE-DAMAGED" || loaded.error().id() == "E-EMULATED-CODE")
        << loaded.error().message();
    EXPECT_FALSE(loaded.error().causeText().empty());
  }
  addAndCompare(100, 1); // the device goes on
}

TEST_F(Launch, TimerCoversWhatIsBetweenItsMarks) {
  Expected<std::unique_ptr<Timer>> made = device->timer();
  if (device->info().emulated) {
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().exit(), Exit::Unsupported);
    EXPECT_EQ(made.error().id(), "E-DEVICE-NO-TIME");
    return;
  }
  ASSERT_TRUE(made.ok()) << made.error().message();
  Timer &timer = **made;
  const auto begin = std::chrono::steady_clock::now();
  for (int round = 0; round < 2; ++round) { // a timer can be used again
    EXPECT_OK(timer.start());
    addAndCompare(1000, uint32_t(round));
    EXPECT_OK(timer.stop());
    Expected<double> seconds = timer.seconds();
    ASSERT_TRUE(seconds.ok()) << seconds.error().message();
    EXPECT_GT(*seconds, 0);
    // No more than has passed outside; half of a microsecond is the resolution of events.
    EXPECT_LE(*seconds,
              std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() + 1e-6);
  }
}

TEST_F(Launch, RecordedLaunchesRunWhenTheyAreReplayed) {
  const uint32_t n = 130;
  std::vector<uint32_t> data = randomWords(n, 11);
  std::unique_ptr<Buffer> buffer = upload(data);
  Kernel &iterate = kernel("iterate_step");
  auto steps = [&]() -> Status {
    for (uint32_t step : {5, 7, 11}) // the order shows in the result
      QUERN_RETURN_IF_ERROR(
          device->launch(iterate, shape(3), std::vector{pointer(*buffer), i32(n), i32(step)}));
    return Status::success();
  };
  Expected<std::unique_ptr<Recording>> recording = device->record(steps);
  if (!recording.ok()) {
    EXPECT_ERROR(recording.error(), Exit::Unsupported, "E-DEVICE-NO-RECORDING");
    EXPECT_EQ(download(*buffer), data) << "nothing ran";
    return;
  }
  EXPECT_EQ(download(*buffer), data) << "recording does not run";
  for (int round = 0; round < 2; ++round) {
    EXPECT_OK((*recording)->replay());
    for (uint32_t step : {5, 7, 11})
      for (uint32_t &value : data)
        value = value * 3 + step;
  }
  EXPECT_EQ(download(*buffer), data);
  // An error of the work ends the recording, and the queue goes on.
  Status refused =
      device->record([] { return Status::error(Exit::Usage, "E-USAGE", "it does not want to"); }).takeError();
  EXPECT_ERROR(refused, Exit::Usage, "E-USAGE");
  addAndCompare(100, 3);
}

TEST_F(Launch, ConditionsAreGivenOrTheirAbsenceIs) {
  DeviceConditions now = device->conditions();
  EXPECT_NE(now.source.empty(), now.absence.empty());
  if (now.clockMhz)
    EXPECT_GT(*now.clockMhz, 1);
}

TEST_F(Launch, LimitOfOpenFilesIsSaid) {
  const std::vector<std::byte> bytes = code();
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  Status refused = device->load(bytes).takeError();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_ERROR(refused, Exit::Resource, "E-CODE-NOT-LOADABLE");
  EXPECT_NE(refused.remedyText().find("ulimit"), std::string::npos) << refused.message();
  addAndCompare(100, 2);
}

TEST_F(Launch, MissingKernelIsNamed) {
  Kernel &present = kernel("add_indexed");
  EXPECT_EQ(&present, &kernel("add_indexed"));
  Expected<Kernel *> missing = module->kernel("no_such_kernel");
  ASSERT_FALSE(missing.ok());
  EXPECT_ERROR(missing.error(), Exit::BadInput, "E-KERNEL-MISSING");
  EXPECT_NE(missing.error().sentence().find("`no_such_kernel`"), std::string::npos);
  EXPECT_FALSE(module->kernel("").ok());
  EXPECT_FALSE(module->kernel("no_such_kernel").ok());
}

TEST_F(Launch, VectorsOfAllLengths) {
  uint32_t seed = 1;
  for (uint32_t n : {1u, 63u, 64u, 65u, 1000u, 4096u})
    for (int repeat = 0; repeat < 3; ++repeat)
      addAndCompare(n, seed++);
}

TEST_F(Launch, ModulesComeAndGo) {
  std::vector<uint32_t> start = randomWords(64, 5);
  std::unique_ptr<Buffer> data = upload(start);
  for (int round = 0; round < 5; ++round) {
    EXPECT_OK(
        device->launch(kernel("iterate_step"), shape(1), std::vector{pointer(*data), i32(64), i32(round)}));
    module.reset(); // while the launch may still be queued
    for (uint32_t &value : start)
      value = value * 3 + static_cast<uint32_t>(round);
  }
  Expected<std::unique_ptr<Module>> first = device->load(code()), second = device->load(code());
  ASSERT_TRUE(first.ok() && second.ok());
  *first = nullptr;
  Expected<Kernel *> found = (*second)->kernel("iterate_step");
  ASSERT_TRUE(found.ok());
  EXPECT_OK(device->launch(**found, shape(1), std::vector{pointer(*data), i32(64), i32(9)}));
  for (uint32_t &value : start)
    value = value * 3 + 9;
  EXPECT_EQ(download(*data), start);
}

TEST_F(Launch, CallsTakeEffectInOrder) {
  constexpr uint32_t n = 300;
  std::vector<uint32_t> expected = randomWords(n, 7);
  std::unique_ptr<Buffer> data = upload(expected);
  for (uint32_t step = 1; step <= 30; ++step) {
    if (step % 7 == 0) { // a fill and an upload between launches
      EXPECT_OK(device->fill(*data, 40, 400, static_cast<uint8_t>(step)));
      std::fill_n(expected.begin() + 10, 100, step * 0x01010101u);
      const std::vector<uint32_t> part = randomWords(50, step);
      EXPECT_OK(device->upload(*data, 200 * 4, std::as_bytes(std::span(part))));
      std::copy(part.begin(), part.end(), expected.begin() + 200);
    }
    EXPECT_OK(
        device->launch(kernel("iterate_step"), shape(5), std::vector{pointer(*data), i32(n), i32(step)}));
    for (uint32_t &value : expected)
      value = value * 3 + step;
  }
  EXPECT_OK(device->synchronize());
  EXPECT_EQ(download(*data), expected);
  EXPECT_EQ(device->counters().launches, 30u);
}

TEST_F(Launch, BufferMayGoWhileItsLaunchIsQueued) {
  std::vector<uint32_t> a = randomWords(128, 1), b = randomWords(128, 2);
  std::unique_ptr<Buffer> out = allocate(128 * 4);
  {
    std::unique_ptr<Buffer> bufferA = upload(a), bufferB = upload(b);
    EXPECT_OK(device->launch(kernel("add_indexed"), shape(2),
                             std::vector{pointer(*out), pointer(*bufferA), pointer(*bufferB), i32(128)}));
  }
  std::unique_ptr<Buffer> other = upload(std::vector<uint32_t>(128, 0)); // may lie where they were
  for (uint32_t i = 0; i < 128; ++i)
    a[i] += 3 * b[i] + i;
  EXPECT_EQ(download(*out), a);
}

TEST_F(Launch, ArgumentsOfEveryKind) {
  std::unique_ptr<Buffer> out = allocate(200 * 4);
  EXPECT_OK(device->fill(*out, 0, out->size(), 0xCB));
  const uint64_t large = (uint64_t(5) << 32) | 0xFFFFFFF3;
  EXPECT_OK(device->launch(kernel("mixed_kinds"), shape(4),
                           std::vector{pointer(*out), i32(190), i64(large), f32(-0.75f)}));
  std::vector<uint32_t> expected(200, 0xCBCBCBCB);
  for (uint32_t i = 0; i < 190; ++i)
    expected[i] = std::bit_cast<uint32_t>(-0.75f * static_cast<float>(i + 5));
  EXPECT_EQ(download(*out), expected);
  // A negative i32 is below every index: nothing is written.
  EXPECT_OK(device->fill(*out, 0, out->size(), 0xCB));
  EXPECT_OK(device->launch(kernel("mixed_kinds"), shape(4),
                           std::vector{pointer(*out), i32(static_cast<uint32_t>(-3)), i64(0), f32(1)}));
  EXPECT_EQ(download(*out), std::vector<uint32_t>(200, 0xCBCBCBCB));
}

TEST_F(Launch, HighBitsOfNarrowSlotsDoNotMatter) {
  std::unique_ptr<Buffer> data = upload(std::vector<uint32_t>(64, 1));
  Argument n = i32(64), step = i32(2);
  n.bits |= uint64_t(0xABCD) << 32;
  step.bits |= uint64_t(0x1234) << 32;
  EXPECT_OK(device->launch(kernel("iterate_step"), shape(1), std::vector{pointer(*data), n, step}));
  EXPECT_EQ(download(*data), std::vector<uint32_t>(64, 5));
}

TEST_F(Launch, NoBlocksIsASuccessThatDoesNothing) {
  std::unique_ptr<Buffer> data = upload(std::vector<uint32_t>(64, 1));
  EXPECT_OK(device->launch(kernel("iterate_step"), shape(0), std::vector{pointer(*data), i32(64), i32(2)}));
  EXPECT_EQ(download(*data), std::vector<uint32_t>(64, 1));
  EXPECT_EQ(device->counters().launches, 0u);
}

TEST_F(Launch, WrongArgumentsAreRefused) {
  std::unique_ptr<Buffer> data = upload(std::vector<uint32_t>(64, 1));
  Kernel &step = kernel("iterate_step");
  const std::vector<std::vector<Argument>> wrong = {
      {},
      {pointer(*data), i32(64)},
      {pointer(*data), i32(64), i32(2), i32(3)},
      {i32(64), i32(64), i32(2)},
      {pointer(*data), pointer(*data), i32(2)},
      {pointer(*data), i32(64), i64(2)},
  };
  for (const std::vector<Argument> &arguments : wrong)
    EXPECT_ERROR(device->launch(step, shape(1), arguments), Exit::Usage, "E-LAUNCH-ARGUMENTS");
  EXPECT_EQ(download(*data), std::vector<uint32_t>(64, 1));
  EXPECT_OK(device->launch(step, shape(1), std::vector{pointer(*data), i32(64), i32(2)}));
  EXPECT_EQ(download(*data), std::vector<uint32_t>(64, 5));
}

TEST_F(Launch, ImpossibleShapesAreRefused) {
  std::unique_ptr<Buffer> data = upload(std::vector<uint32_t>(64, 1));
  for (uint32_t threads : {0u, 5000u, 1u << 30}) {
    LaunchShape impossible = shape(1);
    impossible.threads = threads;
    EXPECT_ERROR(
        device->launch(kernel("iterate_step"), impossible, std::vector{pointer(*data), i32(64), i32(2)}),
        Exit::Usage, "E-LAUNCH-SHAPE");
  }
  EXPECT_EQ(download(*data), std::vector<uint32_t>(64, 1));
}

TEST_F(Launch, ManyBlocks) {
  constexpr uint32_t blocks = 70001; // more than 16 bits
  std::unique_ptr<Buffer> out = allocate(blocks * 4 + 4);
  EXPECT_OK(device->fill(*out, 0, out->size(), 0xCB));
  EXPECT_OK(device->launch(kernel("block_index"), shape(blocks), std::vector{pointer(*out), i32(blocks)}));
  std::vector<uint32_t> expected(blocks + 1, 0xCBCBCBCB);
  for (uint32_t i = 0; i < blocks; ++i)
    expected[i] = i * 2654435761u + 1;
  EXPECT_TRUE(download(*out) == expected);
}

TEST_F(Launch, SharedMemoryOfEverySize) {
  constexpr uint32_t blocks = 7, n = blocks * blockThreads;
  std::vector<uint32_t> in = randomWords(n, 3), expected(n);
  for (uint32_t i = 0; i < n; ++i)
    expected[i] = in[i / blockThreads * blockThreads + blockThreads - 1 - i % blockThreads];
  std::unique_ptr<Buffer> source = upload(in);
  // The last is 60 KiB: above what some drivers grant without asking, within what every GPU has. Then back
  // again.
  for (uint32_t bytes : {256u, 20u << 10, 60u << 10, 1024u}) {
    const uint32_t padding = bytes / 4 - blockThreads; // the data lies at the very end
    std::unique_ptr<Buffer> out = allocate(n * 4);
    EXPECT_OK(device->fill(*out, 0, out->size(), 0xCB));
    EXPECT_OK(device->launch(kernel("reverse_block"), shape(blocks, bytes),
                             std::vector{pointer(*out), pointer(*source), i32(padding)}));
    EXPECT_EQ(download(*out), expected) << bytes << " bytes";
  }
}

TEST_F(Launch, ResultsDoNotDependOnThreads) {
  constexpr uint32_t n = 10007, blocks = (n + blockThreads - 1) / blockThreads;
  std::vector<uint32_t> a = randomWords(n, 11), b = randomWords(n, 12), first;
  for (uint32_t threads : {1u, 2u, 3u, 8u}) {
    DeviceOptions options;
    options.threads = threads;
    options.seed = threads;
    options.emulated = configuration().emulated;
    Expected<std::unique_ptr<Device>> opened = openDevice(backend().device, options);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    Expected<std::unique_ptr<Module>> loaded = (*opened)->load(code());
    ASSERT_TRUE(loaded.ok()) << loaded.error().message();
    Expected<Kernel *> add = (*loaded)->kernel("add_indexed");
    ASSERT_TRUE(add.ok());
    Expected<std::unique_ptr<Buffer>> out = (*opened)->allocate(n * 4), bufferA = (*opened)->allocate(n * 4),
                                      bufferB = (*opened)->allocate(n * 4);
    ASSERT_TRUE(out.ok() && bufferA.ok() && bufferB.ok());
    EXPECT_OK((*opened)->upload(**bufferA, 0, std::as_bytes(std::span(a))));
    EXPECT_OK((*opened)->upload(**bufferB, 0, std::as_bytes(std::span(b))));
    EXPECT_OK((*opened)->launch(**add, shape(blocks),
                                std::vector{pointer(**out), pointer(**bufferA), pointer(**bufferB), i32(n)}));
    std::vector<uint32_t> result(n);
    EXPECT_OK((*opened)->download(**out, 0, std::as_writable_bytes(std::span(result))));
    if (first.empty())
      first = result;
    EXPECT_EQ(result, first) << threads << " threads";
    EXPECT_EQ(result[n - 1], a[n - 1] + 3 * b[n - 1] + n - 1);
  }
}

} // namespace
} // namespace quern::conformance
