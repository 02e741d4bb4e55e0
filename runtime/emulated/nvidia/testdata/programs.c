// Kernels for ProgramTest.cpp. programs.ptx is made from this file by make-programs.sh.

#define GLOBAL __attribute__((address_space(1)))
#define SHARED __attribute__((address_space(3)))
#define KERNEL __attribute__((device_kernel))

typedef unsigned int u32;
typedef unsigned char u8;

static inline u32 tid(void) { return (u32)__nvvm_read_ptx_sreg_tid_x(); }
static inline u32 ctaid(void) { return (u32)__nvvm_read_ptx_sreg_ctaid_x(); }
static inline u32 ntid(void) { return (u32)__nvvm_read_ptx_sreg_ntid_x(); }
static inline float bfly(float x, int lane) {
  return __builtin_bit_cast(float, __nvvm_shfl_sync_bfly_i32(-1, __builtin_bit_cast(int, x), lane, 31));
}

KERNEL void vector_add(const GLOBAL float *a, const GLOBAL float *b, GLOBAL float *c, int n) {
  int i = (int)(ctaid() * ntid() + tid());
  if (i < n)
    c[i] = a[i] + 2.0f * b[i];
}

static SHARED float partial[1024];

// One sum per block: a tree over shared memory with a barrier per level.
KERNEL void block_sum(const GLOBAL float *x, GLOBAL float *sums, int n) {
  u32 t = tid();
  float sum = 0;
  for (int i = (int)(ctaid() * ntid() + t); i < n; i += (int)(ntid() * (u32)__nvvm_read_ptx_sreg_nctaid_x()))
    sum += x[i];
  partial[t] = sum;
  __syncthreads();
  for (u32 half = ntid() / 2; half; half /= 2) {
    if (t < half)
      partial[t] += partial[t + half];
    __syncthreads();
  }
  if (t == 0)
    sums[ctaid()] = partial[0];
}

static SHARED float warps[32];

// Softmax of one row per block; reductions by shuffles, then over the warps.
static inline float reduce(float x, int isMax) {
  u32 t = tid(), lane = t & 31, warp = t >> 5, count = (ntid() + 31) / 32;
  for (int d = 16; d; d /= 2) {
    float y = bfly(x, d);
    x = isMax ? __builtin_fmaxf(x, y) : x + y;
  }
  if (lane == 0)
    warps[warp] = x;
  __syncthreads();
  float r = warps[0];
  for (u32 i = 1; i < count; ++i)
    r = isMax ? __builtin_fmaxf(r, warps[i]) : r + warps[i];
  __syncthreads();
  return r;
}

KERNEL void softmax(const GLOBAL float *x, GLOBAL float *y, int columns) {
  const GLOBAL float *row = x + (long)ctaid() * columns;
  GLOBAL float *out = y + (long)ctaid() * columns;
  float highest = -__builtin_inff(), sum = 0;
  for (int i = (int)tid(); i < columns; i += (int)ntid())
    highest = __builtin_fmaxf(highest, row[i]);
  highest = reduce(highest, 1);
  for (int i = (int)tid(); i < columns; i += (int)ntid()) {
    float e = __nvvm_ex2_approx_f((row[i] - highest) * 1.44269504f);
    out[i] = e;
    sum += e;
  }
  sum = reduce(sum, 0);
  float scale = 1.0f / sum;
  for (int i = (int)tid(); i < columns; i += (int)ntid())
    out[i] *= scale;
}

// E4M3 to f32 by table in constant memory and by integer arithmetic, both written.
static const __attribute__((address_space(4))) float steps[8] = {0, 1, 2, 3, 4, 5, 6, 7};

static __attribute__((noinline)) float decode(u8 code) {
  int exponent = code >> 3 & 15, mantissa = code & 7;
  if ((code & 127) == 127)
    return __builtin_nanf("");
  float value = exponent ? (8.0f + steps[mantissa]) : steps[mantissa];
  int shift = (exponent ? exponent : 1) - 10;
  value *= __builtin_bit_cast(float, (shift + 127) << 23);
  return code & 128 ? -value : value;
}

KERNEL void decode_fp8(const GLOBAL u8 *codes, GLOBAL float *values, int n) {
  int i = (int)(ctaid() * ntid() + tid());
  if (i < n)
    values[i] = decode(codes[i]);
}

// A histogram with atomics, first in shared memory.
static SHARED u32 bins[64];

KERNEL void histogram(const GLOBAL u8 *x, GLOBAL u32 *counts, int n) {
  if (tid() < 64)
    bins[tid()] = 0;
  __syncthreads();
  for (int i = (int)(ctaid() * ntid() + tid()); i < n; i += (int)(ntid() * (u32)__nvvm_read_ptx_sreg_nctaid_x()))
    __nvvm_atom_add_gen_i((int *)&bins[x[i] & 63], 1);
  __syncthreads();
  if (tid() < 64)
    __nvvm_atom_add_gen_i((int *)&counts[tid()], (int)bins[tid()]);
}

// Reverses each thread's local array by a run-time index.
KERNEL void local_array(GLOBAL int *out, int n) {
  int values[16], i = (int)(ctaid() * ntid() + tid());
  for (int j = 0; j < 16; ++j)
    values[(j * 7 + i) & 15] = i * 16 + j;
  if (i < n)
    out[i] = values[(unsigned)n & 15];
}
