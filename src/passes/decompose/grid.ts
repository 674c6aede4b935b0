// Decompositions of GridSample and AffineGrid: coordinates as elementwise expressions, pixels by gathers.
import { isFloat } from '../../core/dtype.ts';
import { elementCount } from '../../core/shape.ts';
import { tensorFrom } from '../../core/tensor.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import { affineSpatial, GRID_CUBIC, gridLine, gridSampleShape } from '../../graph/ops/gridGeometry.ts';
import type { visionOps } from '../../graph/ops/vision.ts';
import { accumulatorOf, inputAt, numbersOf } from '../lowering.ts';
import type { Lowerings } from '../lowering.ts';
import { clampedIndex, sumTaps, zeroOutside } from './sampling.ts';
import type { Tap } from './sampling.ts';
import { along, sliceAxis } from './views.ts';

/** How one axis is read; the counterpart of the padding modes. */
interface Axis {
  readonly size: number;
  readonly aligned: boolean;
  readonly padding: string;
}

/** at, mirrored at the borders of the axis: a triangle wave. */
function reflect(b: Builder, at: Operand, { size, aligned }: Axis): Operand {
  const c = (value: number): Operand => b.scalar(at.dtype, value);
  const [low, span] = aligned ? [0, size - 1] : [-0.5, size];
  if (span === 0) return b.mul(at, c(0));
  const into = b.mod(b.sub(at, c(low)), c(2 * span));
  return b.add(b.sub(c(span), b.abs(b.sub(into, c(span)))), c(low));
}

/** A real coordinate moved back onto the axis, where its padding does that. */
function padded(b: Builder, at: Operand, axis: Axis): Operand {
  const c = (value: number): Operand => b.scalar(at.dtype, value);
  if (axis.padding === 'reflection') return reflect(b, at, axis);
  if (axis.padding === 'zeros') return at;
  const [low, high] = axis.aligned ? [0, axis.size - 1] : [-0.5, axis.size - 0.5];
  const outside = b.or(b.lt(at, c(low)), b.gt(at, c(high)));
  return b.where(outside, b.min(b.max(at, c(0)), c(axis.size - 1)), at);
}

/** An integral coordinate as a tap. */
function tapAt(b: Builder, at: Operand, axis: Axis): Tap {
  if (axis.padding === 'zeros') return zeroOutside(b, at, axis.size);
  return {
    index: clampedIndex(b, axis.padding === 'reflection' ? reflect(b, at, axis) : at, axis.size),
  };
}

/** Weights of the four cubic taps; t: distance from the second. */
function cubicFactors(b: Builder, t: Operand): readonly Operand[] {
  const c = (value: number): Operand => b.scalar(t.dtype, value);
  const a = GRID_CUBIC;
  const near = (d: Operand): Operand => b.add(b.mul(b.mul(b.sub(b.mul(d, c(a + 2)), c(a + 3)), d), d), c(1));
  const far = (d: Operand): Operand => b.sub(b.mul(b.add(b.mul(b.sub(b.mul(d, c(a)), c(5 * a)), d), c(8 * a)), d), c(4 * a));
  return [far(b.add(t, c(1))), near(t), near(b.sub(c(1), t)), far(b.sub(c(2), t))];
}

const tapsOf: Readonly<Record<string, (b: Builder, at: Operand, axis: Axis) => readonly Tap[]>> = {
  nearest: (b, at, axis) => [tapAt(b, padded(b, b.round(at), axis), axis)],
  linear: (b, at, axis) => {
    const x = padded(b, at, axis);
    const base = b.floor(x);
    const [fraction, one] = [b.sub(x, base), b.scalar(x.dtype, 1)];
    return [
      { ...tapAt(b, base, axis), weight: b.sub(one, fraction) },
      { ...tapAt(b, b.add(base, one), axis), weight: fraction },
    ];
  },
  cubic: (b, at, axis) => {
    const x = padded(b, at, axis);
    const base = b.floor(x);
    return cubicFactors(b, b.sub(x, base)).map((weight, i) => ({
      ...tapAt(b, b.add(base, b.scalar(x.dtype, i - 1)), axis),
      weight,
    }));
  },
};

export const gridLowerings: Lowerings<keyof Pick<typeof visionOps, 'GridSample' | 'AffineGrid'>> = {
  GridSample(b, { attrs }, inputs) {
    const [x, grid] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    const shape = gridSampleShape(x.shape, grid.shape, attrs);
    if (elementCount(shape) === 0) return [b.full(x.dtype, shape, 0)];
    const spatial = x.shape.slice(2);
    const rank = spatial.length;
    const aligned = attrs.align_corners === 1;
    const acc = attrs.mode === 'nearest' ? x.dtype : isFloat(x.dtype) ? accumulatorOf(x.dtype) : 'f32';
    const places = b.cast(grid, accumulatorOf(grid.dtype));
    const taps = spatial.map((size, i) => {
      // The last coordinate of the grid belongs to the first spatial axis.
      const n = b.reshape(sliceAxis(b, places, rank + 1, rank - 1 - i, 1), [shape[0]!, 1, ...shape.slice(2)]);
      const c = (value: number): Operand => b.scalar(n.dtype, value);
      const grown = b.add(n, c(1));
      const at = aligned ? b.mul(grown, c((size - 1) / 2)) : b.mul(b.sub(b.mul(grown, c(size)), c(1)), c(0.5));
      return tapsOf[attrs.mode]!(b, at, { size, aligned, padding: attrs.padding_mode }).map((tap) =>
        tap.weight === undefined ? tap : { ...tap, weight: b.cast(tap.weight, acc) },
      );
    });
    return [b.cast(sumTaps(b, b.cast(x, acc), [0, 1, ...taps], shape), x.dtype)];
  },

  // One product and sum per axis over broadcast lines; no table of the whole grid.
  AffineGrid(b, { attrs }, inputs) {
    const theta = inputAt(inputs, 0);
    const spatial = affineSpatial(theta.shape, numbersOf(b, inputAt(inputs, 1)));
    const [rank, batch] = [spatial.length, theta.shape[0]!];
    const wide = b.cast(theta, accumulatorOf(theta.dtype));
    const column = (i: number): Operand => b.reshape(sliceAxis(b, wide, 2, i, 1), [batch, ...spatial.map(() => 1), rank]);
    const terms = spatial.map((size, i) => {
      const line = b.constant(tensorFrom(wide.dtype, [size], gridLine(size, attrs.align_corners === 1)));
      return b.mul(column(rank - 1 - i), along(b, line, i + 1, rank + 2));
    });
    const grid = terms.reduce((sum, term) => b.add(sum, term), column(rank));
    return [b.cast(b.expand(grid, [batch, ...spatial, rank]), theta.dtype)];
  },
};
