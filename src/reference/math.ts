// Reference of the math family: each operator by its formula, one element at a time.
import { dtypes, isFloat } from '../core/dtype.ts';
import type { DType, NumericDType } from '../core/dtype.ts';
import { AnychipError } from '../core/error.ts';
import { encodeE8M0, encodeFloat, isSmallFloat, roundEven } from '../core/float.ts';
import type { PowerRounding } from '../core/float.ts';
import { checkMemory } from '../core/memoryBudget.ts';
import { broadcastShapes } from '../core/shape.ts';
import { bigintReader, bytesOf, createTensor, elementWriter, numberReader, stringTensor, tensorBytes, tensorOf } from '../core/tensor.ts';
import type { NumericTensor, Tensor } from '../core/tensor.ts';
import { erf } from '../core/math.ts';
import type { HostValue } from '../graph/graph.ts';
import type { mathOps } from '../graph/ops/math.ts';
import { dtypeOfCode, numericDTypeOfCode } from '../graph/onnxTypes.ts';
import { forEachBroadcast, isWide, mapElements } from './broadcast.ts';
import { floatOfText, integerOfText, textOfFloat } from './castText.ts';
import { numericAt, optionalAt, tensorAt } from './evaluate.ts';
import type { Evaluate, Evaluations } from './evaluate.ts';

type Evaluator = (node: unknown, inputs: readonly HostValue[]) => readonly HostValue[];

const unary =
  (f: (x: number) => number, wide?: (x: bigint) => bigint): Evaluator =>
  (_, inputs) => {
    const x = numericAt(inputs, 0);
    return [mapElements(x.dtype, [x], f, wide)];
  };

const pair = (inputs: readonly HostValue[]): readonly [NumericTensor, NumericTensor] => {
  const [a, b] = [numericAt(inputs, 0), numericAt(inputs, 1)];
  requireOneDType([a, b]);
  return [a, b];
};

function requireOneDType(xs: readonly Tensor[]): void {
  if (xs.every((x) => x.dtype === xs[0]!.dtype)) return;
  throw new AnychipError('shape', `operands of different dtypes: ${xs.map((x) => x.dtype).join(', ')}`, { hint: 'Cast them to one dtype.' });
}

/** Arithmetic on two tensors of one dtype: floats, integers (wrapping), 64-bit integers. */
const arithmetic =
  (float: (a: number, b: number) => number, int: (a: number, b: number) => number, wide: (a: bigint, b: bigint) => bigint): Evaluator =>
  (_, inputs) => {
    const [a, b] = pair(inputs);
    return [mapElements(a.dtype, [a, b], isFloat(a.dtype) ? float : int, wide)];
  };

const logical =
  (f: (a: boolean, b: boolean) => boolean): Evaluator =>
  (_, inputs) => [mapElements('bool', pair(inputs), (a, b) => f(a !== 0, b !== 0))];

const bitwise = (f: (a: bigint, b: bigint) => bigint): Evaluator =>
  arithmetic(
    (a, b) => Number(f(BigInt(a), BigInt(b))),
    (a, b) => Number(f(BigInt(a), BigInt(b))),
    f,
  );

/** Equal takes strings too. */
const comparison =
  (f: (a: number | bigint | string, b: number | bigint | string) => boolean): Evaluator =>
  (_, inputs) => {
    const [a, b] = [tensorAt(inputs, 0), tensorAt(inputs, 1)];
    if (a.dtype !== 'string' && b.dtype !== 'string') return [mapElements('bool', pair(inputs), f, f)];
    const flags: number[] = [];
    const shape = forEachBroadcast([a, b], ([i, j]) => void flags.push(Number(f(String(a.data[i!]), String(b.data[j!])))));
    return [{ dtype: 'bool', shape, data: Uint8Array.from(flags) }];
  };

/** Folds any number of tensors, left to right. */
const variadic =
  (f: (a: number, b: number) => number, wide: (a: bigint, b: bigint) => bigint): Evaluator =>
  (_, inputs) => {
    const xs = inputs.map((_value, i) => numericAt(inputs, i));
    requireOneDType(xs);
    return [
      mapElements(
        xs[0]!.dtype,
        xs,
        (...v) => v.reduce((a, b) => f(a, b)),
        (...v) => v.reduce((a, b) => wide(a, b)),
      ),
    ];
  };

