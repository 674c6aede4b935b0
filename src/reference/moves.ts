// Moving elements without looking at them: works on every dtype, strings included.
import { invariant } from '../core/error.ts';
import { forEachIndex, stridesOf } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';
import { createTensor, stringTensor } from '../core/tensor.ts';
import type { Tensor } from '../core/tensor.ts';

/** A tensor whose element at `index` is element `source(index)` of `x`, or the only element of `fill` where that is −1. */
export function moveElements(x: Tensor, shape: Shape, source: (index: readonly number[]) => number, fill?: Tensor): Tensor {
  if (x.dtype === 'string') {
    const data: string[] = [];
    const other = fill?.dtype === 'string' ? fill.data[0]! : '';
    forEachIndex(shape, (index) => {
      const at = source(index);
      data.push(at < 0 ? other : x.data[at]!);
    });
    return stringTensor(shape, data);
  }
  const out = createTensor(x.dtype, shape);
  const other = fill === undefined || fill.dtype === 'string' ? undefined : fill.data[0];
  forEachIndex(shape, (index, flat) => {
    const at = source(index);
    if (at >= 0) out.data[flat] = x.data[at]!;
    else if (other !== undefined) out.data[flat] = other;
  });
  return out;
}

/** As `moveElements`, with coordinates of `x` instead of a flat position; undefined fills. */
export function moveCoordinates(x: Tensor, shape: Shape, source: (index: readonly number[]) => readonly number[] | undefined, fill?: Tensor): Tensor {
  const strides = stridesOf(x.shape);
  return moveElements(x, shape, (index) => source(index)?.reduce((sum, i, axis) => sum + i * strides[axis]!, 0) ?? -1, fill);
}

/** Tensors of one dtype joined along `axis`; their other dimensions are equal. */
export function joinTensors(parts: readonly Tensor[], axis: number): Tensor {
  const first = parts[0];
  invariant(first !== undefined, 'nothing to join');
  const starts: number[] = [];
  let total = 0;
  for (const part of parts) {
    starts.push(total);
    total += part.shape[axis]!;
  }
  const shape = first.shape.map((d, i) => (i === axis ? total : d));
  const strides = parts.map((part) => stridesOf(part.shape));
  const find = (index: readonly number[]): readonly [number, number] => {
    let p = parts.length - 1;
    while (starts[p]! > index[axis]!) p--;
    return [p, index.reduce((sum, at, i) => sum + (i === axis ? at - starts[p]! : at) * strides[p]![i]!, 0)];
  };
  if (first.dtype === 'string') {
    const data: string[] = [];
    forEachIndex(shape, (index) => {
      const [p, at] = find(index);
      data.push(String(parts[p]!.data[at]));
    });
    return stringTensor(shape, data);
  }
  const out = createTensor(first.dtype, shape);
  forEachIndex(shape, (index, flat) => {
    const [p, at] = find(index);
    const part = parts[p]!;
    if (part.dtype !== 'string') out.data[flat] = part.data[at]!;
  });
  return out;
}
