// Reference of the reduce family: for each kept position, the list of elements that are reduced, and a function of that list.
import { dtypes, integerRange, isFloat, isInteger } from '../core/dtype.ts';
import type { NumericDType } from '../core/dtype.ts';
import { AnychipError } from '../core/error.ts';
import { forEachIndex, normalizeAxis, stridesOf } from '../core/shape.ts';
import { bigintReader, createTensor, elementWriter, numberReader, toNumbers } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import type { HostValue } from '../graph/graph.ts';
import type { reduceOps } from '../graph/ops/reduce.ts';
import { reducedAxes, reducedShape } from '../graph/ops/reduceGeometry.ts';
import type { ReduceAttrs } from '../graph/ops/reduceGeometry.ts';
import { isWide } from './broadcast.ts';
import { clampedInts, numericAt, optionalAt } from './evaluate.ts';
import type { Evaluations } from './evaluate.ts';

/** Calls `visit` for each kept position with the flat elements reduced into it, in order. */
function forEachGroup(x: NumericTensor, axes: readonly number[], visit: (elements: readonly number[], flat: number) => void): void {
  const strides = stridesOf(x.shape);
  const at = (index: readonly number[]): number => index.reduce((sum, i, axis) => sum + i * strides[axis]!, 0);
  forEachIndex(
    x.shape.map((d, i) => (axes.includes(i) ? 1 : d)),
    (kept, flat) => {
      const elements: number[] = [];
      const start = at(kept);
      forEachIndex(
        x.shape.map((d, i) => (axes.includes(i) ? d : 1)),
        (inner) => void elements.push(start + at(inner)),
      );
      visit(elements, flat);
    },
  );
}

type NumberRule = (values: readonly number[], dtype: NumericDType) => number;
type WideRule = (values: readonly bigint[], dtype: NumericDType) => bigint;
type Reduce = (node: { readonly attrs: ReduceAttrs }, inputs: readonly HostValue[]) => readonly HostValue[];

/** `wide` is for integers, exact before it is cut to their width; without it they go through numbers. */
const reduce =
  (f: NumberRule, wide?: WideRule): Reduce =>
  ({ attrs }, inputs) => {
    const x = numericAt(inputs, 0);
    const given = optionalAt(inputs, 1);
    const axes = reducedAxes(x.shape, given === undefined ? undefined : clampedInts(given), attrs);
    const out = createTensor(x.dtype, reducedShape(x.shape, axes, attrs.keepdims !== 0));
    const write = elementWriter(out);
    if (wide !== undefined && isInteger(x.dtype)) {
      const read = bigintReader(x);
      forEachGroup(x, axes, (elements, flat) => write(flat, wide(elements.map(read), x.dtype)));
    } else {
      const read = numberReader(x);
      forEachGroup(x, axes, (elements, flat) => write(flat, f(elements.map(read), x.dtype)));
    }
    return [out];
  };

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const wideSum = (values: readonly bigint[]): bigint => values.reduce((a, b) => a + b, 0n);

/** What the extreme of nothing is. */
const limit = (dtype: NumericDType, end: 'min' | 'max'): number => {
  if (isFloat(dtype)) return end === 'min' ? -Infinity : Infinity;
  return dtypes[dtype].class === 'bool' ? (end === 'min' ? 0 : 1) : Number(integerRange(dtype)[end]);
};
const wideExtreme =
  (better: (a: bigint, b: bigint) => boolean, end: 'min' | 'max'): WideRule =>
  (values, dtype) =>
    values.reduce((a, b) => (better(b, a) ? b : a), integerRange(dtype)[end]);

/** log Σ e^x without overflow: the largest is taken out first. */
const logSumExp: NumberRule = (values) => {
  const largest = values.reduce((a, b) => Math.max(a, b), -Infinity);
  return Number.isFinite(largest) ? largest + Math.log(sum(values.map((v) => Math.exp(v - largest)))) : largest;
};

/** Index of the first or last extreme; NaN counts as one. */
function extremeIndex(values: readonly number[], wins: (a: number, b: number) => boolean, last: boolean): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) {
    const [value, held] = [values[i]!, values[best]!];
    const same = value === held || (Number.isNaN(value) && Number.isNaN(held));
    if (same ? last : !Number.isNaN(held) && (Number.isNaN(value) || wins(value, held))) best = i;
  }
  return best;
}

