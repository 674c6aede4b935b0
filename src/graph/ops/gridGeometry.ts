// Shapes of GridSample, AffineGrid and the region pools, checked. Knows no data.
import { AnychipError } from '../../core/error.ts';
import { formatShape } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';
import { checkedLength } from './limits.ts';

const fail = (reason: string): never => {
  throw new AnychipError('shape', reason, {
    hint: 'Check the operator against its specification.',
  });
};

const gridModes = {
  mode: ['linear', 'nearest', 'cubic'],
  padding_mode: ['zeros', 'border', 'reflection'],
} as const;

/** Output of GridSample: x [N, C, d1…dn], grid [N, o1…on, n] → [N, C, o1…on]. */
export function gridSampleShape(x: Shape, grid: Shape, attrs: { readonly mode: string; readonly padding_mode: string }): number[] {
  const rank = x.length - 2;
  if (rank < 1 || grid.length !== x.length || grid.at(-1) !== rank || grid[0] !== x[0])
    fail(`a grid of shape ${formatShape(grid)} does not sample an input of shape ${formatShape(x)}`);
  for (const name of ['mode', 'padding_mode'] as const) if (!gridModes[name].some((known) => known === attrs[name])) fail(`${name} '${attrs[name]}' is unknown`);
  return [x[0]!, x[1]!, ...grid.slice(1, -1)];
}

/** Normalised coordinates −1…1 of the centres (or corners) of `size` pixels. A single aligned pixel lies in the middle. */
export function gridLine(size: number, alignCorners: boolean): number[] {
  return Array.from({ length: size }, (_, i) => (alignCorners ? (size === 1 ? 0 : (2 * i) / (size - 1) - 1) : (2 * i + 1) / size - 1));
}

/** Spatial part of AffineGrid's size [N, C, d…]; theta is [N, n, n + 1]. */
export function affineSpatial(theta: Shape, size: Shape): number[] {
  const rank = size.length - 2;
  const fits = (rank === 2 || rank === 3) && theta.length === 3 && theta[0] === size[0] && theta[1] === rank && theta[2] === rank + 1;
  return fits ? size.slice(2).map((length) => checkedLength('an axis', length)) : fail(`theta of shape ${formatShape(theta)} does not make a grid of size ${formatShape(size)}`);
}

/** Checks the operands of RoiAlign (4 columns) and MaxRoiPool (5 columns). */
export function checkRegions(x: Shape, rois: Shape, columns: number, pooled: Shape, batchIndices?: Shape): void {
  if (pooled.length !== 2 || pooled.some((length) => checkedLength('a pooled region', length) === 0))
    fail(`regions pooled to ${formatShape(pooled)}: two sizes of at least 1 are needed`);
  if (x.length !== 4) fail(`an input of shape ${formatShape(x)}: [N, C, H, W] is needed`);
  if (rois.length !== 2 || rois[1] !== columns) fail(`regions of shape ${formatShape(rois)}: [regions, ${columns}] is needed`);
  if (batchIndices !== undefined && (batchIndices.length !== 1 || batchIndices[0] !== rois[0])) fail(`batch_indices of shape ${formatShape(batchIndices)} for ${rois[0]} regions`);
}

/** Coefficient of the cubic convolution filter in GridSample. */
export const GRID_CUBIC = -0.75;

/** Weights of the four pixels around a point that lies `t` after the second. Keys, "Cubic Convolution Interpolation" (1981). */
export function cubicWeights(t: number, a: number = GRID_CUBIC): readonly number[] {
  const near = (d: number): number => ((a + 2) * d - (a + 3)) * d * d + 1;
  const far = (d: number): number => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return [far(t + 1), near(t), near(1 - t), far(2 - t)];
}

/** Half away from zero. */
export const roundAway = (x: number): number => Math.sign(x) * Math.floor(Math.abs(x) + 0.5);

/** Pixels of bin `bin` of `bins` in a region from `first` to `last` (rounded, inclusive) on an axis of `size`. */
export function regionBin(first: number, last: number, bins: number, bin: number, size: number): { readonly start: number; readonly end: number } {
  const start = roundAway(first);
  const extent = Math.max(roundAway(last) - start + 1, 1);
  const inside = (i: number): number => Math.min(Math.max(i, 0), size);
  return {
    start: inside(start + Math.floor((bin * extent) / bins)),
    end: inside(start + Math.ceil(((bin + 1) * extent) / bins)),
  };
}
