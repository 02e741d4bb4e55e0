//===- ForeignTables.h - Tuned tables of other programs -------------------===//
//
// What others found is a good place to begin a search, and never a choice: their kernels are not ours, their
// device is a name, and nobody knows which compiler it was. So their tables become seeds.
//
// Two families of tables are known.
//
//   JSON of vLLM and SGLang: one file for a device and a shape, named
//     E=<experts>,N=<intermediate size>,device_name=<name>[,dtype=<type>][,block_shape=[n,k]][_down].json
//     mixtures N=<n>,K=<k>,device_name=<name>,dtype=fp8_w8a8,block_shape=[128,128].json block-scaled products
//   An object that maps a number of tokens to {BLOCK_SIZE_M, BLOCK_SIZE_N, BLOCK_SIZE_K, GROUP_SIZE_M,
//   num_warps, num_stages}; at run time the nearest number is taken. Sources: vllm-project/vllm
//   vllm/model_executor/layers/fused_moe/configs/README and .../quantization/utils/configs,
//   sgl-project/sglang python/sglang/srt/layers/moe/fused_moe_triton/configs/README.md. A mixture has two
//   products: gate and up, [E, 2N, hidden], and down, [E, hidden, N]; SGLang may keep the second in a file of
//   its own, `_down`.
//
//   CSV of AITER: columns [gfx,]cu_num,M,N,K,kernelId,splitK,us,kernelName,..., where the name of a
//   block-scaled kernel holds "_<threads>x<M>x<N>x<K>_". Source: ROCm/aiter
//   aiter/configs/a8w8_blockscale_tuned_gemm.csv.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_DATABASE_FOREIGNTABLES_H
#define QUERN_TUNER_DATABASE_FOREIGNTABLES_H

#include "tuner/database/Lookup.h"
#include "tuner/database/Records.h"

namespace quern::tuner {

/// Seeds of a table, and lines that say nothing that a Schedule can.
struct ForeignSeeds {
  std::vector<Seed> seeds;
  std::vector<std::string> skipped; ///< "row 3: ..."
};

/// |file| is the table's name, with or without folders: it says what the table is for. Exit::BadInput
/// "E-TUNING-TABLE" for a name or contents of no known form, and the errors of Json.h; Exit::Unsupported
/// "E-TUNING-TABLE-TYPE" for an element type without a kernel.
Expected<ForeignSeeds> readBlockTable(std::string_view text, const std::string &file);
Expected<ForeignSeeds> readKernelList(std::string_view text, const std::string &file);
/// One of the two, by the ending of the name.
Expected<ForeignSeeds> readForeignTable(std::string_view text, const std::string &file);

/// True where |seed| speaks of |problem|: the kernel, the type and every parameter that it names are equal.
bool fits(const Seed &seed, const Problem &problem);

struct ForeignFile {
  std::string name, text;
};
/// Choices (the default where nothing beat it) for products, by bucket, as the JSON tables above: one file
/// for a device and a shape. Only tile, warps, stages and raster can be said there. In the order of names.
std::vector<ForeignFile> writeBlockTables(const Lookup &lookup);
/// The same as CSV, one file for an element type; `kernelName` is the Schedule's text, `kernelId` is -1: the
/// numbers mean something in one build only.
std::vector<ForeignFile> writeKernelLists(const Lookup &lookup);

} // namespace quern::tuner

#endif // QUERN_TUNER_DATABASE_FOREIGNTABLES_H
