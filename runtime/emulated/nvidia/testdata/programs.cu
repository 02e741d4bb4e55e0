// Kernels that nvcc compiles for the emulator's tests: code that no compiler of this project has made.
#include <cstdint>
#include <cuda_bf16.h>
#include <cuda_pipeline.h>

// Sum of n floats in double: every block adds its part to *out.
extern "C" __global__ void reduction(const float *in, double *out, int n) {
  __shared__ double parts[32];
  double sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
    sum += in[i];
  for (int step = 16; step > 0; step /= 2)
    sum += __shfl_xor_sync(~0u, sum, step);
  if (threadIdx.x % 32 == 0)
    parts[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x < 32) {
    sum = threadIdx.x < blockDim.x / 32 ? parts[threadIdx.x] : 0;
    for (int step = 16; step > 0; step /= 2)
      sum += __shfl_xor_sync(~0u, sum, step);
    if (threadIdx.x == 0)
      atomicAdd(out, sum);
  }
}

// Inclusive prefix sums over n <= 1024 integers, one block of 1024 threads.
extern "C" __global__ void scan(const int *in, int *out, int n) {
  __shared__ int warps[32];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int value = threadIdx.x < n ? in[threadIdx.x] : 0;
  for (int step = 1; step < 32; step *= 2) {
    int other = __shfl_up_sync(~0u, value, step);
    if (lane >= step)
      value += other;
  }
  if (lane == 31)
    warps[warp] = value;
  __syncthreads();
  if (warp == 0) {
    int sum = warps[lane];
    for (int step = 1; step < 32; step *= 2) {
      int other = __shfl_up_sync(~0u, sum, step);
      if (lane >= step)
        sum += other;
    }
    warps[lane] = sum;
  }
  __syncthreads();
  if (warp > 0)
    value += warps[warp - 1];
  if (threadIdx.x < n)
    out[threadIdx.x] = value;
}

// libdevice: out[which * n + i] = function number |which| of in[i].
extern "C" __global__ void mathematics(const float *in, float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  float x = in[i];
  out[0 * n + i] = expf(x);
  out[1 * n + i] = logf(fabsf(x));
  out[2 * n + i] = sinf(x);
  out[3 * n + i] = cosf(x);
  out[4 * n + i] = tanhf(x);
  out[5 * n + i] = erff(x);
  out[6 * n + i] = powf(fabsf(x), 1.7f);
  out[7 * n + i] = sqrtf(fabsf(x));
  out[8 * n + i] = log1pf(fabsf(x));
  out[9 * n + i] = atan2f(x, 0.7f);
  out[10 * n + i] = fmodf(x, 0.3f);
  out[11 * n + i] = cbrtf(x);
  out[12 * n + i] = static_cast<float>(exp(static_cast<double>(x)));
  out[13 * n + i] = static_cast<float>(sin(static_cast<double>(x)));
  out[14 * n + i] = rsqrtf(fabsf(x));
  out[15 * n + i] = lgammaf(fabsf(x) + 0.5f);
}

// C = A * B^T, bf16 to f32, m and n multiples of 32, k of 32: four warps, tiles of 32 x 32 x 32, two buffers.
extern "C" __global__ void __launch_bounds__(128)
    gemm(const __nv_bfloat16 *a, const __nv_bfloat16 *b, float *c, int m, int n, int k) {
  __shared__ alignas(16) __nv_bfloat16 tiles[2][2][32][40];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int tilesN = n / 32, row = blockIdx.x / tilesN * 32, column = blockIdx.x % tilesN * 32;
  float sums[2][4] = {};
  auto copy = [&](int step, int buffer) {
    int r = threadIdx.x / 4, chunk = threadIdx.x % 4 * 8;
    __pipeline_memcpy_async(&tiles[buffer][0][r][chunk], &a[(row + r) * k + step * 32 + chunk], 16);
    __pipeline_memcpy_async(&tiles[buffer][1][r][chunk], &b[(column + r) * k + step * 32 + chunk], 16);
    __pipeline_commit();
  };
  copy(0, 0);
  for (int step = 0; step < k / 32; ++step) {
    if (step + 1 < k / 32) {
      copy(step + 1, (step + 1) % 2);
      __pipeline_wait_prior(1);
    } else {
      __pipeline_wait_prior(0);
    }
    __syncthreads();
    for (int half = 0; half < 2; ++half) {
      uint32_t ra[4], rb[4];
      uint32_t from = static_cast<uint32_t>(__cvta_generic_to_shared(
          &tiles[step % 2][0][warp % 2 * 16 + lane % 16][half * 16 + lane / 16 * 8]));
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                   : "=r"(ra[0]), "=r"(ra[1]), "=r"(ra[2]), "=r"(ra[3])
                   : "r"(from));
      from = static_cast<uint32_t>(__cvta_generic_to_shared(
          &tiles[step % 2][1][warp / 2 * 16 + lane / 16 * 8 + lane % 8][half * 16 + lane / 8 % 2 * 8]));
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                   : "=r"(rb[0]), "=r"(rb[1]), "=r"(rb[2]), "=r"(rb[3])
                   : "r"(from));
      for (int i = 0; i < 2; ++i)
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
                     "{%8, %9}, {%0, %1, %2, %3};"
                     : "+f"(sums[i][0]), "+f"(sums[i][1]), "+f"(sums[i][2]), "+f"(sums[i][3])
                     : "r"(ra[0]), "r"(ra[1]), "r"(ra[2]), "r"(ra[3]), "r"(rb[2 * i]), "r"(rb[2 * i + 1]));
    }
    __syncthreads();
  }
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 4; ++j)
      c[(row + warp % 2 * 16 + j / 2 * 8 + lane / 4) * n + column + warp / 2 * 16 + i * 8 + lane % 4 * 2 + j % 2] =
          sums[i][j];
}
