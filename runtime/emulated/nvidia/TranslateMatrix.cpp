//===- TranslateMatrix.cpp - Matrix instructions of a warp ----------------===//
//
// PTX ISA 9.0, 9.7.14.5.14 to 9.7.14.5.17: mma.sync, ldmatrix, stmatrix, movmatrix. The translator checks the
// form against the manual's tables, target included; the registers go to a device call through memory.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/DeviceCalls.h"
#include "runtime/emulated/nvidia/MatrixForm.h"
#include "runtime/emulated/nvidia/MatrixFragments.h"
#include "runtime/emulated/nvidia/Translate.h"

#include <cstdlib>
#include <optional>

namespace quern::runtime::emulated::nvidia {

namespace {

struct ElementWord {
  std::string_view name;
  MatrixElement element;
  uint32_t bits; ///< in a register, without .kind
};

constexpr ElementWord elementWords[] = {
    {"f16", MatrixElement::F16, 16},  {"bf16", MatrixElement::BF16, 16}, {"tf32", MatrixElement::TF32, 32},
    {"e4m3", MatrixElement::E4M3, 8}, {"e5m2", MatrixElement::E5M2, 8},  {"e2m3", MatrixElement::E2M3, 8},
    {"e3m2", MatrixElement::E3M2, 8}, {"e2m1", MatrixElement::E2M1, 4},  {"s8", MatrixElement::S8, 8},
    {"u8", MatrixElement::U8, 8},     {"s4", MatrixElement::S4, 4},      {"u4", MatrixElement::U4, 4}};

const ElementWord *elementWord(std::string_view name) {
  for (const ElementWord &word : elementWords)
    if (word.name == name)
      return &word;
  return nullptr;
}

bool isFP8(MatrixElement element) { return element == MatrixElement::E4M3 || element == MatrixElement::E5M2; }
bool isSmallFloat(MatrixElement element) {
  return element >= MatrixElement::E4M3 && element <= MatrixElement::E2M1Byte;
}
bool isInteger(MatrixElement element) { return element >= MatrixElement::S8; }

std::optional<MatrixSum> sumWord(std::string_view name) {
  if (name == "f32")
    return MatrixSum::F32;
  if (name == "f16")
    return MatrixSum::F16;
  return name == "s32" ? std::optional(MatrixSum::S32) : std::nullopt;
}

/// The words of one mma.sync, split by meaning. |types|: in order.
struct MultiplyWords {
  std::string_view shape, kind, scaleVector;
  std::vector<std::string_view> types;
  bool sync = false, aligned = false, row = false, column = false, saturate = false, blockScale = false;

