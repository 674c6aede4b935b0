// Integers that were rounded from floats a moment ago and become floats again, as between QuantizeLinear and DequantizeLinear within a kernel:
// the float that was rounded is their value already.
import { dtypes, integerRange, isFloat } from '../core/dtype.ts';
import type { NumericDType } from '../core/dtype.ts';
import { applyPoint, literal } from './point.ts';
import type { PointExpr } from './point.ts';
import { rangeOf } from './range.ts';

/** Below this f32 has every whole number. */
const EXACT = 2 ** 24;

function fits(e: PointExpr, dtype: NumericDType): boolean {
  const { min, max } = rangeOf(e);
  const held = integerRange(dtype);
  return min >= Math.max(Number(held.min), -EXACT) && max <= Math.min(Number(held.max), EXACT);
}

/** Whether a float is a whole number, or none at all. */
function isWhole(e: PointExpr): boolean {
  if (e.kind === 'literal') return Number.isInteger(Number(e.value));
  if (e.kind !== 'apply') return false;
  const { op } = e;
  if (op.op === 'unary') return op.attrs.fn === 'round' || op.attrs.fn === 'floor' || op.attrs.fn === 'ceil' || op.attrs.fn === 'trunc';
  return op.op === 'binary' && ['min', 'max', 'add', 'sub'].includes(op.attrs.fn) && e.args.every(isWhole);
}

/** The integer `e` as an f32 that it was made from; undefined where it was not, or not exactly. */
export function wholeFloat(e: PointExpr): PointExpr | undefined {
  if (e.kind === 'literal') return Math.abs(Number(e.value)) < EXACT ? literal('f32', Number(e.value)) : undefined;
  if (e.kind !== 'apply' || isFloat(e.dtype) || e.dtype === 'bool') return undefined;
  if (e.op.op === 'cast') {
    const from = e.args[0]!;
    const value = from.dtype === 'f32' ? (isWhole(from) ? from : undefined) : wholeFloat(from);
    return value !== undefined && fits(value, e.dtype) ? value : undefined;
  }
  if (e.op.op !== 'binary' || (e.op.attrs.fn !== 'add' && e.op.attrs.fn !== 'sub') || dtypes[e.dtype].bits < 32) return undefined;
  const [a, b] = e.args.map(wholeFloat);
  if (a === undefined || b === undefined) return undefined;
  const result = applyPoint(e.op, 'f32', [a, b]);
  return fits(result, e.dtype) ? result : undefined;
}
