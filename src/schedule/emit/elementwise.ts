// The meaning of every elementwise primitive in kernel IR: total tables from function to expression, for scalars and vectors alike.
// Semantics are those of graph/prims.ts: NaN in min and max, division by zero, signs of remainders, wrapping and saturation.
import { dtypes, integerRange, isFloat } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import type { BinaryFn, CompareFn, ReduceFn, UnaryFn } from '../../graph/prims.ts';
import { binary, bitcast, cast, compare, select, splat, unary } from '../../kernel/build.ts';
import type { Expr } from '../../kernel/ir.ts';
import type { ElementwiseOp } from '../point.ts';
import type { ValueRange } from '../range.ts';
import { computeType, hasLanes, like, narrowTo } from './compute.ts';
import { castTo } from './cast.ts';
import { integerPower, realPower } from './power.ts';

/** What lowering needs of the code around it: names for values that are used more than once. */
export interface LetScope {
  bind(x: Expr): Expr;
  /** Bounds of argument `i` of the operation at hand. */
  rangeOf(i: number): ValueRange;
}

type UnaryRule = (x: Expr, dtype: NumericDType) => Expr;
type BinaryRule = (a: Expr, b: Expr, dtype: NumericDType, scope: LetScope) => Expr;

const direct =
  (fn: Parameters<typeof unary>[0]): UnaryRule =>
  (x, dtype) =>
    narrowTo(dtype, unary(fn, x));
const exact =
  (fn: Parameters<typeof unary>[0]): UnaryRule =>
  (x) =>
    unary(fn, x);

const unaryRules: { readonly [F in UnaryFn]: UnaryRule } = {
  neg: direct('neg'),
  abs: (x, dtype) => (dtypes[dtype].class === 'uint' ? x : narrowTo(dtype, unary('abs', x))),
  sign: (x) => select(compare('gt', x, like(x, 0)), like(x, 1), x.type.dtype[0] === 'u' ? like(x, 0) : select(compare('lt', x, like(x, 0)), like(x, -1), x)),
  floor: exact('floor'),
  ceil: exact('ceil'),
  round: exact('rint'),
  trunc: exact('trunc'),
  sqrt: direct('sqrt'),
  reciprocal: (x, dtype) => narrowTo(dtype, binary('div', like(x, 1), x)),
  exp: direct('exp'),
  log: direct('log'),
  sin: direct('sin'),
  cos: direct('cos'),
  tan: direct('tan'),
  asin: direct('asin'),
  acos: direct('acos'),
  atan: direct('atan'),
  sinh: direct('sinh'),
  cosh: direct('cosh'),
  tanh: direct('tanh'),
  asinh: direct('asinh'),
  acosh: direct('acosh'),
  atanh: direct('atanh'),
  erf: direct('erf'),
  not: exact('not'),
  bitNot: direct('bitNot'),
  isNaN: (x) => compare('ne', x, x),
  isInf: (x) => compare('eq', unary('abs', x), like(x, Infinity)),
};

const arithmetic =
  (fn: Parameters<typeof binary>[0]): BinaryRule =>
  (a, b, dtype) =>
    narrowTo(dtype, binary(fn, a, b));
const nonZero = (x: Expr): boolean => (x.kind === 'splat' ? nonZero(x.x) : x.kind === 'const' && Number(x.value) !== 0 && Number(x.value) !== -1);

/** `apply` with a divisor that cannot trap, then the results that 0 and −1 must have. */
function guardDivisor(a: Expr, b: Expr, onMinusOne: (a: Expr) => Expr, scope: LetScope, apply: (a: Expr, safe: Expr) => Expr): Expr {
  if (nonZero(b)) return apply(a, b);
  const [x, y] = [scope.bind(a), scope.bind(b)];
  const isZero = scope.bind(compare('eq', y, like(y, 0)));
  const signed = y.type.dtype === 'i32' || y.type.dtype === 'i64';
  if (!signed) return select(isZero, like(x, 0), apply(x, scope.bind(select(isZero, like(y, 1), y))));
  const isMinusOne = scope.bind(compare('eq', y, like(y, -1)));
  const safe = scope.bind(select(binary('or', isZero, isMinusOne), like(y, 1), y));
  return select(isZero, like(x, 0), select(isMinusOne, onMinusOne(x), apply(x, safe)));
}

