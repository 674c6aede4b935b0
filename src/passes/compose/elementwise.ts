// Elementwise primitives as operators of ONNX.
import type { NumericDType } from '../../core/dtype.ts';
import { isFloat, isSigned } from '../../core/dtype.ts';
import type { Value } from '../../graph/graph.ts';
import { codeOfDType } from '../../graph/onnxTypes.ts';
import type { OnnxOpName } from '../../graph/ops.ts';
import type { BinaryFn, CompareFn, UnaryFn } from '../../graph/prims.ts';
import { call, cast } from './composer.ts';
import type { Call, Composer, Compositions } from './composer.ts';

type Unary = (x: Value, dtype: NumericDType, c: Composer) => Call;
type Binary = (a: Value, b: Value, dtype: NumericDType, c: Composer) => Call;
const unary =
  (op: OnnxOpName): Unary =>
  (x) =>
    call(op, [x]);
const binary =
  (op: OnnxOpName): Binary =>
  (a, b) =>
    call(op, [a, b]);

const unaries: { readonly [F in UnaryFn]: Unary } = {
  neg: (x, dtype, c) => (isSigned(dtype) ? call('Neg', [x]) : call('Sub', [c.scalar(dtype, 0), x])),
  abs: unary('Abs'),
  sign: unary('Sign'),
  floor: unary('Floor'),
  ceil: unary('Ceil'),
  round: unary('Round'),
  trunc: (x, dtype, c) => call('Where', [c.value(call('Less', [x, c.scalar(dtype, 0)])), c.value(call('Ceil', [x])), c.value(call('Floor', [x]))]),
  sqrt: unary('Sqrt'),
  reciprocal: unary('Reciprocal'),
  exp: unary('Exp'),
  log: unary('Log'),
  sin: unary('Sin'),
  cos: unary('Cos'),
  tan: unary('Tan'),
  asin: unary('Asin'),
  acos: unary('Acos'),
  atan: unary('Atan'),
  sinh: unary('Sinh'),
  cosh: unary('Cosh'),
  tanh: unary('Tanh'),
  asinh: unary('Asinh'),
  acosh: unary('Acosh'),
  atanh: unary('Atanh'),
  erf: unary('Erf'),
  not: unary('Not'),
  bitNot: unary('BitwiseNot'),
  isNaN: unary('IsNaN'),
  isInf: (x, dtype, c) => call('IsInf', [dtype === 'f16' ? c.cast(x, 'f32') : x]),
};

/** The remainder with the sign of the dividend, moved by one divisor where the signs differ. */
function floatMod(a: Value, b: Value, dtype: NumericDType, c: Composer): Call {
  const zero = c.scalar(dtype, 0);
  const rest = c.value(call('Mod', [a, b], { fmod: 1 }));
  const isBelow = (x: Value): Value => c.value(call('Less', [x, zero]));
  const differs = c.value(call('Xor', [isBelow(rest), isBelow(b)]));
  const isSome = c.value(call('Not', [c.value(call('Equal', [rest, zero]))]));
  return call('Where', [c.value(call('And', [differs, isSome])), c.value(call('Add', [rest, b])), rest]);
}

const logical =
  (onBools: OnnxOpName, onIntegers: OnnxOpName): Binary =>
  (a, b, dtype) =>
    call(dtype === 'bool' ? onBools : onIntegers, [a, b]);
const shift =
  (direction: 'LEFT' | 'RIGHT'): Binary =>
  (a, b) =>
    call('BitShift', [a, b], { direction });

const binaries: { readonly [F in BinaryFn]: Binary } = {
  add: binary('Add'),
  sub: binary('Sub'),
  mul: binary('Mul'),
  div: binary('Div'),
  mod: (a, b, dtype, c) => (isFloat(dtype) ? floatMod(a, b, dtype, c) : call('Mod', [a, b])),
  rem: (a, b) => call('Mod', [a, b], { fmod: 1 }),
  // The base may be of these dtypes only.
  pow: (a, b, dtype, c) => (isFloat(dtype) || dtype === 'i32' || dtype === 'i64' ? call('Pow', [a, b]) : cast(c.value(call('Pow', [c.cast(a, 'i64'), b])), dtype)),
  min: binary('Min'),
  max: binary('Max'),
  and: logical('And', 'BitwiseAnd'),
  or: logical('Or', 'BitwiseOr'),
  xor: logical('Xor', 'BitwiseXor'),
  shl: shift('LEFT'),
  shr: shift('RIGHT'),
};

/** Only equality knows bools. */
const ordered =
  (op: OnnxOpName): Binary =>
  (a, b, dtype, c) =>
    dtype === 'bool' ? call(op, [c.cast(a, 'i32'), c.cast(b, 'i32')]) : call(op, [a, b]);

const comparisons: { readonly [F in CompareFn]: Binary } = {
  eq: binary('Equal'),
  ne: (a, b, _, c) => call('Not', [c.value(call('Equal', [a, b]))]),
  lt: ordered('Less'),
  le: ordered('LessOrEqual'),
  gt: ordered('Greater'),
  ge: ordered('GreaterOrEqual'),
};

type Elementwise = 'unary' | 'binary' | 'compare' | 'where' | 'cast' | 'bitcast';

export const elementwise: Pick<Compositions, Elementwise> = {
  unary: ({ attrs: { fn }, inputs: [x] }, [value], c) => unaries[fn](value!, x!.dtype, c),
  binary: ({ attrs: { fn }, inputs: [x] }, [a, b], c) => binaries[fn](a!, b!, x!.dtype, c),
  compare: ({ attrs: { fn }, inputs: [x] }, [a, b], c) => comparisons[fn](a!, b!, x!.dtype, c),
  where: (_, inputs) => call('Where', inputs),
  cast: ({ outputs: [y] }, [x]) => cast(x!, y!.dtype),
  bitcast: ({ outputs: [y] }, [x]) => call('BitCast', [x!], { to: codeOfDType(y!.dtype) }),
};
