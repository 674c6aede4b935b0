// Tiles of a contraction's factors in stages of memory of the block: while one stage is used, the threads fetch the tiles of those that come
// after it. What cannot be fetched as it lies in memory is loaded, computed and stored.
import { guarded, substitute } from '../emit/places.ts';
import { addIndex, coefficientOf, constantIndex, delinearize, floorDiv, indexSymbol, linearIndex, modIndex, scaleIndex, substituteIndex, symbolsIn } from '../../core/indexExpr.ts';
import type { Bindings, IndexExpr } from '../../core/indexExpr.ts';
import { byteWidth } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { add, assign, binary, compare, constant, declare, extract, index, load, pack, store, variable } from '../../kernel/build.ts';
import type { Expr } from '../../kernel/ir.ts';
import { SWIZZLE } from '../../kernel/matrix.ts';
import { computeType, typed } from '../emit/compute.ts';
import type { Emitter } from '../emit/emitter.ts';
import { unflatten } from '../nest.ts';
import { guardPoint, zeroOf } from '../point.ts';
import type { Condition, PointExpr } from '../point.ts';
import { createSlot } from '../storage.ts';
import type { MemorySlot } from '../storage.ts';
import { pointsOf } from '../traffic.ts';
import type { Contraction, Factor } from '../contraction.ts';
import { isMultiple, when } from './machine.ts';

/** What the stages of both factors have in common. */
export interface Staging {
  readonly emitter: Emitter;
  readonly contraction: Contraction;
  readonly batch: Bindings;
  /** The number of the thread, of so many. */
  readonly thread: IndexExpr;
  readonly threads: number;
  readonly stages: number;
  /** Points of the sum in a stage. */
  readonly depth: number;
  /** How many bytes the machine fetches together, the most first. */
  readonly fetchBytes: readonly number[];
}

export interface StagedSide {
  readonly factor: Factor;
  /** The factor's value as the tile holds it. */
  readonly value: PointExpr;
  readonly dtype: NumericDType;
  /** Points of the tile along the factor's own axes, and where the block's begin. */
  readonly side: number;
  readonly start: IndexExpr;
  /**
   * Between lines of a tile, so that neighbours of different lines lie in different banks; or that the tile lies in swizzled memory, in lines of
   * its period, panel after panel where they run along the factor's own axes.
   */
  readonly padBytes: number | 'swizzled';
  /** Whether lines have to run along the sum, however the factor lies in memory; or along its own axes, as registers are stored. */
  readonly needsSum?: boolean;
  readonly needsOwn?: boolean;
}

type Load = Extract<PointExpr, { readonly kind: 'load' }>;
/** A load where all conditions hold, zero elsewhere. */
interface GuardedLoad {
  readonly load: Load;
  readonly conditions: readonly Condition[];
}

/** `e` as a load from memory that is there before the kernel starts; undefined where it is more. */
function asLoad(e: PointExpr): GuardedLoad | undefined {
  if (e.kind === 'load') return e.after === undefined && e.slot.kind !== 'scratch' ? { load: e, conditions: [] } : undefined;
  if (e.kind !== 'guard' || e.outside.kind !== 'literal' || !Object.is(Number(e.outside.value), 0)) return undefined;
  const inside = asLoad(e.inside);
  return inside === undefined ? undefined : { ...inside, conditions: [...e.conditions, ...inside.conditions] };
}

const LANE = 'lane';
const atFirst = (x: IndexExpr): IndexExpr => substituteIndex(x, new Map([[LANE, constantIndex(0)]]));

/** Whether as many neighbours as the symbol LANE counts lie side by side from a multiple of `run` on, and all are there or none is. */
function isRun({ load: { offset }, conditions }: GuardedLoad, run: number): boolean {
  const isWhole = ({ value, low, high }: Condition): boolean => {
    const step = coefficientOf(value, LANE);
    return step === 0 || (step === 1 && low % run === 0 && high % run === 0 && isMultiple(atFirst(value), run));
  };
  return coefficientOf(offset, LANE) === 1 && isMultiple(atFirst(offset), run) && conditions.every(isWhole);
}

/** Points that the threads of a subgroup fetch into lines across those in memory: neighbours along the factor's own axes, and along the sum. */
const TURNED = { own: 8, k: 4 } as const;

