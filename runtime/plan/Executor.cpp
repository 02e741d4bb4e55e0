//===- Executor.cpp -------------------------------------------------------===//
#include "runtime/plan/Executor.h"

#include "runtime/plan/RotationTables.h"
#include "runtime/plan/WorkLayout.h"

#include <algorithm>
#include <bit>

namespace quern::runtime {

namespace {

constexpr uint64_t alignment = 256, pointerAlignment = 16;

constexpr uint64_t aligned(uint64_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

/// Places of the inputs in their buffer.
struct InputLayout {
  uint64_t tokens, positions, sequences, rows, blockTable, bytes;
  InputLayout(const ExecutorLimits &limits, int64_t pagesPerSequence) {
    uint64_t perToken = aligned(uint64_t(limits.tokens) * 4);
    tokens = 0;
    positions = perToken;
    sequences = 2 * perToken;
    rows = 3 * perToken;
    blockTable = rows + aligned(uint64_t(limits.rows) * 4);
    bytes = blockTable + aligned(uint64_t(limits.sequences * pagesPerSequence) * 4);
  }
};

SymbolValues largest(const ExecutorLimits &limits, int64_t pages, int64_t pagesPerSequence) {
  SymbolValues symbols;
  symbols[Symbol::T] = limits.tokens;
  symbols[Symbol::R] = limits.rows;
  symbols[Symbol::B] = limits.sequences;
  symbols[Symbol::P] = pages;
  symbols[Symbol::M] = pagesPerSequence;
  symbols[Symbol::C] = limits.context;
  return symbols;
}

bool usesHidden(const Plan &plan) { return plan.hidden != 0; }

Status badPlan(const char *id, const std::string &sentence) {
  return Status::error(Exit::BadInput, id, sentence).remedy("compile the artifact again");
}

ArgumentKind kindOf(ScalarKind kind) {
  return kind == ScalarKind::I32   ? ArgumentKind::I32
         : kind == ScalarKind::I64 ? ArgumentKind::I64
                                   : ArgumentKind::F32;
}

} // namespace

/// Numbers of what arguments name.
struct Executor::Names {
  const PreparedWeights &weights;
  std::map<std::string_view, size_t> tensors, tables, parts, work;
};

uint64_t Executor::bytesNeeded(const Plan &plan, const ExecutorLimits &limits, int64_t pages,
                               int64_t pagesPerSequence) {
  SymbolValues symbols = largest(limits, pages, pagesPerSequence);
  uint64_t work = 0, bytes = InputLayout(limits, pagesPerSequence).bytes;
  for (const PlanEntry &entry : plan.entries)
    work = std::max(work, layOutWork(entry, symbols).bytes);
  for (const RotationTable &table : plan.tables)
    bytes += aligned(rotationTableBytes(table, limits.context));
  bytes += aligned(uint64_t(limits.rows * plan.vocabulary) * 4);
  bytes += usesHidden(plan) ? 2 * aligned(uint64_t(limits.tokens * plan.hidden) * 2) : 0;
  return work + bytes;
}

Expected<std::unique_ptr<Executor>> Executor::create(const Plan &plan, const Artifact &artifact,
                                                     Device &device, const PreparedWeights &weights,
                                                     const KvCache &cache, const ExecutorLimits &limits) {
  std::unique_ptr<Executor> executor(new Executor(plan, device, cache, limits));
  executor->weights = &weights;
  executor->symbols = largest(limits, cache.pages(), cache.pagesPerSequence());
  QUERN_RETURN_IF_ERROR(executor->loadCode(artifact));
  for (const PlanEntry &entry : plan.entries)
    executor->entries[entry.name].layout = layOutWork(entry, executor->symbols);
  QUERN_RETURN_IF_ERROR(executor->allocate());
  QUERN_RETURN_IF_ERROR(executor->makeTables());
  Names names{weights, {}, {}, {}, {}};
  for (size_t i = 0; i < plan.tensors.size(); ++i)
    names.tensors[plan.tensors[i].name] = i;
  for (size_t i = 0; i < plan.tables.size(); ++i)
    names.tables[plan.tables[i].name] = i;
  for (size_t i = 0; i < plan.cache.parts.size(); ++i)
    names.parts[plan.cache.parts[i].name] = i;
  for (const PlanEntry &entry : plan.entries) {
    names.work.clear();
    for (size_t i = 0; i < entry.work.size(); ++i)
      names.work[entry.work[i].name] = i;
    QUERN_RETURN_IF_ERROR(executor->resolveEntry(entry, names, executor->entries[entry.name]));
  }
  return executor;
}

Status Executor::loadCode(const Artifact &artifact) {
  for (const PlanKernel &kernel : plan.kernels) {
    std::unique_ptr<Module> &module = modules[kernel.member];
    if (!module) {
      QUERN_ASSIGN_OR_RETURN(ByteSpan code, artifact.read(kernel.member));
      QUERN_ASSIGN_OR_RETURN(module, device.load(code));
    }
    QUERN_ASSIGN_OR_RETURN(Kernel * loaded, module->kernel(kernel.symbol));
    kernels.push_back(loaded);
  }
  return Status::success();
}

Status Executor::allocate() {
  uint64_t workBytes = alignment;
  for (const auto &[name, entry] : entries)
    workBytes = std::max(workBytes, entry.layout.bytes);
  QUERN_ASSIGN_OR_RETURN(work, device.allocate(workBytes));
  QUERN_ASSIGN_OR_RETURN(inputs, device.allocate(InputLayout(limits, cache.pagesPerSequence()).bytes));
  QUERN_ASSIGN_OR_RETURN(logitsBuffer, device.allocate(aligned(uint64_t(limits.rows * plan.vocabulary) * 4)));
  if (usesHidden(plan))
    for (std::unique_ptr<Buffer> &buffer : hidden) {
      QUERN_ASSIGN_OR_RETURN(buffer, device.allocate(aligned(uint64_t(limits.tokens * plan.hidden) * 2)));
    }
  return Status::success();
}

Status Executor::makeTables() {
  uint64_t bytes = 0;
  for (const RotationTable &table : plan.tables) {
    tableOffsets.push_back(bytes);
    bytes += aligned(rotationTableBytes(table, limits.context));
  }
  QUERN_ASSIGN_OR_RETURN(tables, device.allocate(std::max(bytes, alignment)));
  for (size_t i = 0; i < plan.tables.size(); ++i) {
    std::vector<float> values = makeRotationTable(plan.tables[i], limits.context);
    QUERN_RETURN_IF_ERROR(device.upload(*tables, tableOffsets[i], std::as_bytes(std::span(values))));
  }
  return Status::success();
}

//===----------------------------------------------------------------------===//
// Resolving
//===----------------------------------------------------------------------===//

Status Executor::resolveEntry(const PlanEntry &entry, const Names &names, Entry &result) {
  for (const PlanStep &step : entry.steps) {
    if (!step.repeat) {
      QUERN_RETURN_IF_ERROR(resolveStep(step, 0, names, result));
      continue;
    }
    const Repeat &repeat = *step.repeat;
    for (int64_t layer = repeat.first; layer < repeat.end; layer += repeat.stride)
      for (const PlanStep &inner : repeat.steps)
        QUERN_RETURN_IF_ERROR(resolveStep(inner, layer, names, result));
  }
  return Status::success();
}

/// A launch, or all alternatives of a choice: which of them runs is known in the step.
Status Executor::resolveStep(const PlanStep &step, int64_t layer, const Names &names, Entry &result) {
  if (step.launch)
    return resolve(*step.launch, layer, names, result);
  const Choice &choice = *step.choice;
  for (size_t i = limits.batchInvariant ? choice.alternatives.size() - 1 : 0; i < choice.alternatives.size();
       ++i)
    for (const Launch &launch : choice.alternatives[i].launches) {
      QUERN_RETURN_IF_ERROR(resolve(launch, layer, names, result));
      if (limits.batchInvariant)
        continue;
      result.steps.back().choice = &choice;
      result.steps.back().alternative = i;
    }
  return Status::success();
}

Status Executor::resolve(const Launch &launch, int64_t layer, const Names &names, Entry &result) {
  const PlanKernel &kernel = plan.kernels[size_t(launch.kernel)];
  Step step;
  step.launch = &launch;
  step.layer = layer;
  step.kernel = kernels[size_t(launch.kernel)];
  step.shape.threads = kernel.threads;
  step.shape.sharedBytes = kernel.dynamicBytes;
  if (!kernel.maps.empty()) {
    step.maps = result.maps.size();
    result.maps.emplace_back(kernel);
  }
  if (device.info().vendor == "cpu")
    step.shape.scratchBytes = kernel.sharedBytes;
  step.grid = &kernel.grid;
  step.first = result.slots.size();
  step.count = launch.arguments.size();
  const InputLayout places(limits, cache.pagesPerSequence());
  for (const LaunchArgument &argument : launch.arguments) {
    using Kind = LaunchArgument::Kind;
    int64_t own = argument.layer.offset + (argument.layer.ofRepeat ? layer : 0);
    uint64_t address = 0;
    size_t slot = result.slots.size();
    switch (argument.kind) {
    case Kind::Null:
      break;
    case Kind::Work:
      address = work->address() + result.layout.offsets[names.work.at(argument.name)];
      break;
    case Kind::Input:
      if (argument.name == "hidden") {
        result.varying.push_back({Varying::HiddenIn, slot, {}, argument.offset});
        break;
      }
      address = inputs->address() + (argument.name == "tokens"      ? places.tokens
                                     : argument.name == "positions" ? places.positions
                                     : argument.name == "sequences" ? places.sequences
                                     : argument.name == "rows"      ? places.rows
                                                                    : places.blockTable);
      break;
    case Kind::Output:
      if (argument.name == "hidden")
        result.varying.push_back({Varying::HiddenOut, slot, {}, argument.offset});
      else
        address = logitsBuffer->address();
      break;
    case Kind::Tensor: {
      size_t number = names.tensors.at(argument.name);
      address = names.weights.address(number, plan.tensors[number].layers ? own : 0);
      break;
    }
    case Kind::Table:
      address = tables->address() + tableOffsets[names.tables.at(argument.name)];
      break;
    case Kind::Cache:
      address = cache.address(names.parts.at(argument.name), own);
      break;
    case Kind::Scalar: {
      if (argument.scalar == ScalarKind::F32) {
        result.slots.push_back({ArgumentKind::F32, std::bit_cast<uint32_t>(float(argument.real))});
        continue;
      }
      int64_t value = argument.size.evaluate(symbols);
      if (argument.scalar == ScalarKind::I32 && value != int32_t(value))
        return badPlan("E-PLAN-SIZE",
                       "the launch `" + launch.note + "` of `" + kernel.symbol +
                           "` has an argument that does not fit 32 bits: " + std::to_string(value));
      if (argument.size.coefficient[size_t(Symbol::T)] || argument.size.coefficient[size_t(Symbol::R)])
        result.varying.push_back({Varying::Scalar, slot, argument.size});
      uint64_t bits = argument.scalar == ScalarKind::I32 ? uint32_t(value) : uint64_t(value);
      result.slots.push_back({kindOf(argument.scalar), bits});
      continue;
    }
    }
    if (argument.kind != Kind::Null)
      address += uint64_t(argument.offset);
    if (address % pointerAlignment != 0)
      return badPlan("E-PLAN-ALIGNMENT", "the launch `" + launch.note + "` of `" + kernel.symbol +
                                             "` has a pointer to `" + argument.name +
                                             "` that is not aligned to " + std::to_string(pointerAlignment) +
                                             " bytes");
    result.slots.push_back({ArgumentKind::Pointer, address});
  }
  result.steps.push_back(step);
  return Status::success();
}

size_t Executor::launches(std::string_view entry, int64_t tokens) const {
  auto found = entries.find(entry);
  SymbolValues now = symbols;
  now[Symbol::T] = tokens;
  return found == entries.end() ? 0
                                : size_t(std::ranges::count_if(
                                      found->second.steps, [&](const Step &step) { return step.runs(now); }));
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

Status Executor::uploadInputs(const StepInputs &given) {
  const InputLayout places(limits, cache.pagesPerSequence());
  auto put = [&](uint64_t offset, std::span<const int32_t> values) {
    return values.empty() ? Status::success() : device.upload(*inputs, offset, std::as_bytes(values));
  };
  QUERN_RETURN_IF_ERROR(put(places.tokens, given.tokens));
  QUERN_RETURN_IF_ERROR(put(places.positions, given.positions));
  QUERN_RETURN_IF_ERROR(put(places.sequences, given.sequences));
  QUERN_RETURN_IF_ERROR(put(places.rows, given.rows));
  if (tableVersion != cache.version()) {
    QUERN_RETURN_IF_ERROR(put(places.blockTable, cache.blockTable()));
    tableVersion = cache.version();
  }
  return Status::success();
}

Status Executor::observed(const Step &step, const LaunchShape &shape, std::span<const Argument> arguments,
                          std::span<const Argument> passed, bool done) {
  if (!observer)
    return Status::success();
  if (observerWaits)
    QUERN_RETURN_IF_ERROR(device.synchronize());
  return observer({*step.launch, step.layer, arguments, passed, done, *step.kernel, shape});
}

Status Executor::read(uint64_t address, std::span<std::byte> bytes) {
  auto holds = [&](const Buffer *buffer) {
    return buffer && address >= buffer->address() && address - buffer->address() <= buffer->size() &&
           bytes.size() <= buffer->size() - (address - buffer->address());
  };
  std::vector<Buffer *> buffers = {work.get(),         tables.get(),    inputs.get(),
                                   logitsBuffer.get(), hidden[0].get(), hidden[1].get()};
  for (Buffer *buffer : weights->buffers())
    buffers.push_back(buffer);
  for (Buffer *buffer : cache.memory())
    buffers.push_back(buffer);
  for (Buffer *buffer : buffers)
    if (holds(buffer))
      return device.download(*buffer, address - buffer->address(), bytes);
  return Status::error(Exit::Unexpected, "E-BUFFER-RANGE",
                       std::to_string(bytes.size()) + " bytes that are read are not inside one buffer");
}

Status Executor::run(std::string_view entryName, const StepInputs &given, std::span<float> logits) {
  auto found = entries.find(entryName);
  int64_t tokens = int64_t(given.tokens.size()), rows = int64_t(given.rows.size());
  if (found == entries.end() || tokens > limits.tokens || rows > limits.rows ||
      int64_t(given.positions.size()) != tokens || int64_t(given.sequences.size()) != tokens ||
      logits.size() != size_t(rows * plan.vocabulary))
    return Status::error(Exit::Unexpected, "E-STEP-INPUTS", "a step does not fit the session's limits");
  Entry &entry = found->second;
  QUERN_RETURN_IF_ERROR(uploadInputs(given));
  if (limits.poison)
    QUERN_RETURN_IF_ERROR(device.fill(*work, 0, work->size(), 0xFF));

  SymbolValues now = symbols;
  now[Symbol::T] = tokens;
  now[Symbol::R] = rows;
  uint64_t in = 0, out = 0;
  if (usesHidden(plan)) {
    in = hidden[lastHidden]->address() + uint64_t(given.hiddenRow * plan.hidden) * 2;
    lastHidden ^= 1u;
    out = hidden[lastHidden]->address();
  }
  for (const Varying &varying : entry.varying) {
    Argument &slot = entry.slots[varying.slot];
    if (varying.kind != Varying::Scalar)
      slot.bits = (varying.kind == Varying::HiddenIn ? in : out) + uint64_t(varying.offset);
    else if (slot.kind == ArgumentKind::I32)
      slot.bits = uint32_t(varying.value.evaluate(now));
    else
      slot.bits = uint64_t(varying.value.evaluate(now));
  }
  for (const Step &step : entry.steps) {
    if (!step.runs(now))
      continue;
    std::span<const Argument> arguments(entry.slots.data() + step.first, step.count);
    LaunchShape shape = step.shape;
    uint64_t blocks = 1;
    for (const PlanGridDimension &dimension : *step.grid) {
      int64_t extent = dimension.argument >= 0 ? int64_t(int32_t(arguments[size_t(dimension.argument)].bits))
                                               : dimension.extent;
      // Saturates: more blocks than fit are refused below.
      blocks = std::min<uint64_t>(
          blocks * uint64_t(std::max<int64_t>(0, (extent + dimension.step - 1) / dimension.step)), uint64_t(1)
                                                                                                       << 32);
    }
    if (blocks == 0)
      continue;
    if (blocks > 0x7fffffff)
      return badPlan("E-PLAN-SIZE", "a launch has more than 2^31 - 1 blocks");
    shape.blocks = uint32_t(blocks);
    std::span<const Argument> passed = arguments;
    if (step.maps) {
      QUERN_ASSIGN_OR_RETURN(passed, entry.maps[*step.maps].pass(device, arguments));
    }
    QUERN_RETURN_IF_ERROR(observed(step, shape, arguments, passed, false));
    QUERN_RETURN_IF_ERROR(device.launch(*step.kernel, shape, passed));
    QUERN_RETURN_IF_ERROR(observed(step, shape, arguments, passed, true));
  }
  if (!logits.empty())
    QUERN_RETURN_IF_ERROR(device.download(*logitsBuffer, 0, std::as_writable_bytes(logits)));
  return device.synchronize();
}

} // namespace quern::runtime
