//===- TranslateTable.cpp - The instructions that are modelled ------------===//
//
// One row per opcode: who translates it and the words that may follow it, besides type names and cache hints.
// An instruction with any other word is not modelled; its meaning is not guessed.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/ModelledOpcodes.h"
#include "runtime/emulated/nvidia/Translate.h"

namespace quern::runtime::emulated::nvidia {

namespace {

/// True if |word| is one of the blank-separated |words|, or they are "*".
bool isOneOf(std::string_view word, std::string_view words) {
  if (words == "*")
    return true;
  while (!words.empty()) {
    size_t blank = std::min(words.find(' '), words.size());
    if (words.substr(0, blank) == word)
      return true;
    words.remove_prefix(std::min(blank + 1, words.size()));
  }
  return false;
}

/// Hints to caches change no result (PTX ISA 9.7.9.1).
bool isCacheHint(std::string_view word) { return word.starts_with("L1::") || word.starts_with("L2::"); }

} // namespace

struct FunctionTranslator::Row {
  bool (FunctionTranslator::*handler)();
  const char *words;
};

const llvm::StringMap<FunctionTranslator::Row> &FunctionTranslator::rows() {
  using F = FunctionTranslator;
  static const llvm::StringMap<Row> rows = {
      {"add", {&F::integerArithmetic, "rn rz rm rp ftz sat cc"}},
      {"sub", {&F::integerArithmetic, "rn rz rm rp ftz sat cc"}},
      {"neg", {&F::integerArithmetic, "ftz"}},
      {"abs", {&F::integerArithmetic, "ftz"}},
      {"addc", {&F::carryArithmetic, "cc"}},
      {"subc", {&F::carryArithmetic, "cc"}},
      {"madc", {&F::carryArithmetic, "lo hi cc"}},
      {"mul", {&F::multiply, "lo hi wide rn rz rm rp ftz sat"}},
      {"mad", {&F::multiplyAdd, "lo hi wide cc rn rz rm rp ftz sat"}},
      {"mul24", {&F::multiply, "lo hi"}},
      {"mad24", {&F::multiplyAdd, "lo hi sat"}},
      {"min", {&F::minMaxInteger, "ftz NaN xorsign abs relu"}},
      {"max", {&F::minMaxInteger, "ftz NaN xorsign abs relu"}},
      {"div", {&F::divide, "rn rz rm rp approx full ftz"}},
      {"rem", {&F::divide, ""}},
      {"and", {&F::logic, ""}},
      {"or", {&F::logic, ""}},
      {"xor", {&F::logic, ""}},
      {"not", {&F::logic, ""}},
      {"cnot", {&F::logic, ""}},
      {"shl", {&F::shift, ""}},
      {"shr", {&F::shift, ""}},
      {"shf", {&F::funnelShift, "l r wrap clamp"}},
      {"bfe", {&F::bitField, ""}},
      {"bfi", {&F::bitField, ""}},
      {"bmsk", {&F::bitField, "wrap clamp"}},
      {"szext", {&F::bitField, "wrap clamp"}},
      {"bfind", {&F::bitCount, "shiftamt"}},
      {"fns", {&F::bitCount, ""}},
      {"popc", {&F::bitCount, ""}},
      {"clz", {&F::bitCount, ""}},
      {"brev", {&F::bitCount, ""}},
      {"prmt", {&F::permute, "f4e b4e rc8 ecl ecr rc16"}},
      {"lop3", {&F::lop3, "and or"}},
      {"dp4a", {&F::dotProduct, ""}},
      {"dp2a", {&F::dotProduct, "lo hi"}},
      {"sad", {&F::sumOfDifferences, ""}},
      {"setp",
       {&F::setPredicate, "eq ne lt le gt ge lo ls hi hs equ neu ltu leu gtu geu num nan and or xor ftz"}},
      {"set", {&F::set, "eq ne lt le gt ge lo ls hi hs equ neu ltu leu gtu geu num nan and or xor ftz"}},
      {"selp", {&F::select, ""}},
      {"slct", {&F::selectBySign, "ftz"}},
      {"testp", {&F::testProperty, "finite infinite number notanumber normal subnormal"}},
      {"fma", {&F::floatArithmetic, "rn rz rm rp ftz sat relu"}},
      {"copysign", {&F::copySign, ""}},
      {"rcp", {&F::approximate, "rn rz rm rp approx ftz"}},
      {"sqrt", {&F::approximate, "rn rz rm rp approx ftz"}},
      {"rsqrt", {&F::approximate, "rn rz rm rp approx ftz"}},
      {"sin", {&F::approximate, "approx ftz"}},
      {"cos", {&F::approximate, "approx ftz"}},
      {"lg2", {&F::approximate, "approx ftz"}},
      {"ex2", {&F::approximate, "approx ftz"}},
      {"tanh", {&F::approximate, "approx ftz"}},
      {"cvt", {&F::convert, "rn rz rm rp rna rni rzi rmi rpi ftz sat satfinite relu pack u4 s4 u2 s2"}},
      {"ld",
       {&F::loadMemory,
        "weak relaxed acquire volatile mmio cta cluster gpu sys ca cg cs lu cv nc v2 v4 v8 global shared "
        "shared::cta shared::cluster local param param::entry param::func const"}},
      {"ldu",
       {&F::loadMemory,
        "weak relaxed acquire volatile mmio cta cluster gpu sys ca cg cs lu cv nc v2 v4 v8 global shared "
        "shared::cta shared::cluster local param param::entry param::func const"}},
      {"st",
       {&F::storeMemory,
        "weak relaxed release volatile mmio cta cluster gpu sys wb cg cs wt v2 v4 v8 global "
        "shared shared::cta shared::cluster local param param::entry param::func const async "
        "mbarrier::complete_tx::bytes"}},
      {"cvta",
       {&F::convertAddress,
        "to global shared shared::cta shared::cluster local param param::entry param::func const"}},
      {"isspacep",
       {&F::isInSpace,
        "global shared shared::cta shared::cluster local param param::entry param::func const"}},
      {"mov", {&F::move, ""}},
      {"membar", {&F::fence, "cta gl gpu sys"}},
      {"fence",
       {&F::fence,
        "sc acq_rel acquire release cta cluster gpu sys proxy alias async async::global "
        "async::shared::cta async::shared::cluster global shared::cta shared::cluster mbarrier_init "
        "tensormap::generic async::generic sync_restrict::shared::cta::cluster "
        "sync_restrict::shared::cluster::cluster"}},
      {"mbarrier",
       {&F::mbarrier,
        "init inval arrive arrive_drop expect_tx complete_tx test_wait try_wait parity "
        "pending_count noComplete shared shared::cta shared::cluster release acquire relaxed cta "
        "cluster"}},
      {"tensormap",
       {&F::tensorMap,
        "replace cp_fenceproxy tile global_address rank box_dim global_dim global_stride "
        "element_stride elemtype interleave_layout swizzle_mode fill_mode swizzle_atomicity global "
        "shared::cta b1024 tensormap::generic release gpu cta cluster sys sync aligned"}},
      {"wgmma", {&F::warpgroupMatrix, "*"}},
      {"tcgen05", {&F::tensorCore, "*"}},
      {"mapa", {&F::mapAddress, "shared::cluster"}},
      {"getctarank", {&F::mapAddress, "shared::cluster"}},
      {"prefetch", {&F::noOperation, "*"}},
      {"prefetchu", {&F::noOperation, "*"}},
      {"applypriority", {&F::noOperation, "*"}},
      {"discard", {&F::discard, "global L2"}},
      {"createpolicy", {&F::noOperation, "*"}},
      {"griddepcontrol", {&F::noOperation, "*"}},
      {"setmaxnreg", {&F::setRegisterCount, "inc dec sync aligned"}},
      {"pmevent", {&F::noOperation, "*"}},
      {"atom",
       {&F::atomic, "relaxed acquire release acq_rel cta cluster gpu sys global shared shared::cta "
                    "shared::cluster add min max and or xor exch cas inc dec noftz v2 v4 v8"}},
      {"red",
       {&F::atomic, "relaxed acquire release acq_rel cta cluster gpu sys global shared shared::cta "
                    "shared::cluster add min max and or xor exch cas inc dec noftz v2 v4 v8 async "
                    "mbarrier::complete_tx::bytes"}},
      {"bra", {&F::branch, "uni"}},
      {"brx", {&F::branchIndexed, "idx uni"}},
      {"call", {&F::call, "uni"}},
      {"ret", {&F::leave, "uni"}},
      {"exit", {&F::leave, "uni"}},
      {"trap", {&F::trap, ""}},
      {"brkpt", {&F::trap, ""}},
      {"bar", {&F::barrier, "sync arrive red popc and or warp cta aligned"}},
      {"barrier",
       {&F::barrier, "sync arrive red popc and or warp cta aligned cluster wait release acquire relaxed"}},
      {"shfl", {&F::shuffle, "sync up down bfly idx"}},
      {"vote", {&F::vote, "sync all any uni ballot"}},
      {"match", {&F::match, "sync any all"}},
      {"redux", {&F::reduce, "sync add min max and or xor abs NaN"}},
      {"activemask", {&F::activeMask, ""}},
      {"elect", {&F::elect, "sync"}},
      {"nanosleep", {&F::sleep, ""}},
      {"cp",
       {&F::copyAsync,
        "async ca cg shared shared::cta global commit_group wait_group wait_all mbarrier arrive noinc "
        "bulk tensor reduce prefetch 1d 2d 3d 4d 5d tile shared::cluster "
        "mbarrier::complete_tx::bytes bulk_group multicast::cluster cta_group::1 cta_group::2 "
        "read add min max inc dec and or xor noftz L2"}},
      {"mma", {&F::multiplyMatrices, "*"}},
      {"ldmatrix",
       {&F::loadMatrix,
        "sync aligned m8n8 m8n16 m16n16 x1 x2 x4 trans shared shared::cta b8x16 b6x16_p32 b4x16_p64"}},
      {"stmatrix", {&F::storeMatrix, "sync aligned m8n8 m16n8 x1 x2 x4 trans shared shared::cta"}},
      {"movmatrix", {&F::moveMatrix, "sync aligned m8n8 trans"}}};
  return rows;
}

bool isModelledOpcode(std::string_view opcode) { return FunctionTranslator::models(opcode); }

bool FunctionTranslator::models(std::string_view opcode) { return rows().contains(opcode); }

bool FunctionTranslator::dispatch() {
  auto it = rows().find(current->opcode);
  if (it == rows().end())
    return false;
  for (const std::string &modifier : current->modifiers)
    if (!numberType(modifier) && !isCacheHint(modifier) && !isOneOf(modifier, it->second.words))
      return false;
  // Only a few instructions write pairs and vectors; a scalar one must not drop its result.
  const Operand::Kind first = operands().empty() ? Operand::Sink : operand(0).kind;
  if (first == Operand::Pair && !isOneOf(current->opcode, "setp shfl match elect lop3"))
    return false;
  if (first == Operand::Vector && !isOneOf(current->opcode, "mov ld ldu atom mma ldmatrix wgmma tcgen05"))
    return false;
  return (this->*it->second.handler)();
}

} // namespace quern::runtime::emulated::nvidia
