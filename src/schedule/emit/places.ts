// Axes at places, and what happens only at some of them.
import { indexSymbol } from '../../core/indexExpr.ts';
import type { Bindings, IndexExpr } from '../../core/indexExpr.ts';
import { binary, index } from '../../kernel/build.ts';
import { Substitution, openConditions } from '../point.ts';
import type { Condition } from '../point.ts';
import type { Emitter } from './emitter.ts';

/** Puts what `bindings` say in the place of index symbols, for one kernel; dynamic symbols keep their meaning. */
export const substitute = (emitter: Emitter, ...bindings: readonly Bindings[]): Substitution =>
  new Substitution(new Map(bindings.flatMap((b) => [...b])), emitter.dynamic, (definition) => emitter.dynamicSymbol(definition));

/** An index that ends with the last of `extent`: what lies beyond is computed like it, and not used. */
export function clamped(emitter: Emitter, x: IndexExpr, extent: number): IndexExpr {
  if (x.max < extent) return x;
  const name = emitter.fresh('last');
  emitter.define(name, emitter.bind(binary('min', emitter.index(x), index(extent - 1))));
  return indexSymbol(name, 0, extent - 1);
}

/** Writes what happens where all conditions hold, and what happens elsewhere; the first alone where they always hold. */
export function guarded(emitter: Emitter, conditions: readonly Condition[], write: () => void, otherwise?: () => void): void {
  const open = openConditions(conditions);
  if (open.length === 0) return write();
  const condition = emitter.holds(open);
  const then = emitter.block(write, true);
  emitter.push({ kind: 'if', condition, then, else: otherwise === undefined ? [] : emitter.block(otherwise, true) });
}
