// What Resize reads: output sizes, and for every output position along an axis the input positions and weights that make it up.
// Resize is separable, so one table per axis says everything. Source: specification of Resize (opsets 10 to 19). Knows no data.
import { AnychipError } from '../../core/error.ts';
import { formatShape, normalizeAxis } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';
import type { AttrsOf } from '../schema.ts';
import { checkedLength } from './limits.ts';
import type { visionOps } from './vision.ts';

export type ResizeAttrs = AttrsOf<typeof visionOps.Resize>;

export interface ResizeAxis {
  readonly axis: number;
  readonly size: number;
  readonly out: number;
  readonly scale: number;
  /** The wished output size, a fraction where it comes from a scale. */
  readonly width: number;
  /** Region of interest, in fractions of the axis. */
  readonly start: number;
  readonly end: number;
}

/** One output position: a weighted sum of input positions, all in range. */
export interface ResizeEntry {
  readonly indices: readonly number[];
  readonly weights: readonly number[];
  /** Extrapolated: the whole output element is `extrapolation_value`. */
  readonly outside: boolean;
}

const fail = (reason: string): never => {
  throw new AnychipError('shape', reason, {
    hint: 'Check the scales, sizes, roi and attributes of Resize.',
  });
};

/** The operands of Resize that are known on the host; empty tensors count as absent. */
export interface ResizeOperands {
  readonly roi?: readonly number[] | undefined;
  readonly scales?: readonly number[] | undefined;
  readonly sizes?: readonly number[] | undefined;
}

/** The axes that Resize works on, in the order of `axes`. */
export function resolveResize(shape: Shape, attrs: ResizeAttrs, operands: ResizeOperands): readonly ResizeAxis[] {
  const axes = (attrs.axes ?? shape.map((_, i) => i)).map((axis) => normalizeAxis(axis, shape.length));
  const [roi, scales, sizes] = [operands.roi, operands.scales, operands.sizes].map((list) => (list === undefined || list.length === 0 ? undefined : list));
  for (const [name, list, length] of [
    ['scales', scales, axes.length],
    ['sizes', sizes, axes.length],
  ] as const) {
    if (list !== undefined && list.length !== length) fail(`${name} ${formatShape(list)} for ${length} axes`);
  }
  if ((scales === undefined) === (sizes === undefined)) fail('exactly one of scales and sizes is needed');
  const crop = attrs.coordinate_transformation_mode === 'tf_crop_and_resize';
  if (crop && roi?.length !== 2 * axes.length) fail(`tf_crop_and_resize needs a roi of ${2 * axes.length} values`);
  const targets = scales === undefined ? sizeTargets(shape, axes, sizes!, attrs.keep_aspect_ratio_policy) : scaleTargets(shape, axes, scales);
  return axes.map((axis, i) => ({
    axis,
    size: shape[axis]!,
    ...targets[i]!,
    start: crop ? roi![i]! : 0,
    end: crop ? roi![axes.length + i]! : 1,
  }));
}

type Target = Pick<ResizeAxis, 'out' | 'scale' | 'width'>;

// Sizes come from products rounded to f32, as scales are f32: 10 × 0.7 is 7.
function scaleTargets(shape: Shape, axes: readonly number[], scales: readonly number[]): readonly Target[] {
  if (scales.some((s) => !(s > 0))) fail(`scales ${formatShape(scales)}: all must be positive`);
  return axes.map((axis, i) => {
    const width = Math.fround(shape[axis]! * scales[i]!);
    return { out: checkedLength('an axis', Math.floor(width)), scale: scales[i]!, width };
  });
}

function sizeTargets(shape: Shape, axes: readonly number[], sizes: readonly number[], policy: string): readonly Target[] {
  sizes.forEach((size) => checkedLength('an axis', size));
  if (policy === 'stretch')
    return axes.map((axis, i) => ({
      out: sizes[i]!,
      scale: sizes[i]! / shape[axis]!,
      width: sizes[i]!,
    }));
  const ratios = axes.map((axis, i) => sizes[i]! / shape[axis]!);
  const scale = policy === 'not_larger' ? Math.min(...ratios) : policy === 'not_smaller' ? Math.max(...ratios) : fail(`keep_aspect_ratio_policy '${policy}' is unknown`);
  return axes.map((axis) => ({
    out: checkedLength('an axis', Math.floor(scale * shape[axis]! + 0.5)),
    scale,
    width: scale * shape[axis]!,
  }));
}

