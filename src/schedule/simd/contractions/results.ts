// Results in scratch memory, on their way to where they are stored: in vectors along columns; or, where neighbouring positions lie side by side
// instead, turned around in registers, block by block, so that what is fused behind the contraction is computed on vectors along positions.
import { ZERO, addIndex, indexSymbol, scaleIndex } from '../../../core/indexExpr.ts';
import type { IndexExpr } from '../../../core/indexExpr.ts';
import type { NumericDType } from '../../../core/dtype.ts';
import { add, compare, index, load, store } from '../../../kernel/build.ts';
import type { Expr } from '../../../kernel/ir.ts';
import { createSlot } from '../../storage.ts';
import { computeType } from '../../emit/compute.ts';
import type { Emitter } from '../../emit/emitter.ts';
import { joinPhases } from './lanes.ts';
import { wholeVectors } from './panels.ts';
import { at, least, minus } from './tile.ts';

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

/** Rows of results in scratch memory, [row][column], of which the first `count` columns count. */
export interface ResultRows {
  readonly buffer: string;
  readonly dtype: NumericDType;
  readonly rows: number;
  readonly columns: number;
  readonly count: Expr;
}

/** Stores rows of results; `write` is given the place of `value` among them, as many columns as it has lanes. */
export function storeRows(
  emitter: Emitter,
  { buffer, dtype, rows, columns, count }: ResultRows,
  lanes: number,
  write: (row: IndexExpr, column: IndexExpr, value: Expr) => void,
): void {
  const row = emitter.fresh('row');
  emitter.loop(row, index(0), index(rows), 1, () => {
    const r = indexSymbol(row, 0, rows - 1);
    const base = emitter.bind(emitter.index(scaleIndex(r, columns)));
    storeColumns(emitter, count, columns, lanes, (v, some, lane) => write(r, addIndex(v, lane), load(buffer, add(base, emitter.index(v)), computeType(dtype), some)));
  });
}

/** Fewest positions that are turned around together. */
const LEAST_LANES = 4;
/** Multiply-adds of vectors that it costs to turn one result around and to store it: of a square of `lanes` vectors each is loaded and stored twice and goes through log₂ stages, two of all these at a time. */
export const turnedCost = (lanes: number): number => (4 + Math.log2(lanes)) / (2 * lanes);

/** Results in scratch memory, [position][column]. */
export interface TurnedResults {
  readonly buffer: string;
  readonly dtype: NumericDType;
  readonly base: IndexExpr;
  /** Elements from one position to the next. */
  readonly pitch: number;
  readonly positions: Expr;
  readonly mostPositions: number;
  /** Columns that count: at most `pitch`, whole vectors of which are there. */
  readonly columns: Expr;
}

/** Writes what stores neighbouring results of one column, as many as `value` has lanes; `position` has a symbol for the lane where it has several. */
export type StoreTurned = (position: IndexExpr, column: IndexExpr, value: Expr) => void;

/** Positions that are turned around together, the most first; what is left is stored one by one. */
const blockSizes = (lanes: number): number[] => [lanes, Math.max(lanes / 4, LEAST_LANES)].filter((size, i) => size >= LEAST_LANES && (i === 0 || size < lanes));

export function storeTurned(emitter: Emitter, results: TurnedResults, lanes: number, write: StoreTurned): void {
  const { positions, mostPositions } = results;
  const block = createSlot('scratch', { dtype: results.dtype, shape: [lanes * lanes] });
  const name = emitter.fresh('pos');
  let from: Expr = index(0);
  for (const size of blockSizes(lanes)) {
    if (size > mostPositions) continue;
    const end = wholeVectors(emitter, positions, size);
    emitter.loop(name, from, end, size, () =>
      turnBlock(emitter, results, { lanes, size, buffer: emitter.buffer(block, 'write') }, indexSymbol(name, 0, mostPositions - size), write),
    );
    from = end;
  }
  const [single, column] = [emitter.fresh('pos'), emitter.fresh('col')];
  emitter.loop(single, from, positions, 1, () =>
    emitter.loop(column, index(0), results.columns, 1, () => {
      const [p, c] = [indexSymbol(single, 0, mostPositions - 1), indexSymbol(column, 0, results.pitch - 1)];
      write(p, c, load(results.buffer, emitter.index(addIndex(addIndex(results.base, scaleIndex(p, results.pitch)), c)), computeType(results.dtype)));
    }),
  );
}

interface Block {
  readonly lanes: number;
  /** Positions. */
  readonly size: number;
  /** Scratch memory, [column][position]. */
  readonly buffer: string;
}

/** Stores `size` positions from `first` on, a vector of columns at a time. */
function turnBlock(emitter: Emitter, results: TurnedResults, { lanes, size, buffer }: Block, first: IndexExpr, write: StoreTurned): void {
  const { base, pitch, columns } = results;
  const type = computeType(results.dtype);
  const [vector, column, lane] = [emitter.fresh('vec'), emitter.fresh('col'), emitter.fresh('lane')];
  emitter.loop(vector, index(0), columns, lanes, () => {
    const v = indexSymbol(vector, 0, pitch - lanes);
    const begin = emitter.bind(emitter.index(addIndex(addIndex(base, scaleIndex(first, pitch)), v)));
    const lines = Array.from({ length: size }, (_, i) => emitter.bind(load(results.buffer, at(begin, i * pitch), type, lanes)));
    joinPhases(emitter, lines).forEach((x, i) => emitter.push(store(buffer, index(i * lanes), x)));
    const count = columns.kind === 'const' && Number(columns.value) % lanes === 0 ? index(lanes) : emitter.bind(least(minus(columns, emitter.index(v)), index(lanes)));
    emitter.loop(column, index(0), count, 1, () => {
      const c = indexSymbol(column, 0, lanes - 1);
      emitter.withLanes(lane, size, () =>
        write(addIndex(first, indexSymbol(lane, 0, size - 1)), addIndex(v, c), load(buffer, emitter.index(addIndex(ZERO, scaleIndex(c, size))), type, size)),
      );
    });
  });
}
