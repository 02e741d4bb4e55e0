//===- KernelLowering.h - From a kernel with layouts to LLVM operations ---===//
//
// Walks one kernel and emits, for each tile, one lane value per register of its layout. The files follow the
// kinds of operation: KernelLowering.cpp (frame, scalars, control flow), MemoryAccess.cpp (loads and stores),
// TileShapes.cpp (reductions and broadcasts), Relayout.cpp, Rings.cpp, MatrixProducts.cpp, RoleLowering.cpp
// (slots and roles), Elementwise.cpp (arithmetic), NumberFormats.cpp (bf16 and fp8).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_TARGETS_KERNELLOWERING_H
#define QUERN_LOWERING_TARGETS_KERNELLOWERING_H

#include "lowering/targets/Target.h"
#include "lowering/targets/TensorUnit.h"
#include "lowering/tile/BlockShape.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/DenseMap.h"

#include <map>

namespace quern::lowering {

/// The registers of one tile, each a lane value.
using Registers = mlir::SmallVector<mlir::Value>;

/// Register parts of a layout -> register.
std::map<tile::Coordinate, int32_t> registersByPart(const tile::Layout &layout);
/// Coordinates along |dim| at which the instructions, |size| long, of one warp begin.
mlir::SmallVector<int32_t> instructionStarts(const tile::Layout &layout, unsigned dim, int32_t size);

class KernelLowering {
public:
  KernelLowering(tile::KernelOp kernel, TargetLowering &target, const BlockShape &block);
  mlir::LogicalResult run(mlir::ModuleOp module);
  int32_t sharedBytes() const { return int32_t(sharedUsed); }

private:
  // KernelLowering.cpp
  mlir::LogicalResult lowerBlock(mlir::Block &block);
  mlir::LogicalResult lower(mlir::Operation *op);
  mlir::LogicalResult lowerFor(mlir::scf::ForOp loop);
  mlir::LogicalResult lowerIf(mlir::scf::IfOp branch);
  void lowerDomain(tile::DomainOp domain);
  /// The values that |value| is carried as: registers of a tile, or one scalar.
  Registers flatten(mlir::Value value);
  mlir::SmallVector<mlir::Type> flatTypes(mlir::Type type);
  /// Binds |value| to the first of |flat| and drops them from it.
  void bind(mlir::Value value, mlir::ValueRange &flat);

  // MemoryAccess.cpp
  mlir::LogicalResult lowerLoad(tile::LoadOp op);
  mlir::LogicalResult lowerStore(tile::StoreOp op);
  mlir::LogicalResult lowerGather(tile::GatherOp op);
  mlir::LogicalResult lowerScatter(tile::ScatterOp op);
  mlir::LogicalResult lowerLoadScalar(tile::LoadScalarOp op);
  /// One access of a tile through a view; dimension d of the view is dimension d - lead of the tile.
  struct Access {
    tile::ViewOp view;
    tile::Layout layout;
    mlir::Type element;
    unsigned lead;                          ///< leading dimensions of the view that the tile lacks
    mlir::SmallVector<mlir::Value> offsets; ///< scalar i32, one for each view dimension
    mlir::SmallVector<mlir::Value> lanes;   ///< i32 lane value that lane and warp add; null for none
    mlir::SmallVector<bool> check;          ///< bounds of this dimension are not proven
    mlir::SmallVector<bool> anyOutside;     ///< what a load gives outside of this dimension does not matter
    bool contiguous = false;                ///< SIMD lanes are neighbours in memory
    std::vector<tile::Coordinate> parts;    ///< register parts
  };

  /// Where one register of a tile lives.
  struct Address {
    mlir::Value pointer;          ///< scalar pointer, or a vector of pointers
    mlir::Value uniformCondition; ///< scalar i1; null if always inside
    mlir::Value laneCondition;    ///< i1 lane value; null if always inside
  };

  Access planAccess(mlir::Operation *at, tile::ViewOp view, mlir::OperandRange offsets,
                    const tile::Layout &layout, mlir::Type element);
  Address address(const Access &access, int32_t reg, bool clamp);
  Address addressOf(tile::ViewOp view, mlir::ArrayRef<mlir::Value> indices);
  mlir::Value loadLanes(const Address &at, mlir::Type element, int32_t width, bool contiguous);
  void storeLanes(const Address &at, mlir::Value value, mlir::Type element, mlir::Value replicas,
                  bool contiguous);
  /// The stride of dimension |d| as an i64 scalar.
  mlir::Value strideOf(tile::ViewOp view, unsigned d);
  int32_t accessWidth(const Access &access, mlir::Value offset);
  /// Neighbours that |access| moves at once, at most |limit|: as many as its layout has and alignment proves.
  int32_t alignedWidth(const Access &access, mlir::Value offset, int32_t limit);
  int32_t gatherWidth(tile::ViewOp view, mlir::OperandRange indices, const tile::Layout &layout,
                      mlir::Type element);
  mlir::SmallVector<mlir::Value> indicesAt(mlir::OperandRange indices, int32_t reg, bool same);

