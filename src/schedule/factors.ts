// Factors of a contraction in the dtype that a matrix unit multiplies.
import type { NumericDType } from '../core/dtype.ts';
import { guardPoint, zeroOf } from './point.ts';
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
