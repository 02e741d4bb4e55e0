//===- PlanBuilder.cpp - Entries, repeats and buffers ---------------------===//
#include "lowering/model_to_tile/PlanBuilder.h"
#include "lowering/model_to_tile/DefaultSchedule.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace quern::runtime;

namespace quern::lowering {

PlanBuilder::PlanBuilder(ModuleOp module, const CodeTarget &target, Fp8Flavour fp8, Rung rung,
                         ScheduleSource *schedules)
    : module(module), target(target), fp8(fp8), rung(rung), schedules(schedules) {
  result.plan.target = target.name;
  result.plan.rung = std::string(rungName(rung));
}

/// Operators are numbered in the order of a walk over the module; `verify` finds them by these numbers.
void PlanBuilder::numberOperators() {
  int32_t number = 0;
  module.walk<WalkOrder::PreOrder>([&](Operation *op) { numbers[op] = number++; });
}

Status PlanBuilder::build() {
  numberOperators();
  for (func::FuncOp function : module.getOps<func::FuncOp>())
    QUERN_RETURN_IF_ERROR(buildEntry(function));
  for (const auto &[value, ref] : values)
    result.places[value.getAsOpaquePointer()] = {ref.where.kind, ref.where.name, ref.rows,
                                                 ref.heads,      ref.columns,    ref.offset,
                                                 ref.rowStride,  ref.headStride, ref.element};
  return Status::success();
}

Status PlanBuilder::buildEntry(func::FuncOp function) {
  PlanEntry fresh;
  fresh.name = function.getSymName();
  result.plan.entries.push_back(std::move(fresh));
  entry = &result.plan.entries.back();
  current = &entry->steps;
  launchNumber = 0;
  // step(tokens, positions, sequences, rows, cache); mtp(tokens, hidden, positions, sequences, rows, cache).
  bool draft = function.getNumArguments() == 6;
  static const char *const stepNames[] = {"tokens", "positions", "sequences", "rows", "cache"};
  static const char *const draftNames[] = {"tokens", "hidden", "positions", "sequences", "rows", "cache"};
  if (!draft && function.getNumArguments() != 5)
    return unsupported(function, "has " + std::to_string(function.getNumArguments()) + " arguments");
  for (BlockArgument argument : function.getArguments()) {
    const char *name = (draft ? draftNames : stepNames)[argument.getArgNumber()];
    if (!isa<RankedTensorType>(argument.getType())) {
      QUERN_RETURN_IF_ERROR(useCache(argument.getType()));
      continue;
    }
    TensorRef ref = shapeOf(argument);
    ref.where = input(name);
    if (std::string_view(name) == "rows")
      ref.rows = Symbol::R;
    values[argument] = ref;
  }
  // The results of the function are outputs: their operators write there.
  Operation *terminator = function.getBody().front().getTerminator();
  SmallVector<Value> tensors;
  for (Value value : terminator->getOperands())
    if (isa<RankedTensorType>(value.getType()))
      tensors.push_back(value);
  for (auto [i, value] : llvm::enumerate(tensors)) {
    LaunchArgument where;
    where.kind = LaunchArgument::Kind::Output;
    where.name = i == 0 ? "logits" : "hidden";
    TensorRef ref = shapeOf(value);
    ref.where = where;
    ref.rows = i == 0 ? Symbol::R : Symbol::T;
    if (i == 0) {
      result.plan.vocabulary = ref.columns;
      result.plan.validVocabulary = ref.columns;
      if (auto mask = value.getDefiningOp<model::MaskVocabularyOp>())
        result.plan.validVocabulary = mask.getValid();
    } else {
      result.plan.hidden = ref.columns;
    }
    reserved[value] = ref;
  }
  return lowerBlock(function.getBody().front());
}

Status PlanBuilder::lowerBlock(Block &block) {
  for (Operation &op : block)
    QUERN_RETURN_IF_ERROR(lower(op));
  return Status::success();
}

Status PlanBuilder::unsupported(Operation *op, const std::string &why) {
  return Status::error(Exit::Unsupported, "E-OPERATOR-UNSUPPORTED",
                       "the operator `" + op->getName().getStringRef().str() + "` " + why)
      .remedy("see docs/AddAnOp.md");
}

Status PlanBuilder::lower(Operation &op) {
  return llvm::TypeSwitch<Operation *, Status>(&op)
      .Case<model::UseOp, model::LayerOp, model::YieldOp>([](auto) { return Status::success(); })
      .Case([&](func::ReturnOp ret) { return lowerReturn(ret); })
      .Case([&](model::RepeatOp repeat) { return lowerRepeat(repeat); })
      .Case([&](model::EmbeddingOp o) {
        return lowerGatherRows(o, o.getTable(), o.getTokens(), o.getResult());
      })
      .Case([&](model::GatherRowsOp o) { return lowerGatherRows(o, o.getX(), o.getRows(), o.getResult()); })
      .Case([&](model::RMSNormOp o) {
        return lowerNorm(o, o.getX(), {}, o.getWeight(), o.getEps().convertToDouble(),
                         o.getWeightOffset().convertToDouble(), {}, o.getResult());
      })
      .Case([&](model::AddRMSNormOp o) {
        return lowerNorm(o, o.getX(), o.getResidual(), o.getWeight(), o.getEps().convertToDouble(),
                         o.getWeightOffset().convertToDouble(), o.getSum(), o.getResult());
      })
      .Case([&](model::LayerNormOp o) { return lowerLayerNorm(o); })
      .Case([&](model::LinearOp o) { return lowerLinear(o); })
      .Case([&](model::QuantiseOp o) { return lowerQuantise(o); })
      .Case([&](model::AddOp o) {
        return lowerPointwise(o, {{"ADD", int64_t(1)}}, o.getLhs(), o.getRhs(), o.getResult());
      })
      .Case([&](model::MulOp o) {
        return lowerPointwise(o, {{"MUL", int64_t(1)}}, o.getLhs(), o.getRhs(), o.getResult());
      })
      .Case([&](model::ScaleOp o) {
        return lowerPointwise(o, {{"SCALE", int64_t(1)}, {"factor", o.getFactor().convertToDouble()}},
                              o.getX(), {}, o.getResult());
      })
      .Case([&](model::SoftcapOp o) {
        return lowerPointwise(o, {{"SOFTCAP", int64_t(1)}, {"cap", o.getCap().convertToDouble()}}, o.getX(),
                              {}, o.getResult());
      })
      .Case([&](model::MaskVocabularyOp o) {
        return lowerPointwise(o, {{"MASK", int64_t(1)}, {"VALID", int64_t(o.getValid())}}, o.getX(), {},
                              o.getResult());
      })
      .Case([&](model::ActivationOp o) {
        return lowerPointwise(o, activationFlags(o.getKind()), o.getX(), {}, o.getResult());
      })
      .Case([&](model::GatedOp o) {
        return lowerPointwise(o, activationFlags(o.getKind()), o.getGate(),
                              o.getUp() ? o.getUp() : o.getGate(), o.getResult());
      })
      .Case([&](model::SliceOp o) {
        TensorRef ref = use(o.getX());
        ref.offset += o.getBegin();
        ref.columns = o.getEnd() - o.getBegin();
        bind(o.getResult(), ref);
        return Status::success();
      })
      .Case([&](model::ReshapeOp o) { return lowerReshape(o); })
      .Case([&](model::ConcatOp o) { return lowerConcat(o); })
      .Case([&](model::RopeOp o) { return lowerRope(o); })
      .Case([&](model::CacheAppendOp o) { return lowerCacheAppend(o); })
      .Case([&](model::AttentionOp o) { return lowerAttention(o); })
      .Case([&](model::LatentAttentionOp o) { return lowerLatentAttention(o); })
      .Case([&](model::RouterOp o) { return lowerRouter(o); })
      .Case([&](model::ExpertsOp o) { return lowerExperts(o); })
      .Default([&](Operation *other) { return unsupported(other, "has no kernel"); });
}

Status PlanBuilder::lowerReturn(func::ReturnOp op) {
  // A result that another operator had to write elsewhere is copied to its output.
  for (Value value : op->getOperands()) {
    if (!isa<RankedTensorType>(value.getType()))
      continue;
    TensorRef wanted = reserved.lookup(value);
    TensorRef ref = use(value);
    if (ref.work >= 0 || ref.where.kind != LaunchArgument::Kind::Output ||
        ref.where.name != wanted.where.name)
      copy(ref, wanted, op, "output");
  }
  return Status::success();
}

//===----------------------------------------------------------------------===//
// Repeats
//===----------------------------------------------------------------------===//

/// True if the operator reads each element that it overwrites at most at the same place.
static bool isPointwise(Operation *op) {
  return isa<model::AddOp, model::MulOp, model::ScaleOp, model::ActivationOp>(op);
}

Status PlanBuilder::lowerRepeat(model::RepeatOp repeat) {
  Block &body = repeat.getBody().front();
  SmallVector<int32_t> carriedWork;
  for (auto [init, argument] : llvm::zip(repeat.getInits(), body.getArguments().drop_front())) {
    if (!isa<RankedTensorType>(init.getType()))
      continue;
    TensorRef ref = use(init);
    if (ref.work < 0 || !ref.dense() || !init.hasOneUse()) {
      TensorRef own = workspace("carried", ref.rows, ref.heads, ref.columns, ref.element);
      copy(ref, own, repeat, "carry");
      ref = own;
    }
    values[argument] = ref;
    carriedWork.push_back(ref.work);
  }
  // What the body hands on is written into the carried buffer itself where nothing reads the old value later.
  for (auto [yielded, argument] :
       llvm::zip(body.getTerminator()->getOperands(), body.getArguments().drop_front())) {
    Operation *producer = yielded.getDefiningOp();
    if (!isa<RankedTensorType>(yielded.getType()) || !producer || producer->getBlock() != &body)
      continue;
    bool safe = llvm::all_of(argument.getUsers(), [&](Operation *user) {
      return user->getBlock() == &body && !isa<model::SliceOp, model::ReshapeOp>(user) &&
             (user->isBeforeInBlock(producer) || (user == producer && isPointwise(producer)));
    });
    if (safe && !isa<model::SliceOp, model::ReshapeOp>(producer))
      reserved[yielded] = values[argument];
  }

  auto inner = std::make_unique<Repeat>();
  inner->first = repeat.getFirst();
  inner->end = repeat.getEnd();
  inner->stride = repeat.getStep();
  std::vector<PlanStep> *outer = current;
  current = &inner->steps;
  int32_t firstLaunch = launchNumber;
  QUERN_RETURN_IF_ERROR(lowerBlock(body));
  for (auto [yielded, argument] :
       llvm::zip(body.getTerminator()->getOperands(), body.getArguments().drop_front())) {
    if (!isa<RankedTensorType>(yielded.getType()))
      continue;
    TensorRef from = use(yielded), to = values[argument];
    if (from.work != to.work || from.offset != to.offset)
      copy(from, to, repeat, "carry");
  }
  current = outer;
  PlanStep step;
  step.repeat = std::move(inner);
  current->push_back(std::move(step));

  // Carried buffers, and those that were made before and are read inside, live through every iteration.
  int32_t lastLaunch = launchNumber - 1;
  for (WorkBuffer &buffer : entry->work)
    if (buffer.first < firstLaunch && buffer.last >= firstLaunch)
      buffer.last = std::max(buffer.last, lastLaunch);
  for (int32_t work : carriedWork)
    entry->work[work].last = std::max(entry->work[work].last, lastLaunch);
  for (auto [out, argument] : llvm::zip(repeat.getResults(), body.getArguments().drop_front()))
    if (isa<RankedTensorType>(out.getType()))
      values[out] = values[argument];
  return Status::success();
}

//===----------------------------------------------------------------------===//
// Values and buffers
//===----------------------------------------------------------------------===//

std::string elementName(Type type) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  type.print(stream);
  return text;
}

