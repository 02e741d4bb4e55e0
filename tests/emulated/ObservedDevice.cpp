//===- ObservedDevice.cpp -------------------------------------------------===//
#include "tests/emulated/ObservedDevice.h"

#include <cstring>

using namespace quern::runtime;

namespace quern::test {

class ObservedBuffer : public Buffer {
public:
  ObservedBuffer(ObservedDevice &device, std::unique_ptr<Buffer> inner)
      : device(device), inner(std::move(inner)) {
    device.buffers.insert(this);
  }
  ~ObservedBuffer() override { device.buffers.erase(this); }
  uint64_t address() const override { return inner->address(); }
  uint64_t size() const override { return inner->size(); }
  std::byte *hostPointer() override { return inner->hostPointer(); }

  ObservedDevice &device;
  const std::unique_ptr<Buffer> inner;
};

namespace {

class ObservedKernel : public Kernel {
public:
  std::string symbol;
  std::span<const std::byte> code;
  Kernel *inner = nullptr;
};

class ObservedModule : public runtime::Module {
public:
  ObservedModule(std::span<const std::byte> code, std::unique_ptr<runtime::Module> inner)
      : code(code.begin(), code.end()), inner(std::move(inner)) {}

  Expected<Kernel *> kernel(const std::string &symbol) override {
    QUERN_ASSIGN_OR_RETURN(Kernel * found, inner->kernel(symbol));
    std::unique_ptr<ObservedKernel> &mine = kernels[symbol];
    if (!mine)
      mine = std::make_unique<ObservedKernel>();
    mine->symbol = symbol;
    mine->code = code;
    mine->inner = found;
    return static_cast<Kernel *>(mine.get());
  }

private:
  std::vector<std::byte> code;
  std::unique_ptr<runtime::Module> inner;
  std::map<std::string, std::unique_ptr<ObservedKernel>> kernels;
};

Buffer &innerOf(Buffer &buffer) { return *static_cast<ObservedBuffer &>(buffer).inner; }

} // namespace

MemoryImage ObservedDevice::memory() const {
  MemoryImage image;
  for (ObservedBuffer *buffer : buffers)
    image.push_back({buffer->hostPointer(), {buffer->hostPointer(), buffer->hostPointer() + buffer->size()}});
  return image;
}

void ObservedDevice::restore(const MemoryImage &image) {
  for (const auto &[place, bytes] : image)
    if (!bytes.empty())
      std::memcpy(place, bytes.data(), bytes.size());
}

bool ObservedDevice::matches(const MemoryImage &image) {
  for (const auto &[place, bytes] : image)
    if (std::memcmp(place, bytes.data(), bytes.size()) != 0)
      return false;
  return true;
}

Status ObservedDevice::run(const Launch &launch, std::span<const std::byte> code) {
  QUERN_ASSIGN_OR_RETURN(auto module, inner->load(code));
  QUERN_ASSIGN_OR_RETURN(Kernel * kernel, module->kernel(launch.symbol));
  QUERN_RETURN_IF_ERROR(inner->launch(*kernel, launch.shape, launch.arguments));
  return inner->synchronize();
}

Expected<std::unique_ptr<Buffer>> ObservedDevice::allocate(uint64_t bytes) {
  QUERN_ASSIGN_OR_RETURN(auto buffer, inner->allocate(bytes));
  return std::unique_ptr<Buffer>(std::make_unique<ObservedBuffer>(*this, std::move(buffer)));
}

Status ObservedDevice::upload(Buffer &to, uint64_t offset, std::span<const std::byte> bytes) {
  return inner->upload(innerOf(to), offset, bytes);
}

Status ObservedDevice::download(Buffer &from, uint64_t offset, std::span<std::byte> bytes) {
  return inner->download(innerOf(from), offset, bytes);
}

Status ObservedDevice::fill(Buffer &to, uint64_t offset, uint64_t bytes, uint8_t value) {
  return inner->fill(innerOf(to), offset, bytes, value);
}

Expected<std::unique_ptr<runtime::Module>> ObservedDevice::load(std::span<const std::byte> bytes) {
  QUERN_ASSIGN_OR_RETURN(auto module, inner->load(bytes));
  return std::unique_ptr<runtime::Module>(std::make_unique<ObservedModule>(bytes, std::move(module)));
}

Status ObservedDevice::launch(Kernel &kernel, const LaunchShape &shape, std::span<const Argument> arguments) {
  auto &mine = static_cast<ObservedKernel &>(kernel);
  if (shape.blocks > 0)
    observer(*this, {mine.symbol, mine.code, shape, {arguments.begin(), arguments.end()}});
  return inner->launch(*mine.inner, shape, arguments);
}

} // namespace quern::test
