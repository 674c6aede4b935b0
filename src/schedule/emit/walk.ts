// What stages have in common: where they are written, loops over their axes, and locals that change on the way.
import { invariant } from '../../core/error.ts';
import { index, variable } from '../../kernel/build.ts';
import type { Expr } from '../../kernel/ir.ts';
import type { Axis } from '../nest.ts';
import type { Substitution } from '../point.ts';
import type { Emitter } from './emitter.ts';

/** Where a stage is written: with `outerLanes`, values along the outer vector axis are already vectors. */
export interface StageContext {
  readonly emitter: Emitter;
  /** Lanes of vectors within a stage, where the outer axis is walked one by one; 1 for none. */
  readonly lanes: number;
  /** Lanes of the outer axis: 1 if it is walked one by one. */
  readonly outerLanes: number;
  /** Whether points may be computed twice: nothing that is read is written. */
  readonly overlap: boolean;
  /** Replaces the outer vector axis. */
  readonly substitution: Substitution;
}

/** Loops over all axes, outermost first. */
export function loopAll(emitter: Emitter, axes: readonly Axis[], write: () => void): void {
  const [first, ...rest] = axes;
  if (first === undefined) return write();
  emitter.loop(first.name, index(0), index(first.extent), 1, () => loopAll(emitter, rest, write));
}

/** A local that changes, with the value that it begins with. */
export function declareAccumulator(emitter: Emitter, value: Expr): Expr {
  const name = emitter.fresh('a');
  emitter.push({ kind: 'let', name, value });
  return variable(name, value.type.dtype, value.type.lanes);
}

/** What a local is called. */
export function nameOf(local: Expr): string {
  invariant(local.kind === 'var', 'a local is a variable');
  return local.name;
}