TensorRef PlanBuilder::shapeOf(Value value) {
  TensorRef ref;
  Type type = value.getType();
  ArrayRef<int64_t> shape;
  if (auto tensor = dyn_cast<RankedTensorType>(type)) {
    shape = tensor.getShape();
    ref.element = elementName(tensor.getElementType());
  } else {
    auto scaled = cast<model::BlockScaledType>(type);
    shape = scaled.getShape();
    ref.element = elementName(scaled.getElementType());
  }
  if (shape.size() == 2)
    ref.columns = shape[1];
  if (shape.size() == 3) {
    ref.heads = shape[1];
    ref.columns = shape[2];
  }
  ref.headStride = ref.columns;
  ref.rowStride = ref.heads * ref.columns;
  return ref;
}

TensorRef PlanBuilder::workspace(const std::string &name, Symbol rows, int64_t heads, int64_t columns,
                                 const std::string &element) {
  TensorRef ref;
  ref.rows = rows;
  ref.heads = heads;
  ref.columns = columns;
  ref.headStride = columns;
  ref.rowStride = heads * columns;
  ref.element = element;
  ref.work = int32_t(entry->work.size());
  WorkBuffer buffer;
  buffer.name = name + "." + std::to_string(ref.work);
  buffer.bytes.coefficient[size_t(rows)] = heads * columns * ref.elementBytes();
  buffer.first = buffer.last = launchNumber;
  entry->work.push_back(buffer);
  ref.where.kind = LaunchArgument::Kind::Work;
  ref.where.name = buffer.name;
  return ref;
}