interface ExtremeAttrs {
  readonly axis: number;
  readonly keepdims: number;
  readonly select_last_index: number;
}
const extreme =
  (wins: (a: number, b: number) => boolean) =>
  ({ attrs }: { readonly attrs: ExtremeAttrs }, inputs: readonly HostValue[]): readonly HostValue[] => {
    const x = numericAt(inputs, 0);
    const axes = [normalizeAxis(attrs.axis, x.shape.length)];
    if (x.shape[axes[0]!] === 0) throw new AnychipError('shape', 'the extreme of nothing');
    const out = createTensor('i64', reducedShape(x.shape, axes, attrs.keepdims !== 0));
    const read = numberReader(x);
    forEachGroup(x, axes, (elements, flat) => void (out.data[flat] = BigInt(extremeIndex(elements.map(read), wins, attrs.select_last_index !== 0))));
    return [out];
  };

interface RunningAttrs {
  readonly exclusive: number;
  readonly reverse: number;
}
const running =
  (start: number, f: (a: number, b: number) => number, wide: (a: bigint, b: bigint) => bigint) =>
  ({ attrs }: { readonly attrs: RunningAttrs }, inputs: readonly HostValue[]): readonly HostValue[] => {
    const x = numericAt(inputs, 0);
    const axis = normalizeAxis(toNumbers(numericAt(inputs, 1))[0]!, x.shape.length);
    const out = createTensor(x.dtype, x.shape);
    const write = elementWriter(out);
    const [numbers, bigints] = [numberReader(x), bigintReader(x)];
    forEachGroup(x, [axis], (elements) => {
      let [value, large] = [start, BigInt(start)];
      for (const at of attrs.reverse !== 0 ? elements.toReversed() : elements) {
        if (attrs.exclusive !== 0) write(at, isWide(x.dtype) ? large : value);
        if (isWide(x.dtype)) large = wide(large, bigints(at));
        else value = f(value, numbers(at));
        if (attrs.exclusive === 0) write(at, isWide(x.dtype) ? large : value);
      }
    });
    return [out];
  };

export const reduceEvaluations: Evaluations<keyof typeof reduceOps> = {
  ReduceSum: reduce(sum, wideSum),
  ReduceMean: reduce(
    (values) => sum(values) / values.length,
    (values) => (values.length === 0 ? 0n : wideSum(values) / BigInt(values.length)),
  ),
  ReduceProd: reduce(
    (values, dtype) => values.reduce(isFloat(dtype) ? (a, b) => a * b : Math.imul, 1),
    (values) => values.reduce((a, b) => a * b, 1n),
  ),
  ReduceMax: reduce(
    (values, dtype) => values.reduce((a, b) => Math.max(a, b), limit(dtype, 'min')),
    wideExtreme((a, b) => a > b, 'min'),
  ),
  ReduceMin: reduce(
    (values, dtype) => values.reduce((a, b) => Math.min(a, b), limit(dtype, 'max')),
    wideExtreme((a, b) => a < b, 'max'),
  ),
  ReduceL1: reduce(
    (values) => sum(values.map(Math.abs)),
    (values) => wideSum(values.map((v) => (v < 0n ? -v : v))),
  ),
  ReduceL2: reduce((values) => Math.sqrt(sum(values.map((v) => v * v)))),
  ReduceLogSum: reduce((values) => Math.log(sum(values))),
  ReduceLogSumExp: reduce(logSumExp),
  ReduceSumSquare: reduce(
    (values) => sum(values.map((v) => v * v)),
    (values) => wideSum(values.map((v) => v * v)),
  ),
  ArgMax: extreme((a, b) => a > b),
  ArgMin: extreme((a, b) => a < b),
  CumSum: running(
    0,
    (a, b) => a + b,
    (a, b) => a + b,
  ),
  CumProd: running(
    1,
    (a, b) => a * b,
    (a, b) => BigInt.asIntN(64, a * b),
  ),
};
