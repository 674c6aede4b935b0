// Rows that are moved, or 0 where there is nothing to move: padding, and windows of padded data as rows of a matrix. What is there of a row
// is copied in and out again, and zeros are copied around it; copies begin anywhere in global memory, which instructions could not.
import { guarded, substitute } from '../emit/places.ts';
import { ZERO, coefficientOf } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { byteWidth } from '../../core/dtype.ts';
import { isSmallFloat } from '../../core/float.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { add, binary, compare, constant, index, splat, store } from '../../kernel/build.ts';
import { computeType } from '../../kernel/computeType.ts';
import type { Expr, Stmt } from '../../kernel/ir.ts';
import type { TileFacts } from '../../runtime/device.ts';
import { findPairs } from '../inPlace.ts';
import { unflatten } from '../nest.ts';
import type { Axis, Nest } from '../nest.ts';
import type { Condition, PointExpr, Substitution } from '../point.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import type { MemorySlot } from '../storage.ts';
import { pointsOf, trafficOf } from '../traffic.ts';
import { coreBounds } from './cores.ts';
import { costOf } from './cost.ts';
import { finishTiles, loopTurns } from './loops.ts';
import { synchronize } from './synchronize.ts';

/** Shorter rows are not worth a copy. */
const LEAST_ROW = 8;
const MOVED: ReadonlySet<NumericDType> = new Set(['f32', 'f16', 'bf16', 'i32', 'u32', 'i16', 'u16', 'i8', 'u8']);

/** What a row is moved from, and where along it there is something. */
interface Move {
  readonly from: MemorySlot;
  readonly offset: IndexExpr;
  readonly conditions: readonly Condition[];
}

/** A load, or 0 where conditions do not hold. */
function moveOf(value: PointExpr, conditions: readonly Condition[] = []): Move | undefined {
  if (value.kind === 'load') return value.after === undefined && value.dtype === value.slot.dtype ? { from: value.slot, offset: value.offset, conditions } : undefined;
  const isZero = value.kind === 'guard' && value.outside.kind === 'literal' && Object.is(Number(value.outside.value), 0);
  return isZero ? moveOf(value.inside, [...conditions, ...value.conditions]) : undefined;
}

const max = (a: Expr, b: Expr): Expr => binary('max', a, b);
const min = (a: Expr, b: Expr): Expr => binary('min', a, b);

class MoveWriter {
  readonly #emitter: Emitter;
  readonly #axis: Axis;
  readonly #move: Move;
  readonly #to: { readonly buffer: string; readonly offset: IndexExpr };
  readonly #from: string;
  readonly #zeros: string;

