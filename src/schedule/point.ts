// Point expressions: the value of a tensor at one point of an iteration space, as an expression over loads. A kernel is first such a
// computation; families turn it into loops. Nodes are immutable and shared where a value is used twice.
// It knows no loops, no vectors and no chip.
import { dtypes } from '../core/dtype.ts';
import type { NumericDType } from '../core/dtype.ts';
import { isConstant, substituteIndex, symbolsIn } from '../core/indexExpr.ts';
import type { Bindings, IndexExpr } from '../core/indexExpr.ts';
import type { PrimNode } from '../graph/builder.ts';
import type { MemorySlot } from './storage.ts';

export type ElementwiseNode = Extract<PrimNode, { readonly op: 'unary' | 'binary' | 'compare' | 'where' | 'cast' | 'bitcast' }>;
/** What an elementwise primitive computes, without where it stands in a graph. */
export type ElementwiseOp = { [N in ElementwiseNode as N['op']]: { readonly op: N['op']; readonly attrs: N['attrs'] } }[ElementwiseNode['op']];

/** low ≤ value < high. */
export interface Condition {
  readonly value: IndexExpr;
  readonly low: number;
  readonly high: number;
}

interface Typed {
  readonly dtype: NumericDType;
  /** Names of the index symbols the value depends on. */
  readonly symbols: ReadonlySet<string>;
}
export type PointExpr = Typed &
  (
    | { readonly kind: 'literal'; readonly value: number | bigint }
    /** `after`: the local of the stage that fills the slot, where a stage of the same kernel does. */
    | { readonly kind: 'load'; readonly slot: MemorySlot; readonly offset: IndexExpr; readonly after?: string }
    /** An index as a number. */
    | { readonly kind: 'index'; readonly value: IndexExpr }
    | { readonly kind: 'apply'; readonly op: ElementwiseOp; readonly args: readonly PointExpr[] }
    /** `inside` where all conditions hold, else `outside`; only the one taken may be evaluated. */
    | { readonly kind: 'guard'; readonly conditions: readonly Condition[]; readonly inside: PointExpr; readonly outside: PointExpr }
    /** A value made by a stage: the result of a reduction, or a template's accumulator. Its name is its only symbol. */
    | { readonly kind: 'local'; readonly name: string }
  );
export type PointKind = PointExpr['kind'];

/** Index symbols whose value is data: read from an index tensor, already brought into range. */
export type DynamicSymbols = Map<string, PointExpr>;

const NO_SYMBOLS: ReadonlySet<string> = new Set();

function unionOf(sets: readonly ReadonlySet<string>[]): ReadonlySet<string> {
  let union = NO_SYMBOLS;
  for (const set of sets) {
    if (set.size === 0 || set === union) continue;
    union = union.size === 0 ? set : new Set([...union, ...set]);
  }
  return union;
}

const indexSymbols = (x: IndexExpr): ReadonlySet<string> => (isConstant(x) ? NO_SYMBOLS : symbolsIn(x));

export const literal = (dtype: NumericDType, value: number | bigint): PointExpr => ({ kind: 'literal', dtype, value, symbols: NO_SYMBOLS });
export const zeroOf = (dtype: NumericDType): PointExpr => literal(dtype, dtypes[dtype].held === 'bigint' ? 0n : 0);
export const loadPoint = (slot: MemorySlot, offset: IndexExpr, dtype: NumericDType = slot.dtype): PointExpr => ({
  kind: 'load',
  dtype,
  slot,
  offset,
  symbols: indexSymbols(offset),
});
/** A load from scratch memory that the stage with this local has filled. */
export const loadKept = (slot: MemorySlot, offset: IndexExpr, after: string): PointExpr => ({
  kind: 'load',
  dtype: slot.dtype,
  slot,
  offset,
  after,
  symbols: new Set([...indexSymbols(offset), after]),
});
export const indexPoint = (dtype: NumericDType, value: IndexExpr): PointExpr =>
  isConstant(value) ? literal(dtype, dtypes[dtype].held === 'bigint' ? BigInt(value.constant) : value.constant) : { kind: 'index', dtype, value, symbols: indexSymbols(value) };
export const applyPoint = (op: ElementwiseOp, dtype: NumericDType, args: readonly PointExpr[]): PointExpr => ({
  kind: 'apply',
  dtype,
  op,
  args,
  symbols: unionOf(args.map((a) => a.symbols)),
});
/** The value in another dtype. */
export const castPoint = (value: PointExpr, to: NumericDType): PointExpr => (value.dtype === to ? value : applyPoint({ op: 'cast', attrs: { to, saturate: false } }, to, [value]));
export const localPoint = (name: string, dtype: NumericDType): PointExpr => ({ kind: 'local', dtype, name, symbols: new Set([name]) });

