// How operators of the shape family read their arguments: target shapes, slices, paddings, splits. Knows no data.
// Source: the operators' specifications (ONNX Operators.md), each under its name.
import { AnychipError } from '../../core/error.ts';
import { elementCount, formatShape, normalizeAxes, normalizeAxis } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';

const fail = (reason: string): never => {
  throw new AnychipError('shape', reason, { hint: 'Check the shapes and the arguments of the operator.' });
};

/** Reshape: one dimension may be −1 (what is left), 0 copies the input's unless `allowZero`. */
export function resolveReshape(shape: Shape, target: readonly number[], allowZero: boolean): number[] {
  const copied = target.map((d, i) => (d === 0 && !allowZero ? (shape[i] ?? fail(`dimension ${i} of ${formatShape(target)} copies one that ${formatShape(shape)} has not`)) : d));
  const open = copied.filter((d) => d === -1).length;
  const fixed = elementCount(copied.filter((d) => d !== -1));
  const count = elementCount(shape);
  const possible =
    open < 2 && copied.every((d) => d >= -1) && !(open === 1 && allowZero && target.includes(0)) && (open === 0 ? fixed === count : fixed > 0 ? count % fixed === 0 : count === 0);
  if (!possible) fail(`${formatShape(shape)} cannot be reshaped to ${formatShape(target)}`);
  return copied.map((d) => (d === -1 ? (fixed === 0 ? 0 : count / fixed) : d));
}

export function squeezedShape(shape: Shape, axes: readonly number[] | undefined): number[] {
  const gone = axes === undefined ? shape.flatMap((d, i) => (d === 1 ? [i] : [])) : normalizeAxes(axes, shape.length);
  const wide = gone.find((axis) => shape[axis] !== 1);
  if (wide !== undefined) fail(`axis ${wide} of ${formatShape(shape)} cannot be squeezed: it is not 1`);
  return shape.filter((_, i) => !gone.includes(i));
}

export function unsqueezedShape(shape: Shape, axes: readonly number[]): number[] {
  const rank = shape.length + axes.length;
  const added = normalizeAxes(axes, rank);
  if (added.length < axes.length) fail(`axes ${formatShape(axes)} name one axis twice`);
  const rest = [...shape];
  return Array.from({ length: rank }, (_, i) => (added.includes(i) ? 1 : rest.shift()!));
}

export const flattenedShape = (shape: Shape, axis: number): number[] => {
  const at = axis === shape.length ? axis : normalizeAxis(axis, shape.length);
  return [elementCount(shape.slice(0, at)), elementCount(shape.slice(at))];
};

export function permutationOf(perm: readonly number[] | undefined, rank: number): number[] {
  if (perm === undefined) return Array.from({ length: rank }, (_, i) => rank - 1 - i);
  const order = perm.map((axis) => normalizeAxis(axis, rank));
  if (order.length !== rank || new Set(order).size !== rank) fail(`perm ${formatShape(perm)} is not a permutation of ${rank} axes`);
  return order;
}

/** Shape with start and end: negative count from the end, others are clamped. */
export function shapeSlice(shape: Shape, start: number, end: number | undefined): number[] {
  const rank = shape.length;
  const clamp = (i: number): number => Math.min(Math.max(i < 0 ? i + rank : i, 0), rank);
  return shape.slice(clamp(start), end === undefined ? rank : clamp(end));
}

export interface SlicePlan {
  readonly starts: number[];
  readonly sizes: number[];
  readonly steps: number[];
}

/** Slice: NumPy's rules, negative steps included. */
export function resolveSlice(
  shape: Shape,
  starts: readonly number[],
  ends: readonly number[],
  axes: readonly number[] | undefined,
  steps: readonly number[] | undefined,
): SlicePlan {
  const plan: SlicePlan = { starts: shape.map(() => 0), sizes: [...shape], steps: shape.map(() => 1) };
  const named = (axes ?? starts.map((_, i) => i)).map((axis) => normalizeAxis(axis, shape.length));
  if (ends.length !== starts.length || named.length !== starts.length || (steps !== undefined && steps.length !== starts.length))
    fail(`${starts.length} starts, ${ends.length} ends, ${named.length} axes`);
  if (new Set(named).size !== named.length) fail('one axis is sliced twice');
  named.forEach((axis, i) => {
    const size = shape[axis]!;
    const step = steps?.[i] ?? 1;
    if (step === 0) fail('a slice with the step 0');
    const clamp = (at: number): number => (step > 0 ? Math.min(Math.max(at < 0 ? at + size : at, 0), size) : Math.min(Math.max(at < 0 ? at + size : at, -1), size - 1));
    const [from, to] = [clamp(starts[i]!), clamp(ends[i]!)];
    const count = Math.max(0, Math.ceil((to - from) / step));
    plan.starts[axis] = count === 0 ? 0 : from;
    plan.sizes[axis] = count;
    plan.steps[axis] = step;
  });
  return plan;
}