/** Python's %: the sign of the divisor, on zeros too. */
function floorMod(a: number, b: number): number {
  const rest = a % b;
  if (rest === 0) return b < 0 || Object.is(b, -0) ? -0 : 0;
  return rest < 0 === b < 0 ? rest : rest + b;
}
const wideFloorMod = (a: bigint, b: bigint): bigint => (b === 0n ? 0n : ((a % b) + b) % b);

/** x^y in the base's dtype; IEEE 754-2019 where JavaScript differs (1^NaN, (−1)^∞). */
const power = (a: number, b: number): number => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b);
function widePower(a: bigint, b: bigint): bigint {
  if (b < 0n) return a === 1n ? 1n : a === -1n ? (b % 2n === 0n ? 1n : -1n) : 0n;
  let result = 1n;
  for (let [base, e] = [a, b]; e > 0n; e >>= 1n, base = BigInt.asIntN(64, base * base)) if ((e & 1n) === 1n) result = BigInt.asIntN(64, result * base);
  return result;
}

const pow: Evaluator = (_, inputs) => {
  const [a, b] = [numericAt(inputs, 0), numericAt(inputs, 1)];
  const whole = !isFloat(a.dtype) && !isFloat(b.dtype);
  if (!whole) return [mapElements(a.dtype, [a, b], power)];
  const out = createTensor(a.dtype, broadcastShapes(a.shape, b.shape));
  const write = elementWriter(out);
  const [x, y] = [bigintReader(a), bigintReader(b)];
  forEachBroadcast([a, b], ([i, j], flat) => write(flat, widePower(x(i!), y(j!))));
  return [out];
};

const clip: Evaluator = (_, inputs) => {
  const x = numericAt(inputs, 0);
  const [low, high] = [optionalAt(inputs, 1), optionalAt(inputs, 2)];
  const bounds = [low, high].map((t) => (t === undefined ? undefined : { number: numberReader(t)(0), wide: isWide(t.dtype) ? bigintReader(t)(0) : 0n }));
  const [min, max] = bounds;
  return [
    mapElements(
      x.dtype,
      [x],
      (v) => {
        const raised = min === undefined ? v : Math.max(v, min.number);
        return max === undefined ? raised : Math.min(raised, max.number);
      },
      (v) => {
        const raised = min !== undefined && v < min.wide ? min.wide : v;
        return max !== undefined && raised > max.wide ? max.wide : raised;
      },
    ),
  ];
};

const where: Evaluator = (_, inputs) => {
  const [condition, x, y] = [numericAt(inputs, 0), tensorAt(inputs, 1), tensorAt(inputs, 2)];
  requireOneDType([x, y]);
  const shape = broadcastShapes(condition.shape, x.shape, y.shape);
  if (x.dtype === 'string' || y.dtype === 'string') {
    checkMemory(tensorBytes('string', shape));
    const data: string[] = [];
    forEachBroadcast([condition, x, y], ([c, i, j]) => void data.push(String(condition.data[c!] !== 0 ? x.data[i!] : y.data[j!])));
    return [stringTensor(shape, data)];
  }
  const out = createTensor(x.dtype, shape);
  forEachBroadcast([condition, x, y], ([c, i, j], flat) => void (out.data[flat] = condition.data[c!] !== 0 ? x.data[i!]! : y.data[j!]!));
  return [out];
};

interface CastAttrs {
  readonly saturate: number;
  readonly round_mode: string;
}

export function castTo(x: Tensor, to: DType, attrs: CastAttrs): Tensor {
  if (x.dtype === to) return x;
  if (x.dtype === 'string') return to === 'string' ? x : castStrings(x.data, x.shape, to);
  if (to === 'string') return stringTensor(x.shape, textsOf(x));
  return castNumbers(x, to, attrs);
}

