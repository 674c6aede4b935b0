// Writes one kernel: lowers index and point expressions into the outermost open block where all they need is known, so that nothing is
// computed in an inner loop that does not depend on it.
// A lane symbol stands for the lanes of a vector: what depends on it is a vector expression, all else is scalar.
import type { NumericDType } from '../../core/dtype.ts';
import { addIndex, coefficientOf, constantIndex, indexSymbol, symbolsIn } from '../../core/indexExpr.ts';
import type { IndexAtom, IndexExpr } from '../../core/indexExpr.ts';
import { add, binary, cast, compare, constant, declare, extract, index, load, mul, pack, splat, store, variable } from '../../kernel/build.ts';
import type { BufferParam, ComputeDType, Expr, Kernel, ScratchBuffer, Stmt } from '../../kernel/ir.ts';
import type { InPlacePair } from '../inPlace.ts';
import { Substitution } from '../point.ts';
import type { Condition, DynamicSymbols, PointExpr } from '../point.ts';
import { rangeOf } from '../range.ts';
import { ownerOf } from '../storage.ts';
import type { MemorySlot } from '../storage.ts';
import type { Traffic } from '../traffic.ts';
import { BlockWriter } from './blocks.ts';
import { computeType, hasLanes, like, typed } from './compute.ts';
import { lowerElementwise, vectorizes } from './elementwise.ts';
import type { LetScope } from './elementwise.ts';

/** A kernel and the memory each parameter stands for. */
export interface LoweredKernel {
  readonly kernel: Kernel;
  readonly args: readonly { readonly slot: MemorySlot; readonly offset: number }[];
  /** Where it is known to be less than all of every argument. */
  readonly traffic?: Traffic;
  /** Slots that may share their memory if what is read is not needed later. */
  readonly inPlace?: readonly InPlacePair[];
  /** The choice (decide.ts) that made it what it is. */ readonly question?: string;
}

interface Lane {
  readonly name: string;
  readonly lanes: number;
  /** One for each lane, made when first needed. */
  readonly substitutions: Substitution[];
}
interface Param {
  readonly slot: MemorySlot;
  readonly offset: number;
  readonly dtype: NumericDType;
  readonly name: string;
  read: boolean;
  write: boolean;
}

/** How a point expression becomes a vector: at once, or lane by lane. */
export type LaneForm = 'uniform' | 'vector' | 'lanes';

export class Emitter extends BlockWriter {
  readonly dynamic: DynamicSymbols;
  readonly #params: Param[] = [];
  readonly #scratch: { readonly slot: MemorySlot; readonly name: string }[] = [];
  readonly #uses = new Map<PointExpr, number>();
  /** Rows side by side in scratch memory: as many as there are lanes where vectors run along the rows' axis. */
  readonly #scratchRows: number;
  #lane: Lane | undefined;

  constructor(dynamic: DynamicSymbols = new Map(), scratchRows = 1) {
    super();
    this.dynamic = dynamic;
    this.#scratchRows = scratchRows;
  }

  /** Runs `write` with `symbol` standing for the lanes of vectors. */
  withLanes(symbol: string, lanes: number, write: () => void): void {
    const before = this.#lane;
    this.#lane = { name: symbol, lanes, substitutions: [] };
    write();
    this.#lane = before;
  }

  // ── memory ──

  buffer(slot: MemorySlot, access: 'read' | 'write', dtype: NumericDType = slot.dtype, offset = 0): string {
    if (slot.kind === 'scratch') return this.#scratchName(slot);
    let param = this.#params.find((p) => p.slot === slot && p.dtype === dtype && p.offset === offset);
    if (param === undefined) this.#params.push((param = { slot, offset, dtype, name: this.fresh('b'), read: false, write: false }));
    param[access] = true;
    return param.name;
  }

