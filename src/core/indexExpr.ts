// Index algebra: integer expressions over loop variables with known ranges, in a canonical form. Views of tensors are maps between
// such expressions, so composing views is arithmetic, and the simplifications here are what makes a reshape or a transpose free.
// An expression is a sum of atoms with coefficients; an atom is a symbol, a floor division or a modulus (always non-negative).
// It knows nothing of tensors' data, loops or chips.
import { invariant } from './error.ts';
import { gcd } from './integers.ts';
import { stridesOf } from './shape.ts';
import type { Shape } from './shape.ts';

interface Ranged {
  /** Bounds of the value, inclusive; every value is an integer. */
  readonly min: number;
  readonly max: number;
  /** Equal keys mean equal expressions. */
  readonly key: string;
}
export interface IndexSymbol extends Ranged {
  readonly kind: 'symbol';
  readonly name: string;
}
export interface Quotient extends Ranged {
  readonly kind: 'div' | 'mod';
  readonly x: IndexExpr;
  readonly by: number;
}
export type IndexAtom = IndexSymbol | Quotient;

export interface IndexTerm {
  readonly atom: IndexAtom;
  readonly coefficient: number;
}
export interface IndexExpr extends Ranged {
  readonly terms: readonly IndexTerm[];
  readonly constant: number;
}

export type Bindings = ReadonlyMap<string, IndexExpr>;

/** Makes the canonical sum; terms must have distinct atoms and coefficients other than 0. */
function sumOf(terms: readonly IndexTerm[], constant: number): IndexExpr {
  const sorted = terms.length < 2 ? terms : terms.toSorted((s, t) => (s.atom.key < t.atom.key ? -1 : 1));
  let [min, max, key] = [constant + 0, constant + 0, '']; // + 0: never minus zero
  for (const { atom, coefficient } of sorted) {
    min += coefficient * (coefficient > 0 ? atom.min : atom.max);
    max += coefficient * (coefficient > 0 ? atom.max : atom.min);
    key += coefficient === 1 ? `${atom.key}+` : `${coefficient}${atom.key}+`;
  }
  return { terms: sorted, constant: constant + 0, min, max, key: key + constant };
}

export const constantIndex = (value: number): IndexExpr => sumOf([], value);
export const ZERO = constantIndex(0);

const atomExpr = (atom: IndexAtom): IndexExpr => sumOf([{ atom, coefficient: 1 }], 0);

/** A variable with values from `min` to `max`; if only one value is left, that constant. */
export function indexSymbol(name: string, min: number, max: number): IndexExpr {
  return min >= max ? constantIndex(min) : atomExpr({ kind: 'symbol', name, min, max, key: `${name}.` });
}

export const isConstant = (x: IndexExpr): boolean => x.terms.length === 0;
export const sameIndex = (a: IndexExpr, b: IndexExpr): boolean => a === b || a.key === b.key;

/** Σ parts[i].x · parts[i].by, canonical. */
function combine(parts: readonly { readonly x: IndexExpr; readonly by: number }[], constant = 0): IndexExpr {
  const byAtom = new Map<string, IndexTerm>();
  let offset = constant;
  for (const { x, by } of parts) {
    offset += x.constant * by;
    for (const { atom, coefficient } of x.terms) {
      const sum = (byAtom.get(atom.key)?.coefficient ?? 0) + coefficient * by;
      if (sum === 0) byAtom.delete(atom.key);
      else byAtom.set(atom.key, { atom, coefficient: sum });
    }
  }
  const terms = [...byAtom.values()];
  for (const { atom, coefficient } of terms) {
    if (atom.kind !== 'mod' || terms.length < 2) continue;
    // c·(x div c) + (x mod c) = x, whatever shape the quotient has taken.
    const quotient = floorDiv(atom.x, atom.by);
    const scale = coefficient * atom.by;
    if (!quotient.terms.every((t) => byAtom.get(t.atom.key)?.coefficient === t.coefficient * scale)) continue;
    return combine([
      { x: sumOf(terms, offset), by: 1 },
      { x: quotient, by: -scale },
      { x: atomExpr(atom), by: -coefficient },
      { x: atom.x, by: coefficient },
    ]);
  }
  return sumOf(terms, offset);
}

export const addIndex = (a: IndexExpr, b: IndexExpr | number): IndexExpr =>
  typeof b === 'number'
    ? b === 0
      ? a
      : sumOf(a.terms, a.constant + b)
    : combine([
        { x: a, by: 1 },
        { x: b, by: 1 },
      ]);
export const subIndex = (a: IndexExpr, b: IndexExpr): IndexExpr =>
  combine([
    { x: a, by: 1 },
    { x: b, by: -1 },
  ]);
export const scaleIndex = (x: IndexExpr, by: number): IndexExpr => (by === 1 ? x : by === 0 ? ZERO : combine([{ x, by }]));

/** Σ position[i] · strides[i] + offset. */
export const linearIndex = (position: readonly IndexExpr[], strides: readonly number[], offset = 0): IndexExpr =>
  combine(
    position.map((x, i) => ({ x, by: strides[i]! })),
    offset,
  );

/** The row-major coordinates in `shape` of element `flat`. */
export function delinearize(flat: IndexExpr, shape: Shape): IndexExpr[] {
  const strides = stridesOf(shape);
  return shape.map((size, i) => (size <= 1 ? ZERO : i === 0 ? floorDiv(flat, strides[i]!) : modIndex(floorDiv(flat, strides[i]!), size)));
}

const floorMod = (a: number, b: number): number => a - Math.floor(a / b) * b;

