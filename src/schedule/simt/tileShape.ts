// How large the tiles of a contraction are: what a machine can hold, as data, and which of it should be fastest, by a model of the time a
// machine takes. A choice that was measured on the machine goes before the model's.
import { byteWidth, dtypes } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import type { SimtFacts } from '../../runtime/device.ts';
import { powerAtLeast, powerAtMost } from './machine.ts';

/** Points along the axes of both factors, along the sum, and of all other axes. */
export interface ContractionSize {
  readonly a: number;
  readonly b: number;
  readonly sum: number;
  readonly batch: number;
  readonly dtype: NumericDType;
}

/** A thread's own tile: rows, vectors of `lanes` in a row; and how many threads stand along each side of a block's tile. */
export interface TileShape {
  readonly rows: number;
  readonly vectors: number;
  readonly lanes: number;
  readonly threadsA: number;
  readonly threadsB: number;
  /** Points of the sum that are brought at a time. */
  readonly depth: number;
  /** Parts of the sum that different blocks take. */
  readonly parts: number;
  /** Tiles that memory of the block has room for at a time: more than one where threads fetch beside other work. */
  readonly stages: number;
}

export const sideA = (t: TileShape): number => t.threadsA * t.rows;
export const sideB = (t: TileShape): number => t.threadsB * t.vectors * t.lanes;
/** The factors' tiles, and the result's in their place later. */
export const sharedElements = (t: TileShape): number => Math.max(t.depth * (sideA(t) + sideB(t)), sideA(t) * sideB(t));

/** Wider vectors are no faster to load, and take more registers. */
const MOST_LANES = 4;
const SIZES = [1, 2, 4, 8];
const DEPTHS = [4, 8, 16, 32];
const PARTS = [1, 2, 4, 8, 16, 32];
const MOST_THREADS = 256;
/** Sums that a thread keeps in registers. */
const MOST_SUMS = 64;
/** A part of a sum is at least so long. */
const LEAST_PART = 128;

const powersTo = (most: number): number[] => Array.from({ length: Math.floor(Math.log2(Math.max(most, 1))) + 1 }, (_, i) => 2 ** i);
/** A side is not longer than it takes to cover the problem. */
const isFilled = (side: number, size: number): boolean => side < 2 * size;

/** All tiles that the machine can hold and the problem fills. */
export function listTiles(size: ContractionSize, facts: SimtFacts): TileShape[] {
  const lanes = dtypes[size.dtype].bits > 32 ? 1 : Math.min(powerAtMost(facts.vectorLanes), MOST_LANES, powerAtLeast(size.b));
  const threads = powerAtMost(Math.min(facts.maxThreads, MOST_THREADS));
  const depths = DEPTHS.filter((depth) => depth < 2 * size.sum);
  const parts = PARTS.filter((count) => count === 1 || size.sum / count >= LEAST_PART);
  if (isStaged(size, facts)) return listStaged(size, facts, parts);
  const found: TileShape[] = [];
  for (const threadsA of powersTo(threads)) {
    for (const threadsB of powersTo(threads / threadsA)) {
      if (threadsA * threadsB < Math.min(facts.subgroupThreads, threads) && !isSmall(size)) continue;
      for (const rows of SIZES) {
        for (const vectors of SIZES) {
          const shape = { rows, vectors, lanes, threadsA, threadsB, depth: 1, parts: 1, stages: 1 };
          if (!isFilled(sideA(shape), size.a) || !isFilled(sideB(shape), size.b) || rows * vectors * lanes > MOST_SUMS) continue;
          for (const depth of depths) {
            if (sharedElements({ ...shape, depth }) * byteWidth(size.dtype) > facts.sharedBytes) continue;
            for (const count of parts) found.push({ ...shape, depth, parts: count });
          }
        }
      }
    }
  }
  return found;
}

/** Whether tiles are fetched while others are multiplied. */
const isStaged = ({ dtype, a, b }: ContractionSize, { fetchBytes = [] }: SimtFacts): boolean => fetchBytes.length > 0 && dtypes[dtype].bits === 32 && a * b >= LEAST_STAGED;

/** Sides of a thread's tile: read in vectors of 4. */
const STAGED_SIDES = [4, 8];
const STAGED_DEPTHS = [8, 16, 32];
const STAGES = 3;
/** Points of a result that are worth the stages. */
const LEAST_STAGED = 1024;

/** Bytes of the stages of both factors, and of a row of every thread's sums. */
const stagedBytes = (t: TileShape): number => 4 * (t.stages * (t.depth + 4) * (sideA(t) + sideB(t)) + t.threadsA * sideB(t));

function listStaged(size: ContractionSize, facts: SimtFacts, parts: readonly number[]): TileShape[] {
  const found: TileShape[] = [];
  const threads = powerAtMost(Math.min(facts.maxThreads, MOST_THREADS));
  for (const threadsA of powersTo(threads)) {
    for (const threadsB of powersTo(threads / threadsA)) {
      if (threadsA * threadsB < facts.subgroupThreads || threadsA < 4 || threadsB < 8) continue;
      for (const rows of STAGED_SIDES) {
        for (const vectors of STAGED_SIDES) {
          for (const depth of STAGED_DEPTHS) {
            const shape = { rows, vectors, lanes: 1, threadsA, threadsB, depth, parts: 1, stages: STAGES };
            if (!isFilled(sideA(shape), size.a) || !isFilled(sideB(shape), size.b) || stagedBytes(shape) > (facts.givenSharedBytes ?? facts.sharedBytes)) continue;
            for (const count of parts) found.push({ ...shape, parts: count });
          }
        }
      }
    }
  }
  return found;
}

