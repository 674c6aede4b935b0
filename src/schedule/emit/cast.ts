// Conversions between dtypes by value: truncation toward zero, wrapping modulo 2^bits, saturation of small floats.
import { dtypes, isFloat, isInteger } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { decodeFloat, isSmallFloat } from '../../core/float.ts';
import type { SmallFloat } from '../../core/float.ts';
import { binary, cast, compare, select, unary } from '../../kernel/build.ts';
import type { ComputeDType, Expr } from '../../kernel/ir.ts';
import { computeType, like, narrowTo } from './compute.ts';
import type { LetScope } from './elementwise.ts';

const BITS = { i32: 32, u32: 32, i64: 64, u64: 64 } as const satisfies Partial<Record<ComputeDType, number>>;
type IntegerCompute = keyof typeof BITS;
const isIntegerCompute = (type: ComputeDType): type is IntegerCompute => type in BITS;

/** |x| modulo 2^bits: beyond the range, x is a multiple of so large a power of two that taking off multiples of 2^bits is exact. */
function wrapMagnitude(magnitude: Expr, bits: number): Expr {
  const turns = unary('floor', binary('mul', magnitude, like(magnitude, 2 ** -bits)));
  return binary('sub', magnitude, binary('mul', turns, like(magnitude, 2 ** bits)));
}

/** A float as an integer, truncated and wrapped modulo 2^bits; NaN and infinities give 0. */
function wrapFloat(x: Expr, to: IntegerCompute, scope: LetScope): Expr {
  const bits = BITS[to];
  const whole = scope.bind(unary('trunc', x));
  const magnitude = scope.bind(wrapMagnitude(scope.bind(unary('abs', whole)), bits));
  // NaN fails every comparison.
  const safe = scope.bind(select(compare('lt', magnitude, like(magnitude, 2 ** bits)), magnitude, like(magnitude, 0)));
  const isNegative = compare('lt', whole, like(whole, 0));
  const half = 2 ** (bits - 1);
  if (to === 'u32' || to === 'u64') {
    const unsigned = scope.bind(cast(to, safe));
    return select(isNegative, unary('neg', unsigned), unsigned);
  }
  // Into [−half, half): the upper half of the magnitudes wraps to the other sign; half itself is its own opposite.
  const near = scope.bind(select(compare('ge', safe, like(safe, half)), binary('sub', safe, like(safe, 2 * half)), safe));
  const signed = select(isNegative, unary('neg', near), near);
  return cast(to, select(compare('ge', signed, like(signed, half)), like(signed, -half), signed));
}

const largest = (dtype: SmallFloat): number =>
  Array.from({ length: 1 << dtypes[dtype].bits }, (_, bits) => decodeFloat(dtype, bits)).reduce((most, x) => (Number.isFinite(x) && x > most ? x : most), 0);

function toFloat(to: NumericDType, saturate: boolean, x: Expr, scope: LetScope): Expr {
  const target = computeType(to);
  const value = x.type.dtype === 'bool' ? select(x, like(cast(target, x), 1), like(cast(target, x), 0)) : cast(target, x);
  if (!isSmallFloat(to) || dtypes[to].bits > 8 || !saturate) return narrowTo(to, value);
  const limit = largest(to);
  const v = scope.bind(value);
  return select(compare('gt', v, like(v, limit)), like(v, limit), select(compare('lt', v, like(v, -limit)), like(v, -limit), v));
}

/** `x` of dtype `from` as `to`. */
export function castTo(from: NumericDType, to: NumericDType, saturate: boolean, x: Expr, scope: LetScope): Expr {
  if (from === to) return x;
  if (to === 'bool') return compare('ne', x, like(x, 0));
  if (isFloat(to)) return toFloat(to, saturate, x, scope);
  const target = computeType(to);
  if (!isIntegerCompute(target)) return cast(target, x);
  if (isInteger(from) || from === 'bool') return narrowTo(to, cast(target, x));
  // Narrow unsigned results are wrapped anyway, and conversions to signed integers are cheaper.
  if (dtypes[to].class === 'uint' && dtypes[to].bits < 32) return narrowTo(to, cast(target, castTo(from, 'i32', saturate, x, scope)));
  const range = scope.rangeOf(0);
  const signed = target === 'i32' || target === 'i64';
  const limit = 2 ** (BITS[target] - (signed ? 1 : 0));
  const fits = range.min >= (signed ? -limit : 0) && range.max < limit;
  if (!fits) return narrowTo(to, wrapFloat(scope.bind(x), target, scope));
  return narrowTo(to, cast(target, x));
}