/** Elements that are loaded together. */
const WHOLE = 4;
/** Neighbours of a tile in a register, and where they belong. */
export interface Taken {
  readonly own: IndexExpr;
  readonly k: IndexExpr;
  readonly value: Expr;
}

/** One factor's tiles, a stage after the other: lines along the sum or along the factor's own axes. */
export class StagedFactor {
  readonly buffer: string;
  /** Whether its lines run along the sum. */
  readonly alongSum: boolean;
  /** Elements from one line to the next, from one panel of lines to the next, and from one stage to the next. */
  readonly pitch: number;
  readonly panel: number;
  readonly elements: number;
  readonly #staging: Staging;
  readonly #side: StagedSide;
  readonly #slot: MemorySlot;
  /** Elements fetched together; 0 where they are computed. */
  readonly #run: number;
  /** Whether neighbours in memory come into different lines. */
  readonly #isTurned: boolean;

  constructor(staging: Staging, side: StagedSide) {
    this.#staging = staging;
    this.#side = side;
    const width = byteWidth(side.dtype);
    const { depth, fetchBytes } = staging;
    const runs = fetchBytes.filter((bytes) => bytes % width === 0).map((bytes) => bytes / width);
    const isSwizzled = side.padBytes === 'swizzled';
    this.#isTurned = side.needsSum === true && !side.factor.alongSum;
    this.#run = runs.find((run) => (run === 1 || !this.#isTurned) && this.#canFetch(run)) ?? 0;
    this.alongSum = side.needsOwn !== true && (this.#isTurned || (side.factor.alongSum && (isSwizzled || this.#run > 1)));
    const [lines, length] = this.alongSum ? [side.side, depth] : [depth, side.side];
    this.pitch = side.padBytes === 'swizzled' ? SWIZZLE.lineBytes / width : length + side.padBytes / width;
    this.panel = lines * this.pitch;
    this.elements = isSwizzled ? lines * length : this.panel;
    this.#slot = createSlot('scratch', { dtype: side.dtype, shape: [staging.stages * this.elements] });
    this.buffer = staging.emitter.buffer(this.#slot, 'write');
  }

  /** Where an element of the tile lies in its buffer. */
  place(stage: IndexExpr, own: IndexExpr, k: IndexExpr): IndexExpr {
    const [line, inLine] = this.alongSum ? [own, k] : [k, own];
    if (this.#side.padBytes !== 'swizzled') return linearIndex([stage, line, inLine], [this.elements, this.pitch, 1]);
    return linearIndex([stage, floorDiv(inLine, this.pitch), line, modIndex(inLine, this.pitch)], [this.elements, this.panel, this.pitch, 1]);
  }

  /** The value at a point of the tile of one step: zero beyond the factor's ends. */
  #value(step: IndexExpr, own: IndexExpr, k: IndexExpr): PointExpr {
    const { emitter, batch, contraction, depth } = this.#staging;
    const { factor, value, dtype, start } = this.#side;
    const [flatK, flatOwn] = [addIndex(scaleIndex(step, depth), k), addIndex(start, own)];
    const inside: Condition[] = [
      { value: flatOwn, low: 0, high: pointsOf(factor.axes) },
      { value: flatK, low: 0, high: pointsOf(contraction.summed) },
    ];
    const there = substitute(emitter, batch, unflatten(factor.axes, flatOwn), unflatten(contraction.summed, flatK)).point(value);
    return guardPoint(inside, there, zeroOf(dtype));
  }

  #canFetch(run: number): boolean {
    const { depth, emitter, contraction } = this.#staging;
    const { factor, side, dtype } = this.#side;
    const [lines, length] = factor.alongSum ? [side, depth] : [depth, side];
    if (length % run !== 0) return false;
    const line = indexSymbol('line', 0, lines - 1);
    const inLine = addIndex(scaleIndex(indexSymbol('run', 0, length / run - 1), run), indexSymbol(LANE, 0, run - 1));
    const [own, k] = factor.alongSum ? [line, inLine] : [inLine, line];
    const found = asLoad(this.#value(indexSymbol('step', 0, Math.ceil(pointsOf(contraction.summed) / depth) - 1), own, k));
    if (found === undefined || found.load.dtype !== dtype) return false;
    const positions = [found.load.offset, ...found.conditions.map(({ value }) => value)];
    return run === 1 || (isRun(found, run) && positions.every((x) => [...symbolsIn(x)].every((name) => !emitter.dynamic.has(name))));
  }

  /** Whether threads load whole vectors of it. */
  get isWhole(): boolean {
    return this.#run === WHOLE;
  }

  /** What the thread brings of the tile of a step, in registers. */
  take(step: IndexExpr): Taken[] {
    const { emitter, thread, threads, depth } = this.#staging;
    const { side, factor } = this.#side;
    const [lines, length] = factor.alongSum ? [side, depth] : [depth, side];
    return Array.from({ length: (lines * length) / WHOLE / threads }, (_, i): Taken => {
      const [line, at] = delinearize(addIndex(thread, i * threads), [lines, length / WHOLE]);
      const inLine = scaleIndex(at!, WHOLE);
      const [own, k] = factor.alongSum ? [line!, inLine] : [inLine, line!];
      const found = asLoad(this.#value(step, own, k));
      const type = computeType(this.#side.dtype);
      const nothing = pack(Array.from({ length: WHOLE }, () => constant(type, typed(type, 0))));
      if (found === undefined) return { own, k, value: emitter.bind(nothing) };
      const { load: from, conditions } = found;
      const value = load(emitter.buffer(from.slot, 'read', from.dtype), emitter.index(from.offset), type, WHOLE);
      if (conditions.length === 0) return { own, k, value: emitter.bind(value) };
      const name = emitter.fresh('r');
      emitter.push(declare(name, nothing), { kind: 'if', condition: emitter.holds(conditions), then: [assign(name, value)], else: [] });
      return { own, k, value: variable(name, type, WHOLE) };
    });
  }

  /** Stores it into a stage. */
  put(taken: readonly Taken[], stage: IndexExpr): void {
    const { emitter } = this.#staging;
    for (const { own, k, value } of taken) {
      const at = (i: number): Expr => emitter.index(this.place(stage, own, addIndex(k, i)));
      if (!this.#side.factor.alongSum) emitter.push(store(this.buffer, at(0), value));
      else for (let lane = 0; lane < WHOLE; lane++) emitter.push(store(this.buffer, at(lane), extract(value, lane)));
    }
  }

  /** Begins to bring the tile of a step into a stage. */
  bring(step: IndexExpr, stage: IndexExpr): void {
    const { emitter, thread, threads, depth } = this.#staging;
    const { side } = this.#side;
    const run = Math.max(this.#run, 1);
    const [lines, length] = this.alongSum ? [side, depth] : [depth, side];
    const items = (lines * length) / run;
    for (let i = 0; i * threads < items; i++) {
      const item = addIndex(thread, i * threads);
      guarded(emitter, [{ value: item, low: 0, high: items }], () => {
        const [own, k] = this.#isTurned ? this.#turned(item) : this.#inLines(item, run);
        this.#put(this.#value(step, own, k), this.place(stage, own, k));
      });
    }
  }

  /** The point of the tile that an item begins at, where neighbours follow each other along a line. */
  #inLines(item: IndexExpr, run: number): readonly [own: IndexExpr, k: IndexExpr] {
    const { depth } = this.#staging;
    const { side } = this.#side;
    const [lines, length] = this.alongSum ? [side, depth] : [depth, side];
    const [line, at] = delinearize(item, [lines, length / run]);
    const inLine = scaleIndex(at!, run);
    return this.alongSum ? [line!, inLine] : [inLine, line!];
  }

  /** The same where they do not: blocks that neither memory nor its banks make threads wait for. */
  #turned(item: IndexExpr): readonly [own: IndexExpr, k: IndexExpr] {
    const { own: side, k: depth } = TURNED;
    const [blockK, blockOwn, inK, inOwn] = delinearize(item, [this.#staging.depth / depth, this.#side.side / side, depth, side]);
    return [addIndex(scaleIndex(blockOwn!, side), inOwn!), addIndex(scaleIndex(blockK!, depth), inK!)];
  }

  #put(value: PointExpr, at: IndexExpr): void {
    const { emitter } = this.#staging;
    const found = this.#run === 0 ? undefined : asLoad(value);
    if (found === undefined) {
      emitter.countUses(value);
      // Beyond the factor's ends there is nothing to fetch.
      for (let i = 0; i < Math.max(this.#run, 1); i++) emitter.store(this.#slot, addIndex(at, i), emitter.point(value));
      return;
    }
    const { load, conditions } = found;
    const condition = conditions.length === 0 ? {} : { when: emitter.holds(conditions) };
    const from = { buffer: emitter.buffer(load.slot, 'read', load.dtype), index: emitter.index(load.offset) };
    emitter.push({ kind: 'fetch', to: { buffer: this.buffer, index: emitter.index(at) }, from, elements: this.#run, ...condition });
  }
}

/** Two stages: a step's tiles are loaded into registers before the step before is multiplied, and stored after it. */
export function writeKeptSteps(emitter: Emitter, count: number, factors: readonly StagedFactor[], use: (stage: IndexExpr) => void): void {
  const first = factors.map((factor) => factor.take(constantIndex(0)));
  factors.forEach((factor, i) => factor.put(first[i]!, constantIndex(0)));
  emitter.push({ kind: 'barrier' });
  if (count === 1) return use(constantIndex(0));
  const kept = first.map((taken) =>
    taken.map(({ value }): string => {
      const name = emitter.fresh('next');
      emitter.push(declare(name, value));
      return name;
    }),
  );
  emitter.loop('step', index(0), index(count), 1, () => {
    const step = emitter.named('step').expr;
    const hasNext = compare('lt', step, index(count - 1));
    let places: (readonly Taken[])[] = [];
    when(emitter, hasNext, () => {
      emitter.define('next', emitter.bind(add(step, index(1))));
      places = factors.map((factor) => factor.take(indexSymbol('next', 1, count - 1)));
      places.forEach((taken, i) => taken.forEach(({ value }, j) => emitter.push(assign(kept[i]![j]!, value))));
    });
    emitter.define('stage', emitter.bind(binary('rem', step, index(2))));
    use(indexSymbol('stage', 0, 1));
    when(emitter, hasNext, () => {
      emitter.define('other', emitter.bind(binary('rem', add(step, index(1)), index(2))));
      factors.forEach((factor, i) =>
        factor.put(
          places[i]!.map((taken, j) => ({ ...taken, value: variable(kept[i]![j]!, taken.value.type.dtype, taken.value.type.lanes) })),
          indexSymbol('other', 0, 1),
        ),
      );
    });
    emitter.push({ kind: 'barrier' });
  });
}

/** How the steps of the sum follow each other. */
export interface Steps {
  readonly count: number;
  readonly stages: number;
  /** Steps by which tiles are fetched before they are used: fewer than there are stages. */
  readonly ahead: number;
  /** Whether matrix units read the tiles themselves, and go on when the next step begins. */
  readonly units?: boolean;
}

/** `use` is given the stage that holds a step's tiles, while `bring` begins to fill those of later ones. */
export function writeSteps(
  emitter: Emitter,
  { count, stages, ahead, units = false }: Steps,
  bring: (step: IndexExpr, stage: IndexExpr) => void,
  use: (stage: IndexExpr) => void,
): void {
  for (let s = 0; s < ahead; s++) {
    if (s < count) bring(constantIndex(s), constantIndex(s));
    emitter.push({ kind: 'commit' });
  }
  emitter.loop('step', index(0), index(count), 1, () => {
    const step = emitter.named('step').expr;
    emitter.push({ kind: 'await', pending: ahead - 1 }, units ? { kind: 'barrier', units } : { kind: 'barrier' });
    const bringNext = (): void => {
      if (count > ahead) {
        when(emitter, compare('lt', step, index(count - ahead)), () => {
          emitter.define('next', emitter.bind(add(step, index(ahead))));
          emitter.define('nextStage', emitter.bind(binary('rem', emitter.named('next').expr, index(stages))));
          bring(indexSymbol('next', ahead, count - 1), indexSymbol('nextStage', 0, stages - 1));
        });
      }
      emitter.push({ kind: 'commit' });
    };
    const useThis = (): void => {
      if (count > 1) emitter.define('stage', emitter.bind(binary('rem', step, index(stages))));
      use(count > 1 ? indexSymbol('stage', 0, Math.min(stages, count) - 1) : constantIndex(0));
    };
    // What goes on beside the threads begins first.
    if (units) useThis();
    bringNext();
    if (units) emitter.push({ kind: 'matrix', step: { do: 'settle', pending: 1 } });
    else useThis();
  });
  if (units) emitter.push({ kind: 'matrix', step: { do: 'settle', pending: 0 } });
}
