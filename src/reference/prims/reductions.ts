// Reference of reductions, running sums and orderings. Lines along an axis are walked one by one.
import type { NumericDType } from '../../core/dtype.ts';
import { elementCount, stridesOf } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';
import { bigintReader, createTensor, elementWriter, numberReader } from '../../core/tensor.ts';
import type { NumericTensor } from '../../core/tensor.ts';
import { numericAt } from '../evaluate.ts';
import type { Evaluations } from '../evaluate.ts';
import { emptyValue, isWide, numberReduce, wideReduce } from './arithmetic.ts';
import { stridedOffsets } from './elementwise.ts';

type Reductions = 'reduce' | 'argReduce' | 'scan' | 'topK';

/** Offsets of the kept positions and, from each, of the reduced ones. */
function splitAxes(shape: Shape, axes: readonly number[]): { readonly kept: Uint32Array; readonly reduced: Uint32Array; readonly out: number[] } {
  const strides = stridesOf(shape);
  const out = shape.map((d, i) => (axes.includes(i) ? 1 : d));
  const inner = shape.map((d, i) => (axes.includes(i) ? d : 1));
  return { kept: stridedOffsets(out, strides, 0), reduced: stridedOffsets(inner, strides, 0), out };
}

type Read = (i: number) => number | bigint;
const readerOf = (x: NumericTensor): Read => (isWide(x.dtype) ? bigintReader(x) : numberReader(x));
const combiner = (fn: Parameters<typeof wideReduce>[0], dtype: NumericDType): ((a: number | bigint, b: number | bigint) => number | bigint) => {
  if (!isWide(dtype)) {
    const f = numberReduce(fn, dtype);
    return (a, b) => f(Number(a), Number(b));
  }
  const f = wideReduce(fn);
  return (a, b) => BigInt.asIntN(65, f(BigInt(a), BigInt(b)));
};

/** Whether `a` stands before `b` in the asked order; NaN counts as largest (for topK) or as the extreme (for argReduce). */
const before = (a: number | bigint, b: number | bigint, largest: boolean, nanFirst: boolean): boolean => {
  if (Number.isNaN(a)) return nanFirst && !Number.isNaN(b);
  if (Number.isNaN(b)) return !nanFirst;
  return largest ? a > b : a < b;
};

export const reductions: Evaluations<Reductions> = {
  reduce: ({ attrs: { fn, axes } }, inputs) => {
    const x = numericAt(inputs, 0);
    const { kept, reduced, out } = splitAxes(x.shape, axes);
    const read = readerOf(x);
    const combine = combiner(fn, x.dtype);
    const result = createTensor(x.dtype, out);
    const write = elementWriter(result);
    for (let i = 0; i < kept.length; i++) {
      let value = reduced.length === 0 ? emptyValue(fn, x.dtype) : read(kept[i]! + reduced[0]!);
      for (let k = 1; k < reduced.length; k++) value = combine(value, read(kept[i]! + reduced[k]!));
      write(i, value);
    }
    return [result];
  },
  argReduce: ({ attrs: { fn, axis, last } }, inputs) => {
    const x = numericAt(inputs, 0);
    const { kept, reduced, out } = splitAxes(x.shape, [axis]);
    const read = readerOf(x);
    const result = createTensor('i64', out);
    for (let i = 0; i < kept.length; i++) {
      let best = 0;
      for (let k = 1; k < reduced.length; k++) {
        const [value, champion] = [read(kept[i]! + reduced[k]!), read(kept[i]! + reduced[best]!)];
        if (before(value, champion, fn === 'max', true) || (last && !before(champion, value, fn === 'max', true))) best = k;
      }
      result.data[i] = BigInt(best);
    }
    return [result];
  },
  scan: ({ attrs: { fn, axis, exclusive, reverse } }, inputs) => {
    const x = numericAt(inputs, 0);
    const { kept, reduced } = splitAxes(x.shape, [axis]);
    const read = readerOf(x);
    const combine = combiner(fn, x.dtype);
    const result = createTensor(x.dtype, x.shape);
    const write = elementWriter(result);
    const order = reverse ? reduced.toReversed() : reduced;
    for (const start of kept) {
      let value: number | bigint = fn === 'sum' ? 0 : 1;
      for (const step of order) {
        if (exclusive) write(start + step, value);
        value = combine(value, read(start + step));
        if (!exclusive) write(start + step, value);
      }
    }
    return [result];
  },
  topK: ({ attrs: { axis, k, largest } }, inputs) => {
    const x = numericAt(inputs, 0);
    const shape = x.shape.map((d, i) => (i === axis ? k : d));
    const [values, indices] = [createTensor(x.dtype, shape), createTensor('i64', shape)];
    if (elementCount(shape) === 0) return [values, indices];
    const { kept, reduced } = splitAxes(x.shape, [axis]);
    const targets = splitAxes(shape, [axis]);
    const read = readerOf(x);
    for (let i = 0; i < kept.length; i++) {
      const line = Array.from(reduced, (step) => read(kept[i]! + step));
      const order = line.map((_, j) => j).sort((a, b) => (before(line[a]!, line[b]!, largest, largest) ? -1 : before(line[b]!, line[a]!, largest, largest) ? 1 : a - b));
      for (let j = 0; j < k; j++) {
        const to = targets.kept[i]! + targets.reduced[j]!;
        values.data[to] = x.data[kept[i]! + reduced[order[j]!]!]!;
        indices.data[to] = BigInt(order[j]!);
      }
    }
    return [values, indices];
  },
};
