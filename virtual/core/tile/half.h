// The small floats of kernel languages with scratchpads: types of two bytes that convert to and from float.
#pragma once

#include "../halves.h"

struct half {
  uint16_t bits;
  constexpr half() : bits(0) {}
  half(float x) : bits(anychip::toHalf(x)) {}
  operator float() const { return anychip::fromHalf(bits); }
};

struct bfloat16_t {
  uint16_t bits;
  constexpr bfloat16_t() : bits(0) {}
  explicit bfloat16_t(float x) : bits(anychip::toBfloat16(x)) {}
  explicit operator float() const { return anychip::fromBfloat16(bits); }
};
