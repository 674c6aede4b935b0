// XPU C++ on the host: variables in a core's local memory, copies between it and global memory, fences, and registers of 16 lanes, as far as
// kernels here use them. Names and rules from the XPU C/C++ guide (KL2). It includes little.
#pragma once

#include "../core/entry.h"
#include "../core/tile/half.h"
#include "../core/tile/tile.h"

#define __global__
#define __device__
#define __global_ptr__

#define ANYCHIP_JOIN(a, b) a##b
#define ANYCHIP_NAME(a, b) ANYCHIP_JOIN(a, b)
/** A variable of the core, which runs alone; what lies between two of them is nobody's. */
#define __simd__                                                                                      \
  static __attribute__((used, aligned(64))) char ANYCHIP_NAME(anychip_guard_, __COUNTER__)[64]; \
  static __attribute__((aligned(64)))

const anychip::Rules anychip_rules = {{"scalar", "SIMD", "GM2LM", "LM2GM"}, true, false};

inline int core_num() { return (int)anychip_cluster_cores; }
inline int core_id() { return (int)(anychip_core % anychip_cluster_cores); }
inline int cluster_id() { return (int)(anychip_core / anychip_cluster_cores); }
inline int cluster_num() { return (int)(anychip_cores / anychip_cluster_cores); }

namespace anychip {

/** Bytes that registers are read from and written to a multiple of. */
constexpr unsigned ALIGN_BYTES = 64, LANES = 16;

/** What comes after is done after all that the pipes from `first` to `last` were given. */
inline void fence(int first, int last) {
  for (int of = first; of <= last; of++)
    for (int to = 0; to < PIPES; to++) anychip_order(of, to);
}

/** Between local memory and global memory: `local` is the side that has to be the core's. */
ANYCHIP_PLAIN inline void copy(const char *what, const void *from, void *to, const void *local, int size, int pipe, bool waits) {
  const void *global = local == to ? from : to;
  if (anychip_is_scratch(global) || anychip_is_stack(global) || !anychip_is_scratch(local))
    anychip_stop(Rule::host, "%s from %p to %p: one side is not where the function says", what, from, to);
  if (size <= 0) anychip_stop(Rule::granularity, "%s of %d bytes", what, size);
  if (size > anychip_fact("localBytes")) anychip_stop(Rule::limit, "%s of %d bytes, and the local memory of a core has %lld", what, size, anychip_fact("localBytes"));
  anychip_give(pipe);
  anychip_use(local, (uint64_t)size, pipe, pipe == IN);
  anychip_use(global, (uint64_t)size, pipe, pipe == OUT);
  __builtin_memmove(to, from, (uint64_t)size);
  if (waits) fence(pipe, pipe);
}
/** Whether the local side is a variable on the stack: that is the compiler's to keep in order, so no pipe is told. */
ANYCHIP_WITHIN bool isOnStack(const void *local, const void *global, int size) { return anychip_is_stack(local) && anychip_is_global(global) && size > 0; }
ANYCHIP_WITHIN void move(void *to, const void *from, int size) {
  if (size == 4) __builtin_memcpy(to, from, 4);
  else __builtin_memmove(to, from, (uint64_t)size);
}
ANYCHIP_WITHIN void bring(const char *what, const void *from, void *to, int size, bool waits) {
  if (!isOnStack(to, from, size)) return copy(what, from, to, to, size, IN, waits);
  anychip_use(from, (uint64_t)size, IN, false);
  move(to, from, size);
}
ANYCHIP_WITHIN void take(const char *what, const void *from, void *to, int size, bool waits) {
  if (!isOnStack(from, to, size)) return copy(what, from, to, from, size, OUT, waits);
  anychip_use(to, (uint64_t)size, OUT, true);
  move(to, from, size);
}

inline void useRegister(const char *what, const void *p, bool writes) {
  if (!anychip_is_scratch(p)) anychip_stop(Rule::host, "%s on an address outside local memory", what);
  if ((uint64_t)p % ALIGN_BYTES) anychip_stop(Rule::misaligned, "%s on an address of local memory that is no multiple of %u", what, ALIGN_BYTES);
  anychip_give(VECTOR);
  anychip_use(p, ALIGN_BYTES, VECTOR, writes);
}

}  // namespace anychip

ANYCHIP_PLAIN inline void GM2LM_ASYNC(const void *from, void *to, int size) { anychip::bring("GM2LM", from, to, size, false); }
ANYCHIP_PLAIN inline void LM2GM_ASYNC(const void *from, void *to, int size) { anychip::take("LM2GM", from, to, size, false); }
/** These wait for themselves. */
ANYCHIP_PLAIN inline void GM2LM(const void *from, void *to, int size) { anychip::bring("GM2LM", from, to, size, true); }
ANYCHIP_PLAIN inline void LM2GM(const void *from, void *to, int size) { anychip::take("LM2GM", from, to, size, true); }
inline void mfence() { anychip::fence(0, anychip::PIPES - 1); }
/** Of what the core itself does with local memory. */
inline void mfence_lm() { anychip::fence(anychip::SCALAR, anychip::VECTOR); }

inline float __half2float(half x) { return (float)x; }
inline half __float2half_rn(float x) { return half(x); }
inline float __bfloat162float(bfloat16_t x) { return (float)x; }
inline bfloat16_t __float2bfloat16_rn(float x) { return bfloat16_t(x); }

struct float32x16_t {
  float lanes[anychip::LANES];
};
ANYCHIP_PLAIN inline float32x16_t vload_lm_float32x16(const void *from) {
  anychip::useRegister("vload_lm_float32x16", from, false);
  float32x16_t x;
  __builtin_memcpy(&x, from, sizeof x);
  return x;
}
ANYCHIP_PLAIN inline void vstore_lm_float32x16(void *to, float32x16_t x) {
  anychip::useRegister("vstore_lm_float32x16", to, true);
  __builtin_memcpy(to, &x, sizeof x);
}
ANYCHIP_PLAIN inline float vextract_float32x16(float32x16_t x, int mask) {
  if (mask <= 0 || mask >= 1 << anychip::LANES || (mask & (mask - 1))) anychip_stop(anychip::Rule::limit, "vextract_float32x16 of mask %d, which is no single lane", mask);
  return x.lanes[__builtin_ctz((unsigned)mask)];
}

#define ANYCHIP_VECTORS(name, expression)                                                    \
  ANYCHIP_PLAIN inline float32x16_t name(float32x16_t left, float32x16_t right) {      \
    for (unsigned i = 0; i < anychip::LANES; i++) {                                    \
      const float a = left.lanes[i], b = right.lanes[i];                               \
      left.lanes[i] = expression;                                                      \
    }                                                                                  \
    return left;                                                                       \
  }
#define ANYCHIP_SCALAR(name, expression)                                        \
  ANYCHIP_PLAIN inline float32x16_t name(float a, float32x16_t right) {   \
    for (float &b : right.lanes) b = expression;                          \
    return right;                                                         \
  }
ANYCHIP_VECTORS(vvadd_float32x16, a + b)
ANYCHIP_VECTORS(vvsub_float32x16, a - b)
ANYCHIP_VECTORS(vvmul_float32x16, a *b)
ANYCHIP_VECTORS(vvmin_float32x16, a < b ? a : b)
ANYCHIP_VECTORS(vvmax_float32x16, a > b ? a : b)
ANYCHIP_SCALAR(svadd_float32x16, a + b)
ANYCHIP_SCALAR(svmul_float32x16, a *b)
