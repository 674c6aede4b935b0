// The frame of every blocked product: grid steps over batches, blocks of columns and chunks of rows (step.ts writes one); within one, the depth
// in chunks whose panel of columns stays in the first-level cache; within a chunk, tiles of registers; and behind the last chunk what is fused
// to the contraction, on whole vectors of results. Where rows and columns come from is given to it.
import { ZERO, delinearize, indexSymbol } from '../../../core/indexExpr.ts';
import type { IndexExpr } from '../../../core/indexExpr.ts';
import { byteWidth } from '../../../core/dtype.ts';
import type { NumericDType } from '../../../core/dtype.ts';
import { elementCount } from '../../../core/shape.ts';
import { index, variable } from '../../../kernel/build.ts';
import type { Expr, Kernel } from '../../../kernel/ir.ts';
import type { Position } from '../../positions.ts';
import { createSlot } from '../../storage.ts';
import type { Emitter, LoweredKernel } from '../../emit/emitter.ts';
import { GRID_VAR } from '../lowerNest.ts';
import type { ContractionSite } from '../templates.ts';
import { partsFor } from './blocking.ts';
import type { RegisterTile } from './blocking.ts';
import { nameIndex } from './tile.ts';
import { placeOf, writeStep } from './step.ts';
import type { Frame } from './step.ts';

/** A stretch of the depth: `first` counts from the beginning, in units of `Depth.unit` steps. */
export interface DepthChunk {
  readonly first: IndexExpr;
  /** Units in this chunk. */
  readonly units: Expr;
}

/** The contracted axis: `units` groups of `unit` steps, cut into chunks of `chunk` units. */
export interface Depth {
  readonly units: number;
  readonly unit: number;
  readonly chunk: number;
  /** The axes that the steps of a unit count through, where tiles walk them one within the other: then a chunk is one unit. */
  readonly axes?: readonly number[];
}

/** A row: its line, and where in the line; `from`: the first line of the grid step. */
export interface RowPlace {
  readonly line: IndexExpr;
  readonly at: IndexExpr;
  readonly from: IndexExpr;
}

export interface Rows {
  /** Of the contraction; the columns are of the other. */
  readonly operand: 0 | 1;
  /** Lines of `extent` rows each; tiles stay within a line. */
  readonly lines: number;
  readonly extent: number;
  /** Whether the last tile reaches back over rows of the one before, so that none of its rows is past the last. */
  readonly reachesBack: boolean;
  /** Bytes that `prepare` leaves for a chunk of the depth. */
  readonly preparedBytes?: number;
  /** Copies what `count` lines from `first` on read of a chunk of the depth, where rows are not read where they lie: grid steps take whole lines then. */
  prepare?(emitter: Emitter, batch: Position, lines: { readonly first: IndexExpr; readonly count: Expr }, chunk: DepthChunk): void;
  /** For the rows of tile number `tile`: scalars of the tile's rows at a depth counted from the beginning. */
  open(emitter: Emitter, batch: Position, tile: IndexExpr, first: RowPlace): (depth: IndexExpr) => readonly Expr[];
}

export interface Columns {
  /** Blocks that grid steps take, and the most columns of one. */
  readonly blocks: number;
  readonly blockColumns: number;
  /** Whether blocks are copied into scratch memory, so that many rows should share a copy. */
  readonly copied: boolean;
  /** Columns of a block. */
  count(emitter: Emitter, block: IndexExpr): Expr;
  /** Prepares a chunk of the depth; then, for a tile of the block, vectors at a depth counted from the chunk's beginning. */
  open(emitter: Emitter, batch: Position, block: IndexExpr, chunk: DepthChunk): (tile: IndexExpr) => (depth: IndexExpr) => readonly Expr[];
  /** What sums along so many steps of the depth, which divide every chunk, are to be multiplied by: vectors for a tile of the block at a depth counted from the chunk's beginning. */
  readonly scale?: { readonly steps: number; at(emitter: Emitter, block: IndexExpr, tile: IndexExpr, depth: IndexExpr): readonly Expr[] };
  /** Coordinates of column `column` of a block in the contraction's result. */
  position(block: IndexExpr, column: IndexExpr): Position;
}