TensorRef PlanBuilder::rowsOfTokens(const std::string &name, Symbol rows, int64_t share, int64_t columns,
                                    const std::string &element) {
  TensorRef ref = workspace(name, rows, share, columns, element);
  ref.heads = 1;
  ref.rowStride = columns;
  return ref;
}

/// Rows of an operator's result: those of its first operand that has rows, or of the index that it gathers
/// by.
static Symbol rowsOf(Operation *op, const llvm::DenseMap<Value, TensorRef> &values) {
  if (auto gather = dyn_cast<model::GatherRowsOp>(op))
    return values.lookup(gather.getRows()).rows;
  for (Value operand : op->getOperands())
    if (auto it = values.find(operand); it != values.end())
      return it->second.rows;
  return Symbol::T;
}

TensorRef PlanBuilder::place(Value value) {
  if (auto it = reserved.find(value); it != reserved.end()) {
    touch(it->second.work);
    values[value] = it->second;
    return it->second;
  }
  TensorRef shape = shapeOf(value);
  Operation *op = value.getDefiningOp();
  TensorRef ref = workspace(op->getName().stripDialect().str(), rowsOf(op, values), shape.heads,
                            shape.columns, shape.element);
  values[value] = ref;
  return ref;
}

void PlanBuilder::bind(Value value, TensorRef ref) { values[value] = ref; }