  constructor(emitter: Emitter, axis: Axis, move: Move, to: { readonly slot: MemorySlot; readonly offset: IndexExpr; readonly held: NumericDType }, zeros: string) {
    [this.#emitter, this.#axis, this.#move, this.#zeros] = [emitter, axis, move, zeros];
    this.#from = emitter.buffer(move.from, 'read', to.held);
    this.#to = { buffer: emitter.buffer(to.slot, 'write', to.held), offset: to.offset };
  }

  /** One row, at these points of the other axes, through a tile. */
  row(bindings: ReadonlyMap<string, IndexExpr>, tile: string): void {
    const emitter = this.#emitter;
    const at = substitute(emitter, bindings, new Map([[this.#axis.name, ZERO]]));
    const along = this.#move.conditions.filter((c) => coefficientOf(c.value, this.#axis.name) === 1);
    const whole = this.#move.conditions.filter((c) => !along.includes(c)).map((c) => ({ ...c, value: at.index(c.value) }));
    guarded(
      emitter,
      whole,
      () => this.#parts(at, along, tile),
      () => this.#zerosTo(at, index(0), index(this.#axis.extent)),
    );
  }

  /** What is there, and zeros before and behind. */
  #parts(at: Substitution, along: readonly Condition[], tile: string): void {
    const emitter = this.#emitter;
    const extent = index(this.#axis.extent);
    let [begin, end]: readonly [Expr, Expr] = [index(0), extent];
    for (const { value, low, high } of along) {
      const rest = emitter.index(at.index(value));
      begin = max(begin, binary('sub', index(low), rest));
      end = min(end, binary('sub', index(high), rest));
    }
    const first = emitter.bind(min(begin, extent));
    const last = emitter.bind(max(end, first));
    const elements = emitter.bind(binary('sub', last, first));
    const place = { buffer: tile, index: index(0), stride: 0 };
    const copy = (to: { readonly buffer: string; readonly index: Expr; readonly stride: number }, from: typeof to): Stmt => ({ kind: 'copy', to, from, rows: index(1), elements });
    this.#when(index(0), elements, () => {
      const from = add(emitter.index(at.index(this.#move.offset)), first);
      const to = add(emitter.index(at.index(this.#to.offset)), first);
      emitter.push(copy(place, { buffer: this.#from, index: from, stride: 0 }), copy({ buffer: this.#to.buffer, index: to, stride: 0 }, place));
    });
    if (along.length === 0) return;
    this.#when(index(0), first, () => this.#zerosTo(at, index(0), first));
    this.#when(last, extent, () => this.#zerosTo(at, last, extent));
  }

  #when(a: Expr, b: Expr, write: () => void): void {
    this.#emitter.push({ kind: 'if', condition: compare('lt', a, b), then: this.#emitter.block(write, true), else: [] });
  }

  #zerosTo(at: Substitution, from: Expr, to: Expr): void {
    const emitter = this.#emitter;
    const place = { buffer: this.#to.buffer, index: add(emitter.index(at.index(this.#to.offset)), from), stride: 0 };
    emitter.push({ kind: 'copy', to: place, from: { buffer: this.#zeros, index: index(0), stride: 0 }, rows: index(1), elements: binary('sub', to, from) });
  }
}

/** The nest as copies of rows; undefined where it is more than moves with zeros around, or its rows are not those of memory. */
export function lowerMoves(name: string, nest: Nest, raw: Nest, facts: TileFacts, flops?: number): LoweredKernel | undefined {
  const [stage] = nest.stages;
  const axis = nest.outer.at(-1);
  if (facts.fixedCopies === true || nest.stages.length !== 1 || stage?.kind !== 'store' || stage.axes.length > 0 || axis === undefined || axis.extent < LEAST_ROW) return undefined;
  const move = moveOf(stage.value);
  const { dtype } = stage.slot;
  if (move === undefined || nest.dynamic.size > 0 || move.conditions.length === 0 || !MOVED.has(dtype) || move.from.dtype !== dtype) return undefined;
  const steps = [move.offset, stage.offset].map((offset) => coefficientOf(offset, axis.name));
  const isRow = steps.every((step) => step === 1) && move.conditions.every((c) => [0, 1].includes(coefficientOf(c.value, axis.name) ?? 2));
  const others = nest.outer.slice(0, -1);
  const total = pointsOf(others);
  const multiple = Math.max(facts.rules.countMultiple, facts.rules.alignBytes);
  const elements = Math.ceil(axis.extent / multiple) * multiple;
  const size = Math.ceil(total / facts.cores);
  const turns = size > 1 ? 2 : 1;
  if (!isRow || total === 0 || (turns + 1) * elements * byteWidth(dtype) > facts.rules.scratchBytes) return undefined;
  const emitter = new Emitter(nest.dynamic);
  const zeros = emitter.fresh('zeros');
  const tiles = Array.from({ length: turns }, () => emitter.fresh('tile'));
  // Small floats that the machine does not know are their bits.
  const held = isSmallFloat(dtype) && !facts.rules.floats.some((known) => known === dtype) ? 'u16' : dtype;
  const writer = new MoveWriter(emitter, axis, move, { ...stage, held }, zeros);
  emitter.push(store(zeros, index(0), splat(constant(computeType(held), 0), elements)));
  const cores = Math.ceil(total / size);
  let turn = 0;
  loopTurns(emitter, coreBounds(emitter, { axes: others, size, shift: 0, cores }), total, turns, (point) => writer.row(unflatten(others, point), tiles[turn++ % turns]!));
  const traffic = trafficOf(raw);
  const lowered = finishTiles(emitter, name, cores, costOf(nest, traffic, flops), facts);
  const body = synchronize(lowered.kernel.body, new Set(lowered.kernel.params.map((p) => p.name)));
  const scratch = [zeros, ...tiles].map((buffer) => ({ name: buffer, dtype: held, elements }));
  return { ...lowered, kernel: { ...lowered.kernel, body, scratch }, traffic, inPlace: findPairs(raw) };
}
