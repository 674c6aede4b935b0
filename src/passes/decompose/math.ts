// Decompositions of the math family: one or a few elementwise primitives each.
import { dtypes, isFloat, isInteger } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { AnychipError } from '../../core/error.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import { dtypeOfCode, numericDTypeOfCode } from '../../graph/onnxTypes.ts';
import type { mathOps } from '../../graph/ops/math.ts';
import type { BinaryFn, CompareFn, UnaryFn } from '../../graph/prims.ts';
import { accumulatorOf, inputAt, onHost } from '../lowering.ts';
import type { Lowerings, OnHost } from '../lowering.ts';

type Rule = (b: Builder, node: unknown, inputs: readonly (Operand | null)[]) => readonly Operand[];

const unary =
  (fn: UnaryFn): Rule =>
  (b, _, inputs) => [b[fn](inputAt(inputs, 0))];
const binary =
  (fn: BinaryFn | CompareFn): Rule =>
  (b, _, inputs) => [b[fn](inputAt(inputs, 0), inputAt(inputs, 1))];
const variadic =
  (fn: BinaryFn): Rule =>
  (b, _, inputs) => [inputs.map((_value, i) => inputAt(inputs, i)).reduce((a, x) => b[fn](a, x))];

/** Rounding leaves integers alone. */
const rounding =
  (fn: UnaryFn): Rule =>
  (b, _, inputs) => {
    const x = inputAt(inputs, 0);
    return [isInteger(x.dtype) ? x : b[fn](x)];
  };

/** Powers that a few products make, as exact as the function and much cheaper: what normalisations and activations raise to. */
const PLAIN_POWERS: ReadonlyMap<number, (b: Builder, x: Operand) => Operand> = new Map([
  [-1, (b, x) => b.reciprocal(x)],
  [1, (_, x) => x],
  [2, (b, x) => b.mul(x, x)],
  [3, (b, x) => b.mul(b.mul(x, x), x)],
  [4, (b, x) => b.mul(b.mul(x, x), b.mul(x, x))],
]);

/** The exponent may have a dtype of its own; the result has the base's. */
const pow: Rule = (b, _, inputs) => {
  const [base, exponent] = [inputAt(inputs, 0), inputAt(inputs, 1)];
  if (isFloat(base.dtype)) {
    const value = b.valueOf(exponent);
    const known = value?.data.length === 1 && isFloat(exponent.dtype) ? b.valueOf(b.cast(exponent, 'f32'))?.data[0] : undefined;
    const plain = known === undefined || exponent.shape.length > base.shape.length ? undefined : PLAIN_POWERS.get(Number(known));
    if (plain !== undefined) return [b.cast(plain(b, b.cast(base, accumulatorOf(base.dtype))), base.dtype)];
    return [b.pow(base, b.cast(exponent, base.dtype))];
  }
  if (!isFloat(exponent.dtype)) return [b.cast(b.pow(b.cast(base, 'i64'), b.cast(exponent, 'i64')), base.dtype)];
  return [b.cast(b.pow(b.cast(base, 'f64'), b.cast(exponent, 'f64')), base.dtype)];
};

const mean: Rule = (b, _, inputs) => {
  const xs = inputs.map((_value, i) => inputAt(inputs, i));
  const { dtype } = xs[0]!;
  const acc = accumulatorOf(dtype);
  const sum = xs.map((x) => b.cast(x, acc)).reduce((a, x) => b.add(a, x));
  return [b.cast(b.mul(sum, b.scalar(acc, 1 / xs.length)), dtype)];
};

const clip: Rule = (b, _, inputs) => {
  const x = inputAt(inputs, 0);
  const bound = (i: number): Operand | undefined => ((inputs[i] ?? null) === null ? undefined : b.reshape(inputAt(inputs, i), []));
  const [low, high] = [bound(1), bound(2)];
  const raised = low === undefined ? x : b.max(x, low);
  return [high === undefined ? raised : b.min(raised, high)];
};

/** Zeros shifted in are ones of the complement: so a negative number keeps its sign. */
function shiftRight(b: Builder, x: Operand, count: Operand): Operand {
  const unsigned = unsignedOf(x.dtype);
  const isNegative = b.lt(x, b.scalar(x.dtype, 0));
  const complement = b.where(isNegative, b.bitNot(x), x);
  const shifted = b.bitcast(b.shr(b.bitcast(complement, unsigned), b.bitcast(count, unsigned)), x.dtype);
  return b.where(isNegative, b.bitNot(shifted), shifted);
}

/** The unsigned kind of the same width; a negative count is more than the width there, as the specification has it. */
const unsignedKinds: { readonly [D in NumericDType]?: NumericDType } = { i8: 'u8', i16: 'u16', i32: 'u32', i64: 'u64' };
const unsignedOf = (dtype: NumericDType): NumericDType => unsignedKinds[dtype] ?? dtype;

