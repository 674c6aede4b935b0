// How a blocked product is cut: registers for a tile of results, caches for the panels a tile reads, grid steps for threads.
// Sizes follow from facts of the machine; no chip and no operator is known here.
import type { SimdFacts } from '../../../runtime/device.ts';

/** A block of results held in registers: `rows` times `vectors` vectors of lanes. */
export interface RegisterTile {
  readonly rows: number;
  readonly vectors: number;
  /** Steps of the depth in one step of the loop, where they divide it. */
  readonly unroll: number;
}

/** Fused multiply-adds in flight that keep the units of a core busy: latency times throughput. */
const IN_FLIGHT = 8;
/** Cycles of a tile that do not grow with the depth, in multiply-adds: loops, and the way of each vector to memory and back. */
const TILE_COST = 24;
const VECTOR_COST = 4;
/** Share of the first-level cache for the panel of columns that every tile of rows reads again. */
const PANEL_SHARE = 2 / 3;
/** From this many rows on, a deeper panel, which stays in this share of the second-level cache, costs less than the sums of all rows on their way to memory and back after each chunk. */
const MANY_ROWS = 192;
const DEEP_SHARE = 1 / 4;

/** Multiply-adds (of vectors) that one step of the depth costs: the tile's own, or its loads where they are more. */
const stepCost = ({ rows, vectors }: RegisterTile): number => Math.max(rows * vectors, rows + vectors, IN_FLIGHT);

export interface ProductShape {
  readonly rows: number;
  /** Columns of each block that is cut into tiles on its own, and how many such blocks there are. */
  readonly blocks: readonly { readonly columns: number; readonly count: number }[];
  readonly depth: number;
  /** Chunks of the depth: between them sums wait in memory. */
  readonly chunks?: number;
  /** Multiply-adds that a step of the depth of one tile costs at least. */
  readonly leastStep?: number;
}

/** Multiply-adds that the product costs in such tiles, with what is wasted at the ends. */
export function productCost({ rows, blocks, depth, chunks = 1, leastStep = 0 }: ProductShape, tile: RegisterTile, lanes: number): number {
  const perTile = depth * Math.max(stepCost(tile), leastStep) + (tile.rows * tile.vectors * VECTOR_COST + TILE_COST) * chunks;
  const columnTiles = blocks.reduce((sum, b) => sum + Math.ceil(b.columns / (tile.vectors * lanes)) * b.count, 0);
  return Math.ceil(rows / tile.rows) * columnTiles * perTile;
}

const MAX_VECTORS = 8;
const MAX_ROWS = 16;

/** Multiply-adds that are worth a step of a loop, and the most steps of the depth that one holds. */
const UNROLLED = 16;
const MAX_UNROLL = 8;

/**
 * All tiles that fit the registers beside one step's vectors of columns and one broadcast row (all of its rows where loads come first):
 * a list for each number of vectors.
 */
export function registerTiles({ vectorRegisters, loadsFirst }: Pick<SimdFacts, 'vectorRegisters' | 'loadsFirst'>): RegisterTile[][] {
  return Array.from({ length: MAX_VECTORS }, (_, i) => {
    const vectors = i + 1;
    const most = loadsFirst ? Math.floor((vectorRegisters - vectors) / (vectors + 1)) : Math.floor((vectorRegisters - 1) / vectors) - 1;
    return Array.from({ length: Math.max(Math.min(most, MAX_ROWS), 0) }, (__, r): RegisterTile => {
      const rows = r + 1;
      const unroll = loadsFirst ? 1 : Math.min(Math.max(Math.floor(UNROLLED / (rows * vectors)), 1), MAX_UNROLL);
      return { rows, vectors, unroll };
    });
  }).filter((tiles) => tiles.length > 0);
}

