//===- KernelSignature.cpp ------------------------------------------------===//
#include "runtime/KernelSignature.h"

namespace quern::runtime {

const char *argumentKindName(ArgumentKind kind) {
  switch (kind) {
  case ArgumentKind::Pointer:
    return "pointer";
  case ArgumentKind::I32:
    return "i32";
  case ArgumentKind::I64:
    return "i64";
  case ArgumentKind::F32:
    return "f32";
  case ArgumentKind::TensorMap:
    return "tensor map";
  }
  return "unknown";
}

std::optional<KernelSignature> KernelSignature::fromLetters(std::string_view letters) {
  KernelSignature signature;
  for (char letter : letters) {
    ArgumentKind kind;
    switch (letter) {
    case 'p':
      kind = ArgumentKind::Pointer;
      break;
    case 'i':
      kind = ArgumentKind::I32;
      break;
    case 'l':
      kind = ArgumentKind::I64;
      break;
    case 'f':
      kind = ArgumentKind::F32;
      break;
    default:
      return std::nullopt;
    }
    signature.parameters.push_back({argumentBytes(kind), kind});
  }
  return signature;
}

Status KernelSignature::check(const std::string &kernel, std::span<const Argument> arguments) const {
  if (arguments.size() != parameters.size())
    return Status::error(Exit::Usage, "E-LAUNCH-ARGUMENTS",
                         "kernel `" + kernel + "` takes " + std::to_string(parameters.size()) +
                             " arguments, the launch passes " + std::to_string(arguments.size()));
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Parameter &parameter = parameters[i];
    ArgumentKind given = arguments[i].kind;
    if (parameter.kind ? *parameter.kind == given : parameter.bytes == argumentBytes(given))
      continue;
    std::string wanted = parameter.kind ? std::string(argumentKindName(*parameter.kind))
                                        : std::to_string(parameter.bytes) + "-byte value";
    return Status::error(Exit::Usage, "E-LAUNCH-ARGUMENTS",
                         "argument " + std::to_string(i) + " of kernel `" + kernel + "` is " + wanted +
                             ", the launch passes " + argumentKindName(given));
  }
  return Status::success();
}

Status checkBufferRange(const Buffer &buffer, uint64_t offset, uint64_t bytes, const char *verb) {
  if (offset <= buffer.size() && bytes <= buffer.size() - offset)
    return Status::success();
  return Status::error(Exit::Unexpected, "E-BUFFER-RANGE",
                       std::string(verb) + " of " + std::to_string(bytes) + " bytes at offset " +
                           std::to_string(offset) + " leaves a buffer of " + std::to_string(buffer.size()) +
                           " bytes");
}

Expected<EncodedTensorMap> Device::encodeTensorMap(const TensorMap &) {
  return Status::error(Exit::Unsupported, "E-DEVICE-TENSOR-MAP", info().name + " has no tensor maps");
}

Status kernelMissing(const std::string &symbol) {
  return Status::error(Exit::BadInput, "E-KERNEL-MISSING", "the loaded code has no kernel `" + symbol + "`")
      .remedy("compile the artifact again");
}

} // namespace quern::runtime
