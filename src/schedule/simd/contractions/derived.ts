// Weights read from what they are computed from, where that is smaller: integers of a few bits and the scales of their blocks, halves.
// Each of these leaves lies in panels of its own, in its own dtype, and a value is computed where the product asks for it.
import { ZERO, addIndex, constantIndex, floorDiv, indexSymbol, linearIndex, modIndex, quotientsIn, scaleIndex, substituteIndex, symbolsIn } from '../../../core/indexExpr.ts';
import type { IndexExpr } from '../../../core/indexExpr.ts';
import { byteWidth, dtypes, isFloat } from '../../../core/dtype.ts';
import type { NumericDType } from '../../../core/dtype.ts';
import { binary, cast, constant, index, load, splat, store, variable } from '../../../kernel/build.ts';
import type { Expr, Kernel } from '../../../kernel/ir.ts';
import { computeType, hasLanes } from '../../emit/compute.ts';
import type { Emitter } from '../../emit/emitter.ts';
import { scalarCost } from '../../emit/lanes.ts';
import { Substitution, applyPoint, localPoint } from '../../point.ts';
import type { PointExpr } from '../../point.ts';
import { contiguous } from '../../storage.ts';
import type { MemorySlot } from '../../storage.ts';
import { GRID_VAR } from '../lowerNest.ts';
import type { ContractionSite } from '../templates.ts';
import { blockFrame, createPanel, readPanel, wholeVectors } from './panels.ts';
import type { PanelShape, Side } from './panels.ts';
import { least, quotient, quotientUp } from './tile.ts';
import type { RegisterTile } from './blocking.ts';
import type { Columns, Depth, DepthChunk } from './product.ts';

/** What the values of one side are computed from. */
export interface Leaf {
  readonly slot: MemorySlot;
  /** Where it lies for column COLUMN at depth DEPTH of the side. */
  readonly offset: IndexExpr;
  /** Steps of the depth along which it stays the same. */
  readonly period: number;
  /** Whether columns differ in it. */
  readonly isWide: boolean;
  /** How many of the depth lie in a word of 32 bits; 1 where each lies by itself. */
  readonly perWord: number;
}

export interface Derivation {
  /** A value, with the leaves as locals of these numbers. */
  readonly value: PointExpr;
  readonly leaves: readonly Leaf[];
  /** Steps of the depth that are best taken together. */
  readonly step: number;
  /** The value as a product, of which one factor stays the same along a stretch of the depth: it may wait for the sum of the stretch. */
  readonly scaled?: Scaled;
}

interface Scaled {
  readonly value: PointExpr;
  readonly factor: PointExpr;
  /** Steps of a stretch; they divide the depth. */
  readonly steps: number;
}

export const [COLUMN, DEPTH] = ['column', 'depth'];
/** Additions that a value may cost. */
const MOST_COST = 16;
/** What the leaves may have of the bytes of the values, to be worth computing from. */
const LEAST_GAIN = 3 / 4;
const WORD_BITS = 32;

export const leafName = (i: number): string => `leaf${i}`;

/** Steps of the depth along which `offset` stays the same: those of a block, all of them, or one. */
function periodOf(offset: IndexExpr, depth: number): number {
  const moves = (x: IndexExpr, symbol: string): boolean => symbolsIn(x).has(symbol);
  if (!moves(offset, DEPTH)) return depth;
  for (const { by } of quotientsIn(offset)) {
    const within = indexSymbol('within', 0, by - 1);
    const blocks = addIndex(scaleIndex(indexSymbol('block', 0, Math.ceil(depth / by) - 1), by), within);
    if (!moves(substituteIndex(offset, new Map([[DEPTH, blocks]])), 'within')) return by;
  }
  return 1;
}

function leafOf(e: Extract<PointExpr, { readonly kind: 'load' }>, depth: number): Leaf {
  const period = periodOf(e.offset, depth);
  const { bits } = dtypes[e.slot.dtype];
  const perWord = period === 1 && !isFloat(e.slot.dtype) && bits < 8 ? WORD_BITS / bits : 1;
  return { slot: e.slot, offset: e.offset, period, isWide: symbolsIn(e.offset).has(COLUMN), perWord };
}

/** Bytes for each value. */
function bytesOf({ slot, period, isWide, perWord }: Leaf, extent: number): number {
  const own = perWord === 1 ? byteWidth(slot.dtype) : WORD_BITS / 8 / perWord;
  return own / period / (isWide ? 1 : extent);
}

