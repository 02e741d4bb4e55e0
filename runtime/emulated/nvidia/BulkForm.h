//===- BulkForm.h - What a bulk copy does, as translator and runtime say it ---===//
//
// PTX ISA 9.7.9.25 (cp.async.bulk), 9.7.9.26 (cp.async.bulk.tensor, cp.reduce.async.bulk.tensor). A form is
// eight bytes that translated code passes as one number; the operands follow as an array of 64-bit values.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_BULKFORM_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_BULKFORM_H

#include <cstdint>

namespace quern::runtime::emulated::nvidia {

struct BulkForm {
  enum Way : uint8_t { GlobalToShared, SharedToGlobal, SharedToShared };
  enum Reduction : uint8_t { None, Add, Min, Max, Inc, Dec, And, Or, Xor };
  enum Type : uint8_t { U32, S32, U64, S64, F16, BF16, F32, F64, F32Ftz };
  Way way = GlobalToShared;
  uint8_t rank = 0; ///< of the tensor map, 0: plain bytes
  Reduction reduction = None;
  Type type = U32;        ///< of the reduction; a tensor map says it itself
  bool multicast = false; ///< to the blocks of a mask
  bool pair = false;      ///< .cta_group::2
  bool ownBlock = false;  ///< the destination is .shared::cta
  uint8_t unused = 0;
};
static_assert(sizeof(BulkForm) == 8);

/// The operands; a tensor map stands in the place of the global address.
struct BulkOperands {
  uint64_t to = 0, from = 0, bytes = 0, mbarrier = 0, mask = 0;
  int64_t coordinates[5] = {};
};

/// Fields of `tensormap.replace` (PTX ISA 9.7.9.27, table "Field values").
enum class MapField : uint32_t {
  GlobalAddress,
  Rank,
  BoxDim,
  GlobalDim,
  GlobalStride,
  ElementStride,
  ElementType,
  InterleaveLayout,
  SwizzleMode,
  FillMode,
  SwizzleAtomicity
};

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_BULKFORM_H
