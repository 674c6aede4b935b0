// Which operands are strided views of others: what a view reads, as base + Σ stride·index, where that is all it is.
import { coefficientOf, indexSymbol, linearIndex, substituteIndex } from '../core/indexExpr.ts';
import { stridesOf } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';
import type { Operand, PrimNode } from '../graph/builder.ts';
import type { PrimName } from '../graph/prims.ts';
import { wordLayouts } from '../core/words.ts';
import type { WordParts } from '../core/words.ts';
import { inputPositions } from './positions.ts';
import type { Position, PositionScope } from './positions.ts';
import type { Storage } from './storage.ts';

/** An operand that is a strided view of another one wherever that lies in row-major order, and may be one where it does not. */
export interface StridedView {
  readonly base: Operand;
  readonly shape: Shape;
  /** Where in the base the view's element at `axisSymbols(shape)` is; of a word, where part PART of it is. */
  readonly at: Position;
  /** How words are made of the base's elements. */
  readonly words?: WordParts;
}

const STRIDED: ReadonlySet<PrimName> = new Set(['reshape', 'transpose', 'expand', 'slice', 'window', 'words']);
const PART = 'part';
const contiguousAt = (shape: Shape): Pick<Storage, 'strides' | 'offset'> => ({ strides: stridesOf(shape), offset: 0 });
/** For those who only ask where elements come from. */
export const NO_SCOPE: PositionScope = { reduced: (extent) => indexSymbol('r', 0, extent - 1), dynamic: (_node, _input, _at, size) => indexSymbol('d', 0, size - 1) };

/** A place in a value: symbols v0, v1, … for its axes. */
export const axisSymbols = (shape: Shape): Position => shape.map((size, i) => indexSymbol(`v${i}`, 0, size - 1));

/**
 * Where the view lies if its base lies there; undefined where its elements do not follow each other at one stride along each axis. Words are
 * counted in words, whose parts must be neighbours.
 */
export function viewStorage({ at, shape, words }: Omit<StridedView, 'base'>, base: Pick<Storage, 'strides' | 'offset'>): Pick<Storage, 'strides' | 'offset'> | undefined {
  const place = linearIndex(at, base.strides, base.offset);
  const count = words === undefined ? 1 : wordLayouts[words].count;
  if (words !== undefined && coefficientOf(place, PART) !== 1) return undefined;
  const strides = shape.map((_, i) => coefficientOf(place, `v${i}`)).map((s) => (s === undefined ? NaN : s / count));
  return [...strides, place.constant / count].every(Number.isInteger) ? { strides, offset: place.constant / count } : undefined;
}

/** All operands of the graph that are strided views of another one. `layouts`: strides of what is expected to lie in another order than row-major. */
export function findViews(nodes: readonly PrimNode[], layouts: ReadonlyMap<Operand, readonly number[]>): ReadonlyMap<Operand, StridedView> {
  const found = new Map<Operand, StridedView>();
  const views = new Map<Operand, StridedView>();
  for (const node of nodes) {
    const [x, out] = [node.inputs[0], node.outputs[0]];
    if (!STRIDED.has(node.op) || x === undefined || out === undefined) continue;
    const at = inputPositions(node.op, node, axisSymbols(out.shape), { ...NO_SCOPE, reduced: (extent) => indexSymbol(PART, 0, extent - 1) })[0]!;
    const from = found.get(x);
    const bindings = new Map(at.map((p, i) => [`v${i}`, p]));
    const words = node.op === 'words' ? node.attrs.parts : from?.words;
    const view: StridedView = { base: from?.base ?? x, shape: out.shape, at: from?.at.map((p) => substituteIndex(p, bindings)) ?? at, ...(words === undefined ? {} : { words }) };
    found.set(out, view);
    const strides = words === undefined ? undefined : layouts.get(view.base);
    if (viewStorage(view, strides === undefined ? contiguousAt(view.base.shape) : { strides, offset: 0 }) !== undefined) views.set(out, view);
  }
  return views;
}
