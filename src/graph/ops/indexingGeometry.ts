// Shapes of gathers and scatters, and how their index tuples meet the data. Knows shapes only, never data.
import { AnychipError } from '../../core/error.ts';
import { elementCount, formatShape, normalizeAxis, sameShape } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';
import type { IndexSource, ScatterFn } from '../prims.ts';
import { checkedLength } from './limits.ts';

const fail = (reason: string, hint = 'Check the operator against its specification.'): never => {
  throw new AnychipError('shape', reason, { hint });
};

/** `{ axis }` for every axis of an iteration shape that is a data axis too. */
const own = (from: number, count: number): IndexSource[] => Array.from({ length: count }, (_, i) => ({ axis: from + i }));

export interface Picking {
  readonly shape: Shape;
  readonly sources: readonly IndexSource[];
}

/** Something is taken from an axis: it must have something. */
function checkTaken(data: Shape, axes: readonly number[], shape: Shape): void {
  if (elementCount(shape) > 0 && axes.some((axis) => data[axis] === 0)) fail(`elements are taken from an empty axis of ${formatShape(data)}`);
}

/** Gather: along `axis`, the slices that `indices` name. */
export function gatherPicking(data: Shape, indices: Shape, attr: number): Picking & { readonly axis: number } {
  const axis = normalizeAxis(attr, data.length);
  const shape = [...data.slice(0, axis), ...indices, ...data.slice(axis + 1)];
  checkTaken(data, [axis], shape);
  return { axis, shape, sources: [...own(0, axis), { index: 0 }, ...own(axis + indices.length, data.length - axis - 1)] };
}

/** GatherElements and ScatterElements: the coordinate of one axis is read, the others are the position's own. */
export function elementsPicking(data: Shape, indices: Shape, attr: number): Picking & { readonly axis: number } {
  const axis = normalizeAxis(attr, data.length);
  if (indices.length !== data.length || indices.some((d, i) => i !== axis && d > data[i]!))
    fail(`indices of shape ${formatShape(indices)} into ${formatShape(data)} along axis ${axis}`);
  checkTaken(data, [axis], indices);
  return { axis, shape: indices, sources: own(0, data.length).with(axis, { index: 0 }) };
}

/** GatherND and ScatterND: the last axis of `indices` holds coordinates of the axes after the batch. */
export function tuplePicking(data: Shape, indices: Shape, batch: number): Picking & { readonly width: number } {
  if (indices.length === 0) fail('indices without an axis of coordinates');
  const width = indices.at(-1)!;
  const outer = indices.slice(0, -1);
  if (batch < 0 || batch > outer.length || batch + width > data.length) fail(`tuples of ${width} after ${batch} batch axes into ${formatShape(data)}`);
  if (!sameShape(outer.slice(0, batch), data.slice(0, batch))) fail(`batch axes of indices ${formatShape(indices)} and data ${formatShape(data)} differ`);
  const shape = [...outer, ...data.slice(batch + width)];
  const read = Array.from({ length: width }, (_, index): IndexSource => ({ index }));
  checkTaken(
    data,
    read.map((_, i) => batch + i),
    shape,
  );
  return { width, shape, sources: [...own(0, batch), ...read, ...own(outer.length, data.length - batch - width)] };
}

export function checkUpdates(updates: Shape, wanted: Shape): void {
  if (!sameShape(updates, wanted)) fail(`updates of shape ${formatShape(updates)}, not ${formatShape(wanted)}`);
}

const reductions: Readonly<Record<string, ScatterFn>> = { none: 'replace', add: 'add', mul: 'mul', min: 'min', max: 'max' };
export function scatterFn(reduction: string): ScatterFn {
  const fn = Object.hasOwn(reductions, reduction) ? reductions[reduction] : undefined;
  return fn ?? fail(`a scatter with reduction '${reduction}'`, `Reductions are ${Object.keys(reductions).join(', ')}.`);
}

/** The axis of a cache that is written, and whether positions wrap around (TensorScatter). */
export function cacheGeometry(
  cache: Shape,
  update: Shape,
  indices: Shape | undefined,
  attrs: { readonly axis: number; readonly mode: string },
): { readonly axis: number; readonly isCircular: boolean } {
  const axis = normalizeAxis(attrs.axis, cache.length);
  if (axis === 0) fail('a cache written along its batch axis');
  if (attrs.mode !== 'linear' && attrs.mode !== 'circular') fail(`TensorScatter with mode '${attrs.mode}'`, 'Modes are linear and circular.');
  const fits = update.length === cache.length && update.every((d, i) => (i === axis ? d <= cache[i]! : d === cache[i]));
  if (!fits) fail(`an update of shape ${formatShape(update)} to a cache of ${formatShape(cache)} along axis ${axis}`);
  if (indices !== undefined && !sameShape(indices, [cache[0]!])) fail(`write_indices of shape ${formatShape(indices)} for a batch of ${cache[0]}`);
  return { axis, isCircular: attrs.mode === 'circular' };
}

/** Where the new axis of OneHot lies, and the shape with it. */
export function oneHotGeometry(indices: Shape, depth: number, attr: number): { readonly axis: number; readonly shape: Shape } {
  const axis = normalizeAxis(attr, indices.length + 1);
  return { axis, shape: indices.toSpliced(axis, 0, checkedLength('depth', depth)) };
}

export function topKGeometry(x: Shape, k: number, attr: number): { readonly axis: number; readonly shape: Shape } {
  const axis = normalizeAxis(attr, x.length);
  if (!(k >= 0 && k <= x[axis]!)) fail(`the ${k} first of ${x[axis]} elements`, 'K is at most the size of the axis.');
  return { axis, shape: x.with(axis, k) };
}

/** The positions along the axis (of the flat tensor without one) that Compress keeps. */
export function compressGeometry(x: Shape, condition: readonly boolean[], attr: number | undefined): { readonly axis: number | undefined; readonly kept: readonly number[] } {
  const axis = attr === undefined ? undefined : normalizeAxis(attr, x.length);
  const size = axis === undefined ? elementCount(x) : x[axis]!;
  if (condition.length > size) fail(`${condition.length} conditions for ${size} elements`);
  return { axis, kept: condition.flatMap((keep, i) => (keep ? [i] : [])) };
}
