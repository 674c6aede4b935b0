// From a graph to a point expression: the value of an operand at a position, followed back through everything that is fused until
// memory is reached. Reductions on the way become stages of the nest that is being built.
import { invariant } from '../core/error.ts';
import { dtypes } from '../core/dtype.ts';
import type { NumericDType } from '../core/dtype.ts';
import { ZERO, constantIndex, indexSymbol, linearIndex, symbolsIn } from '../core/indexExpr.ts';
import type { IndexExpr } from '../core/indexExpr.ts';
import { stridesOf } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';
import type { Operand, PrimNode } from '../graph/builder.ts';
import { axisIndex } from './nest.ts';
import type { Axis, Stage } from './nest.ts';
import { evaluateNode } from './evaluateNode.ts';
import { applyPoint, literal, loadKept, loadPoint, localPoint } from './point.ts';
import type { DynamicSymbols, PointExpr } from './point.ts';
import { inputPositions } from './positions.ts';
import type { Position, PositionScope, PrimNodes } from './positions.ts';
import { createSlot } from './storage.ts';
import type { MemorySlot, Storage } from './storage.ts';

/** What a schedule has decided about operands. */
export interface Values {
  producerOf(x: Operand): PrimNode | undefined;
  /** Where the operand lies in memory; undefined if it is computed where it is used. */
  storageOf(x: Operand): Storage | undefined;
  /** The value of a constant of one element. */
  literalOf(x: Operand): number | bigint | undefined;
  /** Whether all elements of a constant are known to be in [0, size). */
  isWithin(constant: Operand, size: number): boolean;
}

export interface Row {
  readonly outer: ReadonlySet<string>;
  readonly kept: ReadonlySet<Operand>;
}

/** A row's value in scratch memory; `key` says for which row. */
interface Kept {
  readonly key: string;
  readonly slot: MemorySlot;
  readonly local: string;
}

/** Names for index symbols. Rooms that name symbols of one kernel use different prefixes. */
export class Names {
  readonly #prefix: string;
  #count = 0;
  constructor(prefix: string) {
    this.#prefix = prefix;
  }
  readonly next = (): string => `${this.#prefix}${this.#count++}`;
}

export class Evaluator implements PositionScope {
  readonly stages: Stage[] = [];
  readonly dynamicSymbols: DynamicSymbols = new Map();
  /** Primitives whose values were asked for, in the order they were met. */
  readonly nodes = new Set<PrimNode>();
  readonly names = new Names('x');
  readonly #values: Values;
  readonly #known = new Map<Operand, Map<string, PointExpr>>();
  readonly #given = new Map<Operand, (at: Position) => PointExpr>();
  readonly #scratch = new Map<Operand, Kept>();
  #row: Row | undefined;
  readonly #coordinates = new Map<PointExpr, Map<number, IndexExpr>>();
  #reduced: Axis[] = [];

  constructor(values: Values) {
    this.#values = values;
  }

  /** From now on `x` is what `value` says, wherever it is asked for: the accumulator of a template. */
  give(x: Operand, value: (at: Position) => PointExpr): void {
    this.#given.set(x, value);
  }

  value(x: Operand, at: Position): PointExpr {
    const key = at.map((p) => p.key).join();
    let byPosition = this.#known.get(x);
    if (byPosition === undefined) this.#known.set(x, (byPosition = new Map()));
    const known = byPosition.get(key);
    if (known !== undefined) return known;
    const value = this.#evaluate(x, at);
    byPosition.set(key, value);
    return value;
  }

