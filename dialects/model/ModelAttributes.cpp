//===- ModelAttributes.cpp ------------------------------------------------===//
#include "dialects/model/Model.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace quern::model;

#include "dialects/model/ModelEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/model/ModelAttributes.cpp.inc"

void ModelDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/model/ModelAttributes.cpp.inc"
      >();
}

bool quern::model::isRecipe(Attribute attribute) {
  return isa_and_nonnull<ReadAttr, SliceAttr, ConcatAttr, StackAttr, TransposeAttr, ReshapeAttr,
                         DequantiseAttr>(attribute);
}

static LogicalResult verifySource(function_ref<InFlightDiagnostic()> error, Attribute source) {
  if (!isRecipe(source))
    return error() << "expected a recipe, got " << source;
  return success();
}

LogicalResult SliceAttr::verify(function_ref<InFlightDiagnostic()> error, int64_t dim, int64_t begin,
                                int64_t end, Attribute source) {
  if (dim < 0 || begin < 0 || end <= begin)
    return error() << "a slice has a dimension >= 0 and 0 <= begin < end, got dimension " << dim << ", "
                   << begin << " to " << end;
  return verifySource(error, source);
}

LogicalResult ConcatAttr::verify(function_ref<InFlightDiagnostic()> error, int64_t dim,
                                 ArrayRef<Attribute> sources) {
  if (dim < 0 || sources.empty())
    return error() << "a concatenation has a dimension >= 0 and at least one source";
  for (Attribute source : sources)
    if (failed(verifySource(error, source)))
      return failure();
  return success();
}

LogicalResult StackAttr::verify(function_ref<InFlightDiagnostic()> error, StringAttr placeholder,
                                int64_t count, Attribute source) {
  if (placeholder.getValue().empty() || count < 1)
    return error() << "a stack has a placeholder and a positive count, got " << placeholder << " and "
                   << count;
  return verifySource(error, source);
}

LogicalResult TransposeAttr::verify(function_ref<InFlightDiagnostic()> error, ArrayRef<int64_t> permutation,
                                    Attribute source) {
  SmallVector<bool> seen(permutation.size(), false);
  for (int64_t index : permutation) {
    if (index < 0 || index >= static_cast<int64_t>(seen.size()) || seen[index])
      return error() << "`[" << permutation << "]` is not a permutation";
    seen[index] = true;
  }
  return verifySource(error, source);
}

LogicalResult ReshapeAttr::verify(function_ref<InFlightDiagnostic()> error, ArrayRef<int64_t> shape,
                                  Attribute source) {
  for (int64_t extent : shape)
    if (extent < 1)
      return error() << "a reshape has positive dimensions, got " << extent;
  return verifySource(error, source);
}

LogicalResult DequantiseAttr::verify(function_ref<InFlightDiagnostic()> error, Attribute source) {
  return verifySource(error, source);
}
