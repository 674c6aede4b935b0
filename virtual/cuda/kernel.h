// CUDA C++ on the host: what NVRTC knows without any header, as far as kernels here use it. Every program reads this: it includes little.
#pragma once

#include "../core/entry.h"
#include "../core/halves.h"
#include "../core/simt/simt.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

#define ANYCHIP_JOIN(a, b) a##b
#define ANYCHIP_NAME(a, b) ANYCHIP_JOIN(a, b)
/** A variable of the block, which runs alone; what lies between two of them is nobody's. */
#define __shared__                                                                                         \
  static __attribute__((used, aligned(16))) char ANYCHIP_NAME(anychip_guard_, __COUNTER__)[ANYCHIP_GUARD_BYTES]; \
  static __attribute__((aligned(16)))

#define threadIdx anychip_thread.thread
#define blockIdx anychip_thread.block
#define blockDim anychip_thread.threads
#define gridDim anychip_thread.blocks
#define __syncthreads() anychip_sync_block(__LINE__)
#define __syncwarp(...) anychip_sync_subgroup(__LINE__)

/** A variable of the block in the memory that the launch gives, which is held to be as much as all of them take. */
#define GIVEN_SHARED(type, name, elements, offset)                                                            \
  static __attribute__((used, aligned(16))) char ANYCHIP_NAME(anychip_guard_, __COUNTER__)[ANYCHIP_GUARD_BYTES]; \
  static __attribute__((aligned(1024))) type given_##name[elements];                                          \
  type *const name = given_##name

/** Copies that a thread begins and awaits later. */
template <int bytes>
inline void fetch(void *to, const void *from, int is_there = 1) {
  anychip_fetch(to, from, bytes, is_there != 0);
}
inline void fetch_commit() { anychip_fetch_commit(); }
template <int pending>
inline void fetch_await() {
  anychip_fetch_await(pending);
}

#define memcpy __builtin_memcpy

inline float __int_as_float(int x) { return __builtin_bit_cast(float, x); }
inline int __float_as_int(float x) { return __builtin_bit_cast(int, x); }
inline float __uint_as_float(unsigned x) { return __builtin_bit_cast(float, x); }
inline unsigned __float_as_uint(float x) { return __builtin_bit_cast(unsigned, x); }
inline double __longlong_as_double(long long x) { return __builtin_bit_cast(double, x); }
inline long long __double_as_longlong(double x) { return __builtin_bit_cast(long long, x); }
/** Conversions of small floats, which are the chip's own instructions. */
inline float float_of_f16(unsigned short a) { return anychip::fromHalf(a); }
inline unsigned short f16_of_float(float a) { return anychip::toHalf(a); }
inline float float_of_bf16(unsigned short a) { return anychip::fromBfloat16(a); }
inline unsigned short bf16_of_float(float a) { return anychip::toBfloat16(a); }
inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double __fma_rn(double a, double b, double c) { return __builtin_fma(a, b, c); }
#define fabsf __builtin_fabsf
#define floorf __builtin_floorf
#define ceilf __builtin_ceilf
#define rintf __builtin_rintf
#define truncf __builtin_truncf
#define sqrtf __builtin_sqrtf
#define fabs __builtin_fabs
#define floor __builtin_floor
#define ceil __builtin_ceil
#define rint __builtin_rint
#define trunc __builtin_trunc
#define sqrt __builtin_sqrt

/** Vectors are read and written whole, at multiples of their size. */
#define ANYCHIP_VECTOR(name, T, N, ...)                                                 \
  struct alignas(sizeof(T) * N) name {                                                  \
    typedef T Whole __attribute__((vector_size(sizeof(T) * N)));                        \
    union {                                                                             \
      Whole whole;                                                                      \
      struct {                                                                          \
        T __VA_ARGS__;                                                                  \
      };                                                                                \
    };                                                                                  \
    name() {}                                                                           \
    name(const name &other) : whole(other.whole) {}                                     \
    name &operator=(const name &other) { return whole = other.whole, *this; }           \
  };
ANYCHIP_VECTOR(float2, float, 2, x, y)
ANYCHIP_VECTOR(float4, float, 4, x, y, z, w)
ANYCHIP_VECTOR(int2, int, 2, x, y)
ANYCHIP_VECTOR(int4, int, 4, x, y, z, w)
ANYCHIP_VECTOR(uint2, unsigned, 2, x, y)
ANYCHIP_VECTOR(uint4, unsigned, 4, x, y, z, w)
ANYCHIP_VECTOR(double2, double, 2, x, y)
inline float4 make_float4(float x, float y, float z, float w) {
  float4 v;
  v.whole = float4::Whole{x, y, z, w};
  return v;
}
inline float2 make_float2(float x, float y) {
  float2 v;
  v.whole = float2::Whole{x, y};
  return v;
}