const remainder: BinaryRule = (a, b, dtype, scope) =>
  isFloat(dtype)
    ? narrowTo(dtype, binary('rem', a, b))
    : guardDivisor(
        a,
        b,
        (x) => like(x, 0),
        scope,
        (x, y) => binary('rem', x, y),
      );

/** The remainder with the sign of the divisor. */
const modulus: BinaryRule = (a, b, dtype, scope) => {
  const fix = (x: Expr, y: Expr): Expr => {
    const r = scope.bind(binary('rem', x, y));
    const zero = like(r, 0);
    const differs = binary('and', compare('ne', r, zero), binary('xor', compare('lt', r, zero), compare('lt', y, zero)));
    return select(differs, binary('add', r, y), r);
  };
  if (isFloat(dtype)) return narrowTo(dtype, fix(scope.bind(a), scope.bind(b)));
  if (dtypes[dtype].class === 'uint') return remainder(a, b, dtype, scope);
  return guardDivisor(a, b, (x) => like(x, 0), scope, fix);
};

/** IEEE 754-2019 minimum and maximum: NaN if either is NaN. The IR's own gives `b` then, so only `a` is looked at. */
const extreme =
  (fn: 'min' | 'max'): BinaryRule =>
  (a, b, dtype, scope) => {
    if (dtype === 'bool') return binary(fn === 'min' ? 'and' : 'or', a, b);
    if (!isFloat(dtype)) return binary(fn, a, b);
    if (isNumber(a)) return isBeyond(fn, scope.rangeOf(1), a) ? b : binary(fn, a, b);
    if (isNumber(b)) return isBeyond(fn, scope.rangeOf(0), b) ? a : binary(fn, b, a);
    const x = scope.bind(a);
    return select(compare('ne', x, x), x, binary(fn, x, b));
  };
/** Whether what lies in `range` is never replaced by the number `limit`. */
function isBeyond(fn: 'min' | 'max', { min, max }: ValueRange, limit: Expr): boolean {
  if (limit.kind === 'splat') return isBeyond(fn, { min, max }, limit.x);
  return limit.kind === 'const' && (fn === 'max' ? min >= Number(limit.value) : max <= Number(limit.value));
}
const isNumber = (x: Expr): boolean => (x.kind === 'splat' ? isNumber(x.x) : x.kind === 'const' && !Number.isNaN(Number(x.value)));

const shift =
  (fn: 'shl' | 'shr'): BinaryRule =>
  (a, b, dtype, scope) => {
    const bits = dtypes[dtype].bits;
    const count = scope.bind(b);
    const inside = compare('lt', count, like(count, bits));
    return select(inside, narrowTo(dtype, binary(fn, a, select(inside, count, like(count, 0)))), like(a, 0));
  };

const binaryRules: { readonly [F in BinaryFn]: BinaryRule } = {
  add: (a, b, dtype) => (dtype === 'bool' ? binary('or', a, b) : narrowTo(dtype, binary('add', a, b))),
  sub: arithmetic('sub'),
  mul: (a, b, dtype) => (dtype === 'bool' ? binary('and', a, b) : narrowTo(dtype, binary('mul', a, b))),
  div: (a, b, dtype, scope) => {
    if (isFloat(dtype)) return narrowTo(dtype, binary('div', a, b));
    return guardDivisor(
      a,
      b,
      (x) => narrowTo(dtype, unary('neg', x)),
      scope,
      (x, y) => binary('div', x, y),
    );
  },
  mod: modulus,
  rem: remainder,
  pow: (a, b, dtype, scope) => (isFloat(dtype) ? narrowTo(dtype, realPower(a, b, scope)) : integerPower(a, b, dtype, scope)),
  min: extreme('min'),
  max: extreme('max'),
  and: arithmetic('and'),
  or: arithmetic('or'),
  xor: arithmetic('xor'),
  shl: shift('shl'),
  shr: shift('shr'),
};

