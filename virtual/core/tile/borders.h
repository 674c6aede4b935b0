// Where runs of bytes begin: a set of places, with bits above that say which words of it have any, so that neighbours are found at once.
#pragma once

#include <stdint.h>
#include <stdlib.h>

namespace anychip {

class Borders {
 public:
  /** The first place and the one at the end are always in it. */
  void make(uint64_t end) {
    end_ = end;
    uint64_t count = end + 1;
    for (uint64_t *&level : levels_) {
      count = (count + 63) / 64;
      level = static_cast<uint64_t *>(calloc(count, sizeof *level));
    }
    add(0);
    add(end);
  }
  void drop() {
    for (uint64_t *level : levels_) free(level);
  }
  void add(uint64_t i) {
    for (uint64_t *level : levels_) {
      level[i / 64] |= 1ull << i % 64;
      i /= 64;
    }
  }
  void remove(uint64_t i) {
    for (uint64_t *level : levels_) {
      if (level[i / 64] &= ~(1ull << i % 64)) return;
      i /= 64;
    }
  }
  /** Takes out those between the two. */
  void clear(uint64_t from, uint64_t to) {
    for (uint64_t i = after(from + 1); i < to; i = after(i + 1)) remove(i);
  }
  void clear() { clear(0, end_); }
  /** The first at `i` or after it. */
  uint64_t after(uint64_t i) const {
    int l = 0;
    for (;;) {
      if (const uint64_t word = levels_[l][i / 64] >> i % 64) {
        i += static_cast<uint64_t>(__builtin_ctzll(word));
        break;
      }
      i = i / 64 + 1;
      if (l < TOP) l++;
      else i *= 64;
    }
    while (l > 0) i = i * 64 + static_cast<uint64_t>(__builtin_ctzll(levels_[--l][i]));
    return i;
  }
  /** The last at `i` or before it. */
  uint64_t before(uint64_t i) const {
    int l = 0;
    for (;;) {
      if (const uint64_t word = levels_[l][i / 64] << (63 - i % 64)) {
        i -= static_cast<uint64_t>(__builtin_clzll(word));
        break;
      }
      i = i / 64 - 1;
      if (l < TOP) l++;
      else i = i * 64 + 63;
    }
    while (l > 0) i = i * 64 + 63 - static_cast<uint64_t>(__builtin_clzll(levels_[--l][i]));
    return i;
  }

 private:
  static constexpr int TOP = 2;

  uint64_t end_ = 0;
  /** A bit of each but the first is for a word of the one before. */
  uint64_t *levels_[TOP + 1] = {};
};

}  // namespace anychip