#define warpSize anychip_subgroup_threads

#ifdef ANYCHIP_SPECIFIC
/** Matrix units that read memory themselves, of the architecture that this is compiled for alone. */
enum matrix_input { in_f16, in_bf16, in_tf32 };

template <matrix_input in>
inline float anychip_element(const void *p);
template <>
inline float anychip_element<in_f16>(const void *p) {
  const unsigned half = *(const unsigned short *)p, magnitude = (half & 0x7fff) << 13;
  const unsigned bits = __float_as_uint(__uint_as_float(magnitude) * 0x1p112f) | (magnitude >= 0x0f800000 ? 0x7f800000 : 0);
  return __uint_as_float(bits | (half & 0x8000) << 16);
}
template <>
inline float anychip_element<in_bf16>(const void *p) {
  return __uint_as_float((unsigned)*(const unsigned short *)p << 16);
}
template <>
inline float anychip_element<in_tf32>(const void *p) {
  return __uint_as_float(*(const unsigned *)p & 0xffffe000u);
}

/** An element of a factor: `at` along its own axes, `k` along the sum, from `p`, a place before parts of lines change theirs. */
template <matrix_input in, int turn>
__attribute__((no_sanitize_thread)) inline float anychip_factor(const void *p, int panel, int at, int k) {
  constexpr int bytes = in == in_tf32 ? 4 : 2, line = 128 / bytes;
  unsigned long long where = (unsigned long long)p + (turn ? at / line * panel + k * 128 + at % line * bytes : at * 128 + k * bytes);
  where ^= where >> 3 & 0x70;
  anychip_product_read((const void *)where, bytes);
  return anychip_element<in>((const void *)where);
}

template <matrix_input in, int turn>
inline void anychip_hold_factor(const void *p, int panel, int side, int depth) {
  constexpr int line = in == in_tf32 ? 32 : 64;
  if (!turn) return anychip_product_hold((const void *)((unsigned long long)p & ~127ull), side * 128);
  for (int i = 0; i * line < side; i++) anychip_product_hold((const char *)p + i * panel, depth * 128);
}

template <matrix_input in, int n, int turn_a, int turn_b>
struct matrix_product {
  __attribute__((no_sanitize_thread)) static void begin(float (&d)[n / 2], const void *a, const void *b, int panel_a, int panel_b) {
    constexpr int k = in == in_tf32 ? 8 : 16;
    static_assert(in != in_tf32 || (!turn_a && !turn_b), "only factors of 16 bits may be turned");
    float *sums = anychip_product_sum(d, n / 2);
    const int t = anychip_thread.flat % 128, row = t / 32 * 16 + t % 32 / 4, column = t % 4 * 2;
    float rows[2][k];
    for (int i = 0; i < 2; i++)
      for (int j = 0; j < k; j++) rows[i][j] = anychip_factor<in, turn_a>(a, panel_a, row + 8 * i, j);
    for (int c = 0; c < n / 8; c++)
      for (int side = 0; side < 2; side++) {
        double total[2] = {sums[4 * c + side], sums[4 * c + 2 + side]};
        for (int j = 0; j < k; j++) {
          const double y = anychip_factor<in, turn_b>(b, panel_b, 8 * c + column + side, j);
          total[0] += rows[0][j] * y, total[1] += rows[1][j] * y;
        }
        sums[4 * c + side] = (float)total[0], sums[4 * c + 2 + side] = (float)total[1];
      }
    if (t != 0) return;
    anychip_hold_factor<in, turn_a>(a, panel_a, 64, k);
    anychip_hold_factor<in, turn_b>(b, panel_b, n, k);
  }
};
inline void matrix_open() {}
inline void matrix_close() { anychip_product_close(); }
inline void matrix_publish() { anychip_publish(); }
template <int pending>
inline void matrix_settle() {
  anychip_product_settle(pending);
}
#endif

/** Lanes of a warp exchange values. */
template <class T>
inline T anychip_shuffle(T value, unsigned from, int line) {
  unsigned long long word = 0;
  memcpy(&word, &value, sizeof value);
  word = anychip_exchange(word, from, line);
  memcpy(&value, &word, sizeof value);
  return value;
}
inline unsigned anychip_lane() { return anychip_thread.flat % warpSize; }
#define __shfl_sync(mask, value, lane) anychip_shuffle(value, lane, __LINE__)
#define __shfl_down_sync(mask, value, delta) anychip_shuffle(value, anychip_lane() + (delta) < warpSize ? anychip_lane() + (delta) : anychip_lane(), __LINE__)
#define __shfl_xor_sync(mask, value, lanes) anychip_shuffle(value, anychip_lane() ^ (lanes), __LINE__)