  bool read(const std::vector<std::string> &modifiers) {
    for (std::string_view word : modifiers) {
      if (word == "sync")
        sync = true;
      else if (word == "aligned")
        aligned = true;
      else if (word == "row")
        row = true;
      else if (word == "col")
        column = true;
      else if (word == "satfinite")
        saturate = true;
      else if (word == "block_scale")
        blockScale = true;
      else if (word.starts_with("kind::") && kind.empty())
        kind = word.substr(6);
      else if (word.starts_with("scale_vec::") && scaleVector.empty())
        scaleVector = word.substr(11);
      else if (word[0] == 'm' && word.find('n') != std::string_view::npos && shape.empty())
        shape = word;
      else if (elementWord(word) || sumWord(word) || word == "ue8m0" || word == "ue4m3")
        types.push_back(word);
      else
        return false;
    }
    return sync && aligned && row && column && types.size() == (blockScale ? 5 : 4);
  }
};

bool readShape(std::string_view text, uint32_t &m, uint32_t &n, uint32_t &k) {
  auto number = [&](char letter, uint32_t &into) {
    if (text.empty() || text[0] != letter)
      return false;
    text.remove_prefix(1);
    into = 0;
    while (!text.empty() && text[0] >= '0' && text[0] <= '9' && into < 1000) {
      into = into * 10 + static_cast<uint32_t>(text[0] - '0');
      text.remove_prefix(1);
    }
    return true;
  };
  return number('m', m) && number('n', n) && number('k', k) && text.empty();
}

/// Block scales of |kind| (PTX ISA 9.7.14.3, table of valid combinations); sets the count along k.
bool readScales(const MultiplyWords &words, MatrixForm &form) {
  std::string_view vector = words.scaleVector, type = words.types[4];
  form.scaleIsE4M3 = type == "ue4m3";
  if (type != "ue8m0" && type != "ue4m3")
    return false;
  if (words.kind == "mxf8f6f4")
    form.scales = vector.empty() || vector == "1X" ? 1 : 0;
  else if (words.kind == "mxf4")
    form.scales = vector.empty() || vector == "2X" ? 2 : 0;
  else if (words.kind == "mxf4nvf4")
    form.scales = vector == "2X" ? 2 : vector == "4X" ? 4 : 0;
  if (form.scales == 0)
    return false;
  // .ue4m3 belongs to 4X of mxf4nvf4, .ue8m0 to all.
  return !form.scaleIsE4M3 || (words.kind == "mxf4nvf4" && form.scales == 4);
}

/// Whether the types may be multiplied with each other in a shape of |m| rows and |k| columns of A
/// (PTX ISA 9.7.14.2 and the syntax of mma).
bool areCompatible(const MatrixForm &form, const MultiplyWords &words, uint32_t m, uint32_t k) {
  if (words.saturate && !isInteger(form.a))
    return false;
  if (!words.kind.empty()) {
    bool small = isSmallFloat(form.a) && isSmallFloat(form.b) && m == 16;
    if (words.kind == "f8f6f4")
      return small && !words.blockScale && k == 32 && form.sum != MatrixSum::S32;
    if (!words.blockScale || form.sum != MatrixSum::F32 || !small)
      return false;
    if (words.kind == "mxf8f6f4")
      return k == 32;
    return k == 64 && form.a == MatrixElement::E2M1 && form.b == MatrixElement::E2M1;
  }
  if (words.blockScale)
    return false;
  if (isFP8(form.a))
    return isFP8(form.b) && form.sum != MatrixSum::S32;
  if (isInteger(form.a)) {
    bool wideA = form.a <= MatrixElement::U8, wideB = form.b <= MatrixElement::U8;
    return isInteger(form.b) && wideA == wideB && form.sum == MatrixSum::S32;
  }
  if (form.a != form.b)
    return false;
  if (form.a == MatrixElement::F16)
    return form.sum != MatrixSum::S32;
  return (form.a == MatrixElement::BF16 || form.a == MatrixElement::TF32) && form.sum == MatrixSum::F32;
}

} // namespace

unsigned FunctionTranslator::targetNumber() const {
  const std::string &name = image.module->target;
  return name.starts_with("sm_") ? static_cast<unsigned>(std::strtoul(name.c_str() + 3, nullptr, 10)) : 0;
}

/// Code for one architecture or family only: "sm_100a", "sm_120f".
bool FunctionTranslator::targetIsSpecific() const {
  const std::string &name = image.module->target;
  return !name.empty() && (name.back() == 'a' || name.back() == 'f');
}

/// Memory in which registers go to a device call and come back.
FunctionTranslator::Value *FunctionTranslator::matrixMemory() {
  if (!matrixWords)
    matrixWords = makeAlloca(llvm::ArrayType::get(builder.getInt32Ty(), MatrixWordCount), 8);
  return matrixWords;
}

/// Stores the registers of |from|, a register or a vector of |count|, to words |first| and up.
bool FunctionTranslator::putMatrixWords(const Operand &from, uint32_t first, uint32_t count) {
  bool isVector = from.kind == Operand::Vector;
  needDefined(from);
  if (!isMatrixFragment(from, count))
    return false;
  for (uint32_t i = 0; i < count; ++i) {
    Value *value = load(isVector ? from.parts[i] : from, 32);
    if (!value)
      return false;
    builder.CreateStore(value, at(matrixMemory(), 4 * (first + i)));
  }
  return true;
}

/// A vector of |count| registers, or for one also the register itself.
bool FunctionTranslator::isMatrixFragment(const Operand &operand, uint32_t count) {
  return operand.kind == Operand::Vector ? operand.parts.size() == count : count == 1;
}

void FunctionTranslator::takeMatrixWords(const Operand &to, uint32_t first, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i)
    store(to.kind == Operand::Vector ? to.parts[i] : to,
          builder.CreateLoad(builder.getInt32Ty(), at(matrixMemory(), 4 * (first + i))));
}

