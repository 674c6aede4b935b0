// Ascend C on the host: tensors over global memory and the unified buffer, copies, vector calculations on the first n elements and flags
// between pipes, as far as kernels here use them, with the rules of the API reference (CANN 8, architecture 2201). Every program reads
// this: it includes little.
#pragma once

#include "../core/entry.h"
#include "../core/tile/half.h"
#include "../core/tile/tile.h"

#define __global__
#define __aicore__
#define __gm__
#define KERNEL_TASK_TYPE_DEFAULT(type) AscendC::anychip_task = AscendC::type

typedef uint8_t *GM_ADDR;

const anychip::Rules anychip_rules = {{"S", "V", "MTE2", "MTE3", "MTE1", "M", "FIX"}, true, true, {"UB", "L1", "L0A", "L0B", "L0C"}};

namespace AscendC {

using anychip::Rule;

/** Bytes of a block, which addresses in the unified buffer are multiples of, and of a repeat of a vector instruction. */
constexpr uint32_t BLOCK_BYTES = 32, REPEAT_BYTES = 256;

enum KernelType { KERNEL_TYPE_AIV_ONLY, KERNEL_TYPE_AIC_ONLY };
/** Which cores run the kernel: those with a vector unit, or those with a cube unit. */
static KernelType anychip_task;

template <class T>
struct Name {
  static constexpr const char *text = "this type";
};
#define ANYCHIP_TYPE(T)                          \
  template <>                                    \
  struct Name<T> {                               \
    static constexpr const char *text = #T;      \
  };
ANYCHIP_TYPE(float)
ANYCHIP_TYPE(half)
ANYCHIP_TYPE(bfloat16_t)
ANYCHIP_TYPE(int8_t)
ANYCHIP_TYPE(uint8_t)
ANYCHIP_TYPE(int16_t)
ANYCHIP_TYPE(uint16_t)
ANYCHIP_TYPE(int32_t)
ANYCHIP_TYPE(uint32_t)
ANYCHIP_TYPE(int64_t)
ANYCHIP_TYPE(uint64_t)

template <class A, class B>
constexpr bool same = false;
template <class A>
constexpr bool same<A, A> = true;
template <class T, class... Known>
constexpr bool oneOf = (same<T, Known> || ...);

template <class T, class... Known>
inline void require(const char *what) {
  if (!oneOf<T, Known...>) anychip_stop(Rule::dtype, "%s has no form for %s", what, Name<T>::text);
}

// ---- tensors ----

template <class T>
struct GlobalTensor {
  T *address;
  uint64_t elements;

  void SetGlobalBuffer(T *buffer, uint64_t size = ~0ull) { address = buffer, elements = size; }
  ANYCHIP_PLAIN T GetValue(uint64_t i) const {
    check(i, 1, "reads");
    anychip_use(address + i, sizeof(T), anychip::SCALAR, false);
    return address[i];
  }
  ANYCHIP_PLAIN void SetValue(uint64_t i, T value) const {
    check(i, 1, "writes");
    anychip_use(address + i, sizeof(T), anychip::SCALAR, true);
    address[i] = value;
  }
  GlobalTensor operator[](uint64_t offset) const { return {address + offset, elements == ~0ull ? elements : elements > offset ? elements - offset : 0}; }
  void check(uint64_t i, uint64_t count, const char *verb) const {
    if (elements != ~0ull && (i >= elements || count > elements - i)) anychip_stop(Rule::bounds, "%s elements %llu to %llu of a tensor of %llu in global memory", verb, (unsigned long long)i, (unsigned long long)(i + count), (unsigned long long)elements);
  }
};

template <class T>
struct LocalTensor {
  char *address;
  uint64_t bytes;

