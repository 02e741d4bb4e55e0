//===- AttentionOperators.cpp - Rotation, cache, attention ----------------===//
#include "lowering/model_to_tile/DefaultSchedule.h"
#include "lowering/model_to_tile/PlanBuilder.h"

#include <numbers>

using namespace mlir;
using namespace quern::runtime;

namespace quern::lowering {

Status PlanBuilder::lowerRope(model::RopeOp op) {
  TensorRef x = use(op.getX()), y = place(op.getResult());
  if (!y.dense())
    return unsupported(op, "writes to a place that is not dense");
  int64_t pairs = op.getFrequencies().getNumElements(), offset = op.getOffset();
  bool interleaved = op.getLayout() == model::RopeLayout::Interleaved;
  if (interleaved && (offset % 2 || x.columns % 2))
    return unsupported(op, "rotates interleaved pairs at an odd place");
  int64_t before = offset, behind = x.columns - offset - 2 * pairs;
  LaunchArgument table;
  table.kind = LaunchArgument::Kind::Table;
  table.name = rotationTable(op.getFrequencies(), op.getMagnitude().convertToDouble());
  launch("rope",
         {{"H", x.heads},
          {"D", x.columns},
          {"F", pairs},
          {"OFFSET", offset},
          {"PRE", std::max<int64_t>(before, 1)},
          {"POST", std::max<int64_t>(behind, 1)},
          {"XS", x.rowStride},
          {"HS", x.headStride},
          {"X", x.element},
          {"INTERLEAVED", int64_t(interleaved)},
          {"HAS_PRE", int64_t(before > 0)},
          {"HAS_POST", int64_t(behind > 0)}},
         {pointer(x), input("positions"), table, pointer(y), symbol(x.rows), symbol(Symbol::C)}, op, "rope");
  return Status::success();
}

//===----------------------------------------------------------------------===//
// The cache: pages of 64 positions (contract 14)
//===----------------------------------------------------------------------===//

Status PlanBuilder::useCache(Type type) {
  CachePlan cache;
  auto part = [&](const char *name, int64_t elements, Type element) {
    cache.parts.push_back({name, uint64_t(elements) * pageTokens * element.getIntOrFloatBitWidth() / 8});
  };
  if (auto latent = dyn_cast<model::LatentCacheType>(type)) {
    cache.layers = latent.getLayers();
    part("latent", latent.getLatent() + latent.getRope(), latent.getElement());
  } else {
    auto heads = cast<model::HeadCacheType>(type);
    cache.layers = heads.getLayers();
    part("keys", heads.getHeads() * heads.getKey(), heads.getElement());
    part("values", heads.getHeads() * heads.getValue(), heads.getElement());
  }
  if (!result.plan.cache.parts.empty() && result.plan.cache.layers != cache.layers)
    return unsupported(module, "has entries with caches of different sizes");
  result.plan.cache = cache;
  return Status::success();
}

LaunchArgument PlanBuilder::cachePart(const std::string &name, Value layer, int64_t offset) {
  LaunchArgument argument;
  argument.kind = LaunchArgument::Kind::Cache;
  argument.name = name;
  argument.layer = layerOf(layer);
  argument.offset = offset;
  return argument;
}

Status PlanBuilder::lowerCacheAppend(model::CacheAppendOp op) {
  auto append = [&](Value value, const std::string &part, int64_t column, int64_t page, int64_t head,
                    int64_t slot, Type element) {
    TensorRef x = use(value);
    launch("cache_append",
           {{"H", x.heads},
            {"W", x.columns},
            {"XS", x.rowStride},
            {"HS", x.headStride},
            {"PAGE", page},
            {"HEAD", head},
            {"SLOT", slot},
            {"X", x.element}},
           {pointer(x), input("positions"), input("sequences"), input("block_table"),
            cachePart(part, op.getLayer(), column * element.getIntOrFloatBitWidth() / 8), symbol(x.rows),
            symbol(Symbol::B), symbol(Symbol::M), symbol(Symbol::P)},
           op, "cache");
  };
  if (auto latent = dyn_cast<model::LatentCacheType>(op.getCache().getType())) {
    int64_t row = latent.getLatent() + latent.getRope();
    append(op.getKeys(), "latent", 0, row * pageTokens, 0, row, latent.getElement());
    append(op.getValues(), "latent", latent.getLatent(), row * pageTokens, 0, row, latent.getElement());
    return Status::success();
  }
  auto heads = cast<model::HeadCacheType>(op.getCache().getType());
  for (auto [value, part, size] : {std::tuple{op.getKeys(), "keys", heads.getKey()},
                                   std::tuple{op.getValues(), "values", heads.getValue()}})
    append(value, part, 0, heads.getHeads() * pageTokens * size, pageTokens * size, size, heads.getElement());
  return Status::success();
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

Status PlanBuilder::lowerAttention(model::AttentionOp op) {
  model::HeadCacheType cache = op.getCache().getType();
  TensorRef q = use(op.getQ()), y = place(op.getResult());
  double scale = op.getScale().convertToDouble();
  double cap = op.getSoftcap() ? op.getSoftcap()->convertToDouble() : 1.0;
  launch("attention",
         {{"HKV", cache.getHeads()},
          {"G", q.heads / cache.getHeads()},
          {"D", cache.getKey()},
          {"DV", cache.getValue()},
          {"XS", q.rowStride},
          {"HS", q.headStride},
          {"X", q.element},
          {"scale_log2", scale * std::numbers::log2e},
          {"WINDOWED", int64_t(op.getWindow().has_value())},
          {"WINDOW", op.getWindow() ? int64_t(*op.getWindow()) : int64_t(1)},
          {"SOFTCAP", int64_t(op.getSoftcap().has_value())},
          {"cap_log2", cap * std::numbers::log2e},
          {"inv_cap2", 2 * scale * std::numbers::log2e / cap}},
         {pointer(q), cachePart("keys", op.getLayer()), cachePart("values", op.getLayer()),
          input("positions"), input("sequences"), input("block_table"), pointer(y), symbol(q.rows),
          symbol(Symbol::B), symbol(Symbol::M), symbol(Symbol::P)},
         op, "attention");
  return Status::success();
}

/// The absorbed form: the query moves into the latent space, attention runs over the cached latents, and the
/// value matrix is applied to the weighted latents. Intermediate values stay in f32, so that it rounds where
/// the operator does.
Status PlanBuilder::lowerLatentAttention(model::LatentAttentionOp op) {
  model::LatentCacheType cache = op.getCache().getType();
  TensorRef nope = use(op.getQNope()), rope = use(op.getQRope());
  WeightRef kvB = weight(op.getKvB());
  if (!kvB.op)
    return unsupported(op, "has a matrix that is not a weight");
  int64_t heads = nope.heads, latent = cache.getLatent();
  TensorRef y = place(op.getResult());
  int64_t rows = nope.columns + y.columns;
  bool scaled = isBlockScaled(kvB);
  auto headLinear = [&](const TensorRef &x, const TensorRef &to, int64_t row0, bool transposed,
                        const char *note) {
    Parameters parameters = {{"H", heads},
                             {"N", to.columns},
                             {"K", x.columns},
                             {"ROWS", rows},
                             {"ROW0", row0},
                             {"COLUMNS", latent},
                             {"XS", x.rowStride},
                             {"HS", x.headStride},
                             {"X", x.element},
                             {"W", weightElement(kvB)},
                             {"Y", to.element},
                             {"SCALES", int64_t(scaled)},
                             {"TRANSPOSED", int64_t(transposed)},
                             {"SPLIT", int64_t(!transposed && x.element == "f32")}};
    // Only a matrix unit that lacks f32 wants it in parts.
    if (!hasMatrixAtom(parameters, target))
      parameters["SPLIT"] = int64_t(0);
    launch("head_linear", parameters,
           {pointer(x), weightPointer(kvB), scaled ? weightScales(kvB) : null(), pointer(to), symbol(x.rows)},
           op, note);
  };
  TensorRef query = workspace("q_latent", nope.rows, heads, latent, "f32");
  headLinear(nope, query, 0, /*transposed=*/true, "absorb_q");
  TensorRef mixed = workspace("u_latent", nope.rows, heads, latent, "f32");
  launch("latent_attention",
         {{"H", heads},
          {"L", latent},
          {"R", cache.getRope()},
          {"XS", rope.rowStride},
          {"HS", rope.headStride},
          {"X", rope.element},
          {"scale_log2", op.getScale().convertToDouble() * std::numbers::log2e}},
         {pointer(query), pointer(rope), cachePart("latent", op.getLayer()), input("positions"),
          input("sequences"), input("block_table"), pointer(mixed), symbol(nope.rows), symbol(Symbol::B),
          symbol(Symbol::M), symbol(Symbol::P)},
         op, "latent_attention");
  headLinear(mixed, y, nope.columns, /*transposed=*/false, "absorb_v");
  return Status::success();
}

} // namespace quern::lowering
