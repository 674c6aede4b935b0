// The frame of every blocked product: grid steps over batches, blocks of columns and chunks of rows; within one, the depth in chunks whose
// panel of columns stays in the first-level cache; within a chunk, tiles of registers; and behind the last chunk what is fused to the
// contraction, on whole vectors of results. Where rows and columns come from is given to it.
import { ZERO, addIndex, delinearize, floorDiv, indexSymbol, modIndex, scaleIndex, subIndex } from '../../../core/indexExpr.ts';
import type { IndexExpr } from '../../../core/indexExpr.ts';
import { byteWidth } from '../../../core/dtype.ts';
import type { NumericDType } from '../../../core/dtype.ts';
import { elementCount } from '../../../core/shape.ts';
import { add, compare, index, load, mul, select, variable } from '../../../kernel/build.ts';
import type { Expr, Kernel } from '../../../kernel/ir.ts';
import type { Position } from '../../positions.ts';
import { createSlot } from '../../storage.ts';
import { computeType } from '../../emit/compute.ts';
import type { Emitter, LoweredKernel } from '../../emit/emitter.ts';
import { GRID_VAR } from '../lowerNest.ts';
import type { ContractionSite } from '../templates.ts';
import { partsFor } from './blocking.ts';
import type { RegisterTile } from './blocking.ts';
import { storeColumns, storeTurned } from './results.ts';
import { at, least, minus, multiplyAddOf, nameIndex, quotient, quotientUp, writeTile } from './tile.ts';
import type { DepthRange, MultiplyAdd, TileOperands, TilePlace } from './tile.ts';

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

/** Share of the first-level cache for lines of results that several batches write. */
const NEAR_SHARE = 1 / 2;
/** Rows that should share a copied block of columns. */
const SHARING_ROWS = 96;
/** Share of the first-level cache for sums that are turned around together. */
const SUMS_SHARE = 1 / 2;

interface Frame {
  readonly emitter: Emitter;
  readonly site: ContractionSite;
  readonly product: Product;
  readonly lanes: number;
  readonly dtype: NumericDType;
  readonly rowTiles: number;
  /** Of one line. */
  readonly lineTiles: number;
  /** Tiles of rows of one grid step. */
  readonly chunkTiles: number;
  readonly columnTiles: number;
  readonly depthChunks: number;
  /** Sums between chunks of the depth, or of one tile or group before it is stored. */
  readonly sums: string;
  /** Tiles of rows whose results are turned around together, where rows lie side by side where results are stored and columns do not; of whole lines, if there are several. */
  readonly group: number | undefined;
}