  ANYCHIP_WITHIN T *data() const { return reinterpret_cast<T *>(address); }
  ANYCHIP_PLAIN T GetValue(uint64_t i) const {
    check(i, 1, "reads");
    anychip_use(data() + i, sizeof(T), anychip::SCALAR, false);
    return data()[i];
  }
  ANYCHIP_PLAIN void SetValue(uint64_t i, T value) const {
    check(i, 1, "writes");
    anychip_use(data() + i, sizeof(T), anychip::SCALAR, true);
    data()[i] = value;
  }
  LocalTensor operator[](uint64_t offset) const {
    const uint64_t at = offset * sizeof(T);
    return {address + at, bytes > at ? bytes - at : 0};
  }
  template <class U>
  LocalTensor<U> ReinterpretCast() const {
    return {address, bytes};
  }
  void check(uint64_t i, uint64_t count, const char *verb) const {
    if ((i + count) * sizeof(T) > bytes || i > bytes) anychip_stop(Rule::bounds, "%s elements %llu to %llu of a local tensor of %llu", verb, (unsigned long long)i, (unsigned long long)(i + count), (unsigned long long)(bytes / sizeof(T)));
  }
  /** An operand of an instruction of a pipe, in the unified buffer. */
  void use(const char *what, uint64_t count, int pipe, bool writes) const {
    check(0, count, writes ? "writes" : "reads");
    if (!anychip_is_scratch(address)) anychip_stop(Rule::host, "%s on a tensor outside the unified buffer", what);
    if ((uint64_t)address % BLOCK_BYTES) anychip_stop(Rule::misaligned, "%s on an address of the unified buffer that is no multiple of %u", what, BLOCK_BYTES);
    anychip_use(address, count * sizeof(T), pipe, writes);
  }
};

enum class TPosition { GM, A1, A2, B1, B2, C1, C2, CO1, CO2, VECIN, VECOUT, VECCALC };
/** The memory of a position, and what addresses there are multiples of. */
constexpr int spaceOf(TPosition position) {
  using namespace anychip;
  return position == TPosition::A1 || position == TPosition::B1 ? STAGING : position == TPosition::A2 ? LEFT : position == TPosition::B2 ? RIGHT : position == TPosition::CO1 ? SUMS : PAD;
}
constexpr uint32_t alignmentOf(int space) { return space == anychip::LEFT || space == anychip::RIGHT ? 512 : space == anychip::SUMS ? 1024 : BLOCK_BYTES; }

template <TPosition position>
struct TBuf {
  char *address = nullptr;
  uint64_t bytes = 0;
  template <class T>
  LocalTensor<T> Get() const {
    return {address, bytes};
  }
};

struct TPipe {
  template <TPosition position>
  bool InitBuffer(TBuf<position> &buffer, uint32_t bytes) {
    constexpr int space = spaceOf(position);
    constexpr uint32_t alignment = alignmentOf(space);
    if ((space == anychip::PAD) != (anychip_task == KERNEL_TYPE_AIV_ONLY))
      anychip_stop(Rule::limit, "asks for %s, which this kind of core has not: vector cores have the unified buffer, cube cores the rest", anychip_rules.spaces[space]);
    buffer.bytes = (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
    buffer.address = anychip_scratch(buffer.bytes, alignment, space);
    return true;
  }
};

inline int64_t GetBlockIdx() { return anychip_core; }
inline int64_t GetBlockNum() { return anychip_cores; }

enum class CacheLine { SINGLE_CACHE_LINE, ENTIRE_DATA_CACHE };
enum class DcciDst { CACHELINE_ALL, CACHELINE_UB, CACHELINE_OUT, CACHELINE_ATOMIC };
template <class T, CacheLine line, DcciDst to>
inline void DataCacheCleanAndInvalid(const GlobalTensor<T> &) {
  if (line == CacheLine::ENTIRE_DATA_CACHE && to == DcciDst::CACHELINE_OUT) anychip_flush();
}

// ---- order ----

enum class HardEvent { S_V, S_MTE2, S_MTE3, V_S, V_MTE2, V_MTE3, MTE2_S, MTE2_V, MTE2_MTE3, MTE3_S, MTE3_V, MTE3_MTE2, MTE2_MTE1, MTE1_MTE2, MTE1_M, M_MTE1, M_FIX, FIX_M, M_S, S_M, FIX_S, S_FIX, MTE1_S, S_MTE1, FIX_MTE2, MTE2_FIX };
typedef int event_t;
enum { EVENT_ID0, EVENT_ID1, EVENT_ID2, EVENT_ID3, EVENT_ID4, EVENT_ID5, EVENT_ID6, EVENT_ID7 };
struct Way {
  int from, to;
};
constexpr Way wayOf(HardEvent event) {
  using namespace anychip;
  constexpr Way ways[] = {{SCALAR, VECTOR}, {SCALAR, IN}, {SCALAR, OUT}, {VECTOR, SCALAR}, {VECTOR, IN}, {VECTOR, OUT}, {IN, SCALAR}, {IN, VECTOR}, {IN, OUT}, {OUT, SCALAR}, {OUT, VECTOR}, {OUT, IN},
                          {IN, FILL}, {FILL, IN}, {FILL, MATRIX}, {MATRIX, FILL}, {MATRIX, DRAIN}, {DRAIN, MATRIX}, {MATRIX, SCALAR}, {SCALAR, MATRIX}, {DRAIN, SCALAR}, {SCALAR, DRAIN}, {FILL, SCALAR}, {SCALAR, FILL}, {DRAIN, IN}, {IN, DRAIN}};
  return ways[static_cast<int>(event)];
}
template <HardEvent event>
inline void SetFlag(int id) {
  anychip_signal(wayOf(event).from, wayOf(event).to, id);
}
template <HardEvent event>
inline void WaitFlag(int id) {
  anychip_wait(wayOf(event).from, wayOf(event).to, id);
}

enum pipe_t { PIPE_S, PIPE_V, PIPE_MTE2, PIPE_MTE3, PIPE_MTE1, PIPE_M, PIPE_FIX, PIPE_ALL };
template <pipe_t pipe>
inline void PipeBarrier() {
  for (int of = 0; of < anychip::PIPES; of++)
    for (int to = 0; to < anychip::PIPES; to++)
      if (pipe == PIPE_ALL || (of == to && of == (int)pipe)) anychip_order(of, to);
}

// ---- copies ----

struct DataCopyExtParams {
  uint16_t blockCount;
  uint32_t blockLen, srcStride, dstStride, rsv;
  DataCopyExtParams(uint16_t count, uint32_t length, uint32_t source, uint32_t target, uint32_t reserved) : blockCount(count), blockLen(length), srcStride(source), dstStride(target), rsv(reserved) {}
};
template <class T>
struct DataCopyPadExtParams {
  bool isPad = false;
  uint8_t leftPadding = 0, rightPadding = 0;
  T paddingValue{};
  DataCopyPadExtParams() {}
  DataCopyPadExtParams(bool pad, uint8_t left, uint8_t right, T value) : isPad(pad), leftPadding(left), rightPadding(right), paddingValue(value) {}
};

inline uint64_t blocksOf(uint64_t bytes) { return (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES; }

inline void checkCopy(const DataCopyExtParams &p) {
  if (p.blockCount > 4095 || p.blockLen > 2097151) anychip_stop(Rule::limit, "DataCopyPad of %u rows of %u bytes: at most 4095 of 2097151", p.blockCount, p.blockLen);
}

/** Rows of any number of bytes; in the unified buffer each begins at a block. */
template <class T>
ANYCHIP_PLAIN inline void DataCopyPad(const LocalTensor<T> &to, const GlobalTensor<T> &from, const DataCopyExtParams &p, const DataCopyPadExtParams<T> &) {
  require<T, float, half, bfloat16_t, int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t, int64_t, uint64_t>("DataCopyPad");
  checkCopy(p);
  if (p.blockLen % sizeof(T)) anychip_stop(Rule::granularity, "DataCopyPad of rows of %u bytes, which are no whole elements", p.blockLen);
  anychip_give(anychip::IN);
  for (uint64_t r = 0; r < p.blockCount; r++) {
    const GlobalTensor<T> source = from;
    const uint64_t at = r * (p.blockLen + p.srcStride) / sizeof(T), into = r * (blocksOf(p.blockLen) + p.dstStride) * BLOCK_BYTES / sizeof(T);
    source.check(at, p.blockLen / sizeof(T), "reads");
    anychip_use(source.address + at, p.blockLen, anychip::IN, false);
    const LocalTensor<T> row = to[into];
    row.use("DataCopyPad", p.blockLen / sizeof(T), anychip::IN, true);
    __builtin_memcpy(row.address, source.address + at, p.blockLen);
  }
}
template <class T>
ANYCHIP_PLAIN inline void DataCopyPad(const GlobalTensor<T> &to, const LocalTensor<T> &from, const DataCopyExtParams &p) {
  require<T, float, half, bfloat16_t, int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t, int64_t, uint64_t>("DataCopyPad");
  checkCopy(p);
  anychip_give(anychip::OUT);
  for (uint64_t r = 0; r < p.blockCount; r++) {
    const uint64_t at = r * (blocksOf(p.blockLen) + p.srcStride) * BLOCK_BYTES / sizeof(T), into = r * (p.blockLen + p.dstStride) / sizeof(T);
    const LocalTensor<T> row = from[at];
    row.use("DataCopyPad", p.blockLen / sizeof(T), anychip::OUT, false);
    to.check(into, p.blockLen / sizeof(T), "writes");
    anychip_use(to.address + into, p.blockLen, anychip::OUT, true);
    __builtin_memcpy(to.address + into, row.address, p.blockLen);
  }
}
/** Within the unified buffer, in whole blocks. */
template <class T>
ANYCHIP_PLAIN inline void DataCopy(const LocalTensor<T> &to, const LocalTensor<T> &from, uint32_t count) {
  if (count * sizeof(T) % BLOCK_BYTES) anychip_stop(Rule::granularity, "DataCopy of %u bytes, which are no whole blocks of %u", (unsigned)(count * sizeof(T)), BLOCK_BYTES);
  anychip_give(anychip::VECTOR);
  from.use("DataCopy", count, anychip::VECTOR, false);
  to.use("DataCopy", count, anychip::VECTOR, true);
  __builtin_memmove(to.address, from.address, count * sizeof(T));
}

// ---- vector instructions ----

template <class T, class U, class F>
ANYCHIP_LANES inline void mapOne(const char *what, const LocalTensor<T> &to, const LocalTensor<U> &from, int32_t count, F f) {
  anychip_give(anychip::VECTOR);
  from.use(what, count, anychip::VECTOR, false);
  to.use(what, count, anychip::VECTOR, true);
  T *out = to.data();
  const U *x = from.data();
  for (int32_t i = 0; i < count; i++) out[i] = f(x[i]);
}
template <class T, class F>
ANYCHIP_LANES inline void mapTwo(const char *what, const LocalTensor<T> &to, const LocalTensor<T> &a, const LocalTensor<T> &b, int32_t count, F f) {
  anychip_give(anychip::VECTOR);
  a.use(what, count, anychip::VECTOR, false);
  b.use(what, count, anychip::VECTOR, false);
  to.use(what, count, anychip::VECTOR, true);
  T *out = to.data();
  const T *x = a.data(), *y = b.data();
  for (int32_t i = 0; i < count; i++) out[i] = f(x[i], y[i]);
}

/** Integers wrap. */
template <class T>
struct Wrapping {
  using type = T;
};
template <>
struct Wrapping<int32_t> {
  using type = uint32_t;
};
template <>
struct Wrapping<int16_t> {
  using type = uint16_t;
};
template <class T>
using Wrap = typename Wrapping<T>::type;

#define ANYCHIP_BINARY(name, expression, ...)                                                                     \
  template <class T>                                                                                              \
  inline void name(const LocalTensor<T> &to, const LocalTensor<T> &left, const LocalTensor<T> &right, int32_t count) { \
    require<T, __VA_ARGS__>(#name);                                                                               \
    mapTwo(#name, to, left, right, count, [](T a, T b) ANYCHIP_LANE -> T { return expression; });                 \
  }
#define ANYCHIP_SCALAR(name, expression, ...)                                                    \
  template <class T>                                                                             \
  inline void name(const LocalTensor<T> &to, const LocalTensor<T> &from, T b, int32_t count) {   \
    require<T, __VA_ARGS__>(#name);                                                              \
    mapOne(#name, to, from, count, [b](T a) ANYCHIP_LANE -> T { return expression; });           \
  }
#define ANYCHIP_UNARY(name, expression, ...)                                                   \
  template <class T>                                                                           \
  inline void name(const LocalTensor<T> &to, const LocalTensor<T> &from, int32_t count) {      \
    require<T, __VA_ARGS__>(#name);                                                            \
    mapOne(#name, to, from, count, [](T a) ANYCHIP_LANE -> T { return expression; });          \
  }
ANYCHIP_BINARY(Add, (T)((Wrap<T>)a + (Wrap<T>)b), half, float, int16_t, int32_t)
ANYCHIP_BINARY(Sub, (T)((Wrap<T>)a - (Wrap<T>)b), half, float, int16_t, int32_t)
ANYCHIP_BINARY(Mul, (T)((Wrap<T>)a * (Wrap<T>)b), half, float, int16_t, int32_t)
ANYCHIP_BINARY(Div, a / b, half, float)
ANYCHIP_BINARY(Min, a < b ? a : b, half, float, int16_t, int32_t)
ANYCHIP_BINARY(Max, a > b ? a : b, half, float, int16_t, int32_t)
ANYCHIP_BINARY(And, (T)(a & b), int16_t, uint16_t)
ANYCHIP_BINARY(Or, (T)(a | b), int16_t, uint16_t)
ANYCHIP_SCALAR(Adds, (T)((Wrap<T>)a + (Wrap<T>)b), half, float, int16_t, int32_t)
ANYCHIP_SCALAR(Muls, (T)((Wrap<T>)a * (Wrap<T>)b), half, float, int16_t, int32_t)
ANYCHIP_SCALAR(Mins, a < b ? a : b, half, float, int16_t, int32_t)
ANYCHIP_SCALAR(Maxs, a > b ? a : b, half, float, int16_t, int32_t)
ANYCHIP_SCALAR(ShiftLeft, (T)((uint32_t)a << b), int16_t, uint16_t, int32_t, uint32_t)
ANYCHIP_SCALAR(ShiftRight, (T)(a >> b), int16_t, uint16_t, int32_t, uint32_t)
ANYCHIP_UNARY(Abs, a < (T)0 ? (T)-a : a == (T)0 ? (T)0 : a, half, float)
ANYCHIP_UNARY(Sqrt, (T)__builtin_sqrtf(a), half, float)
ANYCHIP_UNARY(Not, (T)~a, int16_t, uint16_t)

template <class T>
ANYCHIP_LANES inline void Duplicate(const LocalTensor<T> &to, T value, int32_t count) {
  require<T, half, bfloat16_t, float, int16_t, uint16_t, int32_t, uint32_t>("Duplicate");
  anychip_give(anychip::VECTOR);
  to.use("Duplicate", count, anychip::VECTOR, true);
  T *out = to.data();
  for (int32_t i = 0; i < count; i++) out[i] = value;
}

enum class RoundMode { CAST_NONE, CAST_RINT, CAST_FLOOR, CAST_CEIL, CAST_ROUND, CAST_TRUNC, CAST_ODD };
ANYCHIP_WITHIN float roundAs(RoundMode mode, float x) {
  switch (mode) {
    case RoundMode::CAST_FLOOR: return __builtin_floorf(x);
    case RoundMode::CAST_CEIL: return __builtin_ceilf(x);
    case RoundMode::CAST_ROUND: return __builtin_roundf(x);
    case RoundMode::CAST_TRUNC: return __builtin_truncf(x);
    default: return __builtin_rintf(x);
  }
}
/** Out of range, integers are at the end of their range; NaN is 0. */
template <class T>
ANYCHIP_WITHIN T saturate(float x, float low, float high) {
  return x != x ? (T)0 : x <= low ? (T)low : x >= high ? (high >= 2147483647.0f ? (T)2147483647 : (T)high) : (T)x;
}
template <class T, class U>
inline void castPair(bool) {
  constexpr bool known = (same<T, float> && oneOf<U, float, half, bfloat16_t, int16_t, int32_t, int64_t>) || (same<T, half> && oneOf<U, float, int8_t, uint8_t, int16_t, int32_t>) ||
                         (same<T, bfloat16_t> && same<U, float>) || (same<T, int32_t> && oneOf<U, float, half, bfloat16_t, int16_t, int64_t>) || (oneOf<T, uint8_t, int8_t> && oneOf<U, half, float> && !same<U, float>) ||
                         (same<T, int16_t> && oneOf<U, float, half>) || (same<T, int64_t> && oneOf<U, float, int32_t>);
  if (!known) anychip_stop(Rule::dtype, "Cast from %s to %s", Name<U>::text, Name<T>::text);
}
template <class T, class U>
ANYCHIP_WITHIN T castOne(U x, RoundMode mode) {
  if constexpr (oneOf<T, float>) return same<T, U> ? (T)roundAs(mode, (float)x) : (T)(float)x;
  else if constexpr (oneOf<T, half, bfloat16_t>) return (T)(float)x;
  else if constexpr (oneOf<U, float, half>) {
    const float r = roundAs(mode, (float)x);
    if constexpr (same<T, int32_t>) return saturate<T>(r, -2147483648.0f, 2147483648.0f);
    else if constexpr (same<T, int8_t>) return saturate<T>(r, -128.0f, 127.0f);
    else if constexpr (same<T, uint8_t>) return saturate<T>(r, 0.0f, 255.0f);
    else if constexpr (same<T, int16_t>) return saturate<T>(r, -32768.0f, 32767.0f);
    else return (T)r;
  } else return (T)x;
}
template <class T, class U>
inline void Cast(const LocalTensor<T> &to, const LocalTensor<U> &from, RoundMode mode, uint32_t count) {
  castPair<U, T>(true);
  if (mode == RoundMode::CAST_NONE && (oneOf<T, half, bfloat16_t> && same<U, float>)) anychip_stop(Rule::dtype, "Cast from %s to %s needs a way to round", Name<U>::text, Name<T>::text);
  mapOne("Cast", to, from, (int32_t)count, [mode](U x) ANYCHIP_LANE -> T { return castOne<T, U>(x, mode); });
}

enum class CMPMODE { LT, GT, EQ, LE, GE, NE };
template <class T>
inline bool compares(CMPMODE mode, T a, T b) {
  switch (mode) {
    case CMPMODE::LT: return a < b;
    case CMPMODE::GT: return a > b;
    case CMPMODE::EQ: return a == b;
    case CMPMODE::LE: return a <= b;
    case CMPMODE::GE: return a >= b;
    default: return a != b;
  }
}
template <class T, class F>
ANYCHIP_PLAIN inline void maskOf(const char *what, const LocalTensor<uint8_t> &to, const LocalTensor<T> &from, CMPMODE mode, uint32_t count, F other) {
  require<T, half, float, int32_t>(what);
  if (same<T, int32_t> && mode != CMPMODE::EQ) anychip_stop(Rule::dtype, "%s of int32_t compares for equality only", what);
  if (count * sizeof(T) % REPEAT_BYTES) anychip_stop(Rule::granularity, "%s of %u elements: their bytes are no multiple of %u", what, count, REPEAT_BYTES);
  from.use(what, count, anychip::VECTOR, false);
  to.use(what, count / 8, anychip::VECTOR, true);
  for (uint32_t i = 0; i < count; i += 8) {
    uint8_t bits = 0;
    for (uint32_t b = 0; b < 8; b++) bits |= (uint8_t)(compares(mode, from.data()[i + b], other(i + b)) << b);
    to.data()[i / 8] = bits;
  }
}
template <class T>
ANYCHIP_PLAIN inline void Compare(const LocalTensor<uint8_t> &to, const LocalTensor<T> &a, const LocalTensor<T> &b, CMPMODE mode, uint32_t count) {
  anychip_give(anychip::VECTOR);
  b.use("Compare", count, anychip::VECTOR, false);
  maskOf("Compare", to, a, mode, count, [&b](uint32_t i) ANYCHIP_PLAIN { return b.data()[i]; });
}
template <class T>
ANYCHIP_PLAIN inline void CompareScalar(const LocalTensor<uint8_t> &to, const LocalTensor<T> &a, T b, CMPMODE mode, uint32_t count) {
  anychip_give(anychip::VECTOR);
  maskOf("CompareScalar", to, a, mode, count, [b](uint32_t) ANYCHIP_PLAIN { return b; });
}

enum class SELMODE { VSEL_CMPMASK_SPR, VSEL_TENSOR_SCALAR_MODE, VSEL_TENSOR_TENSOR_MODE };
template <class T, class F>
ANYCHIP_PLAIN inline void choose(const LocalTensor<T> &to, const LocalTensor<uint8_t> &mask, const LocalTensor<T> &a, uint32_t count, F other) {
  require<T, half, float>("Select");
  mask.use("Select", (count + 7) / 8, anychip::VECTOR, false);
  a.use("Select", count, anychip::VECTOR, false);
  to.use("Select", count, anychip::VECTOR, true);
  for (uint32_t i = 0; i < count; i++) to.data()[i] = mask.data()[i / 8] >> i % 8 & 1 ? a.data()[i] : other(i);
}
template <class T>
ANYCHIP_PLAIN inline void Select(const LocalTensor<T> &to, const LocalTensor<uint8_t> &mask, const LocalTensor<T> &a, const LocalTensor<T> &b, SELMODE, uint32_t count) {
  anychip_give(anychip::VECTOR);
  b.use("Select", count, anychip::VECTOR, false);
  choose(to, mask, a, count, [&b](uint32_t i) ANYCHIP_PLAIN { return b.data()[i]; });
}
template <class T>
ANYCHIP_PLAIN inline void Select(const LocalTensor<T> &to, const LocalTensor<uint8_t> &mask, const LocalTensor<T> &a, T b, SELMODE, uint32_t count) {
  anychip_give(anychip::VECTOR);
  choose(to, mask, a, count, [b](uint32_t) ANYCHIP_PLAIN { return b; });
}

/** Of one element; `work` holds what repeats of the instruction leave to be combined. */
template <class T, class F>
ANYCHIP_PLAIN inline void fold(const char *what, const LocalTensor<T> &to, const LocalTensor<T> &from, const LocalTensor<T> &work, int32_t count, F f) {
  require<T, half, float>(what);
  anychip_give(anychip::VECTOR);
  from.use(what, count, anychip::VECTOR, false);
  const uint32_t perRepeat = REPEAT_BYTES / sizeof(T);
  const uint64_t repeats = (count + perRepeat - 1) / perRepeat;
  work.use(what, repeats, anychip::VECTOR, true);
  to.use(what, 1, anychip::VECTOR, true);
  T sum = from.data()[0];
  for (uint64_t r = 0; r < repeats; r++) {
    T part = from.data()[r * perRepeat];
    for (uint64_t i = r * perRepeat + 1; i < (r + 1) * perRepeat && i < (uint64_t)count; i++) part = f(part, from.data()[i]);
    sum = r == 0 ? part : f(sum, part);
    work.data()[r] = part;
  }
  to.data()[0] = sum;
}
template <class T>
inline void ReduceSum(const LocalTensor<T> &to, const LocalTensor<T> &from, const LocalTensor<T> &work, int32_t count) {
  fold("ReduceSum", to, from, work, count, [](T a, T b) ANYCHIP_LANE -> T { return a + b; });
}
template <class T>
inline void ReduceMax(const LocalTensor<T> &to, const LocalTensor<T> &from, const LocalTensor<T> &work, int32_t count) {
  fold("ReduceMax", to, from, work, count, [](T a, T b) ANYCHIP_LANE -> T { return a > b ? a : b; });
}
template <class T>
inline void ReduceMin(const LocalTensor<T> &to, const LocalTensor<T> &from, const LocalTensor<T> &work, int32_t count) {
  fold("ReduceMin", to, from, work, count, [](T a, T b) ANYCHIP_LANE -> T { return a < b ? a : b; });
}

inline float ToFloat(bfloat16_t x) { return (float)x; }
inline bfloat16_t ToBfloat16(float x) { return bfloat16_t(x); }

}  // namespace AscendC

#include "cube.h"
