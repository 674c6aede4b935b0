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
static inline f32x4 splat_f32x4(float a) { return (f32x4){a, a, a, a}; }
typedef float floatx4_at __attribute__((vector_size(16), aligned(4), may_alias));
static inline f32x4 max_f32x4(f32x4 a, f32x4 b) { f32x4 r; for (int i = 0; i < 4; i++) r[i] = a[i] > b[i] ? a[i] : b[i]; return r; }
typedef int i32x4 __attribute__((vector_size(16)));
static inline f32x4 select_f32x4(i32x4 m, f32x4 a, f32x4 b) { return (f32x4)((m & (i32x4)a) | (~m & (i32x4)b)); }
static inline float max_f32(float a, float b) { return a > b ? a : b; }
static inline float across_add_f32x4(f32x4 v) { return ((v[0] + v[2]) + (v[1] + v[3])); }
#define HIDDEN __attribute__((visibility("hidden")))
typedef void steps(char *const *, char *, i64, i64);

static void k0_reduce_0_steps(const float *restrict b0, float *restrict b1, char *scratch, i64 begin, i64 end) {
  for (i64 g = begin; g < end; g++) {
    for (i64 i0 = 0; i0 < 2; i0++) {
      f32x4 a0 = splat_f32x4((-__builtin_inff()));
      float a1 = (-__builtin_inff());
      i64 t0 = i0 * 10;
      for (i64 i1 = 0; i1 < 8; i1 += 4) {
        f32x4 t1 = ((f32x4)(*(const floatx4_at *)(b0 + (t0 + i1))));
        a0 = select_f32x4((t1 != t1), t1, max_f32x4(t1, a0));
      }
      for (i64 i2 = 8; i2 < 10; i2++) {
        float t2 = b0[(t0 + i2)];
        a1 = ((t2 != t2) ? t2 : max_f32(t2, a1));
      }
      float t3 = a0[1];
      float t4 = ((t3 != t3) ? t3 : max_f32(t3, a0[0]));
      float t5 = a0[3];
      float t6 = ((t5 != t5) ? t5 : max_f32(t5, a0[2]));
      float t7 = ((t6 != t6) ? t6 : max_f32(t6, t4));
      float t8 = ((t7 != t7) ? t7 : max_f32(t7, a1));
      f32x4 a2 = splat_f32x4(0.0f);
      float a3 = 0.0f;
      for (i64 i3 = 0; i3 < 8; i3 += 4) {
        a2 = a2 + (((f32x4)(*(const floatx4_at *)(b0 + (t0 + i3)))) - splat_f32x4(t8));
      }
      for (i64 i4 = 8; i4 < 10; i4++) {
        a3 = a3 + (b0[(t0 + i4)] - t8);
      }
      float t9 = a3 + across_add_f32x4(a2);
      for (i64 i5 = 0; i5 < 8; i5 += 4) {
        *(floatx4_at *)(b1 + (t0 + i5)) = (floatx4_at)((((f32x4)(*(const floatx4_at *)(b0 + (t0 + i5)))) - splat_f32x4(t8)) / splat_f32x4(t9));
      }
      for (i64 i6 = 8; i6 < 10; i6++) {
        b1[(t0 + i6)] = ((b0[(t0 + i6)] - t8) / t9);
      }
    }
  }
}
HIDDEN void k0_reduce_0(char *const *p, char *scratch, i64 begin, i64 end) {
  k0_reduce_0_steps((const float *)p[0], (float *)p[1], scratch, begin, end);
}
