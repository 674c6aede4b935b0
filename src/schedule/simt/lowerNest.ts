// A nest as one kernel of the simt family: a thread for every outer point, or a group of threads of a block for every row.
import { substitute } from '../emit/places.ts';
import { coefficientOf, indexSymbol } from '../../core/indexExpr.ts';
import { add, binary, compare, index, mul } from '../../kernel/build.ts';
import type { Expr } from '../../kernel/ir.ts';
import type { SimtFacts } from '../../runtime/device.ts';
import { findPairs } from '../inPlace.ts';
import { freshNames, refineAxes, unflatten } from '../nest.ts';
import type { Axis, Nest, Stage } from '../nest.ts';
import { visitPoints } from '../point.ts';
import type { Substitution } from '../point.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { scalarCost } from '../emit/lanes.ts';
import { writeStage } from '../emit/stages.ts';
import { pointsOf, trafficOf } from '../traffic.ts';
import { BLOCK_THREADS, finishKernel, globalThread, grid, powerAtLeast, powerAtMost, thread, when } from './machine.ts';
import type { Launch } from './machine.ts';
import { chooseBlocks, writeBlocks } from './blocks.ts';
import { writeRowStage } from './rows.ts';
import type { RowContext } from './rows.ts';

/** Threads that a compute unit keeps busy at a time, in subgroups. */
const SUBGROUPS_PER_UNIT = 16;
/** Elements of a row that each thread of its group handles, at least, where the row is long enough. */
const ELEMENTS_PER_THREAD = 4;
/** Additions in the time in which a block's threads wait for each other once, and in which they take each other's values. */
const BARRIER_COST = 8;
const SHUFFLE_COST = 2;

/** Neighbours that memory brings together, whoever asks for one. */
const LEAST_RUN = 8;

/** How a row is shared out. */
interface RowPlan {
  /** Threads that work on one, a power of two. */
  readonly threads: number;
  /** Rows that a block holds. */
  readonly rows: number;
  /** Whether neighbouring threads have neighbouring rows, rather than neighbouring points of one. */
  readonly across: boolean;
}

const longest = (nest: Nest): number => nest.stages.reduce((most, s) => Math.max(most, pointsOf(s.axes)), 1);

/** Whether neighbouring points of the stage's last axis, rather than of the last outer axis, lie side by side in what it reads. */
function readsAlongRow(nest: Nest): boolean {
  const outer = nest.outer.at(-1);
  let [along, across] = [0, 0];
  for (const stage of nest.stages) {
    const last = stage.axes.at(-1);
    if (last === undefined) continue;
    visitPoints([stage.value], nest.dynamic, (e) => {
      if (e.kind !== 'load') return;
      if (coefficientOf(e.offset, last.name) === 1) along += pointsOf(stage.axes);
      if (outer !== undefined && coefficientOf(e.offset, outer.name) === 1) across += pointsOf(stage.axes);
    });
  }
  return along > across;
}

/** Stages that must see their points one after the other. */
const isOrdered = (stage: Stage): boolean => stage.kind === 'scan' || stage.kind === 'update';

/** Whether sharing a row of so many elements saves time, although partial results have to meet. */
const isWorthSharing = (length: number, { shuffleThreads }: SimtFacts): boolean =>
  length > length / ELEMENTS_PER_THREAD / 2 + (shuffleThreads > 1 ? SHUFFLE_COST : BARRIER_COST) * Math.log2(length / ELEMENTS_PER_THREAD);

/** How rows are shared out among threads; undefined where each thread takes a whole one. */
function planRows(nest: Nest, facts: SimtFacts): RowPlan | undefined {
  const length = longest(nest);
  if (length < 2 || nest.stages.some(isOrdered)) return undefined;
  const keptBytes = nest.stages.reduce((sum, s) => (s.kind === 'keep' ? sum + 8 * s.slot.elements : sum), 0);
  const rows = pointsOf(nest.outer);
  const isBusy = rows >= facts.units * facts.subgroupThreads * (facts.turns === undefined ? SUBGROUPS_PER_UNIT : 1);
  if (facts.turns !== undefined && isBusy) return undefined;
  const along = readsAlongRow(nest);
  if (keptBytes === 0 && (isBusy ? !along || length < 2 * facts.subgroupThreads : !isWorthSharing(length, facts))) return undefined;
  // Half the shared memory is for kept rows, half for the trees that combine partial results, of 8 bytes at most.
  const trees = nest.stages.reduce((n, s) => n + (s.kind === 'argReduce' ? 2 : s.kind === 'reduce' ? 1 : 0), 0);
  const most = Math.min(powerAtMost(facts.maxThreads), powerAtMost(facts.sharedBytes / 2 / (8 * Math.max(trees, 1))), 2 * BLOCK_THREADS);
  const wanted = powerAtLeast(Math.ceil(length / ELEMENTS_PER_THREAD));
  // More rows in a block must leave a block for every unit.
  const fits = (count: number, least: number): boolean => keptBytes * count <= facts.sharedBytes / 2 && (count <= least || rows / count >= facts.units);
  // Threads without an element are no loss where others would wait for them anyway.
  const wholeSubgroups = (threads: number, count: number): number => Math.max(threads, Math.min(facts.shuffleThreads, most) / count);
  let together = 1;
  if (!along && rows > 1) {
    while (together < Math.min(facts.subgroupThreads, most, rows) && fits(together * 2, LEAST_RUN)) together *= 2;
    return { threads: wholeSubgroups(Math.min(wanted, most / together), together), rows: together, across: true };
  }
  const threads = Math.min(wanted, most);
  while (threads * together * 2 <= Math.min(BLOCK_THREADS, most) && together < rows && fits(together * 2, 1)) together *= 2;
  return { threads: wholeSubgroups(threads, together), rows: together, across: false };
}