function castNumbers(x: NumericTensor, to: NumericDType, attrs: CastAttrs): NumericTensor {
  const out = createTensor(to, x.shape);
  const write = castWriter(out, attrs);
  const read: (i: number) => number | bigint = isWide(x.dtype) ? bigintReader(x) : numberReader(x);
  const toInteger = dtypes[to].class === 'int' || dtypes[to].class === 'uint';
  for (let i = 0; i < out.data.length; i++) {
    const value = read(i);
    // Wrapping a large float goes through a bigint: typed arrays would lose it.
    write(i, toInteger && typeof value === 'number' ? (Number.isFinite(value) ? BigInt(Math.trunc(value)) : 0n) : value);
  }
  return out;
}

const roundings: Readonly<Record<string, PowerRounding>> = { up: 'up', down: 'down', nearest: 'nearest' };

/** 8-bit floats saturate when asked; powers of two round as asked. */
function castWriter(out: NumericTensor, attrs: CastAttrs): (i: number, value: number | bigint) => void {
  const { dtype, data } = out;
  if (dtype === 'f8e8m0') {
    const mode = roundings[attrs.round_mode] ?? 'up';
    return (i, value) => void (data[i] = encodeE8M0(Number(value), mode, attrs.saturate !== 0));
  }
  if (isSmallFloat(dtype) && dtypes[dtype].bits <= 8) return (i, value) => void (data[i] = encodeFloat(dtype, Number(value), attrs.saturate !== 0));
  return elementWriter(out);
}

function textsOf(x: NumericTensor): string[] {
  if (isFloat(x.dtype)) {
    const read = numberReader(x);
    return Array.from({ length: x.data.length }, (_, i) => textOfFloat(read(i), x.dtype));
  }
  const read = bigintReader(x);
  return Array.from({ length: x.data.length }, (_, i) => (x.dtype === 'bool' ? (read(i) === 0n ? 'False' : 'True') : String(read(i))));
}

function castStrings(texts: readonly string[], shape: readonly number[], to: NumericDType): NumericTensor {
  const out = createTensor(to, shape);
  const write = elementWriter(out);
  texts.forEach((text, i) => write(i, isFloat(to) || to === 'bool' ? floatOfText(text) : integerOfText(text)));
  return out;
}

const cast: Evaluate<'Cast'> = ({ attrs }, inputs) => [castTo(tensorAt(inputs, 0), dtypeOfCode(attrs.to), attrs)];
const castLike: Evaluate<'CastLike'> = ({ attrs }, inputs) => [castTo(tensorAt(inputs, 0), tensorAt(inputs, 1).dtype, attrs)];

const bitCast: Evaluate<'BitCast'> = ({ attrs }, inputs) => {
  const x = numericAt(inputs, 0);
  const to = numericDTypeOfCode(attrs.to);
  const { bits, bytes, class: kind, viewArray } = dtypes[to];
  if (dtypes[x.dtype].bits !== bits) throw new AnychipError('shape', `BitCast of ${x.dtype} to ${to}`, { hint: 'Both must have the same number of bits.' });
  const out = tensorOf(to, x.shape, viewArray(bytesOf(x).slice().buffer, 0, x.data.length));
  // Elements below a byte lie in one of their own, with the sign spread over it.
  if (bits < 8 && bytes === 1)
    out.data.forEach((value, i) => void (out.data[i] = kind === 'int' ? (Number(value) << (32 - bits)) >> (32 - bits) : Number(value) & ((1 << bits) - 1)));
  return [out];
};