/** Whether values of this dtype are read in a step or two. */
const isQuick = ({ capabilities: { simd } }: ContractionSite, dtype: NumericDType): boolean =>
  !isFloat(dtype) || dtypes[dtype].bits >= 32 || (dtype === 'f16' && simd.convertsHalves);

/** How to compute the values of `side` as the product wants them; undefined where reading them is no more than reading what they come from. */
export function derive(site: ContractionSite, side: Side, shape: PanelShape): Derivation | undefined {
  if (side.at === undefined || side.batchStrides.some((s) => s !== 0)) return undefined;
  const value = site.origin(side.operand, side.at(indexSymbol(COLUMN, 0, side.extent - 1), indexSymbol(DEPTH, 0, shape.depth - 1)));
  if (value === undefined || scalarCost([value]) > MOST_COST) return undefined;
  const leaves: Leaf[] = [];
  const known = new Map<PointExpr, PointExpr>();
  let fits = true;
  const walk = (e: PointExpr): PointExpr => {
    const done = known.get(e);
    if (done !== undefined) return done;
    fits &&= hasLanes(e.dtype) && (e.kind === 'load' || e.kind === 'apply' || e.kind === 'literal');
    const made = e.kind === 'load' ? localPoint(leafName(leaves.push(leafOf(e, shape.depth)) - 1), e.dtype) : e.kind === 'apply' ? applyPoint(e.op, e.dtype, e.args.map(walk)) : e;
    known.set(e, made);
    return made;
  };
  const made = walk(value);
  if (!fits || leaves.some(({ slot }) => !isQuick(site, slot.dtype))) return undefined;
  const bytes = leaves.reduce((sum, leaf) => sum + bytesOf(leaf, side.extent), 0);
  if (bytes > byteWidth(shape.dtype) * LEAST_GAIN) return undefined;
  const typed = made.dtype === shape.dtype ? made : applyPoint({ op: 'cast', attrs: { to: shape.dtype, saturate: false } }, shape.dtype, [made]);
  const step = Math.max(1, ...leaves.map((leaf) => leaf.perWord));
  const scaled = scaledOf(typed, leaves, shape.depth, step);
  return { value: typed, leaves, step, ...(scaled === undefined ? {} : { scaled }) };
}

function scaledOf(e: PointExpr, leaves: readonly Leaf[], depth: number, step: number): Scaled | undefined {
  if (e.kind !== 'apply' || e.op.op !== 'binary' || e.op.attrs.fn !== 'mul' || e.dtype !== 'f32') return undefined;
  const stretchOf = (x: PointExpr): number => leaves.reduce((least, { period }, i) => (x.symbols.has(leafName(i)) ? Math.min(least, period) : least), depth);
  const [a, b] = [e.args[0]!, e.args[1]!];
  const [value, factor] = stretchOf(a) < stretchOf(b) ? [a, b] : [b, a];
  const steps = stretchOf(factor);
  return steps > step && steps % step === 0 && depth % steps === 0 ? { value, factor, steps } : undefined;
}

/** Elements of a leaf in one panel: one for each period of the depth and each column. */
const rowsOf = ({ period, perWord }: Leaf, depth: number): number => Math.ceil(depth / period / perWord);
const lineOf = ({ isWide }: Leaf, width: number): number => (isWide ? width : 1);
const elementDType = ({ slot, perWord }: Leaf): NumericDType => (perWord === 1 ? slot.dtype : dtypes[slot.dtype].class === 'int' ? 'i32' : 'u32');

export interface Panels {
  readonly extent: number;
  readonly depth: number;
  readonly width: number;
}

