//===- FakeDevice.h - A device for tests, whose kernels do as they are told ---===//
//
// For tests only. A kernel's code is a text of words: what it does (`double`, `wrong`, `overrun`, `lazy`,
// `spin`, `crash`, `hungry`, `faulty`, `vanish`) and how its clock runs (`us=12.5`, `noise=0.05`, `stuck`,
// `backwards`, `jump`). It reads rows x 8 elements of bf16 and writes twice each of them:
//
//   kernel(x, y, rows)
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_MEASURE_FAKEDEVICE_H
#define QUERN_TUNER_MEASURE_FAKEDEVICE_H

#include "support/Float8.h"
#include "support/Philox.h"
#include "tuner/measure/MeasureProcess.h"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <unistd.h>

namespace quern::tuner {

inline constexpr int64_t fakeColumns = 8;

class FakeDevice final : public runtime::Device {
public:
  explicit FakeDevice(std::string vendor = "fake", std::string architecture = "fake") {
    about.name = "fake:0";
    about.description = "a device for tests";
    about.vendor = std::move(vendor);
    about.architecture = std::move(architecture);
    about.units = 2;
  }

  const runtime::DeviceInfo &info() const override { return about; }
  Expected<std::unique_ptr<runtime::Buffer>> allocate(uint64_t bytes) override {
    return std::unique_ptr<runtime::Buffer>(std::make_unique<Memory>(bytes));
  }
  Status upload(runtime::Buffer &to, uint64_t offset, std::span<const std::byte> bytes) override {
    std::memcpy(to.hostPointer() + offset, bytes.data(), bytes.size());
    return Status::success();
  }
  Status download(runtime::Buffer &from, uint64_t offset, std::span<std::byte> bytes) override {
    std::memcpy(bytes.data(), from.hostPointer() + offset, bytes.size());
    return Status::success();
  }
  Status fill(runtime::Buffer &to, uint64_t offset, uint64_t bytes, uint8_t value) override {
    std::memset(to.hostPointer() + offset, value, bytes);
    return Status::success();
  }
  Expected<std::unique_ptr<runtime::Module>> load(std::span<const std::byte> bytes) override {
    return std::unique_ptr<runtime::Module>(
        std::make_unique<Code>(std::string(reinterpret_cast<const char *>(bytes.data()), bytes.size())));
  }
  Status launch(runtime::Kernel &kernel, const runtime::LaunchShape &shape,
                std::span<const runtime::Argument> arguments) override {
    const std::string &code = static_cast<Program &>(kernel).code;
    auto says = [&](const char *word) {
      return (" " + code + " ").find(std::string(" ") + word + " ") != std::string::npos;
    };
    if (says("spin"))
      for (;;)
        pause();
    if (says("crash"))
      raise(SIGSEGV);
    if (says("hungry"))
      return Status::error(Exit::Resource, "E-DEVICE-OUT-OF-MEMORY", "there is no memory left");
    if (says("faulty"))
      return Status::error(Exit::Unexpected, "E-DEVICE-FAULT", "a kernel read outside of memory");
    if (says("vanish"))
      return Status::error(Exit::NoDevice, "E-DEVICE-NONE", "the device is gone");
    auto *x = reinterpret_cast<const uint16_t *>(arguments[0].bits);
    auto *y = reinterpret_cast<uint16_t *>(arguments[1].bits);
    int64_t count = int64_t(arguments[2].bits) * fakeColumns;
    if (says("lazy"))
      count -= 1;
    for (int64_t i = 0; i < count; ++i)
      y[i] = floatToBf16(bf16ToFloat(x[i]) * (says("wrong") ? 2.5f : 2.0f));
    if (says("overrun"))
      y[count + 2] = 0;
    ++launches;
    if (says("stuck"))
      return Status::success();
    const double noise = number(code, "noise="), us = number(code, "us=");
    double step = (us > 0 ? us : 10) * 1e-6 * (1 + noise * uniformFloat(philoxAt(7, launches)[0]));
    if (says("jump") && launches % 16 == 5)
      step += 3600; // the clock was set
    clock += says("backwards") ? -step : step;
    return Status::success();
  }
  Status synchronize() override { return Status::success(); }
  Expected<std::unique_ptr<runtime::Timer>> timer() override {
    return std::unique_ptr<runtime::Timer>(std::make_unique<Watch>(*this));
  }
  runtime::DeviceCounters counters() const override { return {}; }

private:
  struct Memory final : runtime::Buffer {
    explicit Memory(uint64_t bytes) : bytes(bytes) {}
    uint64_t address() const override { return reinterpret_cast<uint64_t>(bytes.data()); }
    uint64_t size() const override { return bytes.size(); }
    std::byte *hostPointer() override { return bytes.data(); }
    mutable std::vector<std::byte> bytes;
  };
  struct Program final : runtime::Kernel {
    std::string code;
  };
  struct Code final : runtime::Module {
    explicit Code(std::string code) { program.code = std::move(code); }
    Expected<runtime::Kernel *> kernel(const std::string &symbol) override {
      if (symbol != "fake")
        return Status::error(Exit::BadInput, "E-KERNEL-MISSING", "there is no kernel `" + symbol + "`");
      return static_cast<runtime::Kernel *>(&program);
    }
    Program program;
  };
  struct Watch final : runtime::Timer {
    explicit Watch(FakeDevice &device) : device(device) {}
    Status start() override {
      begun = device.clock;
      return Status::success();
    }
    Status stop() override {
      ended = device.clock;
      return Status::success();
    }
    Expected<double> seconds() override { return ended - begun; }
    FakeDevice &device;
    double begun = 0, ended = 0;
  };
  static double number(const std::string &code, const std::string &word) {
    const size_t at = code.find(word);
    return at == std::string::npos ? 0 : std::strtod(code.c_str() + at + word.size(), nullptr);
  }

