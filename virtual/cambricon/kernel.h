// BANG C on the host: variables in neural memory, copies, waits and vector functions, as far as kernels here use them. Names from the
// BANG C developer's guide and Cambricon's open operators; rules of lengths and alignment as those operators state them. It includes little.
#pragma once

#include "../core/entry.h"
#include "../core/tile/half.h"
#include "../core/tile/tile.h"

#define __mlu_global__
#define __mlu_func__

#define ANYCHIP_JOIN(a, b) a##b
#define ANYCHIP_NAME(a, b) ANYCHIP_JOIN(a, b)
/** A variable of the core, which runs alone; what lies between two of them is nobody's. */
#define __nram__                                                                                         \
  static __attribute__((used, aligned(128))) char ANYCHIP_NAME(anychip_guard_, __COUNTER__)[128]; \
  static

/** A variable in weight memory, as its name tells. */
#define __wram__                                                                                         \
  static __attribute__((used, aligned(128))) char ANYCHIP_NAME(anychip_guard_, __COUNTER__)[128]; \
  static
#define wram apart_wram

#define taskId ((int)anychip_core)
#define taskDim ((int)anychip_cores)

const anychip::Rules anychip_rules = {{"scalar", "compute", "IO", "IO out", "move", "compute", "compute"}, false, false, {"NRAM"}};

enum mluMemcpyDirection_t { GDRAM2NRAM, NRAM2GDRAM, NRAM2WRAM };

namespace anychip {

/** Bytes that operands of vector functions begin at a multiple of, and elements that they work on a multiple of. */
constexpr unsigned ALIGN_BYTES = 128, COUNT = 64;

inline void useVector(const char *what, const void *p, uint64_t bytes, bool writes) {
  if (!anychip_is_scratch(p)) anychip_stop(Rule::host, "%s on an address outside NRAM", what);
  if ((uint64_t)p % ALIGN_BYTES) anychip_stop(Rule::misaligned, "%s on an address of NRAM that is no multiple of %u", what, ALIGN_BYTES);
  anychip_use(p, bytes, VECTOR, writes);
}
inline void begin(const char *what, int count) {
  if (count <= 0 || count % (int)COUNT) anychip_stop(Rule::granularity, "%s of %d elements, which is no multiple of %u", what, count, COUNT);
  anychip_give(VECTOR);
}

template <class T, class U, class F>
ANYCHIP_LANES inline void mapOne(const char *what, T *to, const U *from, int count, F f) {
  begin(what, count);
  useVector(what, from, count * sizeof(U), false);
  useVector(what, to, count * sizeof(T), true);
  for (int i = 0; i < count; i++) to[i] = f(from[i]);
}
template <class T, class F>
ANYCHIP_LANES inline void mapTwo(const char *what, T *to, const T *a, const T *b, int count, F f) {
  begin(what, count);
  useVector(what, a, count * sizeof(T), false);
  useVector(what, b, count * sizeof(T), false);
  useVector(what, to, count * sizeof(T), true);
  for (int i = 0; i < count; i++) to[i] = f(a[i], b[i]);
}

ANYCHIP_PLAIN inline void copyRow(void *to, const void *from, uint64_t bytes, mluMemcpyDirection_t direction) {
  const int pipe = direction == GDRAM2NRAM ? IN : OUT;
  if (anychip_is_scratch(to) != (pipe == IN) || anychip_is_scratch(from) != (pipe == OUT))
    anychip_stop(Rule::host, "__memcpy from %p to %p: one side is not where the direction says", from, to);
  anychip_use(from, bytes, pipe, false);
  anychip_use(to, bytes, pipe, true);
  __builtin_memmove(to, from, bytes);
}

void copyFilter(void *to, const void *from, uint64_t bytes);

}  // namespace anychip

inline void __memcpy_async(void *to, const void *from, int bytes, mluMemcpyDirection_t direction) {
  if (direction == NRAM2WRAM) return anychip::copyFilter(to, from, (uint64_t)bytes);
  anychip_give(direction == GDRAM2NRAM ? anychip::IN : anychip::OUT);
  anychip::copyRow(to, from, (uint64_t)bytes, direction);
}
/** `segments` more rows after the first. */
inline void __memcpy_async(void *to, const void *from, int bytes, mluMemcpyDirection_t direction, int toStride, int fromStride, int segments) {
  anychip_give(direction == GDRAM2NRAM ? anychip::IN : anychip::OUT);
  for (int i = 0; i <= segments; i++) anychip::copyRow((char *)to + (int64_t)i * toStride, (const char *)from + (int64_t)i * fromStride, (uint64_t)bytes, direction);
}
inline void __sync_io() {
  anychip_order(anychip::IN, anychip::SCALAR);
  anychip_order(anychip::OUT, anychip::SCALAR);
}
inline void __sync_move() { anychip_order(anychip::FILL, anychip::SCALAR); }
inline void __sync_compute() { anychip_order(anychip::VECTOR, anychip::SCALAR); }
inline void __sync() {
  for (int of = 0; of < anychip::PIPES; of++)
    for (int to = 0; to < anychip::PIPES; to++) anychip_order(of, to);
}

