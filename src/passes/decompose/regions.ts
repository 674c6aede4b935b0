// Decompositions of RoiAlign and MaxRoiPool.
import type { NumericDType } from '../../core/dtype.ts';
import { elementCount } from '../../core/shape.ts';
import { tensorFrom } from '../../core/tensor.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import { checkRegions } from '../../graph/ops/gridGeometry.ts';
import type { visionOps } from '../../graph/ops/vision.ts';
import { accumulatorOf, inputAt, onHost } from '../lowering.ts';
import type { Lowerings } from '../lowering.ts';
import { roundAway, tapTerms } from './sampling.ts';
import type { Tap } from './sampling.ts';
import { along, dropAxes, sliceAxis } from './views.ts';

/** Column `i` of the regions as [R, 1, …] of rank `rank`, scaled to the image. */
function column(b: Builder, rois: Operand, i: number, scale: number, rank: number): Operand {
  const values = b.reshape(sliceAxis(b, rois, 1, i, 1), [rois.shape[0]!]);
  return along(b, scale === 1 ? values : b.mul(values, b.scalar(rois.dtype, scale)), 0, rank);
}

const vector = (b: Builder, dtype: NumericDType, length: number, axis: number, rank: number, at: (i: number) => number): Operand =>
  along(
    b,
    b.constant(
      tensorFrom(
        dtype,
        [length],
        Array.from({ length }, (_, i) => at(i)),
      ),
    ),
    axis,
    rank,
  );

/** The two pixels around each sample; both count as zero when it lies more than a pixel outside. */
function alignTaps(b: Builder, at: Operand, size: number): readonly Tap[] {
  const c = (value: number): Operand => b.scalar(at.dtype, value);
  const inside = b.and(b.ge(at, c(-1)), b.le(at, c(size)));
  const x = b.min(b.max(at, c(0)), c(size - 1));
  const low = b.floor(x);
  const fraction = b.sub(x, low);
  return [
    { index: b.cast(low, 'i32'), weight: b.sub(c(1), fraction), inside },
    { index: b.cast(b.min(b.add(low, c(1)), c(size - 1)), 'i32'), weight: fraction, inside },
  ];
}

/** First and one past the last pixel of each bin, [R, …bins on `axis`…], as integral floats in 0…size. */
function binEdges(b: Builder, first: Operand, last: Operand, bins: number, axis: number, size: number): readonly [Operand, Operand] {
  const c = (value: number): Operand => b.scalar(first.dtype, value);
  const start = roundAway(b, first);
  const extent = b.max(b.add(b.sub(roundAway(b, last), start), c(1)), c(1));
  const rank = first.shape.length;
  const edge = (shift: number): Operand => {
    const steps = vector(b, first.dtype, bins, axis, rank, (i) => i + shift);
    return b.div(b.mul(extent, steps), c(bins));
  };
  const inside = (x: Operand): Operand => b.min(b.max(x, c(0)), c(size));
  return [inside(b.add(start, b.floor(edge(0)))), inside(b.add(start, b.ceil(edge(1))))];
}

