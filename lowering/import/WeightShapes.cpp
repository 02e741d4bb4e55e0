//===- WeightShapes.cpp - Shapes along the chain from checkpoint to weight ---===//
#include "lowering/import/WeightShapes.h"

#include <algorithm>

using namespace quern;
using namespace quern::import;

namespace {

using Shape = std::vector<int64_t>;

/// Bound on the elements of one weight, so that products stay far from 64 bits.
constexpr int64_t kMaxElements = int64_t{1} << 48;

std::string shapeText(const Shape &shape) {
  std::string text = "[";
  for (int64_t size : shape)
    text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

class SourceResolver {
public:
  SourceResolver(const WeightDescription &weight, const Scope &scope) : weight(weight), scope(scope) {}

  Status fault(const std::string &sentence) const {
    return Status::error(Exit::BadInput, "E-FAMILY-SHAPE", "the weight `" + weight.name + "` " + sentence);
  }

  Expected<Shape> evaluateShape(const std::vector<Expression> &expressions) const {
    Shape shape;
    int64_t elements = 1;
    for (const Expression &expression : expressions) {
      QUERN_ASSIGN_OR_RETURN(int64_t size, expression.evaluateInt(scope));
      if (size < 1 || size > kMaxElements / elements)
        return fault("has the size " + std::to_string(size) + " by `" + expression.text() + "`");
      elements *= size;
      shape.push_back(size);
    }
    return shape;
  }

  /// |wanted| is the shape that the parent asks for, where it knows.
  Expected<WeightSource> resolve(const Source &source, const std::optional<Shape> &wanted) {
    WeightSource made;
    made.kind = source.kind;
    switch (source.kind) {
    case Source::Tensor: {
      if (!source.shape && !wanted)
        return fault("does not say the shape of `" + source.tensor + "`");
      made.shape = wanted.value_or(Shape());
      if (source.shape) {
        QUERN_ASSIGN_OR_RETURN(made.shape, evaluateShape(*source.shape));
      }
      QUERN_ASSIGN_OR_RETURN(made.tensor, expandName(source.tensor, scope, kept));
      break;
    }
    case Source::Concat:
      QUERN_RETURN_IF_ERROR(resolveConcat(source, wanted, made));
      break;
    case Source::Stack: {
      QUERN_ASSIGN_OR_RETURN(made.count, source.count->evaluateInt(scope));
      if (made.count < 1 || made.count > 4096)
        return fault("is stacked " + std::to_string(made.count) + " times");
      made.placeholder = source.placeholder;
      std::optional<Shape> inner;
      if (wanted && !wanted->empty())
        inner = Shape(wanted->begin() + 1, wanted->end());
      kept.push_back(source.placeholder);
      QUERN_ASSIGN_OR_RETURN(WeightSource child, resolve(source.children[0], inner));
      kept.pop_back();
      made.shape = child.shape;
      made.shape.insert(made.shape.begin(), made.count);
      made.children.push_back(std::move(child));
      break;
    }
    case Source::Slice: {
      QUERN_ASSIGN_OR_RETURN(WeightSource child, resolve(source.children[0], std::nullopt));
      QUERN_ASSIGN_OR_RETURN(made.begin, source.begin->evaluateInt(scope));
      QUERN_ASSIGN_OR_RETURN(made.end, source.end->evaluateInt(scope));
      made.dim = source.dim;
      made.shape = child.shape;
      if (made.dim >= static_cast<int64_t>(made.shape.size()) || made.begin < 0 || made.begin >= made.end ||
          made.end > made.shape[made.dim])
        return fault("is sliced from " + std::to_string(made.begin) + " to " + std::to_string(made.end) +
                     " out of " + shapeText(child.shape));
      made.shape[made.dim] = made.end - made.begin;
      made.children.push_back(std::move(child));
      break;
    }
    case Source::Transpose: {
      std::optional<Shape> inner;
      if (wanted && wanted->size() == source.order.size()) {
        inner = Shape(wanted->size());
        for (size_t i = 0; i < source.order.size(); ++i)
          (*inner)[source.order[i]] = (*wanted)[i];
      }
      QUERN_ASSIGN_OR_RETURN(WeightSource child, resolve(source.children[0], inner));
      if (child.shape.size() != source.order.size())
        return fault("is transposed with the wrong number of dimensions");
      made.order = source.order;
      for (int64_t dim : source.order)
        made.shape.push_back(child.shape[dim]);
      made.children.push_back(std::move(child));
      break;
    }
    case Source::Reshape: {
      QUERN_ASSIGN_OR_RETURN(WeightSource child, resolve(source.children[0], std::nullopt));
      QUERN_ASSIGN_OR_RETURN(made.shape, evaluateShape(*source.shape));
      auto product = [](const Shape &shape) {
        int64_t elements = 1;
        for (int64_t size : shape)
          elements *= size;
        return elements;
      };
      if (product(made.shape) != product(child.shape))
        return fault("is reshaped from " + shapeText(child.shape) + " to " + shapeText(made.shape));
      made.children.push_back(std::move(child));
      break;
    }
    }
    if (wanted && made.shape != *wanted)
      return fault("wants " + shapeText(*wanted) + ", its source yields " + shapeText(made.shape));
    return made;
  }

private:
  Status resolveConcat(const Source &source, const std::optional<Shape> &wanted, WeightSource &made) {
    made.dim = source.dim;
    std::optional<Shape> each;
    int64_t parts = static_cast<int64_t>(source.children.size());
    if (wanted && made.dim < static_cast<int64_t>(wanted->size()) && (*wanted)[made.dim] % parts == 0) {
      each = *wanted;
      (*each)[made.dim] /= parts;
    }
    for (const Source &child : source.children) {
      // A part that says its own shape need not be an even share.
      bool own = child.kind != Source::Tensor || child.shape;
      QUERN_ASSIGN_OR_RETURN(WeightSource part,
                             resolve(child, own && child.kind == Source::Tensor ? std::nullopt : each));
      if (made.children.empty()) {
        made.shape = part.shape;
        if (made.dim >= static_cast<int64_t>(made.shape.size()))
          return fault("is joined along a dimension that it does not have");
      } else {
        Shape rest = part.shape;
        if (rest.size() != made.shape.size())
          return fault("joins tensors of different ranks");
        made.shape[made.dim] += rest[made.dim];
        rest[made.dim] = made.shape[made.dim];
        if (rest != made.shape)
          return fault("joins tensors of shapes that do not fit");
      }
      made.children.push_back(std::move(part));
    }
    return Status::success();
  }

  const WeightDescription &weight;
  const Scope &scope;
  std::vector<std::string> kept = {"layer"};
};

bool readsLayer(const WeightSource &source) {
  if (source.kind == Source::Tensor)
    return source.tensor.find("{layer}") != std::string::npos;
  return std::any_of(source.children.begin(), source.children.end(), readsLayer);
}

std::string replaced(std::string text, const std::string &what, const std::string &with) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
  return text;
}

using Bound = std::vector<std::pair<std::string, std::string>>;

bool visitTensors(const WeightSource &source, Bound &bound,
                  const std::function<bool(const std::string &, const WeightSource &)> &visit) {
  if (source.kind == Source::Tensor) {
    std::string name = source.tensor;
    for (const auto &[placeholder, value] : bound)
      name = replaced(std::move(name), placeholder, value);
    return visit(name, source);
  }
  if (source.kind == Source::Stack) {
    for (int64_t i = 0; i < source.count; ++i) {
      bound.emplace_back("{" + source.placeholder + "}", std::to_string(i));
      bool goOn = visitTensors(source.children[0], bound, visit);
      bound.pop_back();
      if (!goOn)
        return false;
    }
    return true;
  }
  for (const WeightSource &child : source.children)
    if (!visitTensors(child, bound, visit))
      return false;
  return true;
}

} // namespace