/** Pad: elements added (or, negative, taken away) before and after each axis. */
export function resolvePads(shape: Shape, pads: readonly number[], axes: readonly number[] | undefined): { readonly low: number[]; readonly high: number[] } {
  const named = (axes ?? shape.map((_, i) => i)).map((axis) => normalizeAxis(axis, shape.length));
  if (pads.length !== 2 * named.length || new Set(named).size !== named.length) fail(`pads ${formatShape(pads)} for ${named.length} axes`);
  const low = shape.map(() => 0);
  const high = shape.map(() => 0);
  named.forEach((axis, i) => {
    low[axis] = pads[i]!;
    high[axis] = pads[named.length + i]!;
  });
  shape.forEach((d, i) => {
    if (d + low[i]! + high[i]! < 0) fail(`pads ${formatShape(pads)} take away more than ${formatShape(shape)} has`);
  });
  return { low, high };
}

/** The input coordinate that padding at `at` (may be outside [0, size)) repeats; −1 for the constant. */
export type PadMode = (at: number, size: number) => number;
const modulo = (a: number, n: number): number => ((a % n) + n) % n;
export const padModes: Readonly<Record<string, PadMode>> = {
  constant: (at, size) => (at >= 0 && at < size ? at : -1),
  edge: (at, size) => Math.min(Math.max(at, 0), size - 1),
  reflect: (at, size) => {
    if (size === 1) return 0;
    const around = modulo(at, 2 * (size - 1));
    return around < size ? around : 2 * (size - 1) - around;
  },
  wrap: modulo,
};

/** The mode by name; padding an empty axis with its own elements is impossible. */
export function padMode(name: string, shape: Shape, low: readonly number[], high: readonly number[]): PadMode {
  const mode = Object.hasOwn(padModes, name) ? padModes[name]! : fail(`pad mode '${name}' is unknown`);
  if (name !== 'constant' && shape.some((d, i) => d === 0 && low[i]! + high[i]! > 0)) fail(`an empty axis of ${formatShape(shape)} cannot be padded by mode '${name}'`);
  return mode;
}

/** Split: sizes of the parts along an axis of `size`. */
export function splitSizes(size: number, sizes: readonly number[] | undefined, parts: number): number[] {
  if (sizes !== undefined) {
    if (sizes.some((s) => s < 0) || sizes.reduce((a, b) => a + b, 0) !== size) fail(`an axis of ${size} cannot be split into ${formatShape(sizes)}`);
    return [...sizes];
  }
  if (parts < 1) fail('a split into no parts');
  const each = Math.ceil(size / parts);
  return Array.from({ length: parts }, (_, i) => Math.max(0, Math.min(each, size - i * each)));
}

export function tiledShape(shape: Shape, repeats: readonly number[]): number[] {
  if (repeats.length !== shape.length || repeats.some((r) => r < 0)) fail(`repeats ${formatShape(repeats)} of ${formatShape(shape)}`);
  return shape.map((d, i) => d * repeats[i]!);
}

/** DepthToSpace and SpaceToDepth want [N, C, H, W]. */
export function blockShape(shape: Shape, block: number, channels: 'split' | 'join'): { readonly n: number; readonly c: number; readonly h: number; readonly w: number } {
  const [n, c, h, w] = shape;
  const fits = shape.length === 4 && block > 0 && (channels === 'split' ? c! % (block * block) === 0 : h! % block === 0 && w! % block === 0);
  return fits ? { n: n!, c: c!, h: h!, w: w! } : fail(`blocks of ${block} do not fit ${formatShape(shape)}`);
}

/** Range: number of elements. */
export function rangeCount(start: number, limit: number, delta: number): number {
  if (delta === 0) fail('a range with the step 0');
  return Math.max(0, Math.ceil((limit - start) / delta));
}

/** CenterCropPad: for each axis where the result starts in the input (negative: padding first) and its size. */
export function resolveCenter(shape: Shape, target: readonly number[], axes: readonly number[] | undefined): { readonly starts: number[]; readonly sizes: number[] } {
  const named = (axes ?? shape.map((_, i) => i)).map((axis) => normalizeAxis(axis, shape.length));
  if (target.length !== named.length || target.some((t) => t < 0)) fail(`a target of ${formatShape(target)} for ${named.length} axes`);
  const starts = shape.map(() => 0);
  const sizes = [...shape];
  named.forEach((axis, i) => {
    const extra = target[i]! - shape[axis]!;
    sizes[axis] = target[i]!;
    // An odd difference puts the extra element at the end, when cropping as when padding.
    starts[axis] = extra > 0 ? -Math.floor(extra / 2) : Math.floor(-extra / 2);
  });
  return { starts, sizes };
}

export function checkReverseSequence(shape: Shape, lengths: Shape, batchAxis: number, timeAxis: number): { readonly batch: number; readonly time: number } {
  const [batch, time] = [normalizeAxis(batchAxis, shape.length), normalizeAxis(timeAxis, shape.length)];
  if (batch === time || lengths.length !== 1 || lengths[0] !== shape[batch]) fail(`sequence_lens of shape ${formatShape(lengths)} for ${formatShape(shape)}`);
  return { batch, time };
}