  // TileShapes.cpp
  mlir::LogicalResult lowerReduce(tile::ReduceOp op);
  void lowerBroadcast(tile::BroadcastOp op);
  void lowerIota(tile::IotaOp op);
  mlir::Value combine(tile::ReduceKind kind, mlir::Value a, mlir::Value b);
  /// Lane value shuffled by XOR, of any width.
  mlir::Value shuffle(mlir::Value value, int32_t mask);
  /// Coordinate along |dim| that lane and warp add, as an i32 lane value; null where they add nothing.
  mlir::Value lanePart(const tile::Layout &layout, unsigned dim);
  /// i1 lane value that is true in one of the replicas of each element; null where there is no replica.
  mlir::Value oneReplica(const tile::Layout &layout);
  /// Notes that |bytes| of shared memory are used at this point, with a barrier before where anything may
  /// have used them already.
  mlir::Value useShared(int64_t bytes);

  // Relayout.cpp
  mlir::LogicalResult lowerRelayout(tile::RelayoutOp op);
  Registers relayoutRows(const tile::Layout &from, const tile::Layout &to, mlir::Type element,
                         const Registers &in);
  Registers relayoutLanes(const tile::Layout &from, const tile::Layout &to, mlir::Type element,
                          const Registers &in);
  Registers relayoutElements(const tile::Layout &from, const tile::Layout &to, mlir::Type element,
                             const Registers &in);

  // Rings.cpp
  void lowerRing(tile::RingOp op);
  mlir::LogicalResult lowerRingCopy(tile::RingCopyOp op);
  mlir::LogicalResult lowerRingWrite(tile::RingWriteOp op);
  mlir::LogicalResult lowerRingRead(tile::RingReadOp op);
  /// Start of a slot, an i8 pointer to shared memory.
  mlir::Value slotPointer(mlir::Value ring, mlir::Value slot);

  // MatrixProducts.cpp
  mlir::LogicalResult lowerMma(tile::MmaOp op);
  mlir::LogicalResult lowerDotPairs(tile::DotPairsOp op);
  mlir::LogicalResult multiplyByAtoms(tile::MmaOp op);
  mlir::LogicalResult multiplyByRegisters(tile::MmaOp op);
  /// The sum of one step and the total so far, both at a register of the accumulator -> the new total.
  using Promotion = std::function<mlir::Value(int32_t place, mlir::Value sum, mlir::Value total)>;
  /// Multiplies by the scales of |op|; empty where it has none.
  Promotion promotionOf(tile::MmaOp op, const tile::Layout &accumulator);

  // RoleLowering.cpp
  /// A tile of a slot: its place in the slot and how its elements lie.
  struct SharedTile {
    int64_t offset, bytes;
    int32_t span, elementBytes;
    tile::MemoryLayout layout;
  };
  /// Bytes from the start of shared memory; the barriers of filled slots, then those of empty ones.
  struct SlotRing {
    int64_t depth = 0, slotBytes = 0, copiedBytes = 0, barriers = 0;
    std::vector<SharedTile> tiles;
  };
  mlir::LogicalResult lowerSlots(tile::SlotsOp op);
  void lowerFillSlot(tile::FillSlotOp op);
  void lowerWaitSlot(tile::WaitSlotOp op);
  void lowerFreeSlot(tile::FreeSlotOp op);
  mlir::LogicalResult lowerRoles(tile::RolesOp op);
  mlir::LogicalResult multiplyShared(tile::MmaOp op);
  mlir::Value sharedAddress(int64_t bytes);
  mlir::Value slotAddress(const SlotRing &ring, mlir::Value slot, int64_t offset);
  mlir::Value barrierAddress(const SlotRing &ring, mlir::Value slot, bool empty);
  mlir::Value issuerPart(const tile::Layout &accumulator, unsigned dim);
  /// Waits for all warps that compute.
  void barrier();

  // Elementwise.cpp
  mlir::LogicalResult lowerElementwise(mlir::Operation *op);
  mlir::Value storedConstant(mlir::TypedAttr value);
  /// One scalar or lane value of an arith or math operation; null where it is not known.
  mlir::Value emit(mlir::Operation *op, mlir::ArrayRef<mlir::Value> operands);

  // NumberFormats.cpp
  /// Converts a lane value of element |from| to element |to|; null where the pair is not known.
  mlir::Value convert(mlir::Value value, mlir::Type from, mlir::Type to);
  mlir::Value decodeF8(mlir::Value bits, mlir::Type format);
  mlir::Value encodeF8(mlir::Value x, mlir::Type format);

  /// The type that holds |element| in registers and memory.
  mlir::Type storageType(mlir::Type element);

  const tile::Layout &layoutOf(mlir::Value value) { return *tile::getLayout(value.getType()); }
  mlir::Type elementOf(mlir::Value value) {
    return llvm::cast<mlir::RankedTensorType>(value.getType()).getElementType();
  }

  tile::KernelOp kernel;
  TargetLowering &target;
  BlockShape block;
  LaneBuilder b;
  KernelFrame frame;
  llvm::DenseMap<mlir::Value, mlir::Value> scalars;
  llvm::DenseMap<mlir::Value, Registers> tiles;
  mlir::Value lane, warp;
  int32_t loopDepth = 0; ///< loops around the operation that is lowered
  int64_t sharedUsed = 0;
  int64_t ringBytes = 0; ///< of the rings and slots that are in use here, from the start of shared memory
  llvm::DenseMap<mlir::Value, int64_t> ringOffsets;
  llvm::DenseMap<mlir::Value, std::unique_ptr<SlotRing>> rings;
  llvm::DenseMap<mlir::Value, const SharedTile *> sharedTiles;
  bool inRoles = false; ///< only warps that compute are here
};

} // namespace quern::lowering

#endif // QUERN_LOWERING_TARGETS_KERNELLOWERING_H
