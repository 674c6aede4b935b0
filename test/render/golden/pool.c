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
static inline __attribute__((always_inline)) float max_f32(float a, float b) { return a > b ? a : b; }
#define HIDDEN __attribute__((visibility("hidden")))
#define NOINLINE __attribute__((noinline, noclone))
typedef void steps(char *const *, char *, i64, i64);

static void k0_reduce_0_steps(const float *restrict b0, float *restrict b1, char *scratch, i64 begin, i64 end) {
  for (i64 g = begin; g < end; g++) {
    for (i64 n0 = 0; n0 < 2; n0++) {
      i64 t0 = n0 * 25;
      i64 t5 = n0 * 4;
      for (i64 n1 = 0; n1 < 2; n1++) {
        i64 t1 = t0 + (n1 * 10);
        i64 t6 = t5 + (n1 * 2);
        for (i64 n2 = 0; n2 < 2; n2++) {
          float a0 = (-__builtin_inff());
          i64 t2 = t1 + (n2 * 2);
          for (i64 n3 = 0; n3 < 3; n3++) {
            i64 t3 = t2 + (n3 * 5);
            for (i64 n4 = 0; n4 < 3; n4++) {
              float t4 = b0[(t3 + n4)];
              a0 = ((t4 != t4) ? t4 : max_f32(t4, a0));
            }
          }
          b1[(t6 + n2)] = a0;
        }
      }
    }
  }
}
HIDDEN void k0_reduce_0(char *const *p, char *scratch, i64 begin, i64 end) {
  k0_reduce_0_steps((const float *)p[0], (float *)p[1], scratch, begin, end);
}