export interface Product {
  readonly name: string;
  readonly batch: readonly number[];
  readonly rows: Rows;
  readonly columns: Columns;
  readonly depth: Depth;
  readonly tile: RegisterTile;
  /** Parts of the rows, each in grid steps of its own; counted here where absent. */
  readonly parts?: number;
  /** Where a result stands, of the contraction's own dtype. */
  position(batch: Position, row: Omit<RowPlace, 'from'>, column: Position): Position;
}

/**
 * Whether threads share rows rather than columns: what is longer, so that each reads less of what others wrote, and where rows are positions, as
 * they mostly are then, its own part of an image from layer to layer.
 */
export const isLongerThanWide = (rows: number, columns: number): boolean => rows > columns;

/** Share of the first-level cache for lines of results that several batches write. */
const NEAR_SHARE = 1 / 2;
/** Multiply-adds in whose time a vector of columns is copied: neighbours along the depth often lie in pages of their own. */
const COPY_COST = 16;
/** Rows that should share a copied block of columns. */
const SHARING_ROWS = 96;
/** The same where threads would write lines of each other's, which costs more than some copies. */
const MINGLED_SHARING_ROWS = 24;
/** Share of the first-level cache for sums that are turned around together. */
const SUMS_SHARE = 1 / 2;

/** Whether rows lie side by side where results are stored, line after line, and columns do not. */
function storesRows(site: ContractionSite, product: Product): boolean {
  const { rows, columns } = product;
  const symbol = (name: string, extent: number): IndexExpr => indexSymbol(name, 0, Math.max(extent - 1, 0));
  const [line, row, column] = [symbol('line', rows.lines), symbol('row', rows.extent), symbol('column', columns.blockColumns)];
  const place = placeOf(product, { line, row, column });
  const [perColumn, perRow, perLine] = ['column', 'row', 'line'].map((name) => site.storeStep(place, name));
  return perColumn !== 1 && (perRow === 1 || rows.extent === 1) && (rows.lines === 1 || perLine === rows.extent);
}

