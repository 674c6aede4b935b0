// A memory of a core, with what is known of its bytes: which pipe wrote and read them last, and whether anything was ever written there.
// Neighbours that share a history are one span, so an instruction on a tile is a look at one span or a few.
#pragma once

#include <string.h>

#include "borders.h"
#include "tile.h"

namespace anychip {

/** Numbers of the instructions that used some bytes last; 0 for none. */
struct Span {
  unsigned written, read[PIPES];
  unsigned writer;
};

class Pad {
 public:
  /** The pipe that may not be done with the bytes. */
  using Clash = int;
  static constexpr Clash NONE = -1;

  char *from = nullptr;
  uint64_t bytes = 0;

  bool has(const void *p) const { return at(p) < bytes; }
  uint64_t at(const void *p) const { return reinterpret_cast<uint64_t>(p) - reinterpret_cast<uint64_t>(from); }

  void make(char *address, uint64_t size) {
    from = address;
    bytes = size;
    borders_.make(size);
    spans_ = static_cast<Span *>(calloc(size + 1, sizeof *spans_));
    filled_ = static_cast<uint64_t *>(calloc(size / 64 + 1, sizeof *filled_));
    low_ = size, high_ = 0;
  }
  void drop() {
    if (!spans_) return;
    borders_.drop();
    free(spans_);
    free(filled_);
  }
  /** Nothing was done to any byte. */
  void forget() {
    if (!spans_) return;
    borders_.clear();
    spans_[0] = Span{};
    if (low_ < high_) memset(filled_ + low_ / 64, 0, (high_ / 64 - low_ / 64 + 1) * sizeof *filled_);
    low_ = bytes, high_ = 0;
  }

  /** The pipe reads or writes in instruction `tick`; `known`: up to which instruction of each pipe it knows that it is done. */
  Clash read(uint64_t begin, uint64_t end, int pipe, unsigned tick, const unsigned *known, bool waits) {
    for (uint64_t i = borders_.before(begin); i < end; i = borders_.after(i + 1))
      if (isUnordered(spans_[i], pipe, tick, known, waits)) return (Clash)spans_[i].writer;
    split(begin);
    split(end);
    for (uint64_t i = begin, last = begin; i < end; i = borders_.after(i + 1)) {
      spans_[i].read[pipe] = tick;
      if (i == begin) continue;
      if (memcmp(&spans_[i], &spans_[last], sizeof(Span))) last = i;
      else borders_.remove(i);
    }
    return NONE;
  }
  Clash write(uint64_t begin, uint64_t end, int pipe, unsigned tick, const unsigned *known, bool waits) {
    for (uint64_t i = borders_.before(begin); i < end; i = borders_.after(i + 1)) {
      const Span &span = spans_[i];
      if (isUnordered(span, pipe, tick, known, waits)) return (Clash)span.writer;
      for (int r = 0; r < PIPES; r++)
        if (r != pipe && span.read[r] > known[r]) return r;
    }
    split(begin);
    split(end);
    borders_.clear(begin, end);
    // Whoever comes after this one comes after all that this one came after.
    spans_[begin] = Span{};
    spans_[begin].written = tick;
    spans_[begin].writer = (unsigned)pipe;
    if (begin > 0 && !memcmp(&spans_[borders_.before(begin - 1)], &spans_[begin], sizeof(Span))) borders_.remove(begin);
    return NONE;
  }

  /** The first byte that was not written; `end` where all were. */
  uint64_t unfilled(uint64_t begin, uint64_t end) const {
    for (uint64_t i = begin; i < end; i = (i / 64 + 1) * 64)
      if (const uint64_t missing = ~filled_[i / 64] & mask(i, end)) return i / 64 * 64 + (uint64_t)__builtin_ctzll(missing);
    return end;
  }
  void fill(uint64_t begin, uint64_t end, bool isWritten) {
    if (begin < low_) low_ = begin;
    if (end > high_) high_ = end;
    for (uint64_t i = begin; i < end; i = (i / 64 + 1) * 64) {
      if (isWritten) filled_[i / 64] |= mask(i, end);
      else filled_[i / 64] &= ~mask(i, end);
    }
  }

 private:
  /** Bits of the word of `i` from there on, up to `end`. */
  static uint64_t mask(uint64_t i, uint64_t end) {
    const uint64_t from = ~0ull << i % 64, last = i / 64 * 64 + 64;
    return end >= last ? from : from & ~(~0ull << end % 64);
  }
  /** Whether the last writer may not be done. Instructions of the vector pipe wait for those before where the language says so. */
  static bool isUnordered(const Span &span, int pipe, unsigned tick, const unsigned *known, bool waits) {
    if (span.written == 0) return false;
    const bool isSame = (int)span.writer == pipe && (!waits || span.written == tick);
    return !isSame && span.written > known[span.writer];
  }
  void split(uint64_t i) {
    const uint64_t of = borders_.before(i);
    if (of == i) return;
    spans_[i] = spans_[of];
    borders_.add(i);
  }

  Borders borders_;
  /** By the place where each begins. */
  Span *spans_ = nullptr;
  /** A bit for each byte that was written, and between which bytes there are any. */
  uint64_t *filled_ = nullptr;
  uint64_t low_ = 0, high_ = 0;
};

}  // namespace anychip
