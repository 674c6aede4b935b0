// Moving elements without looking at them: works on every dtype, strings included.
import { AnychipError, invariant } from '../core/error.ts';
import { spendMemory } from '../core/memoryBudget.ts';
import { elementCount, forEachIndex, formatShape, stridesOf } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';
import { createTensor, reshaped, stringTensor, tensorBytes } from '../core/tensor.ts';
import type { Tensor } from '../core/tensor.ts';

/** A tensor whose element at `index` is element `source(index)` of `x`, or the only element of `fill` where that is −1. */
export function moveElements(x: Tensor, shape: Shape, source: (index: readonly number[]) => number, fill?: Tensor): Tensor {
  if (x.dtype === 'string') {
    spendMemory(tensorBytes('string', shape));
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

/** Tensors joined along `axis`. Throws `shape` where dtypes or other dimensions differ. */
export function joinTensors(parts: readonly Tensor[], axis: number): Tensor {
  const first = parts[0];
  invariant(first !== undefined, 'nothing to join');
  const fits = parts.every((t) => t.dtype === first.dtype && t.shape.length === first.shape.length && t.shape.every((d, i) => i === axis || d === first.shape[i]));
  if (!fits) throw new AnychipError('shape', `cannot join ${parts.map((t) => t.dtype + formatShape(t.shape)).join(', ')} along axis ${axis}`);
  const shape = first.shape.with(axis, parts.reduce((sum, part) => sum + part.shape[axis]!, 0)); // prettier-ignore
  const outer = elementCount(shape.slice(0, axis));
  const runs = parts.map((part) => elementCount(part.shape.slice(axis)));
  if (first.dtype === 'string') {
    const data: string[] = [];
    for (let o = 0; o < outer; o++) for (const [p, part] of parts.entries()) if (part.dtype === 'string') data.push(...part.data.slice(o * runs[p]!, (o + 1) * runs[p]!));
    return stringTensor(shape, data);
  }
  const out = createTensor(first.dtype, shape);
  let position = 0;
  for (let o = 0; o < outer; o++) {
    for (const [p, part] of parts.entries()) for (let i = 0; i < runs[p]!; i++) if (part.dtype !== 'string') out.data[position++] = part.data[o * runs[p]! + i]!;
  }
  return out;
}

/** Tensors of one shape joined along a new axis, at `axis` of the result. */
export const stackTensors = (parts: readonly Tensor[], axis: number): Tensor =>
  joinTensors(
    parts.map((part) => reshaped(part, part.shape.toSpliced(axis, 0, 1))),
    axis,
  );

/** Elements `start` to `start + size` along `axis`. */
export function sliceTensor(x: Tensor, axis: number, start: number, size: number): Tensor {
  const inner = elementCount(x.shape.slice(axis + 1));
  const [from, run, row] = [start * inner, size * inner, x.shape[axis]! * inner];
  const moved = moveElements(x, [elementCount(x.shape.slice(0, axis)), run], ([o, i]) => o! * row + from + i!);
  return reshaped(moved, x.shape.with(axis, size));
}