#define ANYCHIP_BINARY(name, expression) \
  inline void name(float *to, const float *left, const float *right, int count) { anychip::mapTwo(#name, to, left, right, count, [](float a, float b) ANYCHIP_LANE { return expression; }); }
#define ANYCHIP_SCALAR(name, expression) \
  inline void name(float *to, const float *from, float b, int count) { anychip::mapOne(#name, to, from, count, [b](float a) ANYCHIP_LANE { return expression; }); }
#define ANYCHIP_UNARY(name, expression) \
  inline void name(float *to, const float *from, int count) { anychip::mapOne(#name, to, from, count, [](float a) ANYCHIP_LANE { return expression; }); }
ANYCHIP_BINARY(__bang_add, a + b)
ANYCHIP_BINARY(__bang_sub, a - b)
ANYCHIP_BINARY(__bang_mul, a * b)
ANYCHIP_BINARY(__bang_minequal, a < b ? a : b)
ANYCHIP_BINARY(__bang_maxequal, a > b ? a : b)
ANYCHIP_SCALAR(__bang_add_scalar, a + b)
ANYCHIP_SCALAR(__bang_sub_scalar, a - b)
ANYCHIP_SCALAR(__bang_mul_scalar, a * b)
ANYCHIP_SCALAR(__bang_mineq_scalar, a < b ? a : b)
ANYCHIP_SCALAR(__bang_maxeq_scalar, a > b ? a : b)
ANYCHIP_UNARY(__bang_abs, __builtin_fabsf(a))
ANYCHIP_UNARY(__bang_sqrt, __builtin_sqrtf(a))
ANYCHIP_UNARY(__bang_floor, __builtin_floorf(a))
ANYCHIP_UNARY(__bang_ceil, __builtin_ceilf(a))
ANYCHIP_UNARY(__bang_rint, __builtin_rintf(a))
ANYCHIP_UNARY(__bang_trunc, __builtin_truncf(a))

/** Bytes within neural memory, by the unit that computes. */
ANYCHIP_PLAIN inline void __bang_move(void *to, const void *from, int bytes) {
  if (bytes <= 0 || bytes % (int)anychip::ALIGN_BYTES) anychip_stop(anychip::Rule::granularity, "__bang_move of %d bytes, which is no multiple of %u", bytes, anychip::ALIGN_BYTES);
  anychip_give(anychip::VECTOR);
  anychip::useVector("__bang_move", from, (uint64_t)bytes, false);
  anychip::useVector("__bang_move", to, (uint64_t)bytes, true);
  __builtin_memmove(to, from, (uint64_t)bytes);
}
inline void __bang_half2float(float *to, const half *from, int count) {
  anychip::mapOne("__bang_half2float", to, from, count, [](half a) ANYCHIP_LANE { return (float)a; });
}
inline void __bang_float2half_rn(half *to, const float *from, int count) {
  anychip::mapOne("__bang_float2half_rn", to, from, count, [](float a) ANYCHIP_LANE { return half(a); });
}
/** Of integers; a point other than at their end is not known here. */
inline void anychip_noPoint(const char *what, int point) {
  if (point != 0) anychip_stop(anychip::Rule::dtype, "%s with a point at %d", what, point);
}
inline void __bang_int82float(float *to, const signed char *from, int count, int point) {
  anychip_noPoint("__bang_int82float", point);
  anychip::mapOne("__bang_int82float", to, from, count, [](signed char a) ANYCHIP_PLAIN { return (float)a; });
}
inline void __bang_int322float(float *to, const int *from, int count, int point) {
  anychip_noPoint("__bang_int322float", point);
  anychip::mapOne("__bang_int322float", to, from, count, [](int a) ANYCHIP_PLAIN { return (float)a; });
}
inline void __bang_float2int32_tz(int *to, const float *from, int count, int point) {
  anychip_noPoint("__bang_float2int32_tz", point);
  anychip::mapOne("__bang_float2int32_tz", to, from, count, [](float a) ANYCHIP_PLAIN { return a >= 2147483648.0f ? 2147483647 : a > -2147483648.0f ? (int)a : (int)-2147483648ll; });
}
template <class T>
ANYCHIP_LANES inline void __bang_write_value(T *to, int count, T value) {
  anychip::begin("__bang_write_value", count);
  anychip::useVector("__bang_write_value", to, count * sizeof(T), true);
  for (int i = 0; i < count; i++) to[i] = value;
}

#include "matrix.h"