const isInf: Evaluate<'IsInf'> = ({ attrs }, inputs) => [
  mapElements('bool', [numericAt(inputs, 0)], (x) => (x === Infinity && attrs.detect_positive !== 0) || (x === -Infinity && attrs.detect_negative !== 0)),
];
const mod: Evaluate<'Mod'> = ({ attrs }, inputs) => {
  const [a, b] = pair(inputs);
  if (attrs.fmod !== 0)
    return [
      mapElements(
        a.dtype,
        [a, b],
        (x, y) => x % y || (isFloat(a.dtype) ? x % y : 0),
        (x, y) => (y === 0n ? 0n : x % y),
      ),
    ];
  return [mapElements(a.dtype, [a, b], (x, y) => (isFloat(a.dtype) || y !== 0 ? floorMod(x, y) : 0), wideFloorMod)];
};
const bitShift: Evaluate<'BitShift'> = ({ attrs }, inputs) => {
  const [a, b] = pair(inputs);
  const bits = BigInt(dtypes[a.dtype].bits);
  // A count outside the width leaves what fills in: the sign to the right, else zeros.
  const shift = (x: bigint, n: bigint): bigint => {
    const isOut = n < 0n || n >= bits;
    return attrs.direction === 'LEFT' ? (isOut ? 0n : x << n) : x >> (isOut ? bits : n);
  };
  return [mapElements(a.dtype, [a, b], (x, y) => Number(shift(BigInt(x), BigInt(y))), shift)];
};

export const mathEvaluations: Evaluations<keyof typeof mathOps> = {
  Abs: unary(Math.abs, (x) => (x < 0n ? -x : x)),
  Neg: unary(
    (x) => -x,
    (x) => -x,
  ),
  Sign: unary(Math.sign, (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n)),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  Round: unary((x) => (Number.isFinite(x) ? roundEven(x) : x)),
  Sqrt: unary(Math.sqrt),
  Reciprocal: unary((x) => 1 / x),
  Exp: unary(Math.exp),
  Log: unary(Math.log),
  Sin: unary(Math.sin),
  Cos: unary(Math.cos),
  Tan: unary(Math.tan),
  Asin: unary(Math.asin),
  Acos: unary(Math.acos),
  Atan: unary(Math.atan),
  Sinh: unary(Math.sinh),
  Cosh: unary(Math.cosh),
  Tanh: unary(Math.tanh),
  Asinh: unary(Math.asinh),
  Acosh: unary(Math.acosh),
  Atanh: unary(Math.atanh),
  Erf: unary(erf),
  Not: unary((x) => (x === 0 ? 1 : 0)),
  BitwiseNot: unary(
    (x) => ~x,
    (x) => ~x,
  ),
  IsNaN: (_, inputs) => [mapElements('bool', [numericAt(inputs, 0)], Number.isNaN)],
  IsInf: isInf,
  Add: arithmetic(
    (a, b) => a + b,
    (a, b) => a + b,
    (a, b) => a + b,
  ),
  Sub: arithmetic(
    (a, b) => a - b,
    (a, b) => a - b,
    (a, b) => a - b,
  ),
  Mul: arithmetic(
    (a, b) => a * b,
    Math.imul,
    (a, b) => a * b,
  ),
  Div: arithmetic(
    (a, b) => a / b,
    (a, b) => (b === 0 ? 0 : Math.trunc(a / b)),
    (a, b) => (b === 0n ? 0n : a / b),
  ),
  Pow: pow,
  Mod: mod,
  And: logical((a, b) => a && b),
  Or: logical((a, b) => a || b),
  Xor: logical((a, b) => a !== b),
  BitwiseAnd: bitwise((a, b) => a & b),
  BitwiseOr: bitwise((a, b) => a | b),
  BitwiseXor: bitwise((a, b) => a ^ b),
  BitShift: bitShift,
  Equal: comparison((a, b) => a === b),
  Less: comparison((a, b) => a < b),
  LessOrEqual: comparison((a, b) => a <= b),
  Greater: comparison((a, b) => a > b),
  GreaterOrEqual: comparison((a, b) => a >= b),
  Min: variadic(Math.min, (a, b) => (a < b ? a : b)),
  Max: variadic(Math.max, (a, b) => (a > b ? a : b)),
  Sum: variadic(
    (a, b) => a + b,
    (a, b) => a + b,
  ),
  Mean: (_, inputs) => {
    const xs = inputs.map((_value, i) => numericAt(inputs, i));
    return [mapElements(xs[0]!.dtype, xs, (...v) => v.reduce((a, b) => a + b) / v.length)];
  },
  Clip: clip,
  Where: where,
  Cast: cast,
  CastLike: castLike,
  BitCast: bitCast,
};
