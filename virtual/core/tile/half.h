// The small floats of kernel languages with scratchpads: types of two bytes that convert to and from float.
#pragma once

#include "../halves.h"

/** Conversions are part of who converts, so what they read is checked where that is checked. */
#define ANYCHIP_CONVERSION __attribute__((always_inline))

struct half {
  uint16_t bits;
  constexpr half() : bits(0) {}
  ANYCHIP_CONVERSION half(float x) : bits(anychip::toHalf(x)) {}
  ANYCHIP_CONVERSION operator float() const { return anychip::fromHalf(bits); }
};

struct bfloat16_t {
  uint16_t bits;
  constexpr bfloat16_t() : bits(0) {}
  ANYCHIP_CONVERSION explicit bfloat16_t(float x) : bits(anychip::toBfloat16(x)) {}
  ANYCHIP_CONVERSION explicit operator float() const { return anychip::fromBfloat16(bits); }
};