type Coordinate = (x: number, a: ResizeAxis) => number;

const coordinates: Readonly<Record<string, Coordinate>> = {
  half_pixel: (x, a) => (x + 0.5) / a.scale - 0.5,
  half_pixel_symmetric: (x, a) => (a.size / 2) * (1 - a.out / a.width) + (x + 0.5) / a.scale - 0.5,
  pytorch_half_pixel: (x, a) => (a.out > 1 ? (x + 0.5) / a.scale - 0.5 : 0),
  align_corners: (x, a) => (a.width === 1 || a.out === 1 ? 0 : (x * (a.size - 1)) / (a.width - 1)),
  asymmetric: (x, a) => x / a.scale,
  tf_crop_and_resize: (x, a) => (a.out > 1 ? a.start * (a.size - 1) + (x * (a.end - a.start) * (a.size - 1)) / (a.width - 1) : 0.5 * (a.start + a.end) * (a.size - 1)),
  tf_half_pixel_for_nn: (x, a) => (x + 0.5) / a.scale,
};

const roundings: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** A filter: its weight at a distance, zero from `support` on. Keys, "Cubic Convolution Interpolation" (1981), equation 4. */
interface Filter {
  readonly support: number;
  readonly at: (distance: number) => number;
}
const linearFilter: Filter = { support: 1, at: (d) => 1 - d };
const cubicFilter = (a: number): Filter => ({
  support: 2,
  at: (d) => (d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a),
});

const pick = <T>(table: Readonly<Record<string, T>>, name: string, what: string): T => (Object.hasOwn(table, name) ? table[name]! : fail(`${what} '${name}' is unknown`));
const clamp = (i: number, size: number): number => Math.min(Math.max(i, 0), size - 1);

/** The table of one axis: an entry per output position. */
export function resizeTable(a: ResizeAxis, attrs: ResizeAttrs): readonly ResizeEntry[] {
  if (a.size === 0 && a.out > 0) fail(`an empty axis cannot be resized to ${a.out}`);
  const coordinate = pick(coordinates, attrs.coordinate_transformation_mode, 'coordinate_transformation_mode');
  const entryAt = attrs.mode === 'nearest' ? nearestEntry(a, attrs) : filterEntry(a, attrs);
  const crop = attrs.coordinate_transformation_mode === 'tf_crop_and_resize';
  return Array.from({ length: a.out }, (_, x) => {
    const at = coordinate(x, a);
    return { ...entryAt(at), outside: crop && (at < 0 || at > a.size - 1) };
  });
}

type EntryAt = (at: number) => Omit<ResizeEntry, 'outside'>;

// Which pixel is nearest is decided in f32: scales are f32, and more digits would split hairs they do not have.
function nearestEntry(a: ResizeAxis, attrs: ResizeAttrs): EntryAt {
  const round = pick(roundings, attrs.nearest_mode, 'nearest_mode');
  return (at) => ({ indices: [clamp(round(Math.fround(at)), a.size)], weights: [1] });
}

function filterEntry(a: ResizeAxis, attrs: ResizeAttrs): EntryAt {
  const filter = pick<Filter>({ linear: linearFilter, cubic: cubicFilter(attrs.cubic_coeff_a) }, attrs.mode, 'mode');
  // Antialiasing stretches the filter when the axis shrinks.
  const stretch = attrs.antialias === 1 ? Math.min(a.scale, 1) : 1;
  const reach = filter.support / stretch;
  return (at) => {
    const first = Math.floor(at - reach) + 1;
    const last = Math.ceil(at + reach) - 1;
    const taps = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    const weights = taps.map((i) => (attrs.exclude_outside === 1 && (i < 0 || i >= a.size) ? 0 : filter.at(Math.abs(i - at) * stretch)));
    const total = stretch < 1 || attrs.exclude_outside === 1 ? weights.reduce((sum, w) => sum + w, 0) : 1;
    const kept = taps.map((_, i) => i).filter((i) => weights[i] !== 0);
    return {
      indices: kept.map((i) => clamp(taps[i]!, a.size)),
      weights: kept.map((i) => weights[i]! / total),
    };
  };
}

/** The output shape. */
export const resizedShape = (shape: Shape, axes: readonly ResizeAxis[]): number[] => shape.map((d, i) => axes.find((a) => a.axis === i)?.out ?? d);
