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
typedef int i32x4 __attribute__((vector_size(16)));
static inline __attribute__((always_inline)) f32x4 select_f32x4(i32x4 m, f32x4 a, f32x4 b) { return (f32x4)((m & (i32x4)a) | (~m & (i32x4)b)); }
static inline __attribute__((always_inline)) float max_f32(float a, float b) { return a > b ? a : b; }
static inline __attribute__((always_inline)) int across_or_i32x4_bool(i32x4 v) { return ((v[0] | v[2]) | (v[1] | v[3])) & 1; }
static inline __attribute__((always_inline)) int lanes_or_i32x4(i32x4 v) { 
#ifdef __SSE__
int m; __asm__("%vmovmskps %1, %0" : "=r"(m) : "x"(v)); return m != 0;
#else
return across_or_i32x4_bool(v);
#endif
 }
static inline __attribute__((always_inline)) float across_max_f32x4(f32x4 v) { return max_f32(max_f32(v[0], v[2]), max_f32(v[1], v[3])); }
static inline __attribute__((always_inline)) float across_add_f32x4(f32x4 v) { return ((v[0] + v[2]) + (v[1] + v[3])); }
#define HIDDEN __attribute__((visibility("hidden")))
#define NOINLINE __attribute__((noinline, noclone))
typedef void steps(char *const *, char *, i64, i64);

static void k0_reduce_0_steps(const float *restrict b0, float *restrict b1, char *scratch, i64 begin, i64 end) {
  for (i64 g = begin; g < end; g++) {
    for (i64 n0 = 0; n0 < 2; n0++) {
      f32x4 a0 = splat_f32x4((-__builtin_inff()));
      float a1 = (-__builtin_inff());
      i64 t0 = n0 * 10;
      for (i64 n1 = 0; n1 < 8; n1 += 4) {
        f32x4 t1 = ((f32x4)(*(const floatx4_at *)(b0 + (t0 + n1))));
        a0 = select_f32x4((t1 != t1), t1, max_f32x4(t1, a0));
      }
      for (i64 n2 = 8; n2 < 10; n2++) {
        float t2 = b0[(t0 + n2)];
        a1 = ((t2 != t2) ? t2 : max_f32(t2, a1));
      }
      float t3 = (lanes_or_i32x4((a0 != a0)) ? __builtin_nanf("") : across_max_f32x4(a0));
      float t4 = ((t3 != t3) ? t3 : max_f32(t3, a1));
      f32x4 a2 = splat_f32x4(0.0f);
      float a3 = 0.0f;
      for (i64 n3 = 0; n3 < 8; n3 += 4) {
        a2 = a2 + (((f32x4)(*(const floatx4_at *)(b0 + (t0 + n3)))) - splat_f32x4(t4));
      }
      for (i64 n4 = 8; n4 < 10; n4++) {
        a3 = a3 + (b0[(t0 + n4)] - t4);
      }
      float t5 = a3 + across_add_f32x4(a2);
      for (i64 n5 = 0; n5 < 8; n5 += 4) {
        *(floatx4_at *)(b1 + (t0 + n5)) = (floatx4_at)((((f32x4)(*(const floatx4_at *)(b0 + (t0 + n5)))) - splat_f32x4(t4)) / splat_f32x4(t5));
      }
      *(floatx4_at *)(b1 + (t0 + 6)) = (floatx4_at)((((f32x4)(*(const floatx4_at *)(b0 + (t0 + 6)))) - splat_f32x4(t4)) / splat_f32x4(t5));
    }
  }
}
HIDDEN void k0_reduce_0(char *const *p, char *scratch, i64 begin, i64 end) {
  k0_reduce_0_steps((const float *)p[0], (float *)p[1], scratch, begin, end);
}