/** Copies a leaf into panels, [rows][width] each, once at load. What is beyond the last column or depth repeats the last. */
function packLeaf(site: ContractionSite, leaf: Leaf, { extent, depth, width }: Panels): MemorySlot {
  const [rows, line, dtype] = [rowsOf(leaf, depth), lineOf(leaf, width), elementDType(leaf)];
  const panels = leaf.isWide ? Math.ceil(extent / width) : 1;
  const { bits } = dtypes[leaf.slot.dtype];
  const type = computeType(dtype);
  const write = (emitter: Emitter, _source: unknown, target: MemorySlot): Kernel['grid'] => {
    emitter.define('g', variable(GRID_VAR));
    const panel = indexSymbol('g', 0, panels - 1);
    const [row, column] = [indexSymbol('row', 0, rows - 1), indexSymbol('i', 0, line - 1)];
    emitter.loop('row', index(0), index(rows), 1, () =>
      emitter.loop('i', index(0), index(line), 1, () => {
        emitter.define(COLUMN, emitter.bind(least(emitter.index(addIndex(scaleIndex(panel, width), column)), index(extent - 1))));
        const elements = Array.from({ length: leaf.perWord }, (_, i) => {
          const depthName = `${DEPTH}${i}`;
          emitter.define(depthName, emitter.bind(least(emitter.index(addIndex(scaleIndex(row, leaf.perWord * leaf.period), i)), index(depth - 1))));
          const at = substituteIndex(leaf.offset, new Map([[DEPTH, indexSymbol(depthName, 0, depth - 1)]]));
          return load(emitter.buffer(leaf.slot, 'read'), emitter.index(at), computeType(leaf.slot.dtype));
        });
        const value = leaf.perWord === 1 ? elements[0]! : elements.map((x, i) => placed(cast(type, x), i * bits, bits)).reduce((word, x) => binary('or', word, x));
        const to = linearIndex([panel, row, column], [rows * line, line, 1]);
        emitter.push(store(emitter.buffer(target, 'write'), emitter.index(to), value));
      }),
    );
    return { var: GRID_VAR, extent: panels };
  };
  const layout = `leaf of ${width}|${extent}|${depth}|${leaf.period}|${leaf.perWord}|${leaf.offset.key}`;
  return site.pack(contiguous(leaf.slot, [leaf.slot.elements]), layout, dtype, panels * rows * line, write).slot;
}

const number = (x: Expr, value: number): Expr => constant(x.type.dtype, value);
/** The low `bits` of `x`, `by` bits further up. */
const placed = (x: Expr, by: number, bits: number): Expr => binary('shl', binary('and', x, number(x, 2 ** bits - 1)), number(x, by));

/** Part `at` (counted in the depth) of words, with its sign where they are signed. */
function partOf(emitter: Emitter, word: Expr, at: IndexExpr, bits: number): Expr {
  const { dtype, lanes } = word.type;
  const shift = (first: number, step: number): Expr => splat(cast(dtype, emitter.index(addIndex(scaleIndex(at, step), first))), lanes);
  if (dtype === 'i32') return binary('shr', binary('shl', word, shift(WORD_BITS - bits, -bits)), splat(constant(dtype, WORD_BITS - bits), lanes));
  return binary('and', binary('shr', word, shift(0, bits)), splat(constant(dtype, 2 ** bits - 1), lanes));
}

/** Writes the vectors of what is computed from leaves, at depth `k` of panel `panel`. */
export type WriteVectors = (emitter: Emitter, value: PointExpr, panel: IndexExpr, k: IndexExpr) => readonly Expr[];

export function packLeaves(site: ContractionSite, leaves: readonly Leaf[], panels: Panels): WriteVectors {
  const lanes = site.capabilities.simd.vectorLanes;
  const slots = leaves.map((leaf) => packLeaf(site, leaf, panels));
  /** The local that holds leaf `i` for vector `v`: written once for all that asks for it within a block. */
  const localOf = (emitter: Emitter, i: number, v: number, panel: IndexExpr, k: IndexExpr): string => {
    const leaf = leaves[i]!;
    const [rows, line] = [rowsOf(leaf, panels.depth), lineOf(leaf, panels.width)];
    const row = floorDiv(k, leaf.period * leaf.perWord);
    const at = linearIndex([leaf.isWide ? panel : ZERO, row, leaf.isWide ? constantIndex(v * lanes) : ZERO], [rows * line, line, 1]);
    const name = (part: string): string => `${leafName(i)} ${part}${at.key}`;
    const named = (local: string, make: () => Expr): string => {
      if (emitter.find(local) === undefined) emitter.define(local, emitter.bind(make()));
      return local;
    };
    const read = (): Expr => load(emitter.buffer(slots[i]!, 'read'), emitter.index(at), computeType(elementDType(leaf)), leaf.isWide ? lanes : 1);
    const whole = named(name(''), read);
    if (leaf.perWord === 1) return whole;
    const part = modIndex(k, leaf.perWord);
    return named(name(`${part.key} of `), () => partOf(emitter, emitter.named(whole).expr, part, dtypes[leaf.slot.dtype].bits));
  };
  return (emitter, value, panel, k) => {
    const vectors: Expr[] = [];
    emitter.withLanes(emitter.fresh('lane'), lanes, () => {
      for (let v = 0; v < panels.width / lanes; v++) {
        const locals = new Map(leaves.flatMap((_, i) => (value.symbols.has(leafName(i)) ? [[leafName(i), localOf(emitter, i, v, panel, k)]] : [])));
        const own = new Substitution(
          new Map(),
          emitter.dynamic,
          (_, old) => indexSymbol(old, 0, 0),
          (local) => locals.get(local) ?? local,
        ).point(value);
        emitter.countUses(own);
        vectors.push(splat(emitter.point(own), lanes));
      }
    });
    return vectors;
  };
}

