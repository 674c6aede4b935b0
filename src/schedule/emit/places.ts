// Axes at places, and what happens only at some of them.
import type { Bindings } from '../../core/indexExpr.ts';
import { Substitution, openConditions } from '../point.ts';
import type { Condition } from '../point.ts';
import type { Emitter } from './emitter.ts';

/** Puts what `bindings` say in the place of index symbols, for one kernel; dynamic symbols keep their meaning. */
export const substitute = (emitter: Emitter, ...bindings: readonly Bindings[]): Substitution =>
  new Substitution(new Map(bindings.flatMap((b) => [...b])), emitter.dynamic, (definition) => emitter.dynamicSymbol(definition));

/** Writes what happens where all conditions hold, and what happens elsewhere; the first alone where they always hold. */
export function guarded(emitter: Emitter, conditions: readonly Condition[], write: () => void, otherwise?: () => void): void {
  const open = openConditions(conditions);
  if (open.length === 0) return write();
  const condition = emitter.holds(open);
  const then = emitter.block(write, true);
  emitter.push({ kind: 'if', condition, then, else: otherwise === undefined ? [] : emitter.block(otherwise, true) });
}