/// mma.sync.aligned.shape.row.col{.kind}{.block_scale{.scale_vec}}.dtype.atype.btype.ctype{.stype}
bool FunctionTranslator::multiplyMatrices() {
  MultiplyWords words;
  uint32_t m = 0, n = 0, k = 0;
  if (!words.read(current->modifiers) || !readShape(words.shape, m, n, k))
    return false;
  const ElementWord *a = elementWord(words.types[1]), *b = elementWord(words.types[2]);
  auto sum = sumWord(words.types[0]);
  if (!a || !b || !sum || words.types[3] != words.types[0])
    return false;
  MatrixForm form;
  form.a = a->element;
  form.b = b->element;
  form.sum = *sum;
  form.saturate = words.saturate;
  if (words.blockScale && !readScales(words, form))
    return false;
  if (!areCompatible(form, words, m, k))
    return false;
  // The f8f6f4 kinds keep every type in bytes.
  bool inBytes = words.kind == "f8f6f4" || words.kind == "mxf8f6f4";
  auto byteForm = [&](MatrixElement element) {
    return inBytes && element == MatrixElement::E2M1 ? MatrixElement::E2M1Byte : element;
  };
  form.a = byteForm(form.a);
  form.b = byteForm(form.b);
  uint32_t bits = inBytes ? 8 : a->bits, index = 0;
  auto shapes = matrixShapes();
  while (index < shapes.size() && !(shapes[index].m == m && shapes[index].n == n && shapes[index].k == k &&
                                    shapes[index].bits == bits))
    ++index;
  if (index == shapes.size())
    return false;
  // Target notes of mma: .kind for sm_120a and its family, fp8 from sm_89, the others from sm_80.
  unsigned target = targetNumber();
  if (!words.kind.empty() ? !(target >= 120 && targetIsSpecific())
      : isFP8(form.a)     ? target < 89
                          : target < 80)
    return false;
  form.shape = static_cast<uint8_t>(index);
  const MatrixShape &shape = shapes[index];
  uint32_t registersC = shape.elementsC() * (form.sum == MatrixSum::F16 ? 16 : 32) / 32;
  if (operands().size() != (words.blockScale ? 8u : 4u) || !isMatrixFragment(operand(0), registersC) ||
      !putMatrixWords(operand(1), WordsA, shape.registersA()) ||
      !putMatrixWords(operand(2), WordsB, shape.registersB()) ||
      !putMatrixWords(operand(3), WordsC, registersC))
    return false;
  if (words.blockScale &&
      (!putMatrixWords(operand(4), WordScaleA, 1) || !putMatrixWords(operand(5), WordByteA, 2) ||
       !putMatrixWords(operand(6), WordScaleB, 1) || !putMatrixWords(operand(7), WordByteB, 2)))
    return false;
  callOut("quernMatrixMultiply", builder.getVoidTy(),
          {thread, site(), builder.getInt64(form.pack()), matrixMemory()});
  takeMatrixWords(operand(0), WordsC, registersC);
  return true;
}

/// The address of a matrix access in shared memory; generic addresses must lie there.
FunctionTranslator::Value *FunctionTranslator::matrixAddress(const Operand &operand) {
  Value *where = address(operand);
  if (where && spaceOfAccess() == Space::Generic)
    where = builder.CreateSub(where, builder.getInt64(sharedWindow));
  return where;
}

