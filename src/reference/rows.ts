// Rows on the host: the elements that differ only in their coordinates along some axes, which normalisations treat together.
import type { NumericDType } from '../core/dtype.ts';
import { stridesOf } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';
import { createTensor, elementWriter, numberReader } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import { stridedOffsets } from './prims/elementwise.ts';

/** Element j of row i lies at starts[i] + steps[j]; rows in the order of the axes that are kept. */
export interface Rows {
  readonly starts: Uint32Array;
  readonly steps: Uint32Array;
  /** The shape with the axes of the rows set to 1. */
  readonly kept: Shape;
}

export function rowsOf(shape: Shape, axes: readonly number[]): Rows {
  const strides = stridesOf(shape);
  const kept = shape.map((d, i) => (axes.includes(i) ? 1 : d));
  const inner = shape.map((d, i) => (axes.includes(i) ? d : 1));
  return { starts: stridedOffsets(kept, strides, 0), steps: stridedOffsets(inner, strides, 0), kept };
}

/** The numbers of each row. */
export function readRows(x: NumericTensor, axes: readonly number[]): number[][] {
  const { starts, steps } = rowsOf(x.shape, axes);
  const read = numberReader(x);
  return Array.from(starts, (start) => Array.from(steps, (step) => read(start + step)));
}

/** What becomes of a row; `at` gives the flat position of an element of it. */
export type RowMap = (row: readonly number[], at: (j: number) => number) => readonly number[];

/** A tensor of the shape of `x` with `f` applied to every row. */
export function mapRows(x: NumericTensor, axes: readonly number[], f: RowMap, dtype: NumericDType = x.dtype): NumericTensor {
  const { starts, steps } = rowsOf(x.shape, axes);
  const y = createTensor(dtype, x.shape);
  const write = elementWriter(y);
  readRows(x, axes).forEach((row, i) => f(row, (j) => starts[i]! + steps[j]!).forEach((value, j) => write(starts[i]! + steps[j]!, value)));
  return y;
}

export const sumOf = (row: readonly number[]): number => row.reduce((a, b) => a + b, 0);
export const meanOf = (row: readonly number[]): number => sumOf(row) / row.length;
/** Mean and population variance. */
export function momentsOf(row: readonly number[]): { readonly mean: number; readonly variance: number } {
  const mean = meanOf(row);
  return { mean, variance: meanOf(row.map((v) => (v - mean) ** 2)) };
}

/** exp(v) / Σ exp, shifted by the largest so that nothing overflows. */
export function softmaxOf(row: readonly number[]): number[] {
  const largest = largestOf(row);
  const powers = row.map((v) => Math.exp(v - largest));
  const sum = sumOf(powers);
  return powers.map((p) => p / sum);
}
export function logSoftmaxOf(row: readonly number[]): number[] {
  const largest = largestOf(row);
  const log = Math.log(sumOf(row.map((v) => Math.exp(v - largest))));
  return row.map((v) => v - largest - log);
}
const largestOf = (row: readonly number[]): number => row.reduce((a, b) => Math.max(a, b), -Infinity);
