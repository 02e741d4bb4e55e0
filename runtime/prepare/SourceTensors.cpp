//===- SourceTensors.cpp --------------------------------------------------===//
#include "runtime/prepare/SourceTensors.h"

#include "support/Float8.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace quern::runtime {

namespace {

/// Index of the first NaN among E4M3FN codes, or the size.
size_t firstNanCode(ByteSpan bytes) {
  constexpr size_t chunk = 4096; // counted without a branch, so that it runs at memory speed
  for (size_t at = 0; at < bytes.size(); at += chunk) {
    ByteSpan part = bytes.subspan(at, std::min(chunk, bytes.size() - at));
    unsigned found = 0;
    for (std::byte code : part)
      found += (code & std::byte{0x7F}) == std::byte{0x7F};
    if (found)
      return at +
             size_t(std::find_if(part.begin(), part.end(),
                                 [](std::byte code) { return (code & std::byte{0x7F}) == std::byte{0x7F}; }) -
                    part.begin());
  }
  return bytes.size();
}

/// Index of the first scale that is no positive finite number, or their count.
size_t firstBadScale(ElementType type, ByteSpan bytes) {
  auto bad = [](float value) { return !(value > 0) || !std::isfinite(value); };
  size_t width = elementBits(type) / 8, count = bytes.size() / width;
  for (size_t i = 0; i < count; ++i) {
    const std::byte *at = bytes.data() + i * width;
    float value = 1;
    if (type == ElementType::F32) {
      std::memcpy(&value, at, 4);
    } else if (type == ElementType::BF16) {
      uint16_t code;
      std::memcpy(&code, at, 2);
      value = bf16ToFloat(code);
    } else if (type == ElementType::F8E8M0 || type == ElementType::U8) {
      value = decodeE8M0(uint8_t(*at));
    }
    if (bad(value))
      return i;
  }
  return count;
}

Status checkValues(const Weight &weight, ByteSpan bytes, SourceRole role) {
  if (role == SourceRole::Scales) {
    size_t count = bytes.size() / (elementBits(weight.type) / 8), bad = firstBadScale(weight.type, bytes);
    if (bad != count)
      return Status::error(Exit::BadInput, "E-TENSOR-SCALE-VALUE",
                           "the tensor `" + std::string(weight.name) +
                               "` has a scale that is no positive number")
          .cause("element " + std::to_string(bad) + " is zero, negative or not finite")
          .remedy("the checkpoint is damaged: download it again and compile it");
  } else if (weight.type == ElementType::F8E4M3) {
    size_t bad = firstNanCode(bytes);
    if (bad != bytes.size())
      return Status::error(Exit::BadInput, "E-TENSOR-NAN",
                           "the tensor `" + std::string(weight.name) + "` holds a NaN")
          .cause("element " + std::to_string(bad) + " has the fp8 code " +
                 (bytes[bad] == std::byte{0x7F} ? "0x7f" : "0xff"))
          .remedy("the checkpoint is damaged: download it again and compile it");
  }
  return Status::success();
}

} // namespace

SourceTensors::SourceTensors(const Artifact &artifact)
    : artifact(artifact), states(std::make_unique<State[]>(artifact.weights().size())) {}

void SourceTensors::announce(const std::string &name) { ++states[*artifact.weights().find(name)].uses; }

Expected<SourceTensors::Bytes> SourceTensors::read(const Weight &weight, SourceRole role) {
  State &state = states[*artifact.weights().find(weight.name)];
  struct Lease {
    const Artifact &artifact;
    State &state;
    Weight weight;
    WeightBytes bytes;
    ~Lease() {
      if (--state.uses == 0)
        artifact.releaseWeight(weight);
    }
  };
  auto lease = std::make_shared<Lease>(artifact, state, weight, WeightBytes());
  QUERN_RETURN_IF_ERROR(artifact.readWeight(weight, lease->bytes));
  ByteSpan span = lease->bytes.span();
  uint8_t bit = uint8_t(1u << unsigned(role));
  if (!(state.checked.load() & bit)) {
    QUERN_RETURN_IF_ERROR(checkValues(weight, span, role));
    state.checked |= bit;
  }
  if (!state.counted.exchange(true))
    total += span.size();
  return Bytes{span, lease};
}

} // namespace quern::runtime
