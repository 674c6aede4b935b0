// Bounds of index expressions of the kernel IR, by interval arithmetic. Intervals are sound; where an expression is affine in variables
// that do not depend on each other, they are also exact: some step of the loops reaches each end.
import type { BinaryFn, Expr } from './ir.ts';

export interface IndexRange {
  readonly min: number;
  readonly max: number;
  /** Whether both ends are reached. */
  readonly exact: boolean;
  /** The variables it depends on. */
  readonly symbols: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();
const UNKNOWN: IndexRange = { min: -Infinity, max: Infinity, exact: false, symbols: NONE };

/** A variable that takes the values `min` and `max`, whatever other variables are. */
export const variableRange = (name: string, min: number, max: number): IndexRange => ({ min, max, exact: true, symbols: new Set([name]) });

type Combine = (a: IndexRange, b: IndexRange) => { readonly min: number; readonly max: number; readonly exact: boolean };

/** 0 · ∞ is 0 here: a factor of 0 leaves nothing. */
const times = (x: number, y: number): number => (x === 0 || y === 0 ? 0 : x * y);
const isConstant = (x: IndexRange): boolean => x.min === x.max;
const hull = (values: readonly number[], exact: boolean) => ({ min: Math.min(...values), max: Math.max(...values), exact });
const divide = (x: number, by: number): number => (Math.abs(x) === Infinity ? x : Math.trunc(x / by));

/** Functions on indices; what is not here is not known. */
const combinations: { readonly [F in BinaryFn]?: Combine } = {
  add: (a, b) => ({ min: a.min + b.min, max: a.max + b.max, exact: true }),
  sub: (a, b) => ({ min: a.min - b.max, max: a.max - b.min, exact: true }),
  mul: (a, b) => hull([times(a.min, b.min), times(a.min, b.max), times(a.max, b.min), times(a.max, b.max)], isConstant(a) || isConstant(b)),
  div: (a, b) => (isConstant(b) && b.min > 0 ? { min: divide(a.min, b.min), max: divide(a.max, b.min), exact: true } : UNKNOWN),
  rem: (a, b) => {
    if (!isConstant(b) || b.min <= 0) return UNKNOWN;
    const by = b.min;
    if (a.min >= 0 && Math.floor(a.min / by) === Math.floor(a.max / by)) return { min: a.min % by, max: a.max % by, exact: true };
    return { min: a.min >= 0 ? 0 : 1 - by, max: Math.min(by - 1, Math.max(a.max, 0)), exact: false };
  },
  min: (a, b) => ({ min: Math.min(a.min, b.min), max: Math.min(a.max, b.max), exact: false }),
  max: (a, b) => ({ min: Math.max(a.min, b.min), max: Math.max(a.max, b.max), exact: false }),
};

/** Bounds of the scalar index `e`; `rangeOf` knows the variables. */
export function rangeOfIndex(e: Expr, rangeOf: (name: string) => IndexRange | undefined): IndexRange {
  if (e.type.dtype !== 'index') return UNKNOWN;
  if (e.kind === 'const') return { min: Number(e.value), max: Number(e.value), exact: true, symbols: NONE };
  if (e.kind === 'var') return rangeOf(e.name) ?? UNKNOWN;
  if (e.kind === 'select') {
    const [a, b] = [rangeOfIndex(e.a, rangeOf), rangeOfIndex(e.b, rangeOf)];
    return { min: Math.min(a.min, b.min), max: Math.max(a.max, b.max), exact: false, symbols: new Set([...a.symbols, ...b.symbols]) };
  }
  const combine = e.kind === 'binary' ? combinations[e.fn] : undefined;
  if (e.kind !== 'binary' || combine === undefined) return UNKNOWN;
  const [a, b] = [rangeOfIndex(e.a, rangeOf), rangeOfIndex(e.b, rangeOf)];
  const { min, max, exact } = combine(a, b);
  const isIndependent = ![...a.symbols].some((name) => b.symbols.has(name));
  return { min, max, exact: exact && a.exact && b.exact && isIndependent, symbols: new Set([...a.symbols, ...b.symbols]) };
}