export function lowerProduct(site: ContractionSite, product: Product): LoweredKernel {
  const { tile, columns, rows, depth } = product;
  const { vectorLanes: lanes, l1Bytes, l2Bytes } = site.capabilities.simd;
  const emitter = site.createEmitter();
  const lineTiles = Math.ceil(rows.extent / tile.rows);
  const rowTiles = rows.lines * lineTiles;
  const columnTiles = Math.ceil(columns.blockColumns / (tile.vectors * lanes));
  const steps = elementCount(product.batch) * columns.blocks;
  const work = (steps * rows.lines * rows.extent * columns.blockColumns * depth.units * depth.unit) / lanes;
  const mingled = mingledBatch(site, product);
  const existing = mingled === undefined ? steps : steps / product.batch[mingled.axis]!;
  // Rows that share a copied block of columns stay together.
  const sharing = columns.copied ? Math.ceil((mingled === undefined ? SHARING_ROWS : MINGLED_SHARING_ROWS) / tile.rows) : 1;
  const mostParts = Math.floor(rowTiles / sharing);
  const copies = columns.copied ? (steps * columns.blockColumns * depth.units * depth.unit * COPY_COST) / lanes : 0;
  const depthChunks = Math.ceil(depth.units / depth.chunk);
  // Between chunks of the depth a tile that reaches back keeps its sums behind those of its line, where there is no other line.
  const isTurned = (depthChunks === 1 || rows.lines === 1 || rows.extent % tile.rows === 0) && storesRows(site, product);
  const unit = rows.prepare !== undefined || (isTurned && rows.lines > 1) ? lineTiles : 1;
  // All tiles of columns walk through the rows of a step.
  const leastParts = isTurned ? Math.ceil((rows.lines * rows.extent * depth.units * depth.unit * 4 * 2) / l2Bytes) : 1;
  const chosenTiles = Math.ceil(rowTiles / unit / (product.parts ?? Math.max(partsFor(work, existing, rowTiles, mostParts, copies), Math.min(leastParts, rowTiles)))) * unit;
  // What one batch leaves of lines stays near for the next.
  const nearTiles = mingled === undefined ? rowTiles : Math.floor((l1Bytes * NEAR_SHARE) / (mingled.pitchBytes * tile.rows * unit)) * unit;
  const chunkTiles = Math.min(chosenTiles, Math.max(nearTiles, unit, sharing));
  const { dtype } = site.node.outputs[0]!;
  const mostTogether = Math.floor((l1Bytes * SUMS_SHARE) / (tile.rows * tile.vectors * lanes * 4 * unit)) * unit;
  const group = isTurned ? (depthChunks > 1 ? chunkTiles : Math.min(Math.max(mostTogether, unit), chunkTiles)) : undefined;
  const kept = (group === undefined ? (depthChunks > 1 ? chunkTiles : 1) : group + 1) * (depthChunks > 1 ? columnTiles : 1);
  const slot = createSlot('scratch', { dtype, shape: [kept * tile.rows * tile.vectors * lanes] });
  const frame: Frame = { emitter, site, product, lanes, dtype, rowTiles, lineTiles, chunkTiles, columnTiles, depthChunks, sums: emitter.buffer(slot, 'write'), group };
  const { batch } = product;
  const dealt = batch.map((extent, axis) => (axis === mingled?.axis ? 1 : extent));
  const parts = Math.ceil(rowTiles / chunkTiles);
  const isLong = isLongerThanWide(rows.lines * rows.extent, columns.blocks * columns.blockColumns);
  const { position, grid } = openGrid(emitter, [...dealt, ...(isLong ? [parts, columns.blocks] : [columns.blocks, parts])]);
  const [block, part] = isLong ? [position.at(-1)!, position.at(-2)!] : [position.at(-2)!, position.at(-1)!];
  const write = (at: Position): void => writeStep(frame, at, block, part);
  if (mingled === undefined) write(position.slice(0, -2));
  else {
    const name = emitter.fresh('batch');
    const extent = batch[mingled.axis]!;
    emitter.loop(name, index(0), index(extent), 1, () => write(position.slice(0, -2).map((at, axis) => (axis === mingled.axis ? indexSymbol(name, 0, extent - 1) : at))));
  }
  return site.finish(emitter, product.name, grid);
}

const LINE_BYTES = 64;
/** Whether stretches of results that begin so many elements apart meet in lines of a cache. */
export const meetInLines = (apart: number, dtype: NumericDType): boolean => (apart * byteWidth(dtype)) % LINE_BYTES !== 0;

/**
 * The axis of batches whose results stand in the rows of each other's and meet there in lines of a cache, as those of a convolution's groups with
 * channels last: a grid step takes all of them, so that no two threads write the same lines.
 */
function mingledBatch(site: ContractionSite, product: Product): { readonly axis: number; readonly pitchBytes: number } | undefined {
  const { batch, rows } = product;
  const axis = batch.findLastIndex((extent) => extent > 1);
  if (axis === -1) return undefined;
  const own = indexSymbol('batch', 0, batch[axis]! - 1);
  const at = batch.map((_, i) => (i === axis ? own : ZERO));
  const apart = site.storeStep(placeOf(product, { at }), 'batch');
  const pitch = site.storeStep(placeOf(product, { row: indexSymbol('row', 0, rows.extent - 1) }), 'row');
  const { dtype } = site.node.outputs[0]!;
  return apart !== undefined && pitch !== undefined && apart < pitch && meetInLines(apart, dtype) ? { axis, pitchBytes: pitch * byteWidth(dtype) } : undefined;
}

/** A grid of steps over all coordinates below `extents`, and those of the step at hand. */
export function openGrid(emitter: Emitter, extents: readonly number[]): { readonly position: Position; readonly grid: Kernel['grid'] } {
  const steps = elementCount(extents);
  emitter.define('g', variable(GRID_VAR));
  const position = delinearize(indexSymbol('g', 0, steps - 1), extents).map((x) => nameIndex(emitter, x));
  return { position, grid: { var: GRID_VAR, extent: steps } };
}
