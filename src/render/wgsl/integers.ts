// Integers of 64 bits in WGSL, which has none: a pair of u32, low word first, and functions on it, to and from f32 among them. i64 and u64 differ only where the
// sign matters. Each function stands under its name, so that a module can take those that it calls.

export const integers: Readonly<Record<string, string>> = {
  add_u64: `(a: vec2u, b: vec2u) -> vec2u {
  let low = a.x + b.x;
  return vec2u(low, a.y + b.y + select(0u, 1u, low < a.x));
}`,
  sub_u64: `(a: vec2u, b: vec2u) -> vec2u {
  return vec2u(a.x - b.x, a.y - b.y - select(0u, 1u, a.x < b.x));
}`,
  neg_u64: `(a: vec2u) -> vec2u { return sub_u64(vec2u(0u, 0u), a); }`,
  // The whole product of two words, from products of halves.
  product_u32: `(a: u32, b: u32) -> vec2u {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  return vec2u((other << 16u) | (low & 0xffffu), (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u));
}`,
  mul_u64: `(a: vec2u, b: vec2u) -> vec2u {
  let low = product_u32(a.x, b.x);
  return vec2u(low.x, low.y + a.x * b.y + a.y * b.x);
}`,
  lt_u64: `(a: vec2u, b: vec2u) -> bool { return a.y < b.y || (a.y == b.y && a.x < b.x); }`,
  lt_i64: `(a: vec2u, b: vec2u) -> bool { return i32(a.y) < i32(b.y) || (a.y == b.y && a.x < b.x); }`,
  shl_u64: `(a: vec2u, n: u32) -> vec2u {
  if (n == 0u) { return a; }
  if (n >= 32u) { return vec2u(0u, a.x << (n - 32u)); }
  return vec2u(a.x << n, (a.y << n) | (a.x >> (32u - n)));
}`,
  shr_u64: `(a: vec2u, n: u32) -> vec2u {
  if (n == 0u) { return a; }
  if (n >= 32u) { return vec2u(a.y >> (n - 32u), 0u); }
  return vec2u((a.x >> n) | (a.y << (32u - n)), a.y >> n);
}`,
  shr_i64: `(a: vec2u, n: u32) -> vec2u {
  let high = i32(a.y);
  if (n == 0u) { return a; }
  if (n >= 32u) { return vec2u(u32(high >> (n - 32u)), u32(high >> 31u)); }
  return vec2u((a.x >> n) | (a.y << (32u - n)), u32(high >> n));
}`,
  // Quotient and rest, bit by bit where words do not suffice. What a zero divisor gives is nobody's business.
  divide_u64: `(a: vec2u, b: vec2u) -> vec4u {
  if ((a.y | b.y) == 0u) { return vec4u(a.x / b.x, 0u, a.x % b.x, 0u); }
  var quotient = vec2u(0u, 0u);
  var rest = vec2u(0u, 0u);
  for (var i = 63i; i >= 0i; i -= 1i) {
    let carry = rest.y >> 31u;
    let word = select(a.x, a.y, i >= 32i);
    rest = vec2u((rest.x << 1u) | ((word >> (u32(i) & 31u)) & 1u), (rest.y << 1u) | (rest.x >> 31u));
    quotient = vec2u(quotient.x << 1u, (quotient.y << 1u) | (quotient.x >> 31u));
    if (carry == 1u || !lt_u64(rest, b)) {
      rest = sub_u64(rest, b);
      quotient.x |= 1u;
    }
  }
  return vec4u(quotient, rest);
}`,
  div_u64: `(a: vec2u, b: vec2u) -> vec2u { return divide_u64(a, b).xy; }`,
  rem_u64: `(a: vec2u, b: vec2u) -> vec2u { return divide_u64(a, b).zw; }`,
  abs_i64: `(a: vec2u) -> vec2u { return select(a, neg_u64(a), (a.y >> 31u) == 1u); }`,
  div_i64: `(a: vec2u, b: vec2u) -> vec2u {
  let quotient = divide_u64(abs_i64(a), abs_i64(b)).xy;
  return select(quotient, neg_u64(quotient), ((a.y ^ b.y) >> 31u) == 1u);
}`,
  rem_i64: `(a: vec2u, b: vec2u) -> vec2u {
  let rest = divide_u64(abs_i64(a), abs_i64(b)).zw;
  return select(rest, neg_u64(rest), (a.y >> 31u) == 1u);
}`,
  u64_of_i32: `(a: i32) -> vec2u { return vec2u(u32(a), u32(a >> 31u)); }`,
  // How many zeros stand before the highest bit.
  zeros_u64: `(a: vec2u) -> u32 { return select(countLeadingZeros(a.y), 32u + countLeadingZeros(a.x), a.y == 0u); }`,
  // Shifts right; the lowest bit is set where a bit is lost, so that rounding still sees it.
  jam_u64: `(a: vec2u, n: u32) -> vec2u {
  if (n > 63u) { return vec2u(select(0u, 1u, (a.x | a.y) != 0u), 0u); }
  let shifted = shr_u64(a, n);
  return vec2u(shifted.x | select(0u, 1u, any(shl_u64(shifted, n) != a)), shifted.y);
}`,
  // m·2^e with the sign's bit, rounded to nearest even.
  round_f32: `(sign: u32, e: i32, m: vec2u) -> f32 {
  if ((m.x | m.y) == 0u) { return bitcast<f32>(sign); }
  let zeros = zeros_u64(m);
  let exponent = e - i32(zeros) + 190i;
  if (exponent >= 255i) { return bitcast<f32>(sign | 0x7f800000u); }
  let aligned = jam_u64(shl_u64(m, zeros), u32(max(1i - exponent, 0i)));
  let high = aligned.y | select(0u, 1u, aligned.x != 0u);
  let lost = high & 0xffu;
  let kept = high >> 8u;
  let up = lost > 0x80u || (lost == 0x80u && (kept & 1u) == 1u);
  return bitcast<f32>((kept + select(0u, 1u, up) + (u32(max(exponent, 1i) - 1i) << 23u)) | sign);
}`,
  f32_of_u64: `(a: vec2u) -> f32 { return round_f32(0u, 0i, a); }`,
  f32_of_i64: `(a: vec2u) -> f32 { return round_f32(a.y & 0x80000000u, 0i, abs_i64(a)); }`,
  // Truncates; what does not fit gives any value.
  i64_of_f32: `(a: f32) -> vec2u {
  let bits = bitcast<u32>(a);
  let e = i32((bits >> 23u) & 0xffu) - 150i;
  let mantissa = vec2u((bits & 0x7fffffu) | 0x800000u, 0u);
  let magnitude = select(shl_u64(mantissa, u32(clamp(e, 0i, 63i))), shr_u64(mantissa, u32(clamp(-e, 0i, 63i))), e < 0i);
  return select(magnitude, neg_u64(magnitude), (bits >> 31u) == 1u);
}`,
};
