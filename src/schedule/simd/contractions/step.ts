// One grid step of a blocked product: in which order its tiles are summed, where sums wait between chunks of the depth, and how results leave:
// from registers, row by row from memory, or turned around.
import { ZERO, addIndex, floorDiv, indexSymbol, modIndex, scaleIndex, subIndex } from '../../../core/indexExpr.ts';
import type { IndexExpr } from '../../../core/indexExpr.ts';
import type { NumericDType } from '../../../core/dtype.ts';
import { add, binary, compare, index, load, mul, select } from '../../../kernel/build.ts';
import type { Expr } from '../../../kernel/ir.ts';
import type { Position } from '../../positions.ts';
import { computeType } from '../../emit/compute.ts';
import type { Emitter } from '../../emit/emitter.ts';
import type { ContractionSite } from '../templates.ts';
import type { Product } from './product.ts';
import { storeColumns, storeTurned } from './results.ts';
import { at, least, minus, multiplyAddOf, nameIndex, quotient, quotientUp, writeTile } from './tile.ts';
import type { DepthRange, MultiplyAdd, TileOperands, TilePlace, TileWork } from './tile.ts';

export interface Frame {
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

/** One grid step: a chunk of rows times a block of columns. */
export function writeStep(frame: Frame, batch: Position, block: IndexExpr, rowChunk: IndexExpr): void {
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
  const results = { line, firstRow, skipped, base: place.base };
  const isDirect = storesDirectly(frame);
  const finish: TileWork['finish'] = (values, keep) => finishTile(frame, one, results, values, keep);
  writeTile(emitter, {
    tile,
    lanes,
    dtype: computeType(dtype),
    depth: one.range,
    operands,
    multiplyAdd: ordered,
    place: { buffer: sums, ...place },
    resumes,
    ...(isDirect ? { finish } : {}),
  });
  if (frame.group !== undefined || isDirect) return;
  whenLast(frame, one.chunk, () => writeResults(frame, one, results));
}

/** Whether every tile of columns is a whole one. */
const areColumnsWhole = ({ product: { columns, tile }, lanes }: Frame, count: Expr): boolean => columns.blockColumns % (tile.vectors * lanes) === 0 && count.kind === 'const';

/** Columns of a block of `count` that belong to the tile which begins with `firstColumn`. */
function columnsLeft(frame: Frame, count: Expr, firstColumn: IndexExpr): Expr {
  const { emitter, product, lanes } = frame;
  const width = index(product.tile.vectors * lanes);
  return areColumnsWhole(frame, count) ? width : emitter.bind(least(minus(count, emitter.index(firstColumn)), width));
}

/** Where the result of a row and a column stands, of the first where nothing else is said. */
export const placeOf = ({ batch, position, columns }: Product, { at = batch.map(() => ZERO), line = ZERO, row = ZERO, column = ZERO }: ResultPlace): Position =>
  position(at, { line, at: row }, columns.position(ZERO, column));

interface ResultPlace {
  /** Of the batch. */
  readonly at?: Position;
  readonly line?: IndexExpr;
  readonly row?: IndexExpr;
  readonly column?: IndexExpr;
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
  const columns = columnsLeft(frame, count, firstColumn);
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

/** Additions behind a contraction, for all vectors of a tile together, that are written out for each of them. */
const MOST_DIRECT = 160;

/** Whether sums of a whole tile are stored from registers: where they are complete and lie side by side, and little is fused behind them. */
function storesDirectly({ site, product, depthChunks, group }: Frame): boolean {
  const { tile, columns } = product;
  if (depthChunks > 1 || group !== undefined || (site.epilogueCost + 1) * tile.rows * tile.vectors > MOST_DIRECT) return false;
  const column = indexSymbol('column', 0, Math.max(columns.blockColumns - 1, 0));
  return columns.blockColumns >= tile.vectors && site.storeStep(placeOf(product, { column }), 'column') === 1;
}

/** Stores the sums of a tile from registers where all of it counts, else from memory. */
function finishTile(frame: Frame, one: OneTile, results: TileResults, values: readonly Expr[], keep: () => void): void {
  const { emitter, product, lanes, site } = frame;
  const { tile, rows, columns } = product;
  const width = tile.vectors * lanes;
  const firstColumn = scaleIndex(one.columnTile, width);
  const lane = emitter.fresh('lane');
  const direct = (): void =>
    values.forEach((value, i) =>
      emitter.withLanes(lane, lanes, () => {
        const column = addIndex(addIndex(firstColumn, (i % tile.vectors) * lanes), indexSymbol(lane, 0, lanes - 1));
        const row = { line: results.line, at: addIndex(results.firstRow, Math.floor(i / tile.vectors)) };
        site.store(emitter, product.position(one.batch, row, columns.position(one.block, column)), value);
      }),
    );
  const conditions = [
    ...(areColumnsWhole(frame, one.count) ? [] : [compare('ge', one.count, add(emitter.index(firstColumn), index(width)))]),
    ...(rows.extent % tile.rows === 0
      ? []
      : rows.reachesBack
        ? [compare('eq', results.skipped, index(0))]
        : [compare('le', emitter.index(results.firstRow), index(rows.extent - tile.rows))]),
  ];
  if (conditions.length === 0) return direct();
  const rest = (): void => {
    keep();
    writeResults(frame, one, results);
  };
  emitter.push({ kind: 'if', condition: conditions.reduce((a, b) => binary('and', a, b)), then: emitter.block(direct, true), else: emitter.block(rest, true) });
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
  const left = columnsLeft(frame, one.count, firstColumn);
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
