// Which operands are strided views of others: what a view reads, as base + Σ stride·index, where that is all it is.
import { coefficientOf, indexSymbol, linearIndex, substituteIndex } from '../core/indexExpr.ts';
import type { IndexExpr } from '../core/indexExpr.ts';
import { stridesOf } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';
import type { Operand, PrimNode } from '../graph/builder.ts';
import type { PrimName } from '../graph/prims.ts';
import { inputPositions } from './positions.ts';
import type { PositionScope } from './positions.ts';

/** Element (i…) of the view is element offset + Σ i·stride of the base, which lies in row-major order. */
export interface StridedView {
  readonly base: Operand;
  readonly offset: number;
  readonly strides: readonly number[];
}

const STRIDED: ReadonlySet<PrimName> = new Set(['reshape', 'transpose', 'expand', 'slice', 'window']);
const NO_SCOPE: PositionScope = { reduced: (extent) => indexSymbol('r', 0, extent - 1), dynamic: (_node, _input, _at, size) => indexSymbol('d', 0, size - 1) };

const axisSymbols = (shape: Shape): IndexExpr[] => shape.map((size, i) => indexSymbol(`v${i}`, 0, size - 1));

/** All operands of the graph that are strided views of another one. */
export function findViews(nodes: readonly PrimNode[]): ReadonlyMap<Operand, StridedView> {
  const flat = new Map<Operand, { readonly base: Operand; readonly index: IndexExpr }>();
  const views = new Map<Operand, StridedView>();
  for (const node of nodes) {
    const [x, out] = [node.inputs[0], node.outputs[0]];
    if (!STRIDED.has(node.op) || x === undefined || out === undefined) continue;
    const at = inputPositions(node.op, node, axisSymbols(out.shape), NO_SCOPE)[0]!;
    const from = flat.get(x);
    const bindings = new Map(at.map((p, i) => [`v${i}`, p]));
    const index = from === undefined ? linearIndex(at, stridesOf(x.shape)) : substituteIndex(from.index, bindings);
    const base = from?.base ?? x;
    flat.set(out, { base, index });
    const strides = out.shape.map((_, i) => coefficientOf(index, `v${i}`));
    if (strides.every((s) => s !== undefined)) views.set(out, { base, offset: index.constant, strides });
  }
  return views;
}