/** Those that do not always hold. */
export const openConditions = (conditions: readonly Condition[]): readonly Condition[] => conditions.filter(({ value, low, high }) => value.min < low || value.max >= high);

/** Drops conditions that always hold, and the branch that is never taken. */
export function guardPoint(conditions: readonly Condition[], inside: PointExpr, outside: PointExpr): PointExpr {
  const open = openConditions(conditions);
  if (open.length === 0) return inside;
  if (open.some(({ value, low, high }) => value.max < low || value.min >= high)) return outside;
  return { kind: 'guard', dtype: inside.dtype, conditions: open, inside, outside, symbols: unionOf([...open.map((c) => indexSymbols(c.value)), inside.symbols, outside.symbols]) };
}

export function childrenOf(e: PointExpr): readonly PointExpr[] {
  if (e.kind === 'apply') return e.args;
  return e.kind === 'guard' ? [e.inside, e.outside] : [];
}

/** Index expressions that stand directly in `e`. */
export function indicesOf(e: PointExpr): readonly IndexExpr[] {
  if (e.kind === 'load') return [e.offset];
  if (e.kind === 'index') return [e.value];
  return e.kind === 'guard' ? e.conditions.map((c) => c.value) : [];
}

/** Visits every node of the expressions once, operands before users, through dynamic symbols too. */
export function visitPoints(roots: Iterable<PointExpr>, dynamic: DynamicSymbols, visit: (e: PointExpr) => void): void {
  const seen = new Set<PointExpr>();
  const walk = (e: PointExpr): void => {
    if (seen.has(e)) return;
    seen.add(e);
    for (const child of childrenOf(e)) walk(child);
    for (const name of e.symbols) {
      const definition = dynamic.get(name);
      if (definition !== undefined) walk(definition);
    }
    visit(e);
  };
  for (const root of roots) walk(root);
}

/**
 * Replaces index symbols throughout point expressions. A dynamic symbol whose definition changes becomes another symbol. Sharing is
 * kept: one Substitution gives the same result for the same node.
 */
export class Substitution {
  readonly #memo = new Map<PointExpr, PointExpr>();
  readonly #bindings: Map<string, IndexExpr>;
  readonly #dynamic: DynamicSymbols;
  readonly #renew: (definition: PointExpr, old: string) => IndexExpr;
  readonly #renameLocal: (name: string) => string;

  /** `renew`: the symbol for a dynamic symbol's changed definition. `renameLocal`: another local in place of a local. */
  constructor(bindings: Bindings, dynamic: DynamicSymbols, renew: (definition: PointExpr, old: string) => IndexExpr, renameLocal: (name: string) => string = (name) => name) {
    this.#bindings = new Map(bindings);
    this.#dynamic = dynamic;
    this.#renew = renew;
    this.#renameLocal = renameLocal;
  }

  index(x: IndexExpr): IndexExpr {
    for (const name of symbolsIn(x)) this.#resolve(name);
    return substituteIndex(x, this.#bindings);
  }

  point(e: PointExpr): PointExpr {
    const known = this.#memo.get(e);
    if (known !== undefined) return known;
    const result = this.#touches(e) ? this.#rebuild(e) : e;
    this.#memo.set(e, result);
    return result;
  }

  #touches(e: PointExpr): boolean {
    for (const name of e.symbols) {
      this.#resolve(name);
      if (this.#bindings.has(name) || this.#renameLocal(name) !== name) return true;
    }
    return false;
  }

  #resolve(name: string): void {
    const definition = this.#dynamic.get(name);
    if (definition === undefined || this.#bindings.has(name)) return;
    const next = this.point(definition);
    if (next !== definition) this.#bindings.set(name, this.#renew(next, name));
  }

  #rebuild(e: PointExpr): PointExpr {
    switch (e.kind) {
      case 'literal':
        return e;
      case 'local':
        return localPoint(this.#renameLocal(e.name), e.dtype);
      case 'load':
        return e.after === undefined ? loadPoint(e.slot, this.index(e.offset), e.dtype) : loadKept(e.slot, this.index(e.offset), this.#renameLocal(e.after));
      case 'index':
        return indexPoint(e.dtype, this.index(e.value));
      case 'apply':
        return applyPoint(
          e.op,
          e.dtype,
          e.args.map((a) => this.point(a)),
        );
      case 'guard': {
        const conditions = e.conditions.map((c) => ({ ...c, value: this.index(c.value) }));
        return guardPoint(conditions, this.point(e.inside), this.point(e.outside));
      }
    }
  }
}
