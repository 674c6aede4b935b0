// The matrix unit of an MLU core on the host: filters in weight memory, which lies in 64 parts, and __bang_matmul, with the order of rows and
// the multiples that Cambricon's open operators keep (mlu-ops: kernels/fft, kernels/kernel.h, docs/BANG-C-OPS-Develop-Guide.md).
#pragma once

#include "kernel.h"

namespace anychip {

/** Parts of weight memory, whose places count within one; bytes that a row of a filter takes a multiple of. */
constexpr int PARTS = 64, ROW_BYTES = 64;

/** What __bang_reshape_filter made: `rows` rows of `depth` elements, row r in part r mod 64. */
struct Filter {
  const void *at;
  int rows, depth, width;
  unsigned made;
};
/** Those that lie in neural and in weight memory, the oldest forgotten first. */
static Filter filters[64];
static unsigned filtersMade;

ANYCHIP_PLAIN inline Filter *findFilter(const void *at) {
  Filter *last = nullptr;
  for (Filter &filter : filters)
    if (filter.at == at && filter.made && (!last || filter.made > last->made)) last = &filter;
  return last;
}
ANYCHIP_PLAIN inline void keepFilter(const void *at, int rows, int depth, int width) {
  const unsigned made = ++filtersMade;
  filters[made % 64] = {at, rows, depth, width, made};
}

ANYCHIP_PLAIN inline void giveCompute(const char *what, const void *to, uint64_t toBytes, const void *from, uint64_t fromBytes) {
  anychip_give(VECTOR);
  useVector(what, from, fromBytes, false);
  useVector(what, to, toBytes, true);
}

/** Part `part` of weight memory at a place, of which it has `bytes`. */
ANYCHIP_PLAIN inline char *inWram(const char *what, const void *at, int part, uint64_t bytes) {
  uint64_t all = 0;
  char *base = anychip_variable(at, &all);
  if (!base || anychip_is_scratch(at)) anychip_stop(Rule::host, "%s on an address outside WRAM", what);
  const uint64_t place = (uint64_t)((const char *)at - base), room = all / PARTS;
  if (place % ROW_BYTES) anychip_stop(Rule::misaligned, "%s at place %llu of WRAM, which is no multiple of %d", what, (unsigned long long)place, ROW_BYTES);
  if (place + bytes > room) anychip_stop(Rule::bounds, "%s on bytes %llu to %llu of each part of WRAM, which has %llu", what, (unsigned long long)place, (unsigned long long)(place + bytes), (unsigned long long)room);
  return base + (uint64_t)part * room + place;
}

/** Neural memory into weight memory: the bytes in as many pieces as there are parts. */
ANYCHIP_PLAIN inline void copyFilter(void *to, const void *from, uint64_t bytes) {
  anychip_give(FILL);
  if (!anychip_is_scratch(from)) anychip_stop(Rule::host, "a copy to WRAM from an address outside NRAM");
  if (bytes == 0 || bytes % (PARTS * ROW_BYTES)) anychip_stop(Rule::granularity, "a copy of %llu bytes to WRAM, which is no multiple of %d", (unsigned long long)bytes, PARTS * ROW_BYTES);
  anychip_use(from, bytes, FILL, false);
  const Filter *filter = findFilter(from);
  if (!filter || (uint64_t)filter->rows * filter->depth * filter->width != bytes) anychip_stop(Rule::layout, "a copy of %llu bytes to WRAM, which are no filter in the unit's order", (unsigned long long)bytes);
  for (int part = 0; part < PARTS; part++) {
    char *place = inWram("a copy", to, part, bytes / PARTS);
    anychip_use(place, bytes / PARTS, FILL, true);
    __builtin_memcpy(place, (const char *)from + part * (bytes / PARTS), bytes / PARTS);
  }
  keepFilter(to, filter->rows, filter->depth, filter->width);
}

}  // namespace anychip

