// Small floats of two bytes as bits: to and from float, to the nearest, ties to even.
#pragma once

#include <stdint.h>

/** They call nothing and touch no memory. */
#define ANYCHIP_ALWAYS __attribute__((always_inline))

namespace anychip {

ANYCHIP_ALWAYS inline float floatOf(uint32_t bits) { return __builtin_bit_cast(float, bits); }
ANYCHIP_ALWAYS inline uint32_t bitsOf(float x) { return __builtin_bit_cast(uint32_t, x); }

ANYCHIP_ALWAYS inline float fromHalf(uint16_t h) {
  const uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 1023;
  if (exponent == 31) return floatOf(sign | 0x7f800000 | mantissa << 13);
  if (exponent == 0) return floatOf(sign | bitsOf((float)mantissa * 0x1p-24f));
  return floatOf(sign | (exponent + 112) << 23 | mantissa << 13);
}

ANYCHIP_ALWAYS inline uint16_t toHalf(float x) {
  const uint32_t bits = bitsOf(x), magnitude = bits & 0x7fffffff;
  const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  // Below the least normal number, adding half the power where its last place is one rounds there.
  if (magnitude < 0x38800000) return sign | (uint16_t)(bitsOf(floatOf(magnitude) + 0.5f) - 0x3f000000);
  return sign | (uint16_t)((magnitude + 0xfff + (magnitude >> 13 & 1)) - 0x38000000 >> 13);
}

ANYCHIP_ALWAYS inline float fromBfloat16(uint16_t h) { return floatOf((uint32_t)h << 16); }
ANYCHIP_ALWAYS inline uint16_t toBfloat16(float x) {
  const uint32_t bits = bitsOf(x);
  if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

}  // namespace anychip