int64_t Weight::elements() const {
  int64_t product = 1;
  for (int64_t size : shape)
    product *= size;
  return product;
}

std::string WeightSource::text() const {
  static constexpr const char *names[] = {"", "concat", "stack", "slice", "transpose", "reshape"};
  std::string text = names[kind];
  if (kind == Source::Tensor)
    text = tensor;
  text += shapeText(shape);
  if (kind == Source::Stack)
    text += placeholder + std::to_string(count);
  if (kind == Source::Concat || kind == Source::Slice)
    text += std::to_string(dim);
  if (kind == Source::Slice)
    text += ":" + std::to_string(begin) + ":" + std::to_string(end);
  if (kind == Source::Transpose)
    text += shapeText(order);
  for (const WeightSource &child : children)
    text += "(" + child.text() + ")";
  return text;
}

Expected<Weight> quern::import::resolveWeight(const WeightDescription &description, const Scope &scope) {
  SourceResolver resolver(description, scope);
  Weight weight;
  weight.name = description.name;
  weight.quantised = description.quantised;
  weight.f32 = description.f32;
  QUERN_ASSIGN_OR_RETURN(weight.shape, resolver.evaluateShape(description.shape));
  for (const Source &way : description.from) {
    QUERN_ASSIGN_OR_RETURN(WeightSource source, resolver.resolve(way, weight.shape));
    weight.perLayer |= readsLayer(source);
    weight.ways.push_back(std::move(source));
  }
  QUERN_ASSIGN_OR_RETURN(Value active, description.active.evaluate(scope));
  if (!active.isNumber() || active.number() < 0 || active.number() > 1)
    return resolver.fault("is active by " + active.text() + ", which is not between 0 and 1");
  weight.active = active.number();
  return weight;
}

bool quern::import::forEachTensor(
    const WeightSource &source, int64_t layer,
    const std::function<bool(const std::string &name, const WeightSource &leaf)> &visit) {
  Bound bound = {{"{layer}", std::to_string(layer)}};
  return visitTensors(source, bound, visit);
}
