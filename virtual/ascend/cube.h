// The cube core in Ascend C on the host: copies that turn lines into blocks, fills of both factors' buffers, Mmad and Fixpipe, with the
// orders of blocks and the rules of the API reference (CANN 8, architecture 2201). What nothing wrote may be moved and multiplied, as the
// chip does beyond the ends of a matrix; what comes of it may not be written to global memory.
#pragma once

#include "kernel.h"

namespace AscendC {

/** Lines of a block, and bytes of a line. */
constexpr uint32_t CUBE = 16, C0_BYTES = 32, FRACTAL_BYTES = 512;

/** That a tensor lies in a memory, at an address that the unit can begin at, and has as many bytes. */
template <class T>
inline void inSpace(const char *what, const LocalTensor<T> &x, int space, uint64_t bytes) {
  if (anychip_space(x.address) != space) anychip_stop(Rule::host, "%s on a tensor that does not lie in %s", what, anychip_rules.spaces[space]);
  const uint32_t alignment = space == anychip::LEFT || space == anychip::RIGHT ? FRACTAL_BYTES : space == anychip::SUMS ? 64 : BLOCK_BYTES;
  if (bytes > x.bytes) anychip_stop(Rule::bounds, "%s on %llu bytes of a tensor of %llu in %s", what, (unsigned long long)bytes, (unsigned long long)x.bytes, anychip_rules.spaces[space]);
  if ((uint64_t)x.address % alignment) anychip_stop(Rule::misaligned, "%s on an address of %s that is no multiple of %u", what, anychip_rules.spaces[space], alignment);
}
inline void atMost(const char *what, const char *name, uint64_t value, uint64_t most) {
  if (value > most) anychip_stop(Rule::limit, "%s with %s of %llu: at most %llu", what, name, (unsigned long long)value, (unsigned long long)most);
}
/** Lines with what is known of each. */
ANYCHIP_PLAIN inline void pass(char *to, const char *from, uint64_t bytes, uint64_t line, int pipe) {
  anychip_touch(from, bytes, pipe, false);
  anychip_touch(to, bytes, pipe, true);
  __builtin_memcpy(to, from, bytes);
  if (anychip_is_written(from, bytes)) return anychip_mark(to, bytes, true);
  for (uint64_t at = 0; at < bytes; at += line) anychip_mark(to + at, line, anychip_is_written(from + at, line));
}

struct Nd2NzParams {
  uint16_t ndNum = 0, nValue = 0, dValue = 0, srcNdMatrixStride = 0, srcDValue = 0, dstNzC0Stride = 0, dstNzNStride = 0, dstNzMatrixStride = 0;
};
/** Lines into blocks, filled up with zeros to whole lines of 32 bytes. */
template <class T>
ANYCHIP_PLAIN inline void DataCopy(const LocalTensor<T> &to, const GlobalTensor<T> &from, const Nd2NzParams &p) {
  require<T, float, half, bfloat16_t, int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t>("DataCopy of lines into blocks");
  constexpr uint32_t C0 = C0_BYTES / sizeof(T);
  atMost("DataCopy", "lines", p.nValue, 16384);
  atMost("DataCopy", "a distance of columns", p.dstNzC0Stride, 16384);
  anychip_give(anychip::IN);
  for (uint32_t d = 0; d < p.ndNum; d++)
    for (uint32_t n = 0; n < p.nValue; n++) {
      const uint64_t source = (uint64_t)d * p.srcNdMatrixStride + (uint64_t)n * p.srcDValue;
      from.check(source, p.dValue, "reads");
      anychip_use(from.address + source, p.dValue * sizeof(T), anychip::IN, false);
    }
  for (uint32_t d = 0; d < p.ndNum; d++)
    for (uint32_t c = 0; c < p.dValue; c += C0) {
      const uint32_t count = p.dValue - c < C0 ? p.dValue - c : C0;
      const uint64_t first = (uint64_t)d * p.dstNzMatrixStride * sizeof(T) + (uint64_t)(c / C0) * p.dstNzC0Stride * C0_BYTES, step = (uint64_t)p.dstNzNStride * C0_BYTES;
      // Lines that lie side by side are used at once.
      const uint32_t together = p.dstNzNStride == 1 ? p.nValue : 1;
      inSpace("DataCopy", to, anychip::STAGING, first + (p.nValue - 1) * step + C0_BYTES);
      for (uint32_t n = 0; n < p.nValue; n += together) anychip_use(to.address + first + n * step, (uint64_t)together * C0_BYTES, anychip::IN, true);
      for (uint32_t n = 0; n < p.nValue; n++) {
        char *line = to.address + first + n * step;
        __builtin_memset(line, 0, C0_BYTES);
        __builtin_memcpy(line, from.address + (uint64_t)d * p.srcNdMatrixStride + (uint64_t)n * p.srcDValue + c, count * sizeof(T));
      }
    }
}

template <class T>
struct InitConstValueParams {
  uint16_t repeatTimes = 0, blockNum = 0, dstGap = 0;
  T initValue = 0;
};
/** In L1, blocks of 32 bytes. */
template <class T>
ANYCHIP_PLAIN inline void Fill(const LocalTensor<T> &to, const InitConstValueParams<T> &p) {
  require<T, half, bfloat16_t, float, int16_t, uint16_t, int32_t, uint32_t>("Fill");
  anychip_give(anychip::IN);
  for (uint32_t r = 0; r < p.repeatTimes; r++) {
    const uint64_t at = (uint64_t)r * (p.blockNum + p.dstGap) * BLOCK_BYTES, bytes = (uint64_t)p.blockNum * BLOCK_BYTES;
    inSpace("Fill", to, anychip::STAGING, at + bytes);
    anychip_use(to.address + at, bytes, anychip::IN, true);
    for (uint64_t i = 0; i < bytes / sizeof(T); i++) reinterpret_cast<T *>(to.address + at)[i] = p.initValue;
  }
}

struct LoadData2DParams {
  uint16_t startIndex = 0;
  uint8_t repeatTimes = 0;
  uint16_t srcStride = 0;
  uint8_t sid = 0;
  uint16_t dstGap = 0;
  bool ifTranspose = false;
  uint8_t addrMode = 0;
};
/** The buffer of a factor. */
inline int factorSpace(const char *what, const void *to) {
  const int space = anychip_space(to);
  if (space != anychip::LEFT && space != anychip::RIGHT) anychip_stop(Rule::host, "%s to a tensor that lies in neither L0A nor L0B", what);
  return space;
}
/** Blocks as they are, from L1 to the buffer of a factor. */
template <class T>
ANYCHIP_PLAIN inline void LoadData(const LocalTensor<T> &to, const LocalTensor<T> &from, const LoadData2DParams &p) {
  require<T, half, bfloat16_t, float, int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t>("LoadData");
  if (p.ifTranspose) anychip_stop(Rule::dtype, "LoadData that turns blocks is not known here");
  anychip_give(anychip::FILL);
  const int space = factorSpace("LoadData", to.address);
  for (uint32_t r = 0; r < p.repeatTimes; r++) {
    const uint64_t source = (uint64_t)(p.startIndex + r * p.srcStride) * FRACTAL_BYTES, target = (uint64_t)r * (1 + p.dstGap) * FRACTAL_BYTES;
    inSpace("LoadData", from, anychip::STAGING, source + FRACTAL_BYTES);
    inSpace("LoadData", to, space, target + FRACTAL_BYTES);
    pass(to.address + target, from.address + source, FRACTAL_BYTES, C0_BYTES, anychip::FILL);
  }
}

struct LoadData2dTransposeParams {
  uint16_t startIndex = 0;
  uint8_t repeatTimes = 0;
  uint16_t srcStride = 0, dstGap = 0, dstFracGap = 0;
  uint8_t addrMode = 0;
};
/** Squares turned: a block of two bytes an element, else two blocks, which are below each other for bytes and side by side for four. */
template <class T>
ANYCHIP_PLAIN inline void LoadDataWithTranspose(const LocalTensor<T> &to, const LocalTensor<T> &from, const LoadData2dTransposeParams &p) {
  require<T, half, bfloat16_t, float, int8_t, uint8_t, int32_t, uint32_t>("LoadDataWithTranspose");
  constexpr uint32_t C0 = C0_BYTES / sizeof(T), SIDE = sizeof(T) == 1 ? 32 : 16, BLOCK = CUBE * C0, SQUARE = SIDE * SIDE;
  anychip_give(anychip::FILL);
  const int space = factorSpace("LoadDataWithTranspose", to.address);
  for (uint32_t r = 0; r < p.repeatTimes; r++) {
    const uint64_t source = (uint64_t)(p.startIndex + r * p.srcStride) * SQUARE, first = (uint64_t)r * (1 + p.dstGap) * BLOCK;
    inSpace("LoadDataWithTranspose", from, anychip::STAGING, (source + SQUARE) * sizeof(T));
    const T *square = from.data() + source;
    anychip_touch(square, SQUARE * sizeof(T), anychip::FILL, false);
    const bool isWritten = anychip_is_written(square, SQUARE * sizeof(T));
    for (uint32_t b = 0; b < SQUARE / BLOCK; b++) {
      const uint64_t block = first + (uint64_t)b * (1 + p.dstFracGap) * BLOCK;
      inSpace("LoadDataWithTranspose", to, space, (block + BLOCK) * sizeof(T));
      anychip_touch(to.data() + block, BLOCK * sizeof(T), anychip::FILL, true);
      if (isWritten) anychip_mark(to.data() + block, BLOCK * sizeof(T), true);
    }
    for (uint32_t i = 0; i < SIDE; i++)
      for (uint32_t j = 0; j < SIDE; j++) {
        // Element (i, j) of the square; of four bytes its right half is the second block.
        const uint64_t in = sizeof(T) == 4 ? (uint64_t)(j / C0) * BLOCK + i * C0 + j % C0 : (uint64_t)i * C0 + j;
        // Turned: line j, element i.
        const uint32_t half = sizeof(T) == 1 ? j / CUBE : sizeof(T) == 4 ? i / C0 : 0;
        const uint64_t out = first + (uint64_t)half * (1 + p.dstFracGap) * BLOCK + (sizeof(T) == 1 ? j % CUBE : j) * C0 + i % C0;
        to.data()[out] = square[in];
        if (!isWritten) anychip_mark(to.data() + out, sizeof(T), anychip_is_written(square + in, sizeof(T)));
      }
  }
}

struct MmadParams {
  uint16_t m = 0, n = 0, k = 0;
  bool isBias = false, cmatrixInitVal = true, cmatrixSource = false, kDirectionAlign = false;
  uint8_t unitFlag = 0;
};
/** By value: conversions of types with functions of their own are checked as if the core itself read memory. */
template <class T>
ANYCHIP_PLAIN inline float numberOf(T x) {
  return (float)x;
}
/** sum (+)= a·b. Blocks of a go row after row, those of b too, each turned, those of the sum column after column. */
template <class S, class T>
ANYCHIP_PLAIN inline void Mmad(const LocalTensor<S> &sum, const LocalTensor<T> &a, const LocalTensor<T> &b, const MmadParams &p) {
  if (!((same<S, float> && oneOf<T, half, bfloat16_t, float>) || (same<S, int32_t> && same<T, int8_t>))) anychip_stop(Rule::dtype, "Mmad of %s into %s", Name<T>::text, Name<S>::text);
  constexpr uint32_t C0 = C0_BYTES / sizeof(T);
  atMost("Mmad", "a side", p.m > p.n ? (p.m > p.k ? p.m : p.k) : (p.n > p.k ? p.n : p.k), 4095);
  anychip_give(anychip::MATRIX);
  const uint32_t rows = (p.m + CUBE - 1) / CUBE, columns = (p.n + CUBE - 1) / CUBE;
  const uint32_t steps = sizeof(T) == 4 && p.kDirectionAlign ? (p.k + CUBE - 1) / CUBE * 2 : (p.k + C0 - 1) / C0, deep = (p.k + C0 - 1) / C0;
  inSpace("Mmad", a, anychip::LEFT, (uint64_t)rows * steps * FRACTAL_BYTES);
  inSpace("Mmad", b, anychip::RIGHT, (uint64_t)deep * columns * FRACTAL_BYTES);
  inSpace("Mmad", sum, anychip::SUMS, (uint64_t)rows * columns * CUBE * CUBE * sizeof(S));
  anychip_touch(a.address, (uint64_t)rows * steps * FRACTAL_BYTES, anychip::MATRIX, false);
  anychip_touch(b.address, (uint64_t)deep * columns * FRACTAL_BYTES, anychip::MATRIX, false);
  anychip_touch(sum.address, (uint64_t)rows * columns * CUBE * CUBE * sizeof(S), anychip::MATRIX, true);
  // Factors as lines of numbers, each with whether all of it was written.
  const uint32_t depth = deep * C0;
  float *left = (float *)anychip_room(0, (uint64_t)p.m * depth * sizeof(float)), *right = (float *)anychip_room(1, (uint64_t)depth * p.n * sizeof(float));
  double *totals = (double *)anychip_room(2, (uint64_t)p.m * p.n * sizeof(double));
  bool *isLeft = (bool *)anychip_room(3, p.m), *isRight = (bool *)anychip_room(4, p.n);
  for (uint32_t i = 0; i < p.m; i++) {
    isLeft[i] = true;
    for (uint32_t s = 0; s < deep; s++) {
      const T *line = a.data() + ((uint64_t)(i / CUBE) * steps + s) * CUBE * C0 + i % CUBE * C0;
      isLeft[i] &= anychip_is_written(line, C0_BYTES);
      for (uint32_t e = 0; e < C0; e++) left[(uint64_t)i * depth + s * C0 + e] = numberOf(line[e]);
    }
  }
  for (uint32_t j = 0; j < p.n; j++) {
    isRight[j] = true;
    for (uint32_t s = 0; s < deep; s++) {
      const T *line = b.data() + ((uint64_t)s * columns + j / CUBE) * CUBE * C0 + j % CUBE * C0;
      isRight[j] &= anychip_is_written(line, C0_BYTES);
      for (uint32_t e = 0; e < C0; e++) right[(uint64_t)(s * C0 + e) * p.n + j] = numberOf(line[e]);
    }
  }
  const auto cellOf = [&](uint32_t i, uint32_t j) ANYCHIP_PLAIN { return sum.data() + ((uint64_t)(j / CUBE) * rows + i / CUBE) * CUBE * CUBE + i % CUBE * CUBE + j % CUBE; };
  for (uint32_t i = 0; i < p.m; i++)
    for (uint32_t j = 0; j < p.n; j++) totals[(uint64_t)i * p.n + j] = p.cmatrixInitVal ? 0 : (double)*cellOf(i, j);
  // What one step adds is rounded once.
  anychip_multiply(totals, left, right, p.m, p.n, depth);
  for (uint32_t i = 0; i < p.m; i++)
    for (uint32_t j = 0; j < p.n; j += CUBE) {
      const uint32_t count = p.n - j < CUBE ? p.n - j : CUBE;
      S *line = cellOf(i, j);
      bool isWritten = isLeft[i] && (p.cmatrixInitVal || anychip_is_written(line, count * sizeof(S)));
      for (uint32_t e = 0; e < count; e++) isWritten &= isRight[j + e];
      for (uint32_t e = 0; e < count; e++) {
        if (!isWritten) anychip_mark(line + e, sizeof(S), isLeft[i] && isRight[j + e] && (p.cmatrixInitVal || anychip_is_written(line + e, sizeof(S))));
        line[e] = (S)totals[(uint64_t)i * p.n + j + e];
      }
      if (isWritten) anychip_mark(line, count * sizeof(S), true);
    }
}

enum class QuantMode_t { NoQuant, F322F16, F322BF16 };
enum class CO2Layout : uint8_t { NZ = 0, ROW_MAJOR };
struct FixpipeConfig {
  CO2Layout format;
};
constexpr FixpipeConfig CFG_NZ = {CO2Layout::NZ}, CFG_ROW_MAJOR = {CO2Layout::ROW_MAJOR};
struct FixpipeParamsV220 {
  uint16_t nSize = 0, mSize = 0, srcStride = 0;
  uint32_t dstStride = 0;
  QuantMode_t quantPre = QuantMode_t::NoQuant;
  uint64_t deqScalar = 0;
  uint16_t ndNum = 1, srcNdStride = 0, dstNdStride = 0;
  bool reluEn = false;
  uint8_t unitFlag = 0;
};
/** Sums as lines in global memory. */
template <class D, class S, const FixpipeConfig &config>
ANYCHIP_PLAIN inline void Fixpipe(const GlobalTensor<D> &to, const LocalTensor<S> &from, const FixpipeParamsV220 &p) {
  const QuantMode_t needed = same<D, S> ? QuantMode_t::NoQuant : same<D, half> ? QuantMode_t::F322F16 : QuantMode_t::F322BF16;
  if (!(same<D, S> || (same<S, float> && oneOf<D, half, bfloat16_t>)) || p.quantPre != needed) anychip_stop(Rule::dtype, "Fixpipe from %s to %s in this mode", Name<S>::text, Name<D>::text);
  if (p.ndNum != 1 || p.reluEn) anychip_stop(Rule::dtype, "Fixpipe of several matrices, or of their positive part, is not known here");
  if (p.srcStride % CUBE) anychip_stop(Rule::granularity, "Fixpipe from blocks %u lines apart, which is no multiple of %u", p.srcStride, CUBE);
  atMost("Fixpipe", "columns", p.nSize, 4095);
  atMost("Fixpipe", "lines", p.mSize, 8192);
  anychip_give(anychip::DRAIN);
  if (p.mSize > p.srcStride) anychip_stop(Rule::bounds, "Fixpipe of %u lines from blocks that have %u", p.mSize, p.srcStride);
  const uint64_t columns = (p.nSize + CUBE - 1) / CUBE;
  inSpace("Fixpipe", from, anychip::SUMS, columns * p.srcStride * CUBE * sizeof(S));
  for (uint32_t i = 0; i < p.mSize; i++) {
    to.check((uint64_t)i * p.dstStride, p.nSize, "writes");
    for (uint32_t j = 0; j < p.nSize; j += CUBE) {
      const uint32_t count = p.nSize - j < CUBE ? p.nSize - j : CUBE;
      const S *line = from.data() + (uint64_t)(j / CUBE) * p.srcStride * CUBE + i * CUBE;
      anychip_use(line, count * sizeof(S), anychip::DRAIN, false);
      for (uint32_t e = 0; e < count; e++) {
        const S value = line[e];
        const D rounded = (D)value;
        to.address[(uint64_t)i * p.dstStride + j + e] = rounded;
      }
    }
    anychip_use(to.address + (uint64_t)i * p.dstStride, p.nSize * sizeof(D), anychip::DRAIN, true);
  }
}

}  // namespace AscendC
