// Where a primitive reads its operands when one element of its result is asked for: views, broadcasting, windows and contractions as
// maps between positions. One total table, used to decide fusion and to build kernels alike.
import { ZERO, addIndex, delinearize, floorDiv, linearIndex, modIndex, scaleIndex } from '../core/indexExpr.ts';
import type { IndexExpr } from '../core/indexExpr.ts';
import { stridesOf } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';
import { wordLayouts } from '../core/words.ts';
import type { PrimNode } from '../graph/builder.ts';
import type { PrimName } from '../graph/prims.ts';

export type Position = readonly IndexExpr[];
/** The node type of each primitive. */
export type PrimNodes = { readonly [P in PrimName]: Extract<PrimNode, { readonly op: P }> };

export interface PositionScope {
  /** A new symbol in [0, extent): a reduced axis. */
  reduced(extent: number): IndexExpr;
  /** The coordinate that index tensor `input` of a gather holds at a position, in [0, size). */
  dynamic(node: PrimNodes['gather'], input: number, at: Position, size: number): IndexExpr;
}

/** Positions of the inputs, for one position of the output; undefined where the input is not read point by point (topK). */
type PositionRule<P extends PrimName> = (node: PrimNodes[P], at: Position, scope: PositionScope) => readonly (Position | undefined)[];

/** NumPy broadcasting: aligned from the right, axes of one element stay at 0. */
export const broadcastTo = (shape: Shape, at: Position): Position => shape.map((size, i) => (size === 1 ? ZERO : at[at.length - shape.length + i]!));

const elementwise = (node: PrimNode, at: Position): readonly Position[] => node.inputs.map((x) => broadcastTo(x.shape, at));
const reducedAt = (shape: Shape, axes: readonly number[], at: Position, scope: PositionScope): Position =>
  shape.map((size, i) => (axes.includes(i) ? scope.reduced(size) : at[i]!));

const table: { readonly [P in PrimName]: PositionRule<P> } = {
  unary: elementwise,
  binary: elementwise,
  compare: elementwise,
  where: elementwise,
  cast: elementwise,
  bitcast: elementwise,
  iota: () => [],
  reshape: (node, at) => [delinearize(linearIndex(at, stridesOf(node.attrs.shape)), node.inputs[0]!.shape)],
  transpose: ({ attrs }, at) => [attrs.perm.map((_, i) => at[attrs.perm.indexOf(i)]!)],
  expand: (node, at) => [broadcastTo(node.inputs[0]!.shape, at)],
  slice: ({ attrs }, at) => [at.map((x, i) => addIndex(scaleIndex(x, attrs.steps[i]!), attrs.starts[i]!))],
  pad: (node, at) => [at.map((x, i) => addIndex(x, -node.attrs.low[i]!)), node.inputs[1]!.shape.map(() => ZERO)],
  window: (node, at) => {
    const rank = node.inputs[0]!.shape.length;
    const x = at.slice(0, rank);
    node.attrs.windows.forEach((w, i) => {
      x[w.axis] = addIndex(scaleIndex(x[w.axis]!, w.stride), scaleIndex(at[rank + i]!, w.dilation));
    });
    return [x];
  },
  words: ({ attrs: { parts, axis } }, at, scope) => {
    const { count } = wordLayouts[parts];
    return [at.map((x, i) => (i === axis ? addIndex(scaleIndex(x, count), scope.reduced(count)) : x))];
  },
  concat: (node, at) => {
    let offset = 0;
    return node.inputs.map((x) => {
      const part = at.map((p, i) => (i === node.attrs.axis ? addIndex(p, -offset) : p));
      offset += x.shape[node.attrs.axis]!;
      return part;
    });
  },
  reduce: (node, at, scope) => [reducedAt(node.inputs[0]!.shape, node.attrs.axes, at, scope)],
  argReduce: (node, at, scope) => [reducedAt(node.inputs[0]!.shape, [node.attrs.axis], at, scope)],
  scan: (_, at) => [at],
  matmul: (node, at, scope) => {
    const [a, b] = [node.inputs[0]!, node.inputs[1]!];
    const k = scope.reduced(a.shape.at(-1)!);
    const [batch, m, n] = [at.slice(0, -2), at.at(-2)!, at.at(-1)!];
    return [
      [...broadcastTo(a.shape.slice(0, -2), batch), m, k],
      [...broadcastTo(b.shape.slice(0, -2), batch), k, n],
    ];
  },
  conv: (node, at, scope) => {
    const [w, { attrs }] = [node.inputs[1]!, node];
    const perGroup = w.shape[1]!;
    const channel = scope.reduced(perGroup);
    const taps = w.shape.slice(2).map((size) => scope.reduced(size));
    const group = floorDiv(at[1]!, w.shape[0]! / attrs.groups);
    const spatial = taps.map((tap, i) => addIndex(addIndex(scaleIndex(at[i + 2]!, attrs.strides[i]!), scaleIndex(tap, attrs.dilations[i]!)), -attrs.low[i]!));
    return [
      [at[0]!, addIndex(scaleIndex(group, perGroup), channel), ...spatial],
      [at[1]!, channel, ...taps],
    ];
  },
  gather: (node, at, scope) => {
    const [data, ...indices] = node.inputs;
    const from = node.attrs.sources.map((source, axis) =>
      'axis' in source ? at[source.axis]! : scope.dynamic(node, source.index, broadcastTo(indices[source.index]!.shape, at), data!.shape[axis]!),
    );
    return [from, ...indices.map((x) => broadcastTo(x.shape, at))];
  },
  scatter: (node) => node.inputs.map(() => undefined),
  topK: () => [undefined],
};

export function inputPositions<P extends PrimName>(op: P, node: PrimNodes[P], at: Position, scope: PositionScope): readonly (Position | undefined)[] {
  return table[op](node, at, scope);
}

/** The inverse of a row-major traversal: which point of `axes` visits element `flat`, if that is a permutation of mixed-radix digits. */
export function invertLinear(flat: IndexExpr, symbols: readonly { readonly name: string; readonly extent: number }[]): ((value: IndexExpr) => Map<string, IndexExpr>) | undefined {
  if (flat.constant !== 0 || flat.terms.length !== symbols.length) return undefined;
  const digits = flat.terms.map(({ atom, coefficient }) => ({ name: atom.kind === 'symbol' ? atom.name : '', coefficient })).sort((s, t) => s.coefficient - t.coefficient);
  const extents = new Map(symbols.map((s) => [s.name, s.extent]));
  let radix = 1;
  for (const { name, coefficient } of digits) {
    const extent = extents.get(name);
    if (extent === undefined || coefficient !== radix) return undefined;
    radix *= extent;
  }
  return (value) => new Map(digits.map(({ name, coefficient }) => [name, modIndex(floorDiv(value, coefficient), extents.get(name)!)]));
}