interface Split {
  /** x = by · whole + rest. */
  readonly whole: IndexExpr;
  readonly rest: IndexExpr;
}
function splitBy(x: IndexExpr, by: number): Split {
  const whole = x.terms.filter((t) => t.coefficient % by === 0).map((t) => ({ atom: t.atom, coefficient: t.coefficient / by }));
  const rest = x.terms.filter((t) => t.coefficient % by !== 0);
  return { whole: sumOf(whole, Math.floor(x.constant / by)), rest: sumOf(rest, floorMod(x.constant, by)) };
}

/** The largest common divisor, above 1, of `by` and one of the coefficients. */
const commonFactor = (x: IndexExpr, by: number): number => x.terms.reduce((most, t) => Math.max(most, gcd(t.coefficient, by)), 1);

/** ⌊x / by⌋ for by > 0. */
export function floorDiv(x: IndexExpr, by: number): IndexExpr {
  invariant(by > 0, `division of an index by ${by}`);
  if (by === 1) return x;
  const { whole, rest } = splitBy(x, by);
  const low = Math.floor(rest.min / by);
  if (low === Math.floor(rest.max / by)) return addIndex(whole, low);
  const quotient = divideRest(rest, by);
  return isConstant(whole) && whole.constant === 0 ? quotient : addIndex(quotient, whole);
}

function divideRest(rest: IndexExpr, by: number): IndexExpr {
  // ⌊x / (g·h)⌋ = ⌊⌊x / g⌋ / h⌋: dividing by the factor first lets the terms it divides come out.
  const factor = commonFactor(rest, by);
  if (factor > 1) return floorDiv(floorDiv(rest, factor), by / factor);
  const only = rest.terms[0]!;
  if (rest.terms.length === 1 && only.coefficient === 1 && only.atom.kind === 'div') {
    return floorDiv(addIndex(only.atom.x, rest.constant * only.atom.by), only.atom.by * by);
  }
  return atomExpr({ kind: 'div', x: rest, by, min: Math.floor(rest.min / by), max: Math.floor(rest.max / by), key: `(${rest.key})/${by}.` });
}

/** x − by·⌊x / by⌋, in [0, by), for by > 0. */
export function modIndex(x: IndexExpr, by: number): IndexExpr {
  invariant(by > 0, `modulus ${by} of an index`);
  if (by === 1) return ZERO;
  const { rest } = splitBy(x, by);
  const low = Math.floor(rest.min / by);
  if (low === Math.floor(rest.max / by)) return addIndex(rest, -low * by);
  const factor = commonFactor(rest, by);
  if (factor > 1)
    return combine([
      { x: modIndex(floorDiv(rest, factor), by / factor), by: factor },
      { x: modIndex(rest, factor), by: 1 },
    ]);
  const only = rest.terms[0]!;
  if (rest.terms.length === 1 && only.coefficient === 1 && rest.constant === 0 && only.atom.kind === 'mod' && only.atom.by % by === 0) {
    return modIndex(only.atom.x, by);
  }
  return atomExpr({ kind: 'mod', x: rest, by, min: 0, max: by - 1, key: `(${rest.key})%${by}.` });
}

/** `x` with symbols replaced; ranges of replaced symbols come from what replaces them. */
export function substituteIndex(x: IndexExpr, bindings: Bindings): IndexExpr {
  let changed = false;
  const parts = x.terms.map(({ atom, coefficient }) => {
    const next = substituteAtom(atom, bindings);
    changed ||= next !== undefined;
    return { x: next ?? atomExpr(atom), by: coefficient };
  });
  return changed ? combine(parts, x.constant) : x;
}

function substituteAtom(atom: IndexAtom, bindings: Bindings): IndexExpr | undefined {
  if (atom.kind === 'symbol') return bindings.get(atom.name);
  const x = substituteIndex(atom.x, bindings);
  if (x === atom.x) return undefined;
  return atom.kind === 'div' ? floorDiv(x, atom.by) : modIndex(x, atom.by);
}

/** The names of the symbols in `x`. */
export function symbolsIn(x: IndexExpr, into: Set<string> = new Set()): Set<string> {
  for (const { atom } of x.terms) {
    if (atom.kind === 'symbol') into.add(atom.name);
    else symbolsIn(atom.x, into);
  }
  return into;
}

/** How much `x` grows with a symbol: 0 where it does not occur, undefined where it occurs under a division. */
export function coefficientOf(x: IndexExpr, symbol: string): number | undefined {
  let found = 0;
  for (const { atom, coefficient } of x.terms) {
    if (atom.kind !== 'symbol') {
      if (symbolsIn(atom.x).has(symbol)) return undefined;
    } else if (atom.name === symbol) found = coefficient;
  }
  return found;
}

/** Every division and modulus in `x`, also inside others. */
export function quotientsIn(x: IndexExpr): Quotient[] {
  return x.terms.flatMap(({ atom }) => (atom.kind === 'symbol' ? [] : [atom, ...quotientsIn(atom.x)]));
}

/** The value of `x` for given values of its symbols. */
export function evaluateIndex(x: IndexExpr, valueOf: (symbol: string) => number): number {
  return x.terms.reduce((sum, { atom, coefficient }) => {
    if (atom.kind === 'symbol') return sum + coefficient * valueOf(atom.name);
    const inner = evaluateIndex(atom.x, valueOf);
    return sum + coefficient * (atom.kind === 'div' ? Math.floor(inner / atom.by) : floorMod(inner, atom.by));
  }, x.constant);
}
