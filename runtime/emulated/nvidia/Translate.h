//===- Translate.h - From PTX to LLVM IR ----------------------------------===//
//
// Each function of a kernel image becomes one LLVM function of the thread; each PTX instruction a few LLVM
// instructions. Registers are variables of their declared width that LLVM's mem2reg turns into values; labels
// are basic blocks, so control flow needs no analysis. Floating point goes through bit casts. An instruction
// without a translation becomes a fault that a thread meets when it gets there.
//
// The instruction families stand in Translate*.cpp, each with the sections of the PTX ISA manual
// (version 8.8) that it follows. A handler answers false where it does not know the form of the instruction.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_TRANSLATE_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_TRANSLATE_H

#include "runtime/emulated/nvidia/Checks.h"
#include "runtime/emulated/nvidia/CountPlan.h"
#include "runtime/emulated/nvidia/KernelImage.h"
#include "runtime/emulated/nvidia/NumberType.h"
#include "runtime/emulated/nvidia/ThreadContext.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

#include <map>
#include <memory>

namespace quern::runtime::emulated::nvidia {

/// Translates all functions of |image| into |module|; the kernel's function is called "kernel". Bounds are
/// checked always.
void translate(const KernelImage &image, Checks checks, bool hostHasF16C, llvm::Module &module);

/// Rounding of a result (PTX ISA 9.7.9, "cvt", and the arithmetic instructions).
enum class Rounding : uint32_t { Nearest, Zero, Down, Up, Away };

class FunctionTranslator {
public:
  FunctionTranslator(const KernelImage &image, const Function &source, Checks checks, bool hostHasF16C,
                     llvm::Module &module, const CountPlan *plan);
  void run();
  /// True if some form of |opcode| is modelled.
  static bool models(std::string_view opcode);

private:
  using Value = llvm::Value;

  //===--- Translate.cpp: the frame of a function, operands, calls out -----===//

  void declareRegisters();
  void openLocalFrame();
  void translate(uint32_t index);
  struct Row;
  static const llvm::StringMap<Row> &rows();
  bool dispatch();
  void unmodelled();
  void flushCounts();
  void returnFromFunction();
  void startBlock(llvm::BasicBlock *block);
  llvm::BasicBlock *newBlock(const char *name);
  llvm::BasicBlock *blockOf(uint32_t instruction);

  const std::vector<Operand> &operands() const { return current->operands; }
  const Operand &operand(size_t i) const { return current->operands[i]; }
  bool has(std::string_view modifier) const { return current->has(modifier); }
  /// The type words of the instruction in order.
  std::vector<NumberType> types() const;
  /// The rounding word of the instruction, or |otherwise|.
  Rounding rounding(Rounding otherwise) const;

  llvm::IntegerType *intType(unsigned bits) { return builder.getIntNTy(bits); }
  llvm::ConstantInt *constant(unsigned bits, uint64_t value) { return builder.getIntN(bits, value); }
  llvm::Type *floatType(NumberType type);
  /// The operand as an integer of |bits| bits: registers are cut or extended with zeros.
  Value *load(const Operand &from, unsigned bits);
  /// The operand as a floating-point value (f32 or f64).
  Value *loadFloat(const Operand &from, unsigned bits);
  Value *loadPredicate(const Operand &from);
  /// Writes |value|, an integer, to a register; wider registers take zeros, or the sign with |isSigned|.
  void store(const Operand &to, Value *value, bool isSigned = false);
  void storeFloat(const Operand &to, Value *value);
  Value *toInteger(Value *value);
  Value *special(const std::string &name, unsigned bits);
  Value *variableAddress(const Operand &from);
  /// Splits an integer of lanes x bits into its lanes, low end first, and back.
  std::vector<Value *> split(Value *value, unsigned bits, unsigned lanes);
  Value *join(const std::vector<Value *> &lanes, unsigned bits);