/** Bools compare as 0 and 1. */
const comparable = (x: Expr): Expr => (x.type.dtype === 'bool' ? cast('i32', x) : x);
const compareRule = (fn: CompareFn, a: Expr, b: Expr): Expr => compare(fn, comparable(a), comparable(b));

function bitcastTo(from: NumericDType, to: NumericDType, x: Expr): Expr {
  const [source, target] = [computeType(from), computeType(to)];
  if (dtypes[from].bits >= 32) return bitcast(target, x);
  // Narrow integers are held widened: the same bits under another sign are a wrap.
  return source === target ? x : narrowTo(to, cast(target, x));
}

/** The value of an elementwise primitive. `from`: dtypes of the arguments, `to`: of the result. */
export function lowerElementwise(op: ElementwiseOp, args: readonly Expr[], from: readonly NumericDType[], to: NumericDType, scope: LetScope): Expr {
  const lanes = Math.max(...args.map((x) => x.type.lanes));
  const [a, b, c] = args.map((x) => splat(x, lanes));
  switch (op.op) {
    case 'unary':
      return unaryRules[op.attrs.fn](op.attrs.fn === 'isNaN' || op.attrs.fn === 'sign' ? scope.bind(a!) : a!, from[0]!);
    case 'binary':
      return binaryRules[op.attrs.fn](a!, b!, to, scope);
    case 'compare':
      return compareRule(op.attrs.fn, a!, b!);
    case 'where':
      return select(a!, b!, c!);
    case 'cast':
      return castTo(from[0]!, to, op.attrs.saturate, a!, scope);
    case 'bitcast':
      return bitcastTo(from[0]!, to, a!);
  }
}

/** Whether the operation has a vector form when its arguments and result have lanes: integer division and powers have none. */
export function vectorizes(op: ElementwiseOp, from: readonly NumericDType[], to: NumericDType): boolean {
  if (![...from, to].every(hasLanes)) return false;
  return !(op.op === 'binary' && !isFloat(to) && (op.attrs.fn === 'div' || op.attrs.fn === 'mod' || op.attrs.fn === 'rem' || op.attrs.fn === 'pow'));
}

/** acc ∘ x for the reductions. Sums of f16 and bf16 are kept in f32 and rounded at the end; integers wrap at the end. */
export function combineReduced(fn: ReduceFn, dtype: NumericDType, acc: Expr, x: Expr, scope: LetScope): Expr {
  if (fn === 'max' || fn === 'min') return binaryRules[fn](x, acc, dtype, scope);
  if (dtype === 'bool') return binary(fn === 'sum' ? 'or' : 'and', acc, x);
  return binary(fn === 'sum' ? 'add' : 'mul', acc, x);
}

/** What a reduction of nothing gives: 0, 1, lowest, highest. */
export function identityOf(fn: ReduceFn, dtype: NumericDType): number | bigint {
  if (fn === 'sum') return 0;
  if (fn === 'prod') return 1;
  if (dtype === 'bool') return fn === 'min' ? 1 : 0;
  if (isFloat(dtype)) return fn === 'max' ? -Infinity : Infinity;
  const { min, max } = integerRange(dtype);
  return fn === 'max' ? min : max;
}

const costs: Partial<Record<UnaryFn | BinaryFn, number>> = { reciprocal: 4, sqrt: 4, div: 4, mod: 8, rem: 8, pow: 40 };
const TRANSCENDENTAL: ReadonlySet<string> = new Set(['exp', 'log', 'sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'sinh', 'cosh', 'tanh', 'asinh', 'acosh', 'atanh', 'erf']);

/** About how many additions one evaluation costs. */
export function costOf(op: ElementwiseOp): number {
  if (op.op !== 'unary' && op.op !== 'binary') return 1;
  return TRANSCENDENTAL.has(op.attrs.fn) ? 20 : (costs[op.attrs.fn] ?? 1);
}