/** A result that does not fill the threads of a subgroup. */
const isSmall = ({ a, b }: ContractionSize): boolean => powerAtLeast(a) * powerAtLeast(b) < 64;

// Times in slots in which a subgroup issues one instruction.
const BRING_COST = 10;
const BARRIER_COST = 24;
const STORE_COST = 14;
const JOIN_COST = 30;
const LAUNCH_COST = 6000;
/** With so many blocks to a unit it does not matter that the last are not as many as there are units. */
const EVEN_SHARE = 4;
/** Subgroups times independent sums that hide the latency of memory and arithmetic. */
const HIDING = 32;
/** Threads of a unit, and blocks that its shared memory holds at the largest size of one. */
const UNIT_THREADS = 1024;
const UNIT_SHARED = 2;

/** Slots that fetching 16 bytes takes, with its address; and waiting for a stage, with the numbers of the next. */
const FETCH_COST = 3;
const STAGE_COST = 40;
/** Subgroups that hide the latency of arithmetic where each thread has many sums. */
const STAGED_HIDING = 8;
/** Registers of a unit, and those of a thread beside its sums. */
const UNIT_REGISTERS = 65_536;
const OTHER_REGISTERS = 64;

/** The same for tiles that are fetched while others are multiplied. */
function stagedTime(size: ContractionSize, t: TileShape, facts: SimtFacts): number {
  const threads = t.threadsA * t.threadsB;
  const subgroups = threads / facts.subgroupThreads;
  const sums = t.rows * t.vectors;
  const steps = Math.ceil(Math.ceil(size.sum / t.parts) / t.depth);
  const fetched = Math.ceil((t.depth * (sideA(t) + sideB(t))) / 4 / threads);
  const step = t.depth * (sums + (t.rows + t.vectors) / 2) + fetched * FETCH_COST + STAGE_COST;
  const block = subgroups * (steps * step + sums * STORE_COST);
  const share = (size.batch * t.parts * Math.ceil(size.a / sideA(t)) * Math.ceil(size.b / sideB(t))) / facts.units;
  const waves = share < EVEN_SHARE ? Math.ceil(share) : share;
  const fitting = Math.min((facts.givenSharedBytes ?? facts.sharedBytes) / stagedBytes(t), UNIT_REGISTERS / (threads * (sums + OTHER_REGISTERS)));
  const resident = Math.max(1, Math.min(Math.floor(fitting), waves));
  return (waves * block) / Math.min(1, Math.sqrt((resident * subgroups) / STAGED_HIDING)) + joinTime(size, t, facts);
}

/** What joining the parts of sums takes. */
const joinTime = (size: ContractionSize, t: TileShape, facts: SimtFacts): number =>
  t.parts === 1 ? 0 : LAUNCH_COST + (size.batch * size.a * size.b * (t.parts + 2) * JOIN_COST) / (facts.units * facts.subgroupThreads);

/** How long the contraction should take, in slots. */
export function timeOf(size: ContractionSize, t: TileShape, facts: SimtFacts): number {
  if (t.stages > 1) return stagedTime(size, t, facts);
  const threads = t.threadsA * t.threadsB;
  const subgroups = Math.ceil(threads / facts.subgroupThreads);
  const sums = t.rows * t.vectors;
  const part = Math.ceil(size.sum / t.parts);
  const steps = Math.ceil(part / t.depth);
  const brought = Math.ceil((t.depth * (sideA(t) + sideB(t))) / threads);
  const step = t.depth * (sums + t.rows + t.vectors) + brought * BRING_COST + BARRIER_COST;
  const block = subgroups * (steps * step + sums * t.lanes * STORE_COST);
  const blocks = size.batch * t.parts * Math.ceil(size.a / sideA(t)) * Math.ceil(size.b / sideB(t));
  const share = blocks / facts.units;
  const waves = share < EVEN_SHARE ? Math.ceil(share) : share;
  const fitting = Math.min(Math.floor((UNIT_SHARED * facts.sharedBytes) / (sharedElements(t) * byteWidth(size.dtype))), Math.floor(Math.max(UNIT_THREADS, threads) / threads));
  const resident = Math.max(1, Math.min(fitting, waves));
  const hidden = Math.min(1, Math.sqrt((resident * subgroups * Math.min(sums, 8)) / HIDING));
  return (waves * block) / hidden + joinTime(size, t, facts);
}

/** The tiles that should be fastest, the best first. */
export function rankTiles(size: ContractionSize, facts: SimtFacts, count: number): readonly TileShape[] {
  const rated = listTiles(size, facts).map((tile) => ({ tile, time: timeOf(size, tile, facts) }));
  return rated
    .sort((x, y) => x.time - y.time)
    .slice(0, count)
    .map(({ tile }) => tile);
}