  Value *callOut(const char *name, llvm::Type *result, llvm::ArrayRef<Value *> arguments);
  Value *site() { return builder.getInt32(siteIndex); }
  Value *threadField(size_t offset, llvm::Type *type);
  Value *blockField(size_t offset, llvm::Type *type);
  Value *at(Value *base, uint64_t offset);
  void count(llvm::AllocaInst *counter, uint64_t amount);
  void badOperand(const char *text);
  /// Ends the block with a fault if |condition| holds; goes on where it does not.
  void faultIf(Value *condition, const char *call, llvm::ArrayRef<Value *> arguments);
  llvm::AllocaInst *makeAlloca(llvm::Type *type, uint64_t align = 0);

  //===--- TranslateInteger.cpp --------------------------------------------===//

  bool integerArithmetic();
  bool multiply();
  bool multiplyAdd();
  bool minMaxInteger();
  bool divide();
  bool logic();
  bool shift();
  bool funnelShift();
  bool bitField();
  bool bitCount();
  bool permute();
  bool lop3();
  bool dotProduct();
  bool sumOfDifferences();
  bool carryArithmetic();

  //===--- TranslateCompare.cpp --------------------------------------------===//

  bool setPredicate();
  bool set();
  bool select();
  bool selectBySign();
  bool testProperty();
  Value *compare(std::string_view how, NumberType type, Value *a, Value *b, bool flush);
  Value *combine(Value *predicate);

  //===--- TranslateFloat.cpp ----------------------------------------------===//

  bool floatArithmetic();
  bool divideFloat();
  bool approximate();
  bool copySign();
  Value *floatOperation(std::string_view op, NumberType type, std::vector<Value *> values);
  Value *singleOperation(std::string_view op, NumberType type, std::vector<Value *> &values);
  Value *halfOperation(std::string_view op, NumberType type, std::vector<Value *> &values);
  Value *flush(Value *value);
  Value *saturate(Value *value);
  Value *canonicalNan(Value *value);
  /// Elements of the operands through |operation|, for scalar and packed types.
  bool elementwise(NumberType type, unsigned sources, std::string_view op);

  //===--- TranslateConvert.cpp --------------------------------------------===//

  bool convert();
  bool convertPack();
  Value *convertOne(NumberType to, NumberType from, Value *value);
  Value *integerToFloat(NumberType to, NumberType from, Value *value);
  Value *floatToInteger(NumberType to, NumberType from, Value *value);
  Value *floatToFloat(NumberType to, NumberType from, Value *value);
  Value *widen(NumberType from, Value *bits);
  Value *saturateInteger(NumberType to, NumberType from, Value *value);

  //===--- TranslateMemory.cpp ---------------------------------------------===//

  bool loadMemory();
  bool storeMemory();
  bool convertAddress();
  bool isInSpace();
  bool move();
  bool fence();
  bool noOperation();
  bool discard();
  Space spaceOfAccess() const;
  unsigned vectorOfAccess() const;
  Value *address(const Operand &operand);
  Value *hostPointer(Space space, Value *address, unsigned bytes, uint32_t flags, Value *stored = nullptr);
  Value *globalPointer(Value *address, unsigned bytes, uint32_t flags);
  Value *sharedPointer(Value *address, unsigned bytes, uint32_t flags, Value *stored);
  Value *localPointer(Value *address, unsigned bytes, uint32_t flags);
  Value *parameterPointer(const Operand &operand, unsigned bytes);

  //===--- TranslateAtomic.cpp ---------------------------------------------===//

  bool atomic();
  Value *atomicInteger(std::string_view op, NumberType type, Value *pointer, Value *a, Value *b);

  //===--- TranslateControl.cpp --------------------------------------------===//

  bool branch();
  bool branchIndexed();
  bool call();
  bool leave();
  bool trap();
  void tick();

  //===--- TranslateWarp.cpp -----------------------------------------------===//

  bool barrier();
  bool shuffle();
  bool vote();
  bool match();
  bool reduce();
  bool activeMask();
  bool elect();
  bool sleep();
  bool setRegisterCount();

  //===--- TranslateCount.cpp ----------------------------------------------===//

  void countSegment(uint32_t segment);
  void countAccess(Space space, Value *address, unsigned bytes, uint32_t flags);
  void countRows(Value *address, unsigned lanes, bool isWrite);

  //===--- TranslateDefined.cpp --------------------------------------------===//

