// Factors of a contraction in the dtype that a matrix unit multiplies.
import type { NumericDType } from '../core/dtype.ts';
import { isFloat } from '../core/dtype.ts';
import { castPoint, guardPoint, literal, zeroOf } from './point.ts';
import type { PointExpr } from './point.ts';

/** The same value in the dtype, where it has it without rounding. */
export function inDType(e: PointExpr, dtype: NumericDType): PointExpr | undefined {
  if (e.dtype === dtype) return e;
  if (e.kind === 'literal') return Object.is(Number(e.value), 0) ? zeroOf(dtype) : undefined;
  if (e.kind === 'apply') return e.op.op === 'cast' && e.args[0]!.dtype === dtype ? e.args[0] : undefined;
  if (e.kind !== 'guard') return undefined;
  const [inside, outside] = [inDType(e.inside, dtype), inDType(e.outside, dtype)];
  return inside === undefined || outside === undefined ? undefined : guardPoint(e.conditions, inside, outside);
}

/** An integer as f32, which must hold it. */
export function asFloat(e: PointExpr): PointExpr {
  if (e.kind === 'literal') return literal('f32', Number(e.value));
  if (e.kind === 'guard') return guardPoint(e.conditions, asFloat(e.inside), asFloat(e.outside));
  // What was widened need not be.
  const from = e.kind === 'apply' && e.op.op === 'cast' && !isFloat(e.args[0]!.dtype) && e.args[0]!.dtype !== 'bool' ? e.args[0]! : e;
  return castPoint(from, 'f32');
}