/// ldmatrix.sync.aligned.{m8n8,m8n16,m16n16}.{x1,x2,x4}{.trans}{.shared}.{b16,b8,b8x16.b6x16_p32,b8x16.b4x16_p64}
bool FunctionTranslator::loadMatrix() {
  uint32_t count = has("x1") ? 1 : has("x2") ? 2 : has("x4") ? 4 : 0, flags = count;
  bool transposed = has("trans"), unpacks = has("b8x16"), isBytes = has("b8") || unpacks;
  if (!has("sync") || !has("aligned") || count == 0 || operands().size() != 2 || has("b16") == isBytes)
    return false;
  if (unpacks != (has("b6x16_p32") || has("b4x16_p64")) || (unpacks && has("b8")))
    return false;
  if (has("m8n8")) {
    if (isBytes)
      return false;
  } else if (has("m8n16")) {
    if (!unpacks || transposed)
      return false;
    flags |= MatrixBytes;
  } else if (has("m16n16")) {
    if (!isBytes || !transposed || count > 2)
      return false;
    flags |= MatrixBytes | MatrixSixteen;
  } else {
    return false;
  }
  if (isBytes && !(targetNumber() >= 100 && targetIsSpecific()))
    return false;
  flags |= (transposed ? MatrixTransposed : 0u) | (has("b6x16_p32") ? MatrixSixBit : 0u) |
           (has("b4x16_p64") ? MatrixFourBit : 0u);
  uint32_t registerCount = flags & MatrixSixteen ? 2 * count : count;
  Value *where = matrixAddress(operand(1));
  if (!where || !isMatrixFragment(operand(0), registerCount))
    return false;
  this->count(sharedLoads, 4 * registerCount);
  countRows(where, flags & MatrixSixteen ? 16 * count : 8 * count, false);
  callOut("quernLoadMatrix", builder.getVoidTy(),
          {thread, site(), builder.getInt32(flags), where, matrixMemory()});
  takeMatrixWords(operand(0), 0, registerCount);
  return true;
}

/// stmatrix.sync.aligned.{m8n8,m16n8}.{x1,x2,x4}{.trans}{.shared}.{b16,b8}
bool FunctionTranslator::storeMatrix() {
  uint32_t count = has("x1") ? 1 : has("x2") ? 2 : has("x4") ? 4 : 0, flags = count;
  bool isBytes = has("m16n8");
  if (!has("sync") || !has("aligned") || count == 0 || operands().size() != 2 || has("m8n8") == isBytes ||
      has(isBytes ? "b16" : "b8") || (isBytes && !has("trans")))
    return false;
  if (isBytes ? !(targetNumber() >= 100 && targetIsSpecific()) : targetNumber() < 90)
    return false;
  flags |= (has("trans") ? MatrixTransposed : 0u) | (isBytes ? MatrixBytes : 0u);
  Value *where = matrixAddress(operand(0));
  if (!where || !putMatrixWords(operand(1), 0, count))
    return false;
  this->count(sharedStores, 4 * count);
  countRows(where, 8 * count, true);
  callOut("quernStoreMatrix", builder.getVoidTy(),
          {thread, site(), builder.getInt32(flags), where, matrixMemory()});
  return true;
}

/// movmatrix.sync.aligned.m8n8.trans.b16 d, a
bool FunctionTranslator::moveMatrix() {
  if (!has("sync") || !has("aligned") || !has("m8n8") || !has("trans") || !has("b16") ||
      operands().size() != 2 || !putMatrixWords(operand(1), 0, 1))
    return false;
  callOut("quernMoveMatrix", builder.getVoidTy(), {thread, site(), matrixMemory()});
  takeMatrixWords(operand(0), 0, 1);
  return true;
}

} // namespace quern::runtime::emulated::nvidia