/** Whether registers hold the sums of a stretch beside those before it. */
const isRoomy = ({ capabilities: { simd } }: ContractionSite, { rows, vectors }: RegisterTile, depth: number, { scaled }: Derivation): boolean =>
  scaled?.steps === depth || (2 * rows + 1) * vectors + 3 <= simd.vectorRegisters;

/** Columns that are computed where a tile multiplies them, all of the depth at once: for products of so few rows that nothing is gained by keeping them. */
export function streamedColumns(site: ContractionSite, side: Side, shape: PanelShape, tile: RegisterTile, tiles: number, derivation: Derivation): Columns {
  const width = tile.vectors * site.capabilities.simd.vectorLanes;
  const vectors = packLeaves(site, derivation.leaves, { extent: side.extent, depth: shape.depth, width });
  const { scaled } = isRoomy(site, tile, shape.depth, derivation) ? derivation : {};
  const panelOf = (block: IndexExpr, number: IndexExpr): IndexExpr => addIndex(scaleIndex(block, tiles), number);
  return {
    ...blockFrame({ extent: side.extent, width, tiles }),
    copied: false,
    open: (emitter, _batch, block) => (number) => (k) => vectors(emitter, scaled?.value ?? derivation.value, panelOf(block, number), k),
    ...(scaled === undefined ? {} : { scale: { steps: scaled.steps, at: (emitter, block, number, k) => vectors(emitter, scaled.factor, panelOf(block, number), k) } }),
  };
}

/** Columns that are computed chunk by chunk of the depth into scratch memory, for many rows to pass. `depth` has units of one step, its chunk a multiple of the derivation's. */
export function derivedColumns(site: ContractionSite, side: Side, shape: PanelShape, tile: RegisterTile, depth: Depth, tiles: number, derivation: Derivation): Columns {
  const { vectorLanes: lanes } = site.capabilities.simd;
  const width = tile.vectors * lanes;
  const vectors = packLeaves(site, derivation.leaves, { extent: side.extent, depth: shape.depth, width });
  const frame = blockFrame({ extent: side.extent, width, tiles });
  return {
    ...frame,
    copied: true,
    open(emitter, _batch, block, chunk) {
      const panel = createPanel(emitter, shape.dtype, depth.chunk, frame.blockColumns, tile, lanes);
      const number = emitter.fresh('tile');
      const write = (k: IndexExpr): void => {
        const t = indexSymbol(number, 0, tiles - 1);
        const values = vectors(emitter, derivation.value, addIndex(scaleIndex(block, tiles), t), addIndex(chunk.first, k));
        values.forEach((value, v) => emitter.push(store(panel.buffer, emitter.index(linearIndex([k, t, constantIndex(v)], [panel.pitch, width, lanes])), value)));
      };
      emitter.loop(number, index(0), quotientUp(emitter, frame.count(emitter, block), width), 1, () => eachStep(emitter, chunk, depth, derivation.step, write));
      return readPanel(emitter, panel, tile, lanes, shape.dtype);
    },
  };
}

/** Every step of a chunk, `together` at a time, then what is left. */
function eachStep(emitter: Emitter, { units }: DepthChunk, { chunk }: Depth, together: number, write: (k: IndexExpr) => void): void {
  const [group, single] = [emitter.fresh('depth'), emitter.fresh('depth')];
  emitter.loop(group, index(0), quotient(emitter, units, together), 1, () => {
    const first = scaleIndex(indexSymbol(group, 0, Math.ceil(chunk / together) - 1), together);
    for (let i = 0; i < together; i++) write(addIndex(first, i));
  });
  emitter.loop(single, wholeVectors(emitter, units, together), units, 1, () => write(indexSymbol(single, 0, chunk - 1)));
}