  void trackRegisters();
  void noteRead(uint32_t index);
  void noteWrite(uint32_t index);
  void noteLateWrites();
  void needRegister(uint32_t index);
  void needDefined(const Operand &operand);

  //===--- TranslateCopy.cpp -----------------------------------------------===//

  bool copyAsync();

  //===--- TranslateMatrix.cpp ---------------------------------------------===//

  bool multiplyMatrices();
  bool loadMatrix();
  bool storeMatrix();
  bool moveMatrix();
  unsigned targetNumber() const;
  bool targetIsSpecific() const;
  Value *matrixMemory();
  Value *matrixAddress(const Operand &operand);
  bool putMatrixWords(const Operand &from, uint32_t first, uint32_t count);
  static bool isMatrixFragment(const Operand &operand, uint32_t count);
  void takeMatrixWords(const Operand &to, uint32_t first, uint32_t count);

  //===--- TranslateMbarrier.cpp -------------------------------------------===//

  bool mbarrier();
  bool mapAddress();
  bool clusterBarrier();
  void proxyFence();

  //===--- TranslateBulk.cpp -----------------------------------------------===//

  bool bulkCopy();
  bool storeAsync();
  bool tensorMap();
  /// A BulkForm::Reduction.
  uint8_t reductionWord() const;

  //===--- TranslateAsyncMatrix.cpp ----------------------------------------===//

  bool warpgroupMatrix();
  bool warpgroupMultiply();
  bool tensorCore();
  bool tensorMultiply();
  bool tensorLoadStore();
  /// Registers that asynchronous operations read or write: their states (AsyncRegister.h), all touched.
  void declareAsyncRegisters();
  /// The AsyncRegister array of a vector operand; null where it holds anything but 32-bit registers.
  Value *asyncRegisters(const Operand &vector);
  /// An instruction other than theirs reads or writes the register.
  void touchRegister(uint32_t index);

  const KernelImage &image;
  const Function &source;
  const Checks checks;
  const bool sanitize, hostHasF16C; ///< sanitize: Checks::memory
  llvm::Module &module;
  const CountPlan *const plan; ///< with Checks::counters
  Value *segmentCounts = nullptr;
  llvm::LLVMContext &context;
  llvm::IRBuilder<> builder;
  llvm::Function *function = nullptr;
  llvm::BasicBlock *entry = nullptr;
  Value *thread = nullptr, *block = nullptr;
  Value *sharedBase = nullptr, *sharedBytes = nullptr, *sharedOrigin = nullptr, *parameters = nullptr,
        *caches = nullptr;
  Value *localBase = nullptr, *frameBase = nullptr;
  std::vector<llvm::AllocaInst *> registers;
  std::vector<llvm::AllocaInst *> definedFlags; ///< by register; null where it need not be followed
  std::vector<Value *> parameterMemory;   ///< by variable: parameter space of a call or of this function
  std::vector<llvm::BasicBlock *> blocks; ///< by instruction, where a label stands
  llvm::AllocaInst *instructionCount = nullptr, *globalLoads = nullptr, *globalStores = nullptr,
                   *sharedLoads = nullptr, *sharedStores = nullptr, *branchCount = nullptr;
  llvm::AllocaInst *carry = nullptr;       ///< CC.CF, the carry flag (PTX ISA 9.7.2)
  llvm::AllocaInst *matrixWords = nullptr; ///< made when the first matrix instruction is met
  std::vector<int32_t> asyncIndex;         ///< by register: its place in |asyncStates|, or -1
  llvm::AllocaInst *asyncStates = nullptr;
  uint32_t asyncCount = 0;
  llvm::Instruction *afterRegisters = nullptr; ///< in the entry block, behind all registers
  std::map<std::vector<uint32_t>, llvm::AllocaInst *> asyncLists;
  uint64_t pendingInstructions = 0; ///< counted, not yet added in code

  // Of the instruction that is being translated.
  const Instruction *current = nullptr;
  Value *allDefined = nullptr, *someDefined = nullptr; ///< of the registers that it has read so far
  uint32_t siteIndex = 0, instructionIndex = 0;
};

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_TRANSLATE_H
