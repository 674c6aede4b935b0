// Reference of the region pools: RoiAlign (He et al., "Mask R-CNN", 2017) and MaxRoiPool (Girshick, "Fast R-CNN", 2015).
import { AnychipError } from '../core/error.ts';
import { forEachIndex } from '../core/shape.ts';
import { createTensor, elementWriter, numberReader, tensorBytes } from '../core/tensor.ts';
import { checkRegions, regionBin } from '../graph/ops/gridGeometry.ts';
import { numericAt } from './evaluate.ts';
import type { Evaluations } from './evaluate.ts';

type Tap = readonly [index: number, weight: number];

/** The two pixels around a sample on one axis; both weigh nothing when it lies more than a pixel outside. */
function alignTaps(at: number, size: number): readonly [Tap, Tap] {
  const inside = at >= -1 && at <= size ? 1 : 0;
  const x = Math.min(Math.max(at, 0), size - 1);
  const low = inside === 1 ? Math.floor(x) : 0;
  const fraction = inside === 1 ? x - low : 0;
  return [
    [low, inside * (1 - fraction)],
    [Math.min(low + 1, size - 1), inside * fraction],
  ];
}

/** `counts` samples in each of `bins` bins from `start` over `extent`. */
const samplesOf = (start: number, extent: number, bins: number, bin: number, count: number, size: number): readonly (readonly [Tap, Tap])[] =>
  Array.from({ length: count }, (_, i) => alignTaps(start + (bin * extent) / bins + ((i + 0.5) * extent) / bins / count, size));

const batchAt = (value: number, batches: number): number => {
  if (Number.isInteger(value) && value >= 0 && value < batches) return value;
  throw new AnychipError('run', `a region of image ${value} in a batch of ${batches}`);
};

export const regionEvaluations: Evaluations<'RoiAlign' | 'MaxRoiPool'> = {
  RoiAlign({ attrs }, inputs, context) {
    const [x, rois, batches] = [numericAt(inputs, 0), numericAt(inputs, 1), numericAt(inputs, 2)];
    checkRegions(x.shape, rois.shape, 4, [attrs.output_height, attrs.output_width], batches.shape);
    const [height, width] = [x.shape[2]!, x.shape[3]!];
    const shape = [rois.shape[0]!, x.shape[1]!, attrs.output_height, attrs.output_width];
    context.reserve(tensorBytes(x.dtype, shape));
    const y = createTensor(x.dtype, shape);
    const [read, roi, batch, write] = [numberReader(x), numberReader(rois), numberReader(batches), elementWriter(y)];
    const aligned = attrs.coordinate_transformation_mode === 'half_pixel';
    const offset = aligned ? 0.5 : 0;
    forEachIndex(shape, ([r, c, ph, pw], flat) => {
      const [x1, y1, x2, y2] = [0, 1, 2, 3].map((i) => roi(r! * 4 + i) * attrs.spatial_scale - offset);
      const [h, w] = [y2! - y1!, x2! - x1!].map((extent) => (aligned ? extent : Math.max(extent, 1)));
      const countOf = (extent: number, bins: number): number => (attrs.sampling_ratio > 0 ? attrs.sampling_ratio : Math.max(Math.ceil(extent / bins), 0));
      const rows = samplesOf(y1!, h!, shape[2]!, ph!, countOf(h!, shape[2]!), height);
      const columns = samplesOf(x1!, w!, shape[3]!, pw!, countOf(w!, shape[3]!), width);
      const plane = (batchAt(batch(r!), x.shape[0]!) * shape[1]! + c!) * height * width;
      // One entry per sample: what each of its four pixels contributes.
      const samples = rows.flatMap((row) => columns.map((column) => row.flatMap(([i, wi]) => column.map(([j, wj]) => read(plane + i * width + j) * wi * wj))));
      // In max mode the specification takes the largest weighted pixel, not the largest interpolated value.
      const value =
        attrs.mode === 'max' ? samples.flat().reduce((most, v) => Math.max(most, v), -Infinity) : samples.flat().reduce((sum, v) => sum + v, 0) / Math.max(samples.length, 1);
      write(flat, samples.length === 0 ? 0 : value);
    });
    return [y];
  },

  MaxRoiPool({ attrs }, inputs, context) {
    const [x, rois] = [numericAt(inputs, 0), numericAt(inputs, 1)];
    checkRegions(x.shape, rois.shape, 5, attrs.pooled_shape);
    const [height, width] = [x.shape[2]!, x.shape[3]!];
    const shape = [rois.shape[0]!, x.shape[1]!, attrs.pooled_shape[0]!, attrs.pooled_shape[1]!];
    context.reserve(tensorBytes(x.dtype, shape));
    const y = createTensor(x.dtype, shape);
    const [read, roi, write] = [numberReader(x), numberReader(rois), elementWriter(y)];
    forEachIndex(shape, ([r, c, ph, pw], flat) => {
      const [n, x1, y1, x2, y2] = [0, 1, 2, 3, 4].map((i) => roi(r! * 5 + i));
      const rows = regionBin(y1! * attrs.spatial_scale, y2! * attrs.spatial_scale, shape[2]!, ph!, height);
      const columns = regionBin(x1! * attrs.spatial_scale, x2! * attrs.spatial_scale, shape[3]!, pw!, width);
      const plane = (batchAt(n!, x.shape[0]!) * shape[1]! + c!) * height * width;
      let most = -Infinity;
      for (let i = rows.start; i < rows.end; i++) for (let j = columns.start; j < columns.end; j++) most = Math.max(most, read(plane + i * width + j));
      write(flat, rows.start < rows.end && columns.start < columns.end ? most : 0);
    });
    return [y];
  },
};
