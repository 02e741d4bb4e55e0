//===- Kernels.c - The kernels that every backend must run ----------------===//
//
// One text for the CPU and the GPU targets: a function per kernel says what one thread of one block does, and a
// wrapper per kind of target calls it. A block has BLOCK_THREADS threads; on the CPU one call runs them in turn.
// ConformanceTest.cpp computes the expected values from the same formulas.
//
//===----------------------------------------------------------------------===//
typedef unsigned int u32;
typedef int i32;
typedef unsigned long long u64;
typedef long long i64;

#define BLOCK_THREADS 64

// out[i] = a[i] + 3 * b[i] + i
static inline void addIndexed(u32 i, u32 *out, const u32 *a, const u32 *b, u32 n) {
  if (i < n)
    out[i] = a[i] + 3 * b[i] + i;
}

// data[i] = data[i] * 3 + step: the order of launches shows in the result.
static inline void iterate(u32 i, u32 *data, u32 n, u32 step) {
  if (i < n)
    data[i] = data[i] * 3 + step;
}

// One argument of each kind.
static inline void mixed(u32 i, float *out, i32 n, i64 large, float factor) {
  if ((i32)i < n)
    out[i] = factor * (float)(i32)(i + (u32)(large >> 32));
}

// One value per block.
static inline void blockIndex(u32 block, u32 thread, u32 *out, u32 n) {
  if (thread == 0 && block < n)
    out[block] = block * 2654435761u + 1;
}

#if defined(__NVPTX__) || defined(__AMDGCN__)

#ifdef __NVPTX__
#define KERNEL __attribute__((nvptx_kernel))
#define THREAD ((u32)__nvvm_read_ptx_sreg_tid_x())
#define BLOCK ((u32)__nvvm_read_ptx_sreg_ctaid_x())
#define BARRIER() __syncthreads()
#else
#define KERNEL __attribute__((amdgpu_kernel, amdgpu_flat_work_group_size(BLOCK_THREADS, BLOCK_THREADS), visibility("protected")))
#define THREAD ((u32)__builtin_amdgcn_workitem_id_x())
#define BLOCK ((u32)__builtin_amdgcn_workgroup_id_x())
#define BARRIER()                                                                                            \
  do {                                                                                                       \
    __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");                                                   \
    __builtin_amdgcn_s_barrier();                                                                            \
    __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup");                                                   \
  } while (0)
#endif
#define INDEX (BLOCK * BLOCK_THREADS + THREAD)
#define GLOBAL __attribute__((address_space(1)))
#define SHARED __attribute__((address_space(3)))

KERNEL void add_indexed(GLOBAL u32 *out, GLOBAL const u32 *a, GLOBAL const u32 *b, u32 n) {
  addIndexed(INDEX, (u32 *)out, (const u32 *)a, (const u32 *)b, n);
}
KERNEL void iterate_step(GLOBAL u32 *data, u32 n, u32 step) { iterate(INDEX, (u32 *)data, n, step); }
KERNEL void mixed_kinds(GLOBAL float *out, i32 n, i64 large, float factor) {
  mixed(INDEX, (float *)out, n, large, factor);
}
KERNEL void block_index(GLOBAL u32 *out, u32 n) { blockIndex(BLOCK, THREAD, (u32 *)out, n); }

// out[i] = in[mirror of i in its block], through dynamic shared memory, with |padding| words before it.
extern SHARED u32 dynamicShared[];
KERNEL void reverse_block(GLOBAL u32 *out, GLOBAL const u32 *in, u32 padding) {
  dynamicShared[padding + THREAD] = in[INDEX];
  BARRIER();
  out[INDEX] = dynamicShared[padding + BLOCK_THREADS - 1 - THREAD];
}

// Writes where nothing is.
KERNEL void write_wild(i64 address) { *(GLOBAL volatile u32 *)address = 1; }

#else // the CPU

#define KERNEL(name, letters)                                                                                \
  const char name##_parameters[] = letters;                                                                  \
  void name(const u64 *slots, u32 blockBegin, u32 blockEnd, void *scratch)
#define FOR_EACH_BLOCK for (u32 block = blockBegin; block != blockEnd; ++block)
#define FOR_EACH_THREAD for (u32 thread = 0; thread != BLOCK_THREADS; ++thread)
#define INDEX (block * BLOCK_THREADS + thread)

KERNEL(add_indexed, "pppi") {
  FOR_EACH_BLOCK FOR_EACH_THREAD addIndexed(INDEX, (u32 *)slots[0], (const u32 *)slots[1], (const u32 *)slots[2],
                                            (u32)slots[3]);
}
KERNEL(iterate_step, "pii") {
  FOR_EACH_BLOCK FOR_EACH_THREAD iterate(INDEX, (u32 *)slots[0], (u32)slots[1], (u32)slots[2]);
}
KERNEL(mixed_kinds, "pilf") {
  union {
    u32 bits;
    float value;
  } factor = {(u32)slots[3]};
  FOR_EACH_BLOCK FOR_EACH_THREAD mixed(INDEX, (float *)slots[0], (i32)slots[1], (i64)slots[2], factor.value);
}
KERNEL(block_index, "pi") {
  FOR_EACH_BLOCK FOR_EACH_THREAD blockIndex(block, thread, (u32 *)slots[0], (u32)slots[1]);
}
KERNEL(reverse_block, "ppi") {
  u32 *shared = (u32 *)scratch + (u32)slots[2];
  FOR_EACH_BLOCK {
    FOR_EACH_THREAD shared[thread] = ((const u32 *)slots[1])[INDEX];
    FOR_EACH_THREAD((u32 *)slots[0])[INDEX] = shared[BLOCK_THREADS - 1 - thread];
  }
}

#endif
