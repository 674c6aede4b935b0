typedef signed char i8;
typedef unsigned char u8;
typedef unsigned short u16;
typedef long long i64;
typedef unsigned long long u64;
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 64")
#endif
typedef float f32x4 __attribute__((vector_size(16)));
static inline __attribute__((always_inline)) f32x4 splat_f32x4(float a) { return (f32x4){a, a, a, a}; }
typedef float floatx4_at __attribute__((vector_size(16), aligned(4), may_alias));
static inline __attribute__((always_inline)) f32x4 max_f32x4(f32x4 a, f32x4 b) { f32x4 r; for (int i = 0; i < 4; i++) r[i] = a[i] > b[i] ? a[i] : b[i]; return r; }
#define HIDDEN __attribute__((visibility("hidden")))
#define NOINLINE __attribute__((noinline, noclone))
typedef void steps(char *const *, char *, i64, i64);

static void k0_map_0_steps(const float *restrict b0, const float *restrict b1, float *restrict b2, char *scratch, i64 begin, i64 end) {
  for (i64 g = begin; g < end; g++) {
    for (i64 n0 = 0; n0 < 16; n0 += 4) {
      *(floatx4_at *)(b2 + n0) = (floatx4_at)max_f32x4(splat_f32x4(0.0f), ((((f32x4)(*(const floatx4_at *)(b0 + n0))) * ((f32x4)(*(const floatx4_at *)(b1 + n0)))) + splat_f32x4(0.5f)));
    }
    *(floatx4_at *)(b2 + 14) = (floatx4_at)max_f32x4(splat_f32x4(0.0f), ((((f32x4)(*(const floatx4_at *)(b0 + 14))) * ((f32x4)(*(const floatx4_at *)(b1 + 14)))) + splat_f32x4(0.5f)));
  }
}
HIDDEN void k0_map_0(char *const *p, char *scratch, i64 begin, i64 end) {
  k0_map_0_steps((const float *)p[0], (const float *)p[1], (float *)p[2], scratch, begin, end);
}