/** Tiles whose columns are computed on the way, `step` steps of the depth at a time: each vector of them takes registers for what it is computed from. */
export const streamingTiles = ({ vectorRegisters, loadsFirst }: Pick<SimdFacts, 'vectorRegisters' | 'loadsFirst'>, step: number): RegisterTile[] =>
  registerTiles({ vectorRegisters, loadsFirst })
    .flat()
    .filter(({ rows, vectors }) => (rows + 2) * vectors + 2 <= vectorRegisters)
    .map((tile) => ({ ...tile, unroll: Math.max(step, tile.unroll) }));

/** Multiply-adds that a vector of columns on its way from memory costs: with few rows, threads share memory's work more than the arithmetic. */
const STREAM_COST = 16;
/** Multiply-adds of vectors in products that read their columns from memory once. */
export const streamedWork = (
  { batches, rows, columns, depth }: { readonly batches: number; readonly rows: number; readonly columns: number; readonly depth: number },
  lanes: number,
): number => (batches * (rows + STREAM_COST) * columns * depth) / lanes;

/** The cheapest of `options`. */
export function cheapest<T>(options: readonly T[], costOf: (option: T) => number): T {
  const costs = options.map(costOf);
  return options[costs.indexOf(Math.min(...costs))]!;
}

/** `units` of depth, `unit` steps each, in chunks of about equal length whose panel of `columns` columns stays in a cache while `rows` rows pass. */
export function depthChunk({ l1Bytes, l2Bytes }: Pick<SimdFacts, 'l1Bytes' | 'l2Bytes'>, units: number, unit: number, columns: number, rows: number): number {
  const bytes = rows < MANY_ROWS ? l1Bytes * PANEL_SHARE : Math.max(l1Bytes * PANEL_SHARE, l2Bytes * DEEP_SHARE);
  const most = Math.max(Math.floor(bytes / (columns * 4 * unit)), 1);
  return Math.ceil(units / Math.ceil(units / most));
}

/** Multiply-adds in whose time a vector of columns comes from the second-level cache, again for each tile of rows. */
const SECOND_LEVEL = 5;
/** What a step of the depth costs at least where a panel so many steps deep is more than the first-level cache holds: wide tiles wait for it. */
export const streamedStep = ({ l1Bytes, vectorLanes }: Pick<SimdFacts, 'l1Bytes' | 'vectorLanes'>, depth: number, { vectors }: RegisterTile): number =>
  depth * vectors * vectorLanes * 4 > l1Bytes * PANEL_SHARE ? vectors * SECOND_LEVEL : 0;

/** Multiply-adds that it costs to hand a grid step to a thread. */
const STEP_COST = 1 << 12;
/** Numbers of threads that a split should serve alike, the larger ones where each still has this much to do. */
const THREADS = [1, 2, 4, 8, 16, 32, 64];
const FEW_THREADS = 8;
const THREAD_WORK = 1 << 18;

/** Multiply-adds in whose time `work`, dealt out in `steps` equal steps, is done, on average over numbers of threads; `work` itself where none ever waits. */
export function dealtCost(work: number, steps: number): number {
  const counts = THREADS.filter((threads) => threads <= FEW_THREADS || threads * THREAD_WORK <= work);
  const sum = (part: (threads: number) => number): number => counts.reduce((total, threads) => total + part(threads), 0);
  return (sum((threads) => Math.ceil(steps / threads)) * (work / steps + STEP_COST)) / sum((threads) => 1 / threads);
}

const MAX_PARTS = 64;

/**
 * Into how many parts, `most` at the most, to cut `units` of something for threads, where `existing` grid steps are there already and `work` multiply-adds in all,
 * and `repeated` more that each part does again.
 */
export function partsFor(work: number, existing: number, units: number, most = MAX_PARTS, repeated = 0): number {
  const options = Array.from({ length: Math.max(Math.min(units, most, MAX_PARTS), 1) }, (_, i) => {
    const size = Math.ceil(units / (i + 1));
    return { parts: Math.ceil(units / size), size };
  });
  return cheapest(options, ({ parts, size }) => dealtCost((work * parts * size) / units + repeated * parts, existing * parts)).parts;
}