/** Floats whose divisor is infinite, or whose result is zero, have the divisor's sign; `rem` has the dividend's. */
function floorMod(b: Builder, x: Operand, y: Operand): Operand {
  if (!isFloat(x.dtype)) return b.mod(x, y);
  const acc = accumulatorOf(x.dtype);
  const [dividend, divisor, zero] = [b.cast(x, acc), b.cast(y, acc), b.scalar(acc, 0)];
  const rest = b.rem(dividend, divisor);
  const turned = b.xor(b.lt(rest, zero), b.lt(divisor, zero));
  const signed = b.where(b.lt(divisor, zero), b.scalar(acc, -0), zero);
  return b.cast(b.where(b.eq(rest, zero), signed, b.where(turned, b.add(rest, divisor), rest)), x.dtype);
}

const bitCast = (b: Builder, x: Operand, to: Operand['dtype']): Operand => {
  if (dtypes[x.dtype].bits !== dtypes[to].bits) throw new AnychipError('shape', `BitCast of ${x.dtype} to ${to}`, { hint: 'Both must have the same number of bits.' });
  // A bool is one byte of 0 or 1.
  if (x.dtype === 'bool') return b.bitcast(b.cast(x, 'u8'), to === 'bool' ? 'u8' : to);
  return to === 'bool' ? b.ne(b.bitcast(x, 'u8'), b.scalar('u8', 0)) : b.bitcast(x, to);
};

/** Kinds that only the host converts. */
const cast = (b: Builder, x: Operand, to: Operand['dtype'] | 'string', saturate: boolean): readonly Operand[] | OnHost => {
  if (to === 'string') return onHost('strings');
  if (to === 'f8e8m0' || x.dtype === 'f8e8m0') return onHost('powers of two are converted on the host');
  return [b.cast(x, to, saturate)];
};

export const mathLowerings: Lowerings<keyof typeof mathOps> = {
  Abs: unary('abs'),
  Neg: unary('neg'),
  Sign: unary('sign'),
  Floor: rounding('floor'),
  Ceil: rounding('ceil'),
  Round: rounding('round'),
  Sqrt: unary('sqrt'),
  Reciprocal: unary('reciprocal'),
  Exp: unary('exp'),
  Log: unary('log'),
  Sin: unary('sin'),
  Cos: unary('cos'),
  Tan: unary('tan'),
  Asin: unary('asin'),
  Acos: unary('acos'),
  Atan: unary('atan'),
  Sinh: unary('sinh'),
  Cosh: unary('cosh'),
  Tanh: unary('tanh'),
  Asinh: unary('asinh'),
  Acosh: unary('acosh'),
  Atanh: unary('atanh'),
  Erf: unary('erf'),
  Not: unary('not'),
  BitwiseNot: unary('bitNot'),
  IsNaN: unary('isNaN'),
  IsInf(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    const zero = b.scalar(x.dtype, 0);
    const infinite = b.isInf(x);
    if (attrs.detect_positive !== 0 && attrs.detect_negative !== 0) return [infinite];
    if (attrs.detect_positive === 0 && attrs.detect_negative === 0) return [b.full('bool', x.shape, 0)];
    return [b.and(infinite, attrs.detect_positive !== 0 ? b.gt(x, zero) : b.lt(x, zero))];
  },
  Add: binary('add'),
  Sub: binary('sub'),
  Mul: binary('mul'),
  Div: binary('div'),
  Pow: pow,
  Mod: (b, { attrs }, inputs) => [(attrs.fmod !== 0 ? b.rem : (x: Operand, y: Operand) => floorMod(b, x, y))(inputAt(inputs, 0), inputAt(inputs, 1))],
  And: binary('and'),
  Or: binary('or'),
  Xor: binary('xor'),
  BitwiseAnd: binary('and'),
  BitwiseOr: binary('or'),
  BitwiseXor: binary('xor'),
  BitShift(b, { attrs }, inputs) {
    const [x, count] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    if (attrs.direction !== 'LEFT') return [x.dtype === unsignedOf(x.dtype) ? b.shr(x, count) : shiftRight(b, x, count)];
    return [b.bitcast(b.shl(b.bitcast(x, unsignedOf(x.dtype)), b.bitcast(count, unsignedOf(x.dtype))), x.dtype)];
  },
  Equal: binary('eq'),
  Less: binary('lt'),
  LessOrEqual: binary('le'),
  Greater: binary('gt'),
  GreaterOrEqual: binary('ge'),
  Min: variadic('min'),
  Max: variadic('max'),
  Sum: variadic('add'),
  Mean: mean,
  Clip: clip,
  Where: (b, _, inputs) => [b.where(inputAt(inputs, 0), inputAt(inputs, 1), inputAt(inputs, 2))],
  Cast: (b, { attrs }, inputs) => cast(b, inputAt(inputs, 0), dtypeOfCode(attrs.to), attrs.saturate !== 0),
  BitCast: (b, { attrs }, inputs) => [bitCast(b, inputAt(inputs, 0), numericDTypeOfCode(attrs.to))],
  CastLike: (b, { attrs }, inputs) => cast(b, inputAt(inputs, 0), inputAt(inputs, 1).dtype, attrs.saturate !== 0),
};