/** Whether rows lie side by side where results are stored, line after line, and columns do not. */
function storesRows(site: ContractionSite, { batch, rows, columns, position }: Product): boolean {
  const origin = batch.map(() => ZERO);
  const symbol = (name: string, extent: number): IndexExpr => indexSymbol(name, 0, Math.max(extent - 1, 0));
  const [line, row, column] = [symbol('line', rows.lines), symbol('row', rows.extent), symbol('column', columns.blockColumns)];
  const place = position(origin, { line, at: row }, columns.position(ZERO, column));
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
  const mingled = columns.copied ? undefined : mingledBatch(site, product);
  const existing = mingled === undefined ? steps : steps / product.batch[mingled.axis]!;
  // Rows that share a copied block of columns stay together.
  const mostParts = columns.copied ? Math.floor((rowTiles * tile.rows) / SHARING_ROWS) : rowTiles;
  const depthChunks = Math.ceil(depth.units / depth.chunk);
  // Between chunks of the depth a tile that reaches back keeps its sums behind those of its line, where there is no other line.
  const isTurned = (depthChunks === 1 || rows.lines === 1 || rows.extent % tile.rows === 0) && storesRows(site, product);
  const unit = rows.prepare !== undefined || (isTurned && rows.lines > 1) ? lineTiles : 1;
  // All tiles of columns walk through the rows of a step.
  const leastParts = isTurned ? Math.ceil((rows.lines * rows.extent * depth.units * depth.unit * 4 * 2) / l2Bytes) : 1;
  const chosenTiles = Math.ceil(rowTiles / unit / (product.parts ?? Math.max(partsFor(work, existing, rowTiles, mostParts), Math.min(leastParts, rowTiles)))) * unit;
  // What one batch leaves of lines stays near for the next.
  const nearTiles = mingled === undefined ? rowTiles : Math.floor((l1Bytes * NEAR_SHARE) / (mingled.pitchBytes * tile.rows * unit)) * unit;
  const chunkTiles = Math.min(chosenTiles, Math.max(nearTiles, unit));
  const { dtype } = site.node.outputs[0]!;
  const mostTogether = Math.floor((l1Bytes * SUMS_SHARE) / (tile.rows * tile.vectors * lanes * 4 * unit)) * unit;
  const group = isTurned ? (depthChunks > 1 ? chunkTiles : Math.min(Math.max(mostTogether, unit), chunkTiles)) : undefined;
  const kept = (group === undefined ? (depthChunks > 1 ? chunkTiles : 1) : group + 1) * (depthChunks > 1 ? columnTiles : 1);
  const slot = createSlot('scratch', { dtype, shape: [kept * tile.rows * tile.vectors * lanes] });
  const frame: Frame = { emitter, site, product, lanes, dtype, rowTiles, lineTiles, chunkTiles, columnTiles, depthChunks, sums: emitter.buffer(slot, 'write'), group };
  const { batch } = product;
  const dealt = batch.map((extent, axis) => (axis === mingled?.axis ? 1 : extent));
  const { position, grid } = openGrid(emitter, [...dealt, columns.blocks, Math.ceil(rowTiles / chunkTiles)]);
  const write = (at: Position): void => writeStep(frame, at, position.at(-2)!, position.at(-1)!);
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
function mingledBatch(site: ContractionSite, { batch, rows, columns, position }: Product): { readonly axis: number; readonly pitchBytes: number } | undefined {
  const axis = batch.findLastIndex((extent) => extent > 1);
  if (axis === -1) return undefined;
  const step = (b: IndexExpr, at: IndexExpr): number | undefined =>
    site.storeStep(
      position(
        batch.map((_, i) => (i === axis ? b : ZERO)),
        { line: ZERO, at },
        columns.position(ZERO, ZERO),
      ),
      'x',
    );
  const [apart, pitch] = [step(indexSymbol('x', 0, batch[axis]! - 1), ZERO), step(ZERO, indexSymbol('x', 0, rows.extent - 1))];
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

/** One grid step: a chunk of rows times a block of columns. */
function writeStep(frame: Frame, batch: Position, block: IndexExpr, rowChunk: IndexExpr): void {
  const { emitter, product, lanes, rowTiles, lineTiles, chunkTiles, columnTiles, depthChunks } = frame;
  const { tile, depth, rows } = product;
  const width = tile.vectors * lanes;
  const count = product.columns.count(emitter, block);
  const tiles = quotientUp(emitter, count, width);
  const from = emitter.bind(emitter.index(scaleIndex(rowChunk, chunkTiles)));
  const to = rowTiles % chunkTiles === 0 && from.kind !== 'const' ? at(from, chunkTiles) : least(at(from, chunkTiles), index(rowTiles));
  const end = emitter.bind(to);
  const fromLine = nameIndex(emitter, floorDiv(scaleIndex(rowChunk, chunkTiles), lineTiles));
  const chunkSymbol = emitter.fresh('chunk');
  emitter.loop(chunkSymbol, index(0), index(depthChunks), 1, () => {
    const chunk = nameIndex(emitter, indexSymbol(chunkSymbol, 0, depthChunks - 1));
    const first = scaleIndex(chunk, depth.chunk);
    const units = depth.units % depth.chunk === 0 ? index(depth.chunk) : emitter.bind(least(minus(index(depth.units), emitter.index(first)), index(depth.chunk)));
    const range: DepthRange = { steps: emitter.bind(mul(units, index(depth.unit))), most: depth.chunk * depth.unit, ...(depth.axes === undefined ? {} : { axes: depth.axes }) };
    const columns = product.columns.open(emitter, batch, block, { first, units });
    if (rows.prepare !== undefined) {
      const count = least(index(chunkTiles / lineTiles), minus(index(rows.lines), emitter.index(fromLine)));
      rows.prepare(emitter, batch, { first: fromLine, count: emitter.bind(count) }, { first, units });
    }
    const [row, column] = [emitter.fresh('row'), emitter.fresh('tile')];
    const r = indexSymbol(row, 0, rowTiles - 1);
    const j = indexSymbol(column, 0, columnTiles - 1);
    const step = { batch, block, fromLine, columnTile: j, chunk, first, range, columns, count };
    const write = (): void => writeOne(frame, { ...step, rowTile: r, firstTile: scaleIndex(rowChunk, chunkTiles) });
    const overRows = (inner: () => void): void => emitter.loop(row, from, end, 1, inner);
    const overColumns = (inner: () => void): void => emitter.loop(column, index(0), tiles, 1, inner);
    // Either the panel of columns stays in the first-level cache while all rows pass, or the rows of a tile while all columns do.
    const rowBytes = rows.preparedBytes ?? chunkTiles * tile.rows * range.most * 4;
    if (frame.group !== undefined) overColumns(() => writeGroups(frame, step, from, end));
    else if (rowBytes * 2 <= frame.site.capabilities.simd.l2Bytes) overColumns(() => overRows(write));
    else overRows(() => overColumns(write));
  });
}

interface OneTile {
  readonly batch: Position;
  readonly block: IndexExpr;
  /** The first tile of rows whose sums are kept together with this one's. */
  readonly firstTile: IndexExpr;
  /** The grid step's first line. */
  readonly fromLine: IndexExpr;
  readonly rowTile: IndexExpr;
  readonly columnTile: IndexExpr;
  readonly chunk: IndexExpr;
  /** Units of depth before this chunk. */
  readonly first: IndexExpr;
  readonly range: DepthRange;
  readonly columns: (tile: IndexExpr) => (depth: IndexExpr) => readonly Expr[];
  readonly count: Expr;
}

function writeOne(frame: Frame, one: OneTile): void {
  const { emitter, product, lanes, dtype, columnTiles, depthChunks, sums } = frame;
  const { tile, depth } = product;
  const size = tile.rows * tile.vectors * lanes;
  const { line, firstRow, skipped } = rowsOfTile(frame, one.rowTile);
  const local = subIndex(one.rowTile, one.firstTile);
  const place =
    frame.group !== undefined
      ? placeInGroup(frame, one, line, firstRow, skipped)
      : { base: depthChunks === 1 ? index(0) : emitter.bind(emitter.index(scaleIndex(addIndex(scaleIndex(local, columnTiles), one.columnTile), size))) };
  const rows = product.rows.open(emitter, one.batch, one.rowTile, { line, at: firstRow, from: one.fromLine });
  const begin = scaleIndex(one.first, depth.unit);
  const { scale } = product.columns;
  const operands: TileOperands = {
    rows: (k) => rows(addIndex(begin, k)),
    columns: one.columns(one.columnTile),
    ...(scale === undefined ? {} : { scale: { steps: scale.steps, at: (k) => scale.at(emitter, one.block, one.columnTile, k) } }),
  };
  const resumes = depthChunks === 1 ? undefined : compare('gt', emitter.index(one.chunk), index(0));
  const { words } = frame.site.node.attrs;
  const multiplyAdd = multiplyAddOf(words);
  // Only words have an order. Elsewhere the row comes first: with the splat as second factor gcc makes code of half the speed.
  const inOrder = words === undefined || product.rows.operand === 0;
  const ordered: MultiplyAdd = (row, column, sum) => (inOrder ? multiplyAdd(row, column, sum) : multiplyAdd(column, row, sum));
  writeTile(emitter, { tile, lanes, dtype: computeType(dtype), depth: one.range, operands, multiplyAdd: ordered, place: { buffer: sums, ...place }, resumes });
  if (frame.group !== undefined) return;
  whenLast(frame, one.chunk, () => writeResults(frame, one, { line, firstRow, skipped, base: place.base }));
}

/** Writes what happens behind the last chunk of the depth. */
function whenLast({ emitter, depthChunks }: Frame, chunk: IndexExpr, write: () => void): void {
  if (depthChunks === 1) return write();
  emitter.push({ kind: 'if', condition: compare('eq', emitter.index(chunk), index(depthChunks - 1)), then: emitter.block(write, true), else: [] });
}

/** The line of a tile of rows, where in it the tile begins, and how many of its rows belong to the one before. */
function rowsOfTile({ emitter, lineTiles, product: { rows, tile } }: Frame, number: IndexExpr): Pick<TileResults, 'line' | 'firstRow' | 'skipped'> {
  const line = nameIndex(emitter, floorDiv(number, lineTiles));
  const plain = scaleIndex(modIndex(number, lineTiles), tile.rows);
  if (!rows.reachesBack || rows.extent % tile.rows === 0) return { line, firstRow: rows.lines === 1 ? plain : nameIndex(emitter, plain), skipped: index(0) };
  const last = rows.extent - tile.rows;
  const name = emitter.fresh('first');
  const begin = emitter.bind(emitter.index(plain));
  emitter.define(name, emitter.bind(least(begin, index(last))));
  const firstRow = indexSymbol(name, 0, last);
  return { line, firstRow, skipped: emitter.bind(minus(begin, emitter.index(firstRow))) };
}

/** Rows before the one that a tile begins with, where no tile reaches back. */
const rowsBefore = ({ lineTiles, product: { rows, tile } }: Frame, number: IndexExpr): IndexExpr =>
  addIndex(scaleIndex(floorDiv(number, lineTiles), rows.extent), scaleIndex(modIndex(number, lineTiles), tile.rows));

/** Elements that tiles of columns before this one have among the sums: each its own where they are kept between chunks of the depth. */
const sumsBefore = ({ depthChunks, chunkTiles, product: { tile }, lanes }: Frame, columnTile: IndexExpr): IndexExpr =>
  depthChunks === 1 ? ZERO : scaleIndex(columnTile, (chunkTiles + 1) * tile.rows * tile.vectors * lanes);

/** Where the sums of a tile lie among those of its group, row by row, behind what the first may reach back; before the last chunk of the depth no tile reaches back. */
function placeInGroup(frame: Frame, one: OneTile, line: IndexExpr, firstRow: IndexExpr, skipped: Expr): Pick<TilePlace, 'base' | 'before'> {
  const { emitter, product, lanes, depthChunks } = frame;
  const { rows, tile } = product;
  const width = tile.vectors * lanes;
  const local = subIndex(addIndex(scaleIndex(line, rows.extent), firstRow), rowsBefore(frame, one.firstTile));
  const base = emitter.bind(emitter.index(addIndex(scaleIndex(addIndex(local, tile.rows), width), sumsBefore(frame, one.columnTile))));
  if (depthChunks === 1 || skipped.kind === 'const') return { base };
  const before = emitter.bind(add(base, mul(skipped, index(width))));
  return { base: emitter.bind(select(compare('eq', emitter.index(one.chunk), index(depthChunks - 1)), base, before)), before };
}

/** Sums the tiles of rows [from, end) for a tile of columns, a group at a time, each of which is turned around and stored behind the last chunk of the depth. */
function writeGroups(frame: Frame, step: Omit<OneTile, 'rowTile' | 'firstTile'>, from: Expr, end: Expr): void {
  const { emitter, product, rowTiles, lineTiles } = frame;
  const group = frame.group!;
  // Counted in lines where there are several, so that groups are known to begin with one.
  const unit = product.rows.lines > 1 ? lineTiles : 1;
  const [name, row] = [emitter.fresh('group'), emitter.fresh('row')];
  emitter.loop(name, quotient(emitter, from, unit), quotient(emitter, end, unit), group / unit, () => {
    const firstTile = scaleIndex(indexSymbol(name, 0, rowTiles / unit - 1), unit);
    const begin = emitter.bind(emitter.index(firstTile));
    const until = emitter.fresh('end');
    emitter.define(until, emitter.bind(least(at(begin, group), end)));
    emitter.loop(row, begin, emitter.named(until).expr, 1, () => writeOne(frame, { ...step, firstTile, rowTile: indexSymbol(row, 0, rowTiles - 1) }));
    whenLast(frame, step.chunk, () => turnResults(frame, step, firstTile, indexSymbol(until, 0, rowTiles)));
  });
}

/** Stores what was summed for a tile of columns and the tiles of rows [firstTile, end). */
function turnResults(frame: Frame, { batch, block, columnTile, count }: Omit<OneTile, 'rowTile' | 'firstTile'>, firstTile: IndexExpr, end: IndexExpr): void {
  const { emitter, product, lanes, dtype, sums, site } = frame;
  const { rows, tile } = product;
  const width = tile.vectors * lanes;
  const first = rowsBefore(frame, firstTile);
  const total = rows.lines * rows.extent;
  const positions = emitter.bind(minus(least(emitter.index(rowsBefore(frame, end)), index(total)), emitter.index(first)));
  const firstColumn = scaleIndex(columnTile, width);
  const isWhole = product.columns.blockColumns % width === 0 && count.kind === 'const';
  const columns = isWhole ? index(width) : emitter.bind(least(minus(count, emitter.index(firstColumn)), index(width)));
  const base = addIndex(sumsBefore(frame, columnTile), tile.rows * width);
  const results = { buffer: sums, dtype, base, pitch: width, positions, mostPositions: Math.min(frame.group! * tile.rows, total), columns };
  storeTurned(emitter, results, lanes, (position, column, value) => {
    const row = addIndex(first, position);
    const place = rows.lines === 1 ? { line: ZERO, at: row } : { line: floorDiv(row, rows.extent), at: modIndex(row, rows.extent) };
    site.store(emitter, product.position(batch, place, product.columns.position(block, addIndex(firstColumn, column))), value);
  });
}

interface TileResults {
  readonly line: IndexExpr;
  readonly firstRow: IndexExpr;
  readonly skipped: Expr;
  readonly base: Expr;
}

/** Stores the tile's sums, row by row: whole vectors, then what is left one by one. */
function writeResults(frame: Frame, one: OneTile, { line, firstRow, skipped, base }: TileResults): void {
  const { emitter, product, lanes, dtype, sums, site, columnTiles } = frame;
  const { tile } = product;
  const width = tile.vectors * lanes;
  // Where the tile is all there is of a block, bounds of its columns are known more closely, which decides divisions in places of results.
  const most = columnTiles === 1 ? Math.min(width, product.columns.blockColumns) : width;
  const type = computeType(dtype);
  const firstColumn = scaleIndex(one.columnTile, width);
  const left =
    product.columns.blockColumns % width === 0 && one.count.kind === 'const' ? index(width) : emitter.bind(least(minus(one.count, emitter.index(firstColumn)), index(width)));
  const isWhole = product.rows.extent % tile.rows === 0 || product.rows.reachesBack;
  const rowsLeft = isWhole ? index(tile.rows) : emitter.bind(least(minus(index(product.rows.extent), emitter.index(firstRow)), index(tile.rows)));
  const row = emitter.fresh('row');
  emitter.loop(row, skipped, rowsLeft, 1, () => {
    const r = indexSymbol(row, 0, tile.rows - 1);
    const place = emitter.bind(add(base, emitter.index(scaleIndex(r, width))));
    storeColumns(emitter, left, most, lanes, (v, count, lane) => {
      const column = addIndex(addIndex(firstColumn, v), lane);
      const target = product.position(one.batch, { line, at: addIndex(firstRow, r) }, product.columns.position(one.block, column));
      site.store(emitter, target, load(sums, add(place, emitter.index(v)), type, count));
    });
  });
}
