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

/**
 * A float as an integer, wrapped modulo 2^bits; NaN and infinities give 0. Outside the range, |x| ≥ 2^(bits−1) is a multiple of a power
 * of two so large that taking off a multiple of 2^bits is exact.
 */
function wrapFloat(x: Expr, to: IntegerCompute, scope: LetScope): Expr {
  const bits = BITS[to];
  const half = 2 ** (bits - 1);
  const whole = scope.bind(unary('trunc', x));
  const turns = unary('floor', binary('mul', whole, like(whole, 2 ** -bits)));
  const wrapped = scope.bind(binary('sub', whole, binary('mul', turns, like(whole, 2 * half))));
  const signed = to === 'i32' || to === 'i64';
  const centred = signed ? select(compare('ge', wrapped, like(whole, half)), binary('sub', wrapped, like(whole, 2 * half)), wrapped) : wrapped;
  const low = signed ? -half : 0;
  const high = signed ? half : 2 * half;
  const inRange = binary('and', compare('ge', whole, like(whole, low)), compare('lt', whole, like(whole, high)));
  const value = scope.bind(select(inRange, whole, centred));
  // NaN fails every comparison.
  const safe = select(compare('lt', unary('abs', value), like(value, 2 * half)), value, like(value, 0));
  return cast(to, safe);
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
  const range = scope.rangeOf(0);
  const signed = target === 'i32' || target === 'i64';
  const limit = 2 ** (BITS[target] - (signed ? 1 : 0));
  const fits = range.min >= (signed ? -limit : 0) && range.max < limit;
  if (!fits) return narrowTo(to, wrapFloat(scope.bind(x), target, scope));
  const { bits } = dtypes[to];
  const exact = bits < 32 && range.min >= (dtypes[to].class === 'int' ? -(2 ** (bits - 1)) : 0) && range.max < 2 ** (bits - (dtypes[to].class === 'int' ? 1 : 0));
  return exact ? cast(target, x) : narrowTo(to, cast(target, x));
}
