// A loop nest before any machine is chosen: outer axes whose points are independent, and at each point stages that run one after the
// other. Axes are split where a view divides them and merged where memory does not see the difference.
import { addIndex, coefficientOf, delinearize, floorDiv, indexSymbol, modIndex, quotientsIn, scaleIndex } from '../core/indexExpr.ts';
import type { Bindings, IndexExpr } from '../core/indexExpr.ts';
import type { NumericDType } from '../core/dtype.ts';
import type { ReduceFn, ScatterFn } from '../graph/prims.ts';
import { Substitution, indicesOf, visitPoints } from './point.ts';
import type { DynamicSymbols, PointExpr } from './point.ts';
import type { MemorySlot } from './storage.ts';

/** An index symbol that runs over [0, extent). */
export interface Axis {
  readonly name: string;
  readonly extent: number;
}
export const axisIndex = (axis: Axis): IndexExpr => indexSymbol(axis.name, 0, axis.extent - 1);

/** Where along each of the axes the point `flat` of all of them lies, row-major. */
export function unflatten(axes: readonly Axis[], flat: IndexExpr): Bindings {
  const position = delinearize(
    flat,
    axes.map((a) => a.extent),
  );
  return new Map(axes.map((a, i) => [a.name, position[i]!]));
}

interface Place {
  readonly slot: MemorySlot;
  readonly offset: IndexExpr;
}
export type Stage = { readonly axes: readonly Axis[]; readonly value: PointExpr } & (
  | ({ readonly kind: 'store' } & Place)
  /** Fills scratch memory; reads of it come after `local`. */
  | ({ readonly kind: 'keep'; readonly local: string } & Place)
  /** `local` becomes the reduction of `value` over the axes. */
  | { readonly kind: 'reduce'; readonly fn: ReduceFn; readonly dtype: NumericDType; readonly local: string }
  /** `local` becomes the position (i64) of the extreme along the axes, counted in row-major order. */
  | { readonly kind: 'argReduce'; readonly fn: 'max' | 'min'; readonly last: boolean; readonly local: string }
  /** Combines `value` with what is stored, point after point in row-major order. */
  | ({ readonly kind: 'update'; readonly fn: ScatterFn } & Place)
  /** Stores the running sum or product along the axes, in row-major order. */
  | ({ readonly kind: 'scan'; readonly fn: 'sum' | 'prod'; readonly exclusive: boolean } & Place)
);

export interface Nest {
  readonly outer: readonly Axis[];
  readonly stages: readonly Stage[];
  readonly dynamic: DynamicSymbols;
}

const MAX_SPLITS = 16;

/** Every index expression of the nest, each once. */
function indicesIn(nest: Nest): IndexExpr[] {
  const found = new Map<string, IndexExpr>();
  const note = (x: IndexExpr): void => void found.set(x.key, x);
  visitPoints(
    nest.stages.map((s) => s.value),
    nest.dynamic,
    (e) => indicesOf(e).forEach(note),
  );
  for (const stage of nest.stages) if ('offset' in stage) note(stage.offset);
  return [...found.values()];
}

/** A symbol that is divided, alone, by a divisor of its extent: as two symbols the division disappears. */
export function findSplit(indices: readonly IndexExpr[], extents: ReadonlyMap<string, number>): { readonly name: string; readonly by: number } | undefined {
  for (const { x, by } of indices.flatMap(quotientsIn)) {
    const only = x.terms[0];
    if (x.terms.length !== 1 || x.constant !== 0 || only?.atom.kind !== 'symbol') continue;
    const extent = extents.get(only.atom.name);
    const divisor = by / only.coefficient;
    if (extent !== undefined && Number.isInteger(divisor) && divisor > 1 && divisor < extent && extent % divisor === 0) return { name: only.atom.name, by: divisor };
  }
  return undefined;
}

/** The two axes that stand for one, the outer first, and the one in terms of them. */
export interface Split {
  readonly axes: readonly [Axis, Axis];
  readonly value: IndexExpr;
}

export function splitAxis(axis: Axis, by: number, fresh: () => string): Split {
  const [high, low] = [
    { name: fresh(), extent: axis.extent / by },
    { name: fresh(), extent: by },
  ];
  return { axes: [high, low], value: addIndex(scaleIndex(axisIndex(high), by), axisIndex(low)) };
}

type Replace = (axes: readonly Axis[]) => readonly Axis[];

function rewrite(nest: Nest, bindings: Bindings, replace: Replace): Nest {
  const { dynamic } = nest;
  const substitution = new Substitution(bindings, dynamic, (definition, old) => {
    const name = `${old}'`;
    const before = indexSymbol(name, 0, Number.MAX_SAFE_INTEGER);
    dynamic.set(name, definition);
    return before;
  });
  const stages = nest.stages.map((stage): Stage => {
    const base = { axes: replace(stage.axes), value: substitution.point(stage.value) };
    return 'offset' in stage ? { ...stage, ...base, offset: substitution.index(stage.offset) } : { ...stage, ...base };
  });
  return { outer: replace(nest.outer), stages, dynamic };
}

