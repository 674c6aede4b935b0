// Doubles in WGSL, which has none: the bits of an IEEE 754 binary64 as a pair of u32, low word first, and arithmetic on them that rounds
// to nearest even. Numbers are taken apart into m·2^e with an integer m of 64 bits; `round_…` puts them together again. An inexact m has
// its lowest bit set. Signs are passed as the top bit of a word.

export const doubles: Readonly<Record<string, string>> = {
  round_f64: `(sign: u32, e: i32, m: vec2u) -> vec2u {
  if ((m.x | m.y) == 0u) { return vec2u(0u, sign); }
  let zeros = zeros_u64(m);
  let exponent = e - i32(zeros) + 1086i;
  if (exponent >= 2047i) { return vec2u(0u, sign | 0x7ff00000u); }
  let aligned = jam_u64(shl_u64(m, zeros), u32(max(1i - exponent, 0i)));
  let lost = aligned.x & 0x7ffu;
  let kept = shr_u64(aligned, 11u);
  let up = lost > 0x400u || (lost == 0x400u && (kept.x & 1u) == 1u);
  let rounded = add_u64(kept, vec2u(select(0u, 1u, up), 0u));
  return vec2u(rounded.x, (rounded.y + (u32(max(exponent, 1i) - 1i) << 20u)) | sign);
}`,
  sign_f64: `(a: vec2u) -> u32 { return a.y & 0x80000000u; }`,
  abs_f64: `(a: vec2u) -> vec2u { return vec2u(a.x, a.y & 0x7fffffffu); }`,
  neg_f64: `(a: vec2u) -> vec2u { return vec2u(a.x, a.y ^ 0x80000000u); }`,
  nan_f64: `(a: vec2u) -> bool { return lt_u64(vec2u(0u, 0x7ff00000u), abs_f64(a)); }`,
  // Infinite, or no number.
  special_f64: `(a: vec2u) -> bool { return (a.y & 0x7ff00000u) == 0x7ff00000u; }`,
  zero_f64: `(a: vec2u) -> bool { return (a.x | (a.y & 0x7fffffffu)) == 0u; }`,
  // a = mantissa·2^exponent.
  exponent_f64: `(a: vec2u) -> i32 { return max(i32((a.y >> 20u) & 0x7ffu), 1i) - 1075i; }`,
  mantissa_f64: `(a: vec2u) -> vec2u {
  return vec2u(a.x, (a.y & 0xfffffu) | select(0x100000u, 0u, (a.y & 0x7ff00000u) == 0u));
}`,
  add_f64: `(a: vec2u, b: vec2u) -> vec2u {
  if (special_f64(a) || special_f64(b)) {
    let unlike = special_f64(a) && special_f64(b) && sign_f64(a) != sign_f64(b);
    if (nan_f64(a) || nan_f64(b) || unlike) { return vec2u(0u, 0x7ff80000u); }
    return select(b, a, special_f64(a));
  }
  let swap = lt_u64(abs_f64(a), abs_f64(b));
  let x = select(a, b, swap);
  let y = select(b, a, swap);
  let e = exponent_f64(x);
  let m = shl_u64(mantissa_f64(x), 10u);
  let n = jam_u64(shl_u64(mantissa_f64(y), 10u), u32(e - exponent_f64(y)));
  if (sign_f64(x) == sign_f64(y)) { return round_f64(sign_f64(x), e - 10i, add_u64(m, n)); }
  let difference = sub_u64(m, n);
  if ((difference.x | difference.y) == 0u) { return vec2u(0u, 0u); }
  return round_f64(sign_f64(x), e - 10i, difference);
}`,
  sub_f64: `(a: vec2u, b: vec2u) -> vec2u { return add_f64(a, neg_f64(b)); }`,
  // The upper half of the product of two integers of 64 bits.
  high_u64: `(a: vec2u, b: vec2u) -> vec2u {
  let low = product_u32(a.x, b.x);
  let first = add_u64(product_u32(a.x, b.y), vec2u(low.y, 0u));
  let second = add_u64(product_u32(a.y, b.x), vec2u(first.x, 0u));
  let high = add_u64(add_u64(product_u32(a.y, b.y), vec2u(first.y, 0u)), vec2u(second.y, 0u));
  return vec2u(high.x | select(0u, 1u, (low.x | second.x) != 0u), high.y);
}`,
  mul_f64: `(a: vec2u, b: vec2u) -> vec2u {
  let sign = sign_f64(a) ^ sign_f64(b);
  if (special_f64(a) || special_f64(b)) {
    if (nan_f64(a) || nan_f64(b) || zero_f64(a) || zero_f64(b)) { return vec2u(0u, 0x7ff80000u); }
    return vec2u(0u, sign | 0x7ff00000u);
  }
  if (zero_f64(a) || zero_f64(b)) { return vec2u(0u, sign); }
  let m = mantissa_f64(a);
  let n = mantissa_f64(b);
  let up = zeros_u64(m);
  let upper = zeros_u64(n);
  return round_f64(sign, exponent_f64(a) + exponent_f64(b) - i32(up + upper) + 64i, high_u64(shl_u64(m, up), shl_u64(n, upper)));
}`,
  div_f64: `(a: vec2u, b: vec2u) -> vec2u {
  let sign = sign_f64(a) ^ sign_f64(b);
  if (nan_f64(a) || nan_f64(b) || (special_f64(a) && special_f64(b)) || (zero_f64(a) && zero_f64(b))) { return vec2u(0u, 0x7ff80000u); }
  if (special_f64(a) || zero_f64(b)) { return vec2u(0u, sign | 0x7ff00000u); }
  if (special_f64(b) || zero_f64(a)) { return vec2u(0u, sign); }
  let up = zeros_u64(mantissa_f64(a));
  let upper = zeros_u64(mantissa_f64(b));
  var rest = shr_u64(shl_u64(mantissa_f64(a), up), 1u);
  let divisor = shr_u64(shl_u64(mantissa_f64(b), upper), 1u);
  var quotient = vec2u(0u, 0u);
  for (var i = 0i; i < 63i; i += 1i) {
    quotient = shl_u64(quotient, 1u);
    if (!lt_u64(rest, divisor)) {
      rest = sub_u64(rest, divisor);
      quotient.x |= 1u;
    }
    rest = shl_u64(rest, 1u);
  }
  quotient.x |= select(0u, 1u, (rest.x | rest.y) != 0u);
  return round_f64(sign, exponent_f64(a) - exponent_f64(b) - i32(up) + i32(upper) - 62i, quotient);
}`,
  // Two bits of the mantissa, which is brought to an even exponent, give one of the root.
  sqrt_f64: `(a: vec2u) -> vec2u {
  if (nan_f64(a) || zero_f64(a)) { return a; }
  if (sign_f64(a) != 0u) { return vec2u(0u, 0x7ff80000u); }
  if (special_f64(a)) { return a; }
  let zeros = zeros_u64(mantissa_f64(a));
  var e = exponent_f64(a) - i32(zeros);
  var m = shl_u64(mantissa_f64(a), zeros);
  if ((e & 1i) == 1i) {
    m = shr_u64(m, 1u);
    e += 1i;
  }
  var root = vec2u(0u, 0u);
  var rest = vec2u(0u, 0u);
  for (var i = 0i; i < 56i; i += 1i) {
    rest = shl_u64(rest, 2u);
    rest.x |= m.y >> 30u;
    m = shl_u64(m, 2u);
    let trial = add_u64(shl_u64(root, 2u), vec2u(1u, 0u));
    root = shl_u64(root, 1u);
    if (!lt_u64(rest, trial)) {
      rest = sub_u64(rest, trial);
      root.x |= 1u;
    }
  }
  root.x |= select(0u, 1u, (rest.x | rest.y) != 0u);
  return round_f64(0u, (e >> 1u) - 24i, root);
}`,
  // Orders bits as the numbers they stand for, but for NaN and the two zeros.
  order_f64: `(a: vec2u) -> vec2u { return select(vec2u(a.x, a.y | 0x80000000u), ~a, sign_f64(a) != 0u); }`,
  eq_f64: `(a: vec2u, b: vec2u) -> bool { return !nan_f64(a) && (all(a == b) || (zero_f64(a) && zero_f64(b))); }`,
  lt_f64: `(a: vec2u, b: vec2u) -> bool {
  return !nan_f64(a) && !nan_f64(b) && !(zero_f64(a) && zero_f64(b)) && lt_u64(order_f64(a), order_f64(b));
}`,
  trunc_f64: `(a: vec2u) -> vec2u {
  let exponent = i32((a.y >> 20u) & 0x7ffu) - 1023i;
  if (exponent >= 52i) { return a; }
  if (exponent < 0i) { return vec2u(0u, sign_f64(a)); }
  let dropped = u32(52i - exponent);
  return shl_u64(shr_u64(a, dropped), dropped);
}`,
  floor_f64: `(a: vec2u) -> vec2u {
  let whole = trunc_f64(a);
  return select(whole, add_f64(whole, vec2u(0u, 0xbff00000u)), sign_f64(a) != 0u && any(whole != a));
}`,
  ceil_f64: `(a: vec2u) -> vec2u {
  let whole = trunc_f64(a);
  return select(whole, add_f64(whole, vec2u(0u, 0x3ff00000u)), sign_f64(a) == 0u && any(whole != a));
}`,
  // Beside 2^52 there is no room for a fraction.
  rint_f64: `(a: vec2u) -> vec2u {
  if (((a.y >> 20u) & 0x7ffu) >= 1075u) { return a; }
  let whole = add_f64(add_f64(abs_f64(a), vec2u(0u, 0x43300000u)), vec2u(0u, 0xc3300000u));
  return vec2u(whole.x, whole.y | sign_f64(a));
}`,
  // Rounded twice: the IR leaves open whether it is fused.
  fma_f64: `(a: vec2u, b: vec2u, c: vec2u) -> vec2u { return add_f64(mul_f64(a, b), c); }`,
  f64_of_u64: `(a: vec2u) -> vec2u { return round_f64(0u, 0i, a); }`,
  f64_of_i64: `(a: vec2u) -> vec2u { return round_f64(a.y & 0x80000000u, 0i, abs_i64(a)); }`,
  f64_of_f32: `(a: f32) -> vec2u {
  let bits = bitcast<u32>(a);
  let exponent = (bits >> 23u) & 0xffu;
  let fraction = bits & 0x7fffffu;
  let sign = bits & 0x80000000u;
  if (exponent == 0u) { return round_f64(sign, -149i, vec2u(fraction, 0u)); }
  return vec2u(fraction << 29u, sign | (select(exponent + 896u, 2047u, exponent == 255u) << 20u) | (fraction >> 3u));
}`,
  f32_of_f64: `(a: vec2u) -> f32 {
  if (special_f64(a)) { return bitcast<f32>(select(sign_f64(a) | 0x7f800000u, 0x7fc00000u, nan_f64(a))); }
  return round_f32(sign_f64(a), exponent_f64(a), mantissa_f64(a));
}`,
  i64_of_f64: `(a: vec2u) -> vec2u {
  let e = exponent_f64(a);
  let magnitude = select(shl_u64(mantissa_f64(a), u32(clamp(e, 0i, 63i))), shr_u64(mantissa_f64(a), u32(clamp(-e, 0i, 63i))), e < 0i);
  return select(magnitude, neg_u64(magnitude), sign_f64(a) != 0u);
}`,
};
