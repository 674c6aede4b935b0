// What is known of the value of a point expression: bounds that follow from its own operations (clipping, rounding, narrow loads).
// NaN is not excluded by a range.
import { dtypes, integerRange } from '../core/dtype.ts';
import type { PointExpr } from './point.ts';

export interface ValueRange {
  readonly min: number;
  readonly max: number;
}
const ANY: ValueRange = { min: -Infinity, max: Infinity };

/** How many operations deep a bound is looked for. */
const DEPTH = 8;

export function rangeOf(e: PointExpr, depth = DEPTH): ValueRange {
  if (depth === 0) return ANY;
  if (e.kind === 'literal') return { min: Number(e.value), max: Number(e.value) };
  if (e.kind === 'index') return e.value;
  if (e.kind === 'guard') return hull(rangeOf(e.inside, depth - 1), rangeOf(e.outside, depth - 1));
  if (e.kind === 'load') return typeRange(e);
  if (e.kind !== 'apply') return ANY;
  const args = e.args.map((a) => rangeOf(a, depth - 1));
  const [a, b] = [args[0] ?? ANY, args[1] ?? ANY];
  const { op } = e;
  if (op.op === 'where') return hull(b, args[2] ?? ANY);
  if (op.op === 'cast') return dtypes[e.dtype].class === 'float' ? a : castRange(a, e, e.args[0]!);
  if (op.op === 'unary') {
    if (op.attrs.fn === 'floor' || op.attrs.fn === 'ceil' || op.attrs.fn === 'round' || op.attrs.fn === 'trunc') return { min: Math.floor(a.min), max: Math.ceil(a.max) };
    return ANY;
  }
  if (op.op !== 'binary' || dtypes[e.dtype].class !== 'float') return ANY;
  if (op.attrs.fn === 'max') return { min: Math.max(a.min, b.min), max: Math.max(a.max, b.max) };
  if (op.attrs.fn === 'min') return { min: Math.min(a.min, b.min), max: Math.min(a.max, b.max) };
  if (op.attrs.fn === 'add') return { min: a.min + b.min, max: a.max + b.max };
  if (op.attrs.fn === 'sub') return { min: a.min - b.max, max: a.max - b.min };
  if ((op.attrs.fn === 'mul' || op.attrs.fn === 'div') && b.min === b.max && b.min > 0 && b.min < Infinity) return scaledRange(a, op.attrs.fn === 'mul' ? b.min : 1 / b.min);
  return ANY;
}

/** Of products with a positive number: only signs are sure of rounding, and of numbers that become infinite. */
const scaledRange = ({ min, max }: ValueRange, by: number): ValueRange => ({
  min: min >= 0 ? 0 : min * by - Math.abs(min * by) * ROUNDING,
  max: max <= 0 ? 0 : max * by + Math.abs(max * by) * ROUNDING,
});
const ROUNDING = 2 ** -20;

const hull = (a: ValueRange, b: ValueRange): ValueRange => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) });

/** Integers that the dtype has stay what they are. */
function castRange(a: ValueRange, e: PointExpr, from: PointExpr): ValueRange {
  const type = typeRange(e);
  return dtypes[from.dtype].class !== 'float' && a.min >= type.min && a.max <= type.max ? a : type;
}

function typeRange(e: PointExpr): ValueRange {
  if (e.dtype === 'bool') return { min: 0, max: 1 };
  if (dtypes[e.dtype].class === 'float') return ANY;
  const { min, max } = integerRange(e.dtype);
  return { min: Number(min), max: Number(max) };
}