/** An image [height][width] of one channel with zeros around it. */
template <class T>
ANYCHIP_PLAIN inline void __bang_pad(T *to, const T *from, int channels, int height, int width, int top, int bottom, int left, int right) {
  using namespace anychip;
  if (channels != 1 || height <= 0 || width <= 0 || top < 0 || bottom < 0 || left < 0 || right < 0) anychip_stop(Rule::granularity, "__bang_pad of %d × %d with %d channels", height, width, channels);
  const int lines = top + height + bottom, length = left + width + right;
  giveCompute("__bang_pad", to, (uint64_t)lines * length * sizeof(T), from, (uint64_t)height * width * sizeof(T));
  __builtin_memset((void *)to, 0, (uint64_t)lines * length * sizeof(T));
  for (int i = 0; i < height; i++) __builtin_memcpy((void *)(to + (top + i) * length + left), from + i * width, width * sizeof(T));
}
template <class T>
ANYCHIP_PLAIN inline void __bang_transpose(T *to, const T *from, int height, int width) {
  using namespace anychip;
  if (height <= 0 || width <= 0) anychip_stop(Rule::granularity, "__bang_transpose of %d × %d", height, width);
  giveCompute("__bang_transpose", to, (uint64_t)height * width * sizeof(T), from, (uint64_t)height * width * sizeof(T));
  for (int i = 0; i < height; i++)
    for (int j = 0; j < width; j++) to[j * height + i] = from[i * width + j];
}
/** Rows [n][h][w][c] in the order of weight memory: those of a part side by side. */
template <class T>
ANYCHIP_PLAIN inline void __bang_reshape_filter(T *to, const T *from, int n, int h, int w, int c) {
  using namespace anychip;
  const int depth = h * w * c, each = n / PARTS;
  if (n <= 0 || n % PARTS) anychip_stop(Rule::granularity, "__bang_reshape_filter of %d rows, which is no multiple of %d", n, PARTS);
  if (depth <= 0 || depth * (int)sizeof(T) % ROW_BYTES) anychip_stop(Rule::granularity, "__bang_reshape_filter of rows of %d bytes, which is no multiple of %d", depth * (int)sizeof(T), ROW_BYTES);
  giveCompute("__bang_reshape_filter", to, (uint64_t)n * depth * sizeof(T), from, (uint64_t)n * depth * sizeof(T));
  for (int r = 0; r < n; r++) __builtin_memcpy((void *)(to + ((uint64_t)(r % PARTS) * each + r / PARTS) * depth), from + (uint64_t)r * depth, depth * sizeof(T));
  keepFilter(to, n, depth, sizeof(T));
}

namespace anychip {

/** to[m][n] = a[m][k] · filter[n][k]; what a step adds is rounded once. */
template <class T>
ANYCHIP_PLAIN inline void multiply(float *to, const T *a, const T *filter, int m, int k, int n) {
  const char *what = "__bang_matmul";
  if (m <= 0 || n <= 0 || n % PARTS || k <= 0 || k * (int)sizeof(T) % ROW_BYTES)
    anychip_stop(Rule::granularity, "%s of %d × %d × %d: columns are a multiple of %d, bytes of a line one of %d", what, m, k, n, PARTS, ROW_BYTES);
  giveCompute(what, to, (uint64_t)m * n * sizeof(float), a, (uint64_t)m * k * sizeof(T));
  const Filter *kept = findFilter(filter);
  if (!kept) anychip_stop(Rule::unwritten, "%s by a filter that was never brought into WRAM", what);
  if (kept->rows != n || kept->depth != k || kept->width != (int)sizeof(T))
    anychip_stop(Rule::layout, "%s by a filter of %d rows of %d elements of %d bytes as %d of %d of %d", what, kept->rows, kept->depth, kept->width, n, k, (int)sizeof(T));
  const uint64_t bytes = (uint64_t)n / PARTS * k * sizeof(T);
  for (int part = 0; part < PARTS; part++) {
    const T *rows = (const T *)inWram(what, filter, part, bytes);
    anychip_use(rows, bytes, VECTOR, false);
    for (int each = 0; each < n / PARTS; each++)
      for (int i = 0; i < m; i++) {
        double total = 0;
        for (int e = 0; e < k; e++) {
          const T x = a[(uint64_t)i * k + e], y = rows[(uint64_t)each * k + e];
          total += (double)(float)x * (double)(float)y;
        }
        to[(uint64_t)i * n + each * PARTS + part] = (float)total;
      }
  }
}

}  // namespace anychip

inline void __bang_matmul(float *to, const float *a, const float *filter, int m, int k, int n) { anychip::multiply(to, a, filter, m, k, n); }
inline void __bang_matmul(float *to, const half *a, const half *filter, int m, int k, int n) { anychip::multiply(to, a, filter, m, k, n); }
