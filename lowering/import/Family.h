//===- Family.h - A model family as data ----------------------------------===//
//
// A family description says which config.json keys there are, how weights are made from checkpoint tensors,
// and how the operators of a layer are wired. docs/Families.md is the format's page. This is its parsed form:
// every expression and every wiring step is parsed and every operation's form is checked when the file is
// read, so that what can be wrong with a description without a checkpoint is found without one.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_IMPORT_FAMILY_H
#define QUERN_LOWERING_IMPORT_FAMILY_H

#include "lowering/import/Expression.h"
#include "lowering/import/RopeParameters.h"

#include <optional>

namespace quern::import {

/// One key of config.json.
struct ConfigKey {
  enum Kind { Int, Float, Bool, String, List };
  std::string name;
  /// Where it may stand, first match wins; "a.b" is member b of object a.
  std::vector<std::string> paths;
  Kind kind = Int;
  std::optional<Expression> fallback; ///< may use keys declared before this one
  bool optional = false;              ///< without a fallback: bound to null where absent
  std::optional<double> min, max;     ///< inclusive, on numbers
  std::optional<double> above, below; ///< exclusive
  std::vector<Value> oneOf;           ///< closed set for the value, or for each item of a list
};

/// A condition that the configuration must meet.
struct Requirement {
  std::string name;
  Expression that;
  std::string sentence, remedy;
  bool unsupported = false; ///< exit class Unsupported in place of BadInput
};

/// A table of rotation frequencies.
struct RopeTable {
  std::string name;
  Expression dim, theta, layout;
  /// Paths of the object with the scaling's parameters; the first that is present is used.
  std::vector<std::string> parameters;
  /// Which kind the configuration's word for it means.
  std::map<std::string, RopeKind, std::less<>> kinds;
};

/// How a weight is made from checkpoint tensors: a tree.
struct Source {
  enum Kind { Tensor, Concat, Stack, Slice, Transpose, Reshape };
  Kind kind = Tensor;
  std::string tensor;                           ///< Tensor: name with {placeholders}
  std::optional<std::vector<Expression>> shape; ///< Tensor: where it does not follow; Reshape: the new shape
  std::vector<Source> children;
  int64_t dim = 0;                      ///< Concat, Slice
  std::optional<Expression> begin, end; ///< Slice
  std::string placeholder;              ///< Stack
  std::optional<Expression> count;      ///< Stack
  std::vector<int64_t> order;           ///< Transpose
};

struct WeightDescription {
  std::string name;
  std::optional<Expression> when; ///< absent weights count as not given where a step names them
  std::vector<Expression> shape;
  /// Ways in which checkpoints store it; the first whose tensors are all there is used.
  std::vector<Source> from;
  bool quantised = false;                      ///< fp8 in a checkpoint that is quantised
  bool f32 = false;                            ///< kept in fp32
  Expression active = Expression::constant(1); ///< the part that one token's step reads, 0 to 1
};

/// A step, a conditional group, or the use of a named block.
struct WiringItem {
  std::optional<StepText> step;
  std::optional<Expression> when;
  std::vector<WiringItem> then, otherwise;
  std::string block;
};

struct LayerClass {
  std::string name;
  std::optional<Expression> when; ///< sees `layer`
  std::vector<WiringItem> steps;
};

struct CacheDescription {
  bool latent = false;
  std::optional<Expression> heads, key, value; ///< of a head cache
  std::optional<Expression> size, rope;        ///< of a latent cache
};

struct IgnoredTensors {
  std::string pattern; ///< name with `*` and {placeholders}
  std::string reason;
  std::optional<Expression> when;
};

struct Family {
  std::string name, summary, origin; ///< origin: file name in messages
  std::vector<std::string> modelTypes, architectures;
  std::vector<ConfigKey> config;
  std::vector<std::pair<std::string, Expression>> definitions;
  std::vector<Requirement> requirements;
  std::vector<std::pair<std::string, std::string>> semantic; ///< key pattern, what it is about
  std::vector<RopeTable> ropes;
  Expression vocabulary, hidden, context, layerCount, predictionCount;
  CacheDescription cache;
  std::vector<WeightDescription> weights;
  std::vector<IgnoredTensors> ignored;
  std::vector<std::pair<std::string, std::vector<WiringItem>>> blocks;
  std::vector<LayerClass> layers;
  std::vector<WiringItem> begin, end, prediction;

  const WeightDescription *findWeight(std::string_view name) const;
  const std::vector<WiringItem> *findBlock(std::string_view name) const;
};

/// Builds a family from its merged JSON. Exit::BadInput "E-FAMILY-FORMAT", "E-FAMILY-EXPRESSION",
/// "E-FAMILY-STEP".
Expected<Family> parseFamily(const JsonDocument &document);

/// True where |text| matches |pattern|, in which `*` stands for any run of characters.
bool matchesPattern(std::string_view pattern, std::string_view text);

/// Every `{placeholder}` of |name| replaced by the value that |scope| gives its expression, except those
/// named in |kept|. Exit::BadInput "E-FAMILY-EXPRESSION".
Expected<std::string> expandName(std::string_view name, const Scope &scope,
                                 const std::vector<std::string> &kept = {});

} // namespace quern::import

#endif // QUERN_LOWERING_IMPORT_FAMILY_H