/** Lowers `nest`; `flops` is what the graph says it computes, for reports. */
export function lowerNest(name: string, raw: Nest, facts: SimtFacts, flops?: number): LoweredKernel {
  const nest = refineAxes(raw, freshNames(raw));
  const rows = planRows(nest, facts);
  const blocks = rows === undefined ? chooseBlocks(nest, facts) : undefined;
  const emitter = new Emitter(nest.dynamic, rows?.rows ?? 1);
  const launch = rows !== undefined ? writeRows(emitter, nest, rows, facts) : blocks !== undefined ? writeBlocks(emitter, nest, blocks, facts) : writeThreads(emitter, nest, facts);
  const traffic = trafficOf(raw);
  const work = nest.stages.reduce((sum, s) => sum + pointsOf(s.axes) * (scalarCost([s.value]) + 1), 0);
  const cost = { flops: flops ?? Math.round(pointsOf(nest.outer) * work), bytes: traffic.readBytes + traffic.writeBytes };
  return { ...finishKernel(emitter, name, launch, rows !== undefined, cost), traffic, inPlace: blocks === undefined ? findPairs(raw) : [] };
}

/** The outer axes in terms of one flat symbol. */
function bindFlat(emitter: Emitter, outer: readonly Axis[], symbol: string): Substitution {
  const bindings = unflatten(outer, indexSymbol(symbol, 0, Math.max(pointsOf(outer) - 1, 0)));
  return substitute(emitter, bindings);
}

/** A thread for every outer point. */
function writeThreads(emitter: Emitter, nest: Nest, facts: SimtFacts): Launch {
  const total = pointsOf(nest.outer);
  const threads = Math.min(BLOCK_THREADS, facts.maxThreads, powerAtLeast(total));
  const write = (): void => {
    const substitution = bindFlat(emitter, nest.outer, 'point');
    for (const stage of nest.stages) writeStage({ emitter, lanes: facts.vectorLanes, outerLanes: 1, substitution, overlap: false }, stage);
  };
  emitter.define('point', total <= 1 ? index(0) : emitter.bind(globalThread(threads)));
  when(emitter, total % threads === 0 ? undefined : compare('lt', emitter.named('point').expr, index(total)), write);
  return { blocks: Math.ceil(total / threads), threads };
}

/** A group of threads for every row. */
function writeRows(emitter: Emitter, nest: Nest, plan: RowPlan, { shuffleThreads }: SimtFacts): Launch {
  const total = pointsOf(nest.outer);
  const one = plan.rows === 1;
  const [slow, fast] = one ? [index(0), thread] : shareOf(emitter, plan.across ? plan.rows : plan.threads);
  const [row, inRow] = plan.across && !one ? [fast, slow] : [slow, fast];
  const place = one ? grid : emitter.bind(add(mul(grid, index(plan.rows)), row));
  // Threads beyond the last row do as if theirs were the last, because all must meet, but store nothing.
  const isOver = total % plan.rows !== 0;
  emitter.define('row', isOver ? emitter.bind(binary('min', place, index(total - 1))) : place);
  const exists = isOver ? emitter.bind(compare('lt', place, index(total))) : undefined;
  const threads = plan.threads * plan.rows;
  const shuffles = shuffleThreads > 1 && threads % shuffleThreads === 0;
  // Threads of the row that lie in one subgroup, which lie `apart`.
  const apart = plan.across ? plan.rows : 1;
  const together = shuffles ? Math.max(1, Math.min(plan.threads, shuffleThreads / apart)) : 1;
  const masks = Array.from({ length: Math.log2(together) }, (_, i) => (apart * together) / 2 ** (i + 1));
  const context: RowContext = { emitter, ...plan, masks, groups: plan.threads / together, inRow, row, exists, substitution: bindFlat(emitter, nest.outer, 'row') };
  for (const stage of nest.stages) writeRowStage(context, stage);
  return { blocks: Math.ceil(total / plan.rows), threads, ...(masks.length === 0 ? {} : { subgroup: shuffleThreads }) };
}

/** The block's threads in groups of `size`: the thread's group, and its place there. */
const shareOf = (emitter: Emitter, size: number): readonly [Expr, Expr] => [emitter.bind(binary('div', thread, index(size))), emitter.bind(binary('rem', thread, index(size)))];