export const regionLowerings: Lowerings<keyof Pick<typeof visionOps, 'RoiAlign' | 'MaxRoiPool'>> = {
  RoiAlign(b, { attrs }, inputs) {
    const [x, regions, batches] = [inputAt(inputs, 0), inputAt(inputs, 1), inputAt(inputs, 2)];
    checkRegions(x.shape, regions.shape, 4, [attrs.output_height, attrs.output_width], batches.shape);
    const { sampling_ratio: samples, output_height: rows, output_width: columns } = attrs;
    const shape = [regions.shape[0]!, x.shape[1]!, rows, columns];
    if (samples <= 0) return onHost('the number of samples depends on the size of the regions');
    if (elementCount(shape) === 0) return [b.full(x.dtype, shape, 0)];
    const acc = accumulatorOf(x.dtype);
    const rois = b.cast(regions, acc);
    const aligned = attrs.coordinate_transformation_mode === 'half_pixel';
    // Iterates over [R, C, row, column, sample row, sample column].
    const taps = ([axis, bins, size]: readonly [axis: number, bins: number, size: number]): readonly Tap[] => {
      const edge = (i: number): Operand => {
        const value = column(b, rois, i, attrs.spatial_scale, 6);
        return aligned ? b.sub(value, b.scalar(acc, 0.5)) : value;
      };
      const [start, end] = [edge(3 - axis), edge(5 - axis)];
      const extent = aligned ? b.sub(end, start) : b.max(b.sub(end, start), b.scalar(acc, 1));
      const places = b.add(
        vector(b, acc, bins, axis, 6, (i) => i / bins),
        vector(b, acc, samples, axis + 2, 6, (i) => (i + 0.5) / (bins * samples)),
      );
      return alignTaps(b, b.add(start, b.mul(extent, places)), size);
    };
    const image: Tap = { index: along(b, batches, 0, 6) };
    // A sample of a bin is the same pixels of all channels: those lie side by side.
    const pixels = b.transpose(b.cast(x, acc), [0, 2, 3, 1]);
    const axes = [[image], taps([2, rows, x.shape[2]!]), taps([3, columns, x.shape[3]!]), 1];
    const isMax = attrs.mode === 'max';
    // In max mode the specification takes the largest weighted pixel, not the largest interpolated value.
    const values = tapTerms(b, pixels, axes, [...shape, samples, samples]).reduce((all, term) => (isMax ? b.max(all, term) : b.add(all, term)));
    const pooled = dropAxes(b, b.reduce(isMax ? 'max' : 'sum', values, [4, 5]), [4, 5]);
    return [b.cast(isMax ? pooled : b.mul(pooled, b.scalar(acc, 1 / (samples * samples))), x.dtype)];
  },

  // Bins are rectangles, so the maximum is taken over columns and then over rows, each under a mask.
  MaxRoiPool(b, { attrs }, inputs) {
    const [x, regions] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    checkRegions(x.shape, regions.shape, 5, attrs.pooled_shape);
    const [channels, height, width] = [x.shape[1]!, x.shape[2]!, x.shape[3]!];
    const [rows, columns] = [attrs.pooled_shape[0]!, attrs.pooled_shape[1]!];
    const count = regions.shape[0]!;
    const rois = b.cast(regions, accumulatorOf(regions.dtype));
    const edges = (i: number, rank: number, bins: number, axis: number, size: number): readonly [Operand, Operand] =>
      binEdges(b, column(b, rois, i, attrs.spatial_scale, rank), column(b, rois, i + 2, attrs.spatial_scale, rank), bins, axis, size);
    const lowest = b.scalar(x.dtype, -Infinity);
    const within = (at: Operand, [start, end]: readonly [Operand, Operand]): Operand => b.and(b.ge(at, start), b.lt(at, end));

    const image = along(b, b.cast(b.reshape(sliceAxis(b, rois, 1, 0, 1), [count]), 'i32'), 0, 5);
    const pixels = b.gather(x, [{ index: 0 }, { axis: 1 }, { axis: 2 }, { axis: 4 }], [image], [count, channels, height, columns, width]);
    const inColumn = within(
      vector(b, rois.dtype, width, 4, 5, (i) => i),
      edges(1, 5, columns, 3, width),
    );
    const perColumn = dropAxes(b, b.reduce('max', b.where(inColumn, pixels, lowest), [4]), [4]);

    const inRow = within(
      vector(b, rois.dtype, height, 3, 5, (i) => i),
      edges(2, 5, rows, 2, height),
    );
    const spread = b.reshape(perColumn, [count, channels, 1, height, columns]);
    const most = dropAxes(b, b.reduce('max', b.where(inRow, spread, lowest), [3]), [3]);
    const [top, bottom] = edges(2, 4, rows, 2, height);
    const [left, right] = edges(1, 4, columns, 3, width);
    return [b.where(b.and(b.lt(top, bottom), b.lt(left, right)), most, b.scalar(x.dtype, 0))];
  },
};