TensorRef PlanBuilder::use(Value value) {
  TensorRef ref = values.lookup(value);
  touch(ref.work);
  touch(ref.scalesWork);
  return ref;
}

void PlanBuilder::touch(int32_t work) {
  if (work >= 0)
    entry->work[work].last = std::max(entry->work[work].last, launchNumber);
}

TensorRef PlanBuilder::denseRows(const TensorRef &ref, Operation *origin) {
  if (ref.headStride == ref.columns || ref.heads == 1)
    return ref;
  TensorRef to = workspace("dense", ref.rows, ref.heads, ref.columns, ref.element);
  copy(ref, to, origin, "copy");
  touch(to.work);
  return to;
}

void PlanBuilder::copy(const TensorRef &from, const TensorRef &to, Operation *origin,
                       const std::string &note) {
  addPointwise({}, from, nullptr, to, origin, note);
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

LaunchArgument PlanBuilder::pointer(const TensorRef &ref) {
  touch(ref.work);
  LaunchArgument argument = ref.where;
  argument.offset += ref.offset * ref.elementBytes();
  return argument;
}

LaunchArgument PlanBuilder::scales(const TensorRef &ref) {
  touch(ref.scalesWork);
  LaunchArgument argument;
  argument.kind = LaunchArgument::Kind::Work;
  argument.name = entry->work[ref.scalesWork].name;
  return argument;
}

LaunchArgument PlanBuilder::input(const std::string &name) {
  LaunchArgument argument;
  argument.kind = LaunchArgument::Kind::Input;
  argument.name = name;
  return argument;
}

LaunchArgument PlanBuilder::product(Symbol s, int64_t factor) {
  LaunchArgument argument;
  argument.kind = LaunchArgument::Kind::Scalar;
  argument.size.coefficient[size_t(s)] = factor;
  return argument;
}

LaunchArgument PlanBuilder::symbol(Symbol s) { return product(s, 1); }

LaunchArgument PlanBuilder::constant(int64_t value) {
  LaunchArgument argument;
  argument.kind = LaunchArgument::Kind::Scalar;
  argument.size.constant = value;
  return argument;
}

int32_t PlanBuilder::kernelIndex(KernelRequest request) {
  auto [it, isNew] = kernelBySymbol.try_emplace(request.symbol(), int32_t(result.requests.size()));
  if (isNew) {
    PlanKernel kernel;
    kernel.symbol = request.symbol();
    kernel.text = request.text();
    result.plan.kernels.push_back(kernel);
    result.requests.push_back(std::move(request));
  }
  return it->second;
}

/// The number of rows of a launch: its first scalar that grows with the step; null where none does.
static const SizeExpression *rowsOf(ArrayRef<LaunchArgument> arguments) {
  for (const LaunchArgument &argument : arguments)
    if (argument.kind == LaunchArgument::Kind::Scalar)
      for (Symbol s : {Symbol::T, Symbol::B, Symbol::R, Symbol::M})
        if (argument.size.coefficient[size_t(s)] > 0)
          return &argument.size;
  return nullptr;
}

PlanBuilder::Ranges PlanBuilder::schedulesFor(const KernelRequest &request, const Arguments &arguments) {
  Ranges ranges;
  auto whole = [&](int64_t most) {
    auto tuned = schedules ? schedules->find(request, target, 1, most) : std::nullopt;
    ranges.schedules = {{0, tuned ? *std::move(tuned) : request.schedule}};
    return ranges;
  };
  const SizeExpression *rows = rowsOf(arguments);
  if (!schedules || !rows)
    return whole(1);
  int64_t factor = 0, symbols = 0;
  for (Symbol s : {Symbol::T, Symbol::B, Symbol::R, Symbol::M})
    if (const int64_t coefficient = rows->coefficient[size_t(s)]) {
      factor += coefficient;
      ++symbols;
      ranges.by = s;
    }
  const int64_t maxValue = maxStepTokens(target);
  if (symbols != 1 || (within && within->by != ranges.by))
    return whole(factor * maxValue + rows->constant);

  // Values of the symbol become rows and the ranges of rows values again.
  const int64_t firstValue = within ? std::max<int64_t>(1, within->first) : 1,
                lastValue = within ? std::min(within->last, maxValue) : maxValue;
  const int64_t first = within ? factor * firstValue + rows->constant : 1,
                last = factor * std::max(firstValue, lastValue) + rows->constant;
  const std::vector<int64_t> starts = schedules->starts(request, target, first, last);
  for (auto [i, start] : llvm::enumerate(starts)) {
    const int64_t end = i + 1 < starts.size() ? starts[i + 1] - 1 : last;
    auto tuned = schedules->find(request, target, start, end);
    tile::Schedule schedule = tuned ? *std::move(tuned) : request.schedule;
    const int64_t from = i == 0 ? 0 : llvm::divideCeil(start - rows->constant, factor);
    auto &list = ranges.schedules;
    if (!list.empty() && list.back().first >= from) // no value has rows of the range before
      list.pop_back();
    if (list.empty() || list.back().second != schedule)
      list.emplace_back(list.empty() ? 0 : from, std::move(schedule));
  }
  return ranges;
}

void PlanBuilder::launch(const std::string &kernel, Parameters parameters, Arguments arguments,
                         Operation *origin, std::string note) {
  KernelRequest request;
  request.kernel = kernel;
  request.schedule = defaultSchedule(kernel, parameters, target);
  request.parameters = std::move(parameters);
  Ranges ranges = schedulesFor(request, arguments);
  const int32_t first = launchNumber;
  std::vector<Alternative> alternatives;
  for (auto &[from, schedule] : ranges.schedules) {
    KernelRequest tuned = request;
    tuned.schedule = std::move(schedule);
    Launch fresh;
    fresh.kernel = kernelIndex(std::move(tuned));
    fresh.arguments = arguments;
    if (auto it = numbers.find(origin); it != numbers.end())
      fresh.origin.push_back(it->second);
    fresh.note = note;
    alternatives.emplace_back().from = from;
    alternatives.back().launches.push_back(std::move(fresh));
    ++launchNumber;
  }
  PlanStep step;
  if (alternatives.size() == 1) {
    step.launch = std::move(alternatives.front().launches.front());
  } else {
    step.choice = std::make_unique<Choice>();
    step.choice->by = ranges.by;
    step.choice->alternatives = std::move(alternatives);
    holdFrom(first);
  }
  current->push_back(std::move(step));
}

void PlanBuilder::holdFrom(int32_t first) {
  for (WorkBuffer &buffer : entry->work)
    if (buffer.last >= first) {
      buffer.first = std::min(buffer.first, first);
      buffer.last = std::max(buffer.last, launchNumber - 1);
    }
}

void PlanBuilder::choose(Symbol by, ArrayRef<int64_t> from, llvm::function_ref<void(size_t)> lower) {
  if (from.size() == 1)
    return lower(0);
  PlanStep step;
  step.choice = std::make_unique<Choice>();
  step.choice->by = by;
  std::vector<PlanStep> *outer = current;
  const int32_t firstLaunch = launchNumber;
  int32_t count = 0;
  for (auto [i, first] : llvm::enumerate(from)) {
    std::vector<PlanStep> own;
    current = &own;
    const int64_t end = i + 1 < from.size() ? from[i + 1] : std::numeric_limits<int64_t>::max();
    within = Within{by, first, end - 1};
    lower(i);
    within.reset();
    std::set<int64_t> begins = {first};
    for (const PlanStep &inner : own)
      if (inner.choice)
        for (const Alternative &alternative : inner.choice->alternatives)
          if (alternative.from > first && alternative.from < end)
            begins.insert(alternative.from);
    for (int64_t begin : begins) {
      Alternative &alternative = step.choice->alternatives.emplace_back();
      alternative.from = begin;
      for (const PlanStep &inner : own)
        if (inner.launch)
          alternative.launches.push_back(*inner.launch);
        else
          llvm::append_range(alternative.launches,
                             inner.choice->alternatives[inner.choice->at(begin)].launches);
      count += int32_t(alternative.launches.size());
    }
  }
  current = outer;
  current->push_back(std::move(step));
  launchNumber = firstLaunch + count;
  holdFrom(firstLaunch);
}

Expected<LoweredModel> lowerModel(ModuleOp module, const CodeTarget &target, Fp8Flavour fp8, Rung rung,
                                  ScheduleSource *schedules) {
  PlanBuilder builder(module, target, fp8, rung, schedules);
  QUERN_RETURN_IF_ERROR(builder.build());
  return builder.take();
}

} // namespace quern::lowering
