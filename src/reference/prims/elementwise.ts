// Reference of the elementwise primitives: NumPy broadcasting, one element at a time.
import { dtypes } from '../../core/dtype.ts';
import type { DType, NumericDType } from '../../core/dtype.ts';
import { encodeFloat, isSmallFloat } from '../../core/float.ts';
import { AnychipError } from '../../core/error.ts';
import { broadcastShapes, elementCount, sameShape, stridesOf } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';
import { bigintReader, bytesOf, createTensor, elementWriter, numberReader } from '../../core/tensor.ts';
import type { NumericTensor } from '../../core/tensor.ts';
import { numericAt } from '../evaluate.ts';
import type { Evaluations } from '../evaluate.ts';
import { comparisons, isWide, numberBinary, numberUnary, wideBinary, wideUnary } from './arithmetic.ts';

/** For each element of `out`, the flat index of the element of `shape` that broadcasts to it; undefined when it is the same index. */
export function broadcastOffsets(shape: Shape, out: Shape): Uint32Array | undefined {
  if (sameShape(shape, out)) return undefined;
  const lead = out.length - shape.length;
  const own = stridesOf(shape);
  const strides = out.map((_, axis) => (axis < lead || shape[axis - lead] === 1 ? 0 : own[axis - lead]!));
  return stridedOffsets(out, strides, 0);
}

/** Flat positions start + Σ index·stride over `shape`, row-major. */
export function stridedOffsets(shape: Shape, strides: readonly number[], start: number): Uint32Array {
  let offsets = Uint32Array.of(start);
  shape.forEach((size, axis) => {
    const next = new Uint32Array(offsets.length * size);
    const stride = strides[axis]!;
    for (let i = 0, k = 0; i < offsets.length; i++) for (let j = 0; j < size; j++, k++) next[k] = offsets[i]! + j * stride;
    offsets = next;
  });
  return offsets;
}

const through = <T>(read: (i: number) => T, offsets: Uint32Array | undefined): ((i: number) => T) => (offsets === undefined ? read : (i) => read(offsets[i]!));

type Read = (i: number) => number | bigint;

/** Readers of the inputs, broadcast to their common shape: bigints where the first input is 64-bit. */
function broadcastReaders(inputs: readonly NumericTensor[]): { readonly shape: number[]; readonly numbers: ((i: number) => number)[]; readonly wide: ((i: number) => bigint)[] } {
  const shape = broadcastShapes(...inputs.map((t) => t.shape));
  const offsets = inputs.map((t) => broadcastOffsets(t.shape, shape));
  return {
    shape,
    numbers: inputs.map((t, i) => through(numberReader(t), offsets[i])),
    wide: inputs.map((t, i) => (isWide(t.dtype) ? through(bigintReader(t), offsets[i]) : () => 0n)),
  };
}

function fill(dtype: NumericDType, shape: Shape, value: Read): NumericTensor {
  const out = createTensor(dtype, shape);
  const write = elementWriter(out);
  for (let i = 0; i < out.data.length; i++) write(i, value(i));
  return out;
}

export const elementwise: Pick<Evaluations<'unary' | 'binary' | 'compare' | 'where' | 'cast' | 'bitcast'>, 'unary' | 'binary' | 'compare' | 'where' | 'cast' | 'bitcast'> = {
  unary: ({ attrs: { fn } }, inputs) => {
    const x = numericAt(inputs, 0);
    const dtype = fn === 'isNaN' || fn === 'isInf' ? 'bool' : x.dtype;
    if (isWide(x.dtype)) {
      const read = bigintReader(x);
      const f = wideUnary(fn);
      return [fill(dtype, x.shape, (i) => f(read(i)))];
    }
    const read = numberReader(x);
    const f = numberUnary[fn];
    return [fill(dtype, x.shape, (i) => f(read(i)))];
  },
  binary: ({ attrs: { fn } }, inputs) => {
    const [a, b] = [numericAt(inputs, 0), numericAt(inputs, 1)];
    const { shape, numbers, wide } = broadcastReaders([a, b]);
    if (isWide(a.dtype)) {
      const f = wideBinary[fn];
      return [fill(a.dtype, shape, (i) => f(wide[0]!(i), wide[1]!(i)))];
    }
    const f = numberBinary(fn, a.dtype);
    return [fill(a.dtype, shape, (i) => f(numbers[0]!(i), numbers[1]!(i)))];
  },
  compare: ({ attrs: { fn } }, inputs) => {
    const a = numericAt(inputs, 0);
    const { shape, numbers, wide } = broadcastReaders([a, numericAt(inputs, 1)]);
    const [x, y]: readonly Read[] = isWide(a.dtype) ? wide : numbers;
    const f = comparisons[fn];
    return [fill('bool', shape, (i) => (f(x!(i), y!(i)) ? 1 : 0))];
  },
  where: (_, inputs) => {
    const [condition, a, b] = [numericAt(inputs, 0), numericAt(inputs, 1), numericAt(inputs, 2)];
    const shape = broadcastShapes(condition.shape, a.shape, b.shape);
    const out = createTensor(a.dtype, shape);
    const [c, x, y] = [condition, a, b].map((t) => broadcastOffsets(t.shape, shape));
    for (let i = 0; i < out.data.length; i++) {
      out.data[i] = condition.data[c?.[i] ?? i] !== 0 ? a.data[x?.[i] ?? i]! : b.data[y?.[i] ?? i]!;
    }
    return [out];
  },
  cast: ({ attrs: { to, saturate } }, inputs) => [castTensor(numericAt(inputs, 0), to, saturate)],
  bitcast: ({ attrs: { to } }, inputs) => {
    const x = numericAt(inputs, 0);
    const bytes = bytesOf(x).slice();
    const dtype = numericDType(to);
    return [{ dtype, shape: x.shape, data: dtypes[dtype].viewArray(bytes.buffer, 0, elementCount(x.shape)) }];
  },
};

function numericDType(dtype: DType): NumericDType {
  if (dtype === 'string') throw new AnychipError('shape', 'a string has no numbers');
  return dtype;
}

/** Conversion by value: floats truncate toward zero, integers wrap, anything to bool is ≠ 0; f8 kinds saturate when asked. */
export function castTensor(x: NumericTensor, target: DType, saturate: boolean): NumericTensor {
  const to = numericDType(target);
  if (to === x.dtype) return x;
  const out = createTensor(to, x.shape);
  const write = isSmallFloat(to) && saturate ? (i: number, value: number | bigint) => void (out.data[i] = encodeFloat(to, Number(value), isNarrow(to))) : elementWriter(out);
  const read: Read = isWide(x.dtype) ? bigintReader(x) : numberReader(x);
  const truncate = dtypes[x.dtype].class === 'float' && (dtypes[to].class === 'int' || dtypes[to].class === 'uint');
  for (let i = 0; i < out.data.length; i++) {
    const value = read(i);
    write(i, truncate && typeof value === 'number' ? wrapped(value) : value);
  }
  return out;
}

/** Kinds of 8 bits and fewer saturate; f16 and bf16 go to infinity. */
const isNarrow = (dtype: NumericDType): boolean => dtypes[dtype].bits <= 8;

const TWO_64 = 2 ** 64;
/** A whole number; modulo 2^64 where a typed array could not take it. */
const wrapped = (value: number): number | bigint => {
  const whole = Math.trunc(value);
  if (!Number.isFinite(whole)) return 0;
  return Math.abs(whole) < TWO_64 / 2 ? whole : BigInt.asIntN(64, BigInt(whole));
};