  #evaluate(x: Operand, at: Position): PointExpr {
    const given = this.#given.get(x);
    if (given !== undefined) return given(at);
    const value = this.#values.literalOf(x);
    if (value !== undefined) return literal(x.dtype, value);
    const storage = this.#values.storageOf(x);
    if (storage !== undefined) return loadPoint(storage.slot, linearIndex(at, storage.strides, storage.offset));
    const node = this.#values.producerOf(x);
    invariant(node !== undefined, 'an operand without a place and without a producer');
    return this.#row?.kept.has(x) === true ? this.#kept(node, at, this.#row) : this.nodeValue(node, at);
  }

  /** The kernel's rows: which symbols choose one, and which values each row computes once into scratch memory. */
  setRow(row: Row): void {
    this.#row = row;
  }

  /** A value that several stages of a row need: one stage fills scratch memory, then it is read. */
  #kept(node: PrimNode, at: Position, row: Row): PointExpr {
    const x = node.outputs[0]!;
    const isInner = at.map((p) => [...symbolsIn(p)].some((name) => !row.outer.has(name)));
    const mixed = at.some((p, i) => isInner[i]! && [...symbolsIn(p)].some((name) => row.outer.has(name)));
    const shape = x.shape.filter((_, i) => isInner[i]!);
    const key = at.map((p, i) => (isInner[i]! ? '*' : p.key)).join();
    const known = this.#scratch.get(x);
    if (mixed || shape.length === 0 || (known !== undefined && known.key !== key)) return this.nodeValue(node, at);
    const kept = known ?? this.#fill(node, at, shape, isInner, key);
    return loadKept(
      kept.slot,
      linearIndex(
        at.filter((_, i) => isInner[i]!),
        stridesOf(shape),
      ),
      kept.local,
    );
  }

  #fill(node: PrimNode, at: Position, shape: Shape, isInner: readonly boolean[], key: string): Kept {
    const x = node.outputs[0]!;
    const axes = shape.map((extent): Axis => ({ name: this.names.next(), extent }));
    const fill = axes.map(axisIndex);
    let next = 0;
    const value = this.nodeValue(
      node,
      at.map((p, i) => (isInner[i]! ? fill[next++]! : p)),
    );
    const kept = { key, slot: createSlot('scratch', { dtype: x.dtype, shape }), local: `l${this.names.next()}` };
    this.stages.push({ kind: 'keep', axes, slot: kept.slot, local: kept.local, offset: linearIndex(fill, stridesOf(shape)), value });
    this.#scratch.set(x, kept);
    return kept;
  }

  /** The first output of `node`, computed from its inputs. */
  nodeValue(node: PrimNode, at: Position): PointExpr {
    this.nodes.add(node);
    return evaluateNode(node.op, node, at, this);
  }

  /** The values of all inputs at the positions that position `at` of the output needs. */
  inputs(node: PrimNode, at: Position): PointExpr[] {
    return inputPositions(node.op, node, at, this).map((p, i) => {
      invariant(p !== undefined, `${node.op} is not evaluated point by point`);
      return this.value(node.inputs[i]!, p);
    });
  }

  reduced(extent: number): IndexExpr {
    const axis = { name: this.names.next(), extent };
    this.#reduced.push(axis);
    return indexSymbol(axis.name, 0, extent - 1);
  }

  /** Runs `body`, and returns its result with the reduced axes it asked for. */
  reducing<T>(body: () => T): { readonly result: T; readonly axes: readonly Axis[] } {
    const before = this.#reduced;
    this.#reduced = [];
    const result = body();
    const axes = this.#reduced.filter((a) => a.extent !== 1);
    this.#reduced = before;
    return { result, axes };
  }

  dynamic(node: PrimNodes['gather'], input: number, at: Position, size: number): IndexExpr {
    return this.coordinate(node.inputs[1 + input]!, at, size);
  }

  /** An index read from memory: counted from the end if negative, then brought into [0, size). */
  coordinate(indices: Operand, at: Position, size: number): IndexExpr {
    const raw = this.value(indices, at);
    if (raw.kind === 'literal') {
      const value = Number(raw.value);
      return constantIndex(Math.min(Math.max(value < 0 ? value + size : value, 0), size - 1));
    }
    if (size === 1) return ZERO;
    let bySize = this.#coordinates.get(raw);
    if (bySize === undefined) this.#coordinates.set(raw, (bySize = new Map()));
    let symbol = bySize.get(size);
    if (symbol === undefined) {
      const name = this.names.next();
      const isKnown = raw.kind === 'load' && raw.slot.constant !== undefined && this.#values.isWithin(raw.slot.constant, size);
      this.dynamicSymbols.set(name, isKnown ? raw : intoRange(raw, size));
      bySize.set(size, (symbol = indexSymbol(name, 0, size - 1)));
    }
    return symbol;
  }

  /** Adds a stage that leaves its result in a local. */
  addStage(stage: (local: string) => Stage, dtype: NumericDType): PointExpr {
    const local = `l${this.names.next()}`;
    this.stages.push(stage(local));
    return localPoint(local, dtype);
  }
}

function intoRange(raw: PointExpr, size: number): PointExpr {
  const { dtype } = raw;
  const of = (value: number): PointExpr => literal(dtype, dtypes[dtype].held === 'bigint' ? BigInt(value) : value);
  const binary = (fn: 'add' | 'min' | 'max', a: PointExpr, b: PointExpr): PointExpr => applyPoint({ op: 'binary', attrs: { fn } }, dtype, [a, b]);
  const isNegative = applyPoint({ op: 'compare', attrs: { fn: 'lt' } }, 'bool', [raw, of(0)]);
  const counted = applyPoint({ op: 'where', attrs: {} }, dtype, [isNegative, binary('add', raw, of(size)), raw]);
  return binary('min', binary('max', counted, of(0)), of(size - 1));
}
