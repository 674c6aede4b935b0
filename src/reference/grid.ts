// Reference of GridSample and AffineGrid: images read between their pixels at given places.
import { elementCount, forEachIndex, stridesOf } from '../core/shape.ts';
import { createTensor, elementWriter, numberReader, tensorBytes, toNumbers } from '../core/tensor.ts';
import { isFloat } from '../core/dtype.ts';
import { affineSpatial, cubicWeights, gridLine, gridSampleShape } from '../graph/ops/gridGeometry.ts';
import { numericAt } from './evaluate.ts';
import type { Evaluations } from './evaluate.ts';
import { roundEven } from '../core/float.ts';

/** How an axis of `size` pixels is read: what GridSample's padding modes make of coordinates that leave it. */
interface Axis {
  readonly size: number;
  readonly low: number;
  readonly high: number;
  readonly padding: string;
}

/** Position of x mirrored at `low` and `high` until it lies between them. */
function reflect(x: number, { low, high }: Axis): number {
  const span = high - low;
  if (span === 0) return low;
  const into = (((x - low) % (2 * span)) + 2 * span) % (2 * span);
  return low + (into <= span ? into : 2 * span - into);
}

/** Where a coordinate that left the axis is read instead. */
function padded(x: number, axis: Axis): number {
  if (x >= axis.low && x <= axis.high) return x;
  if (axis.padding === 'border') return Math.min(Math.max(x, 0), axis.size - 1);
  return axis.padding === 'reflection' ? reflect(x, axis) : x;
}

/** The pixel at an integral coordinate; undefined where zeros are. */
function pixel(i: number, axis: Axis): number | undefined {
  if (i >= 0 && i < axis.size) return i;
  if (axis.padding === 'border') return Math.min(Math.max(i, 0), axis.size - 1);
  return axis.padding === 'reflection' ? Math.trunc(reflect(i, axis)) : undefined;
}

type Tap = readonly [at: number, weight: number];

const tapsAt: Readonly<Record<string, (x: number) => readonly Tap[]>> = {
  nearest: (x) => [[x, 1]],
  linear: (x) => [
    [Math.floor(x), 1 - (x - Math.floor(x))],
    [Math.floor(x) + 1, x - Math.floor(x)],
  ],
  cubic: (x) => cubicWeights(x - Math.floor(x)).map((weight, i) => [Math.floor(x) - 1 + i, weight] as const),
};

/** The taps of all axes together: flat pixel and weight; pixels of zero are left out. */
function cornersOf(coordinates: readonly number[], axes: readonly Axis[], mode: string): readonly Tap[] {
  const strides = stridesOf(axes.map((a) => a.size));
  return coordinates.reduce<readonly Tap[]>(
    (corners, at, i) => {
      const start = padded(mode === 'nearest' ? roundEven(at) : at, axes[i]!);
      const taps = tapsAt[mode]!(start).flatMap(([p, weight]) => {
        const index = pixel(p, axes[i]!);
        return index === undefined ? [] : [[index * strides[i]!, weight] as const];
      });
      return corners.flatMap(([flat, weight]) => taps.map(([offset, w]) => [flat + offset, weight * w] as const));
    },
    [[0, 1]],
  );
}

export const gridEvaluations: Evaluations<'GridSample' | 'AffineGrid'> = {
  GridSample({ attrs }, inputs, context) {
    const [x, grid] = [numericAt(inputs, 0), numericAt(inputs, 1)];
    const shape = gridSampleShape(x.shape, grid.shape, attrs);
    context.reserve(tensorBytes(x.dtype, shape));
    const y = createTensor(x.dtype, shape);
    const spatial = x.shape.slice(2);
    const aligned = attrs.align_corners === 1;
    const axes = spatial.map((size) => ({
      size,
      low: aligned ? 0 : -0.5,
      high: aligned ? size - 1 : size - 0.5,
      padding: attrs.padding_mode,
    }));
    const [read, at, write] = [numberReader(x), numberReader(grid), elementWriter(y)];
    const round = grid.dtype === 'f64' ? (v: number): number => v : Math.fround;
    const [planeSize, outSize, rank] = [elementCount(spatial), elementCount(shape.slice(2)), spatial.length];
    forEachIndex([shape[0]!, outSize], ([n, o], place) => {
      // The last coordinate of the grid belongs to the first spatial axis.
      const coordinates = spatial.map((size, i) => denormalize(at(place * rank + rank - 1 - i), size, aligned, round));
      const corners = cornersOf(coordinates, axes, attrs.mode);
      for (let c = 0; c < shape[1]!; c++) {
        const plane = n! * shape[1]! + c;
        const sum = corners.reduce((all, [flat, weight]) => all + read(plane * planeSize + flat) * weight, 0);
        write(plane * outSize + o!, isFloat(x.dtype) || attrs.mode === 'nearest' ? sum : Math.fround(sum));
      }
    });
    return [y];
  },

  AffineGrid({ attrs }, inputs, context) {
    const theta = numericAt(inputs, 0);
    const spatial = affineSpatial(theta.shape, toNumbers(numericAt(inputs, 1)));
    const rank = spatial.length;
    const shape = [theta.shape[0]!, ...spatial, rank];
    context.reserve(tensorBytes(theta.dtype, shape));
    const grid = createTensor(theta.dtype, shape);
    const lines = spatial.map((size) => gridLine(size, attrs.align_corners === 1));
    const [read, write] = [numberReader(theta), elementWriter(grid)];
    forEachIndex(shape, (index, flat) => {
      const row = (index[0]! * rank + index[rank + 1]!) * (rank + 1);
      // theta's columns are x, y, (z,) 1: the last spatial axis first.
      write(
        flat,
        lines.reduce((sum, line, i) => sum + read(row + rank - 1 - i) * line[index[i + 1]!]!, read(row + rank)),
      );
    });
    return [grid];
  },
};

/** −1…1 as a pixel coordinate, in the precision of the grid: it decides ties. */
function denormalize(n: number, size: number, aligned: boolean, round: (x: number) => number): number {
  const grown = round(n + 1);
  return aligned ? round((grown / 2) * (size - 1)) : round(round(grown * size) - 1) / 2;
}