  runtime::DeviceInfo about;
  double clock = 0;
  uint64_t launches = 0;
};

/// The problem that the device's kernels solve, on whole and on random numbers.
inline TrialProblem fakeProblem(int64_t rows) {
  TrialProblem problem;
  for (Pattern pattern : {Pattern::Whole, Pattern::Spread}) {
    KernelCase given;
    const uint64_t count = uint64_t(rows * fakeColumns);
    const DataSpec data{pattern, 11, 1};
    given.arguments = {{CaseArgument::Kind::Input, "bf16", count, data},
                       {CaseArgument::Kind::Output, "bf16", count + 8},
                       {CaseArgument::Kind::Scalar, "", 0, {}, {}, rows}};
    ExpectedRows expected{.argument = 1, .rows = rows, .columns = fakeColumns, .rowStride = fakeColumns};
    for (int64_t row = 0; row < rows; ++row) {
      expected.known.push_back(row);
      for (int64_t column = 0; column < fakeColumns; ++column)
        expected.values.push_back(
            float(2 * roundTo("bf16", dataValue(data, uint64_t(row * fakeColumns + column)))));
    }
    expected.exact = pattern == Pattern::Whole;
    given.expected.push_back(std::move(expected));
    problem.cases.push_back(std::move(given));
  }
  return problem;
}

inline Candidate fakeCandidate(const std::string &code, const std::string &schedule = "fake{}") {
  Candidate candidate;
  candidate.schedule = schedule;
  candidate.symbol = "fake";
  candidate.code = code;
  candidate.grid = {{2, 0, 1}};
  return candidate;
}

/// The worker of a test's own program, which knows this one device as "fake:0".
inline int runFakeWorker() {
  return runMeasureWorker(
      [](const std::string &name, uint32_t) -> Expected<std::unique_ptr<runtime::Device>> {
        if (name != "fake:0")
          return Status::error(Exit::NoDevice, "E-DEVICE-NONE", "there is no device `" + name + "`");
        return std::unique_ptr<runtime::Device>(std::make_unique<FakeDevice>());
      });
}

} // namespace quern::tuner

#endif // QUERN_TUNER_MEASURE_FAKEDEVICE_H
