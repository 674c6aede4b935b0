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
typedef i8 i8x4_at __attribute__((vector_size(4), aligned(1), may_alias));
typedef int i32x4 __attribute__((vector_size(16)));
static inline __attribute__((always_inline)) i32x4 load_i8_i32x4(const i8 *p) { 
#ifdef __AVX__
i32x4 r; __asm__("vpmovsxbd %1, %0" : "=v"(r) : "m"(*(const i8x4_at *)p)); return r;
#else
return __builtin_convertvector(*(const i8x4_at *)p, i32x4);
#endif
 }
static inline __attribute__((always_inline)) i32x4 splat_i32x4(int a) { return (i32x4){a, a, a, a}; }
typedef unsigned u32x4 __attribute__((vector_size(16)));
typedef u8 u8x4_at __attribute__((vector_size(4), aligned(1), may_alias));
static inline __attribute__((always_inline)) void store_u8_u32x4(u8 *p, u32x4 x) { 
#ifdef __AVX512VL__
__asm__("vpmovdb %1, %0" : "=m"(*(u8x4_at *)p) : "v"(x));
#else
*(u8x4_at *)p = __builtin_convertvector(x, u8x4_at);
#endif
 }
#define HIDDEN __attribute__((visibility("hidden")))
#define NOINLINE __attribute__((noinline, noclone))
typedef void steps(char *const *, char *, i64, i64);

static void k0_map_0_steps(const i8 *restrict b0, u8 *restrict b1, char *scratch, i64 begin, i64 end) {
  for (i64 g = begin; g < end; g++) {
    for (i64 n0 = 0; n0 < 16; n0 += 4) {
      store_u8_u32x4(b1 + n0, __builtin_convertvector((load_i8_i32x4(b0 + n0) * splat_i32x4(3)), u32x4));
    }
  }
}
HIDDEN void k0_map_0(char *const *p, char *scratch, i64 begin, i64 end) {
  k0_map_0_steps((const i8 *)p[0], (u8 *)p[1], scratch, begin, end);
}