/** The nest with the two parts of an axis, side by side, in its place. */
export const replaceAxis = (nest: Nest, axis: Pick<Axis, 'name'>, split: Split): Nest =>
  rewrite(nest, new Map([[axis.name, split.value]]), (axes) => axes.flatMap((a) => (a.name === axis.name ? split.axes : [a])));

const axesOf = (nest: Nest): readonly (readonly Axis[])[] => [nest.outer, ...nest.stages.map((s) => s.axes)];

function splitAxes(nest: Nest, fresh: () => string): Nest {
  let result = nest;
  for (let round = 0; round < MAX_SPLITS; round++) {
    const extents = new Map(axesOf(result).flatMap((axes) => axes.map((a) => [a.name, a.extent] as const)));
    const found = findSplit(indicesIn(result), extents);
    if (found === undefined) break;
    const split = splitAxis({ name: found.name, extent: extents.get(found.name)! }, found.by, fresh);
    result = replaceAxis(result, found, split);
  }
  return result;
}

/** Neighbours in order of which memory sees only the combination high · extent + low. */
function findMerge(nest: Nest, indices: readonly IndexExpr[]): readonly [Axis, Axis] | undefined {
  for (const axes of axesOf(nest)) {
    for (const [i, low] of axes.entries()) {
      const high = axes[i - 1];
      if (high === undefined) continue;
      const fits = indices.every((x) => {
        const [a, b] = [coefficientOf(x, high.name), coefficientOf(x, low.name)];
        return a !== undefined && b !== undefined && a === b * low.extent;
      });
      if (fits) return [high, low];
    }
  }
  return undefined;
}

function mergeAxes(nest: Nest, fresh: () => string): Nest {
  let result = nest;
  for (;;) {
    const found = findMerge(result, indicesIn(result));
    if (found === undefined) return result;
    const [high, low] = found;
    const merged: Axis = { name: fresh(), extent: high.extent * low.extent };
    const x = axisIndex(merged);
    const bindings = new Map([
      [high.name, floorDiv(x, low.extent)],
      [low.name, modIndex(x, low.extent)],
    ]);
    result = rewrite(result, bindings, (axes) => axes.flatMap((a) => (a.name === high.name ? [merged] : a.name === low.name ? [] : [a])));
  }
}

/** Axes of one point have no symbol and need no loop. */
const dropUnit: Replace = (axes) => axes.filter((a) => a.extent !== 1);

/** The axes along which neighbours lie farthest apart first, in the order they have where that is the same; as they are where it is not known of one. */
export function farthestFirst(axes: readonly Axis[], distanceAlong: (axis: Axis) => number | undefined): readonly Axis[] {
  const distances = new Map(axes.map((axis) => [axis, distanceAlong(axis)]));
  if ([...distances.values()].includes(undefined)) return axes;
  return axes.toSorted((a, b) => (distances.get(a) === distances.get(b) ? 0 : distances.get(b)! - distances.get(a)!));
}

/** Reductions walk what lies side by side last, by what they read farthest apart: the order of their axes is free. */
function orderSums(nest: Nest): Nest {
  const stages = nest.stages.map((stage): Stage => {
    if (stage.kind !== 'reduce' || stage.axes.length < 2) return stage;
    const offsets: IndexExpr[] = [];
    visitPoints([stage.value], nest.dynamic, (e) => {
      if (e.kind === 'load') offsets.push(e.offset);
    });
    const farthest = ({ name }: Axis): number | undefined => {
      const distances = offsets.map((x) => coefficientOf(x, name));
      return distances.every((d) => d !== undefined) ? Math.max(0, ...distances.map(Math.abs)) : undefined;
    };
    return { ...stage, axes: farthestFirst(stage.axes, farthest) };
  });
  return { ...nest, stages };
}

/** The same nest over as few axes as memory allows, free of divisions where splitting an axis can free it. */
export function refineAxes(nest: Nest, fresh: () => string): Nest {
  return mergeAxes(orderSums(splitAxes(rewrite(nest, new Map(), dropUnit), fresh)), fresh);
}

/** Names for axes that the nest does not have yet. */
export function freshNames(nest: Nest): () => string {
  const used = new Set([...nest.outer, ...nest.stages.flatMap((s) => s.axes)].map((a) => a.name));
  let count = 0;
  return () => {
    while (used.has(`y${count}`)) count++;
    return `y${count++}`;
  };
}
