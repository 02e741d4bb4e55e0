// Kernels of ExecutorTest.cpp in the ABI of runtime/Device.h, for the CPU: their values tell which tensor, layer, page
// and token they saw.
typedef unsigned long long u64;
typedef unsigned u32;

#define EXPORT __attribute__((visibility("default")))

static int scalar(u64 slot) { return (int)(u32)slot; }
static float *floats(u64 slot) { return (float *)slot; }
static const int *ints(u64 slot) { return (const int *)slot; }

/// y[t] = 1000 * token + position. (tokens, positions, y, T); a block is a token.
EXPORT const char embed_parameters[] = "pppi";
EXPORT void embed(const u64 *s, u32 begin, u32 end, void *scratch) {
  for (u32 t = begin; t < end; ++t)
    floats(s[2])[t] = 1000.0f * (float)ints(s[0])[t] + (float)ints(s[1])[t];
}

/// Writes x[t] + w[0] into the cache and adds up what the sequence has there so far: y[t] = sum of the positions up to
/// this one. (x, w, positions, sequences, block_table, cache, y, T, M, P)
EXPORT const char layer_parameters[] = "pppppppiii";
EXPORT void layer(const u64 *s, u32 begin, u32 end, void *scratch) {
  const int *positions = ints(s[2]), *sequences = ints(s[3]), *table = ints(s[4]);
  float *cache = floats(s[5]);
  int m = scalar(s[8]);
  // One block does all tokens in order, so that a token finds those before it.
  for (int t = 0; t < scalar(s[7]); ++t) {
    const int *row = table + sequences[t] * m;
    cache[row[positions[t] / 64] * 64 + positions[t] % 64] = floats(s[0])[t] + floats(s[1])[0];
    float sum = 0;
    for (int p = 0; p <= positions[t]; ++p)
      sum += cache[row[p / 64] * 64 + p % 64];
    floats(s[6])[t] = sum;
  }
}

/// logits[r, v] = x[rows[r]] * factor + table[position of the row, v, 0] with v < 2. (x, rows, positions, table, logits,
/// R, factor); uses its scratch.
EXPORT const char head_parameters[] = "pppppif";
EXPORT void head(const u64 *s, u32 begin, u32 end, void *scratch) {
  union {
    u32 bits;
    float value;
  } factor = {(u32)s[6]};
  volatile float *own = scratch;
  for (u32 r = begin; r < end; ++r) {
    int row = ints(s[1])[r], position = ints(s[2])[row];
    for (int v = 0; v < 2; ++v) {
      own[15] = floats(s[0])[row] * factor.value;
      floats(s[4])[r * 2 + v] = own[15] + floats(s[3])[(position * 2 + v) * 2];
    }
  }
}
