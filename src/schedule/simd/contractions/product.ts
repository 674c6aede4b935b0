// The frame of every blocked product: grid steps over batches, blocks of columns and chunks of rows; within one, the depth in chunks whose
// panel of columns stays in the first-level cache; within a chunk, tiles of registers; and behind the last chunk what is fused to the
// contraction, on whole vectors of results. Where rows and columns come from is given to it.
import { ZERO, addIndex, delinearize, floorDiv, indexSymbol, modIndex, scaleIndex } from '../../../core/indexExpr.ts';
import type { IndexExpr } from '../../../core/indexExpr.ts';
import { byteWidth } from '../../../core/dtype.ts';
import type { NumericDType } from '../../../core/dtype.ts';
import { elementCount } from '../../../core/shape.ts';
import { add, compare, index, load, mul, variable } from '../../../kernel/build.ts';
import type { Expr, Kernel } from '../../../kernel/ir.ts';
import type { Position } from '../../positions.ts';
import { createSlot } from '../../storage.ts';
import { computeType } from '../../emit/compute.ts';
import type { Emitter, LoweredKernel } from '../../emit/emitter.ts';
import { GRID_VAR } from '../lowerNest.ts';
import type { ContractionSite } from '../templates.ts';
import { partsFor } from './blocking.ts';
import type { RegisterTile } from './blocking.ts';
import { wholeVectors } from './panels.ts';
import { at, least, minus, multiplyAddOf, nameIndex, quotientUp, writeTile } from './tile.ts';
import type { DepthRange, MultiplyAdd, TileOperands } from './tile.ts';

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
  /** Sums between chunks of the depth, or of one tile before it is stored. */
  readonly sums: string;
}

export function lowerProduct(site: ContractionSite, product: Product): LoweredKernel {
  const { tile, columns, rows, depth } = product;
  const { vectorLanes: lanes, l1Bytes } = site.capabilities.simd;
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
  const unit = rows.prepare === undefined ? 1 : lineTiles;
  const chosenTiles = Math.ceil(rowTiles / unit / (product.parts ?? partsFor(work, existing, rowTiles, mostParts))) * unit;
  // What one batch leaves of lines stays near for the next.
  const nearTiles = mingled === undefined ? rowTiles : Math.floor((l1Bytes * NEAR_SHARE) / (mingled.pitchBytes * tile.rows * unit)) * unit;
  const chunkTiles = Math.min(chosenTiles, Math.max(nearTiles, unit));
  const depthChunks = Math.ceil(depth.units / depth.chunk);
  const { dtype } = site.node.outputs[0]!;
  const kept = depthChunks > 1 ? chunkTiles * columnTiles : 1;
  const slot = createSlot('scratch', { dtype, shape: [kept * tile.rows * tile.vectors * lanes] });
  const frame: Frame = { emitter, site, product, lanes, dtype, rowTiles, lineTiles, chunkTiles, columnTiles, depthChunks, sums: emitter.buffer(slot, 'write') };
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
    const write = (): void => writeOne(frame, { batch, block, rowChunk, fromLine, rowTile: r, columnTile: j, chunk, first, range, columns, count });
    const overRows = (inner: () => void): void => emitter.loop(row, from, end, 1, inner);
    const overColumns = (inner: () => void): void => emitter.loop(column, index(0), tiles, 1, inner);
    // Either the panel of columns stays in the first-level cache while all rows pass, or the rows of a tile while all columns do.
    const rowBytes = rows.preparedBytes ?? chunkTiles * tile.rows * range.most * 4;
    if (rowBytes * 2 <= frame.site.capabilities.simd.l2Bytes) overColumns(() => overRows(write));
    else overRows(() => overColumns(write));
  });
}

interface OneTile {
  readonly batch: Position;
  readonly block: IndexExpr;
  readonly rowChunk: IndexExpr;
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
  const { emitter, product, lanes, dtype, columnTiles, chunkTiles, depthChunks, sums } = frame;
  const { tile, depth } = product;
  const size = tile.rows * tile.vectors * lanes;
  const { line, firstRow, skipped } = rowsOfTile(frame, one.rowTile);
  const local = addIndex(one.rowTile, scaleIndex(one.rowChunk, -chunkTiles));
  const base = depthChunks === 1 ? index(0) : emitter.bind(emitter.index(scaleIndex(addIndex(scaleIndex(local, columnTiles), one.columnTile), size)));
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
  writeTile(emitter, { tile, lanes, dtype: computeType(dtype), depth: one.range, operands, multiplyAdd: ordered, place: { buffer: sums, base }, resumes });
  const store = (): void => writeResults(frame, one, { line, firstRow, skipped, base });
  if (depthChunks === 1) return store();
  const isLast = compare('eq', emitter.index(one.chunk), index(depthChunks - 1));
  const then = emitter.block(store, true);
  emitter.push({ kind: 'if', condition: isLast, then, else: [] });
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

/** Writes what stores `count` results from `first` on: whole vectors, with `lane` standing for their lanes, or one. */
export type StoreColumns = (first: IndexExpr, count: number, lane: IndexExpr) => void;

/** Stores the first `count` of at most `most` columns: whole vectors, then what is left one by one. */
export function storeColumns(emitter: Emitter, count: Expr, most: number, lanes: number, store: StoreColumns): void {
  const [vector, single, lane] = [emitter.fresh('vec'), emitter.fresh('vec'), emitter.fresh('lane')];
  const end = wholeVectors(emitter, count, lanes);
  const writeVector = (): void => emitter.withLanes(lane, lanes, () => store(indexSymbol(vector, 0, most - lanes), lanes, indexSymbol(lane, 0, lanes - 1)));
  // Where there can be but one vector nothing in a loop would depend on its variable, and loads would move out of a loop that may not run.
  if (most >= 2 * lanes || end.kind === 'const') emitter.loop(vector, index(0), end, lanes, writeVector);
  else if (most >= lanes)
    emitter.push({ kind: 'if', condition: compare('gt', end, index(0)), then: emitter.block(() => emitter.loop(vector, index(0), index(1), lanes, writeVector), true), else: [] });
  emitter.loop(single, end, count, 1, () => store(indexSymbol(single, 0, most - 1), 1, ZERO));
}
