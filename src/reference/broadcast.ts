// Elementwise evaluation with NumPy broadcasting, on numbers or, for 64-bit integers, on bigints.
import type { NumericDType } from '../core/dtype.ts';
import { broadcastShapes, forEachIndex, stridesOf } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';
import { bigintReader, createTensor, elementWriter, numberReader } from '../core/tensor.ts';
import type { NumericTensor, Tensor } from '../core/tensor.ts';

/** The flat element of a tensor of `shape` that broadcasts to an index of `out`. */
export function broadcastIndex(shape: Shape, out: Shape): (index: readonly number[]) => number {
  const lead = out.length - shape.length;
  const strides = stridesOf(shape).map((stride, axis) => (shape[axis] === 1 ? 0 : stride));
  return (index) => strides.reduce((sum, stride, axis) => sum + stride * index[axis + lead]!, 0);
}

/** Calls `visit` for each element of the common shape with the flat elements of every input. */
export function forEachBroadcast(inputs: readonly Tensor[], visit: (sources: readonly number[], flat: number) => void): number[] {
  const shape = broadcastShapes(...inputs.map((x) => x.shape));
  const at = inputs.map((x) => broadcastIndex(x.shape, shape));
  const sources = inputs.map(() => 0);
  forEachIndex(shape, (index, flat) => {
    at.forEach((source, i) => void (sources[i] = source(index)));
    visit(sources, flat);
  });
  return shape;
}

export const isWide = (dtype: NumericDType): boolean => dtype === 'i64' || dtype === 'u64';

/** `f` over numbers, or `wide` over bigints when the first input is 64-bit; the result has `dtype`. */
export function mapElements(
  dtype: NumericDType,
  inputs: readonly NumericTensor[],
  f: (...xs: number[]) => number | boolean,
  wide?: (...xs: bigint[]) => bigint | boolean,
): NumericTensor {
  const out = createTensor(dtype, broadcastShapes(...inputs.map((x) => x.shape)));
  const write = elementWriter(out);
  if (wide !== undefined && isWide(inputs[0]!.dtype)) {
    const readers = inputs.map(bigintReader);
    forEachBroadcast(inputs, (sources, flat) => write(flat, asNumber(wide(...sources.map((at, i) => readers[i]!(at))))));
  } else {
    const readers = inputs.map(numberReader);
    forEachBroadcast(inputs, (sources, flat) => write(flat, asNumber(f(...sources.map((at, i) => readers[i]!(at))))));
  }
  return out;
}
const asNumber = <T extends number | bigint>(value: T | boolean): T | number => (typeof value === 'boolean' ? Number(value) : value);