  #scratchName(slot: MemorySlot): string {
    let entry = this.#scratch.find((s) => s.slot === slot);
    if (entry === undefined) this.#scratch.push((entry = { slot, name: this.fresh('s') }));
    return entry.name;
  }

  /** Stores into scratch memory, rows side by side: the lanes of a vector, or one of them. */
  keep(slot: MemorySlot, offset: IndexExpr, value: Expr, row: Expr = index(0)): void {
    if (this.#scratchRows === 1) return this.store(slot, offset, value);
    this.push(store(this.buffer(slot, 'write'), add(mul(this.index(offset), index(this.#scratchRows)), row), value));
  }

  /** Stores a scalar, or the lanes of a vector to consecutive elements (one by one where `offset` does not step by 1). */
  store(slot: MemorySlot, offset: IndexExpr, given: Expr, base = 0): void {
    const buffer = this.buffer(slot, 'write', slot.dtype, base);
    const value = given.kind === 'narrow' && given.to === slot.dtype ? given.x : given;
    const lane = this.#lane;
    if (lane === undefined || value.type.lanes === 1) return this.push(store(buffer, this.index(offset), value));
    if (this.stepOf(offset) === 1) return this.push(store(buffer, this.index(this.atLane(offset, 0)), value));
    const bound = this.bind(value);
    for (let i = 0; i < lane.lanes; i++) this.push(store(buffer, this.index(this.atLane(offset, i)), extract(bound, i)));
  }

  /** What `slot` holds at this very point of the program: never moved, never shared. */
  reload(slot: MemorySlot, offset: IndexExpr, lanes: number): Expr {
    const buffer = this.buffer(slot, 'read');
    const type = computeType(slot.dtype);
    if (lanes === 1) return load(buffer, this.index(offset), type);
    if (this.stepOf(offset) === 1) return load(buffer, this.index(this.atLane(offset, 0)), type, lanes);
    return pack(Array.from({ length: lanes }, (_, i) => load(buffer, this.index(this.atLane(offset, i)), type)));
  }

  // ── indices ──

  /** `x` in one lane. */
  atLane(x: IndexExpr, lane: number): IndexExpr {
    return this.inLane(lane).index(x);
  }

  /** One lane in place of all. */
  inLane(lane: number): Substitution {
    const { name, substitutions } = this.#lane!;
    return (substitutions[lane] ??= new Substitution(
      new Map([[name, constantIndex(lane)]]),
      this.dynamic,
      (definition) => this.dynamicSymbol(definition),
      (local) => this.#localInLane(local, lane),
    ));
  }

  /** The name of a vector local's value in one lane. */
  #localInLane(local: string, lane: number): string {
    const vector = this.find(local);
    if (vector === undefined || vector.expr.type.lanes === 1) return local;
    const name = laneOf(local, lane);
    if (this.find(name) === undefined) this.define(name, extract(vector.expr, lane), vector.level, index(lane));
    return name;
  }

  /** A new index symbol whose value is `definition`, an integer in range. */
  dynamicSymbol(definition: PointExpr): IndexExpr {
    const range = rangeOf(definition);
    const name = `d${this.dynamic.size}`; // never seen before: the map only grows
    this.dynamic.set(name, definition);
    return indexSymbol(name, Math.max(range.min, 0), range.max);
  }

  #levelOfSymbol(name: string): number {
    const definition = this.dynamic.get(name);
    if (definition !== undefined) return this.#levelOf(definition.symbols);
    if (name === this.#lane?.name) return 0;
    return this.named(name).level;
  }

  #levelOf(symbols: Iterable<string>): number {
    let level = 0;
    for (const name of symbols) level = Math.max(level, this.#levelOfSymbol(name));
    return level;
  }

  /** The value of a scalar index expression. */
  index(x: IndexExpr): Expr {
    const byLevel = new Map<number, Expr>();
    for (const { atom, coefficient } of x.terms) {
      const level = this.#levelOf(atom.kind === 'symbol' ? [atom.name] : symbolsIn(atom.x));
      const term = mul(this.#atom(atom), index(coefficient));
      const sum = byLevel.get(level);
      byLevel.set(level, sum === undefined ? term : add(sum, term));
    }
    let sum: Expr | undefined;
    let key = '';
    for (const level of [...byLevel.keys()].sort((a, b) => a - b)) {
      sum = sum === undefined ? byLevel.get(level)! : add(sum, byLevel.get(level)!);
      key = `${key}|${level}:${partKey(x, (atom) => this.#levelOf(atom.kind === 'symbol' ? [atom.name] : symbolsIn(atom.x)) === level)}`;
      const home = this.home(level);
      if (home < this.level) sum = this.sharedIndex(key, sum, home);
    }
    if (sum === undefined) return index(x.constant);
    return x.constant === 0 ? sum : add(sum, index(x.constant));
  }

  #atom(atom: IndexAtom): Expr {
    if (atom.kind === 'symbol') {
      const definition = this.dynamic.get(atom.name);
      if (definition !== undefined) return cast('index', this.point(definition));
      return this.named(atom.name).expr;
    }
    // Division truncates in the IR: a multiple of the divisor makes the dividend non-negative first.
    const lift = atom.x.min < 0 ? Math.ceil(-atom.x.min / atom.by) : 0;
    const x = add(this.index(atom.x), index(lift * atom.by));
    const quotient = binary(atom.kind === 'div' ? 'div' : 'rem', x, index(atom.by));
    return atom.kind === 'div' ? add(quotient, index(-lift)) : quotient;
  }

  /** Whether all conditions hold; they must not vary across lanes. */
  holds(conditions: readonly Condition[]): Expr {
    const tests = conditions.flatMap(({ value, low, high }) => {
      // Without its constant, so that the comparison needs no negative numbers where there are none.
      const sum = this.index({ ...value, constant: 0 });
      const atLeast = value.min < low ? [compare('ge', sum, index(low - value.constant))] : [];
      return value.max >= high ? [...atLeast, compare('lt', sum, index(high - value.constant))] : atLeast;
    });
    return tests.reduce((all, test) => binary('and', all, test));
  }

  // ── point expressions ──

  /** Counts the uses in `e`, so that values used twice get a name. Call it once for each expression before `point`. */
  countUses(e: PointExpr): void {
    const seen = this.#uses.get(e) ?? 0;
    this.#uses.set(e, seen + 1);
    if (seen > 0) return;
    if (e.kind === 'apply') e.args.forEach((a) => this.countUses(a));
    else if (e.kind === 'guard') [e.inside, e.outside].forEach((a) => this.countUses(a));
    for (const name of e.symbols) {
      const definition = this.dynamic.get(name);
      if (definition !== undefined) this.countUses(definition);
    }
  }

  /** Whether the value differs from lane to lane. */
  varies(symbols: ReadonlySet<string>): boolean {
    const lane = this.#lane?.name;
    if (lane === undefined) return false;
    for (const name of symbols) {
      if (name === lane) return true;
      const definition = this.dynamic.get(name);
      if (definition !== undefined ? this.varies(definition.symbols) : (this.find(name)?.expr.type.lanes ?? 1) > 1) return true;
    }
    return false;
  }

  /** The value of `e`: a vector where it depends on the lane symbol, else a scalar. */
  point(e: PointExpr): Expr {
    if (e.kind === 'literal') return constant(computeType(e.dtype), typed(computeType(e.dtype), e.value));
    const vector = this.varies(e.symbols);
    const home = this.home(this.#levelOf(e.symbols));
    const known = this.knownPoint(e);
    if (known !== undefined) return known;
    const value = this.outside(home, () => (vector ? this.#vector(e) : this.#scalar(e)));
    // Expressions made for one lane are not counted; a load may be written twice, anything else may hide a whole tree.
    const once = (this.#uses.get(e) ?? (e.kind === 'load' ? 1 : 2)) < 2;
    if (e.kind === 'local' || (home === this.level && once)) return value;
    return this.rememberPoint(e, value, home);
  }

  #scalar(e: PointExpr): Expr {
    switch (e.kind) {
      case 'literal':
        return this.point(e);
      case 'local':
        return this.named(e.name).expr;
      case 'load':
        return this.#load(e, this.index(e.offset), 1);
      case 'index':
        return cast(computeType(e.dtype), this.index(e.value));
      case 'apply':
        return this.#apply(e);
      case 'guard':
        return this.#guard(e, 1);
    }
  }

  #load(e: Extract<PointExpr, { kind: 'load' }>, at: Expr, lanes: number): Expr {
    const offset = e.after === undefined ? at : add(mul(at, index(this.#scratchRows)), this.named(e.after).row ?? index(0));
    return load(this.buffer(e.slot, 'read', e.dtype), offset, computeType(e.dtype), lanes);
  }

  /** Every second element: two vectors that end with the last one needed, and the even lanes of both. */
  #loadEven(e: Extract<PointExpr, { kind: 'load' }>): Expr {
    const { lanes } = this.#lane!;
    const first = this.atLane(e.offset, 0);
    const halves = [first, addIndex(first, lanes - 1)].map((offset) => this.bind(this.#load(e, this.index(offset), lanes)));
    const type = { dtype: computeType(e.dtype), lanes: 1 };
    return pack(
      Array.from({ length: lanes }, (_, i): Expr => {
        const [x, lane] = 2 * i < lanes ? [halves[0]!, 2 * i] : [halves[1]!, 2 * i - lanes + 1];
        return { kind: 'extract', type, x, lane };
      }),
    );
  }

  #vector(e: PointExpr): Expr {
    const lane = this.#lane!;
    switch (this.laneForm(e)) {
      case 'uniform':
        return this.#scalar(e);
      case 'lanes':
        return pack(Array.from({ length: lane.lanes }, (_, i) => this.point(this.inLane(i).point(e))));
      case 'vector':
        break;
    }
    if (e.kind === 'load') return this.stepOf(e.offset) === 2 ? this.#loadEven(e) : this.#load(e, this.index(this.atLane(e.offset, 0)), lane.lanes);
    if (e.kind === 'apply') return this.#apply(e);
    if (e.kind === 'guard') return this.#guard(e, lane.lanes);
    if (e.kind === 'index') return this.#ramp(computeType(e.dtype), e.value);
    return this.#scalar(e);
  }

  /** first, first + step, … across the lanes. */
  #ramp(type: ComputeDType, value: IndexExpr): Expr {
    const lane = this.#lane!;
    const step = this.stepOf(value)!;
    const first = splat(cast(type, this.index(this.atLane(value, 0))), lane.lanes);
    return add(first, pack(Array.from({ length: lane.lanes }, (_, i) => constant(type, i * step))));
  }

  /** How `e`, which varies across lanes, can be computed. */
  laneForm(e: PointExpr): LaneForm {
    const lane = this.#lane;
    if (lane === undefined || !this.varies(e.symbols)) return 'uniform';
    switch (e.kind) {
      case 'load':
        return hasLanes(e.dtype) && this.#isRegular(e) ? 'vector' : 'lanes';
      case 'index':
        return hasLanes(e.dtype) && this.stepOf(e.value) !== undefined ? 'vector' : 'lanes';
      case 'apply':
        return vectorizes(
          e.op,
          e.args.map((a) => a.dtype),
          e.dtype,
        )
          ? 'vector'
          : 'lanes';
      case 'guard':
        return hasLanes(e.dtype) && e.conditions.every((c) => !this.varies(symbolsIn(c.value))) ? 'vector' : 'lanes';
      case 'local':
        return 'vector';
      case 'literal':
        return 'uniform';
    }
  }

  /** Whether the lanes of a load lie side by side in memory, or every second element is one. */
  #isRegular(e: Extract<PointExpr, { kind: 'load' }>): boolean {
    const step = this.stepOf(e.offset);
    return this.#isRowOfLanes(e.after) ? step === 0 : step === 1 || (step === 2 && e.after === undefined);
  }

  /** Whether each lane has a row of its own in the scratch memory that is ready after this local. */
  #isRowOfLanes(local: string | undefined): boolean {
    return local !== undefined && (this.find(local)?.expr.type.lanes ?? 1) > 1;
  }

  /** How much `x` grows from lane to lane; undefined where that is not the same everywhere. */
  stepOf(x: IndexExpr): number | undefined {
    for (const name of symbolsIn(x)) {
      const definition = this.dynamic.get(name);
      if (definition !== undefined && this.varies(definition.symbols)) return undefined;
    }
    return coefficientOf(x, this.#lane!.name);
  }

  #apply(e: Extract<PointExpr, { kind: 'apply' }>): Expr {
    const args = e.args.map((a) => this.point(a));
    const scope: LetScope = { bind: (x) => this.bind(x), rangeOf: (i) => rangeOf(e.args[i]!) };
    return lowerElementwise(
      e.op,
      args,
      e.args.map((a) => a.dtype),
      e.dtype,
      scope,
    );
  }

  #guard(e: Extract<PointExpr, { kind: 'guard' }>, lanes: number): Expr {
    const type = computeType(e.dtype);
    const name = this.fresh('t');
    const start = like(variable(name, type, lanes), e.outside.kind === 'literal' ? e.outside.value : 0);
    const condition = this.holds(e.conditions);
    this.push(declare(name, start));
    const branch = (value: PointExpr): Stmt[] => this.block(() => this.push({ kind: 'assign', name, value: splat(this.point(value), lanes) }), true);
    const then = branch(e.inside);
    this.push({ kind: 'if', condition, then, else: e.outside.kind === 'literal' ? [] : branch(e.outside) });
    return variable(name, type, lanes);
  }

  /** The kernel written so far, as a function of grid variable `grid.var`. */
  finish(name: string, grid: Kernel['grid'], cost: Kernel['cost']): LoweredKernel {
    const params = this.#params.map((p): BufferParam => ({
      name: p.name,
      dtype: p.dtype,
      access: p.read && p.write ? 'readwrite' : p.write ? 'write' : 'read',
      elements: p.slot.elements - p.offset,
    }));
    const scratch = this.#scratch.map(({ slot, name: at }): ScratchBuffer => ({ name: at, dtype: slot.dtype, elements: slot.elements * this.#scratchRows }));
    return { kernel: { name, params, scratch, grid, body: this.body, cost }, args: this.#params.map(({ slot, offset }) => ({ slot: ownerOf(slot), offset })) };
  }
}

/** The local that is one lane of another. */
export const laneOf = (local: string, lane: number): string => `${local}@${lane}`;
const partKey = (x: IndexExpr, take: (atom: IndexAtom) => boolean): string =>
  x.terms
    .filter((t) => take(t.atom))
    .map((t) => `${t.coefficient}${t.atom.key}`)
    .join('+');
