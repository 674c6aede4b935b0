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
typedef float floatx4_at __attribute__((vector_size(16), aligned(4), may_alias));
#define HIDDEN __attribute__((visibility("hidden")))
#define NOINLINE __attribute__((noinline, noclone))
typedef void steps(char *const *, char *, i64, i64);

static void k0_map_0_steps(const float *restrict b0, float *restrict b1, char *scratch, i64 begin, i64 end) {
  for (i64 g = begin; g < end; g++) {
    for (i64 n0 = 0; n0 < 8; n0++) {
      i64 t0 = n0 * 5;
      *(floatx4_at *)(b1 + t0) = (floatx4_at)(-((f32x4){b0[n0], b0[(n0 + 8)], b0[(n0 + 16)], b0[(n0 + 24)]}));
      *(floatx4_at *)(b1 + (t0 + 1)) = (floatx4_at)(-((f32x4){b0[(n0 + 8)], b0[((n0 + 8) + 8)], b0[((n0 + 8) + 16)], b0[((n0 + 8) + 24)]}));
    }
  }
}
HIDDEN void k0_map_0(char *const *p, char *scratch, i64 begin, i64 end) {
  k0_map_0_steps((const float *)p[0], (float *)p[1], scratch, begin, end);
}
