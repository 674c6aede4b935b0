// A nest as one kernel of the simt family: a thread for every outer point, or a group of threads of a block for every row.
import { coefficientOf, delinearize, indexSymbol } from '../../core/indexExpr.ts';
import { binary, compare, index } from '../../kernel/build.ts';
import type { Expr } from '../../kernel/ir.ts';
import type { SimtFacts } from '../../runtime/device.ts';
import { findPairs } from '../inPlace.ts';
import { refineAxes } from '../nest.ts';
import type { Axis, Nest, Stage } from '../nest.ts';
import { Substitution, visitPoints } from '../point.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { scalarCost } from '../emit/lanes.ts';
import { writeStage } from '../emit/stages.ts';
import { pointsOf, trafficOf } from '../traffic.ts';
import { BLOCK_THREADS, finishKernel, globalThread, grid, powerAtLeast, powerAtMost, thread } from './machine.ts';
import type { Launch } from './machine.ts';
import { writeRowStage } from './rows.ts';
import type { RowContext } from './rows.ts';

/** Threads that a compute unit keeps busy at a time, in subgroups. */
const SUBGROUPS_PER_UNIT = 16;
/** Elements of a row that each thread of its group handles, at least, where the row is long enough. */
const ELEMENTS_PER_THREAD = 4;

/** How a row is shared out: threads that work on one, rows that a block holds. */
interface RowPlan {
  readonly threads: number;
  readonly rows: number;
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

/** How rows are shared out among threads; undefined where each thread takes a whole one. */
function planRows(nest: Nest, facts: SimtFacts): RowPlan | undefined {
  const length = longest(nest);
  if (length < 2 || nest.stages.some(isOrdered)) return undefined;
  const keeps = nest.stages.some((s) => s.kind === 'keep');
  const rows = pointsOf(nest.outer);
  const isBusy = rows >= facts.units * facts.subgroupThreads * SUBGROUPS_PER_UNIT;
  const isShort = length < 2 * facts.subgroupThreads;
  if (!keeps && (isShort ? isBusy || length < ELEMENTS_PER_THREAD : isBusy && !readsAlongRow(nest))) return undefined;
  // Half the shared memory is for kept rows, half for the trees that combine partial results, of 8 bytes at most.
  const trees = nest.stages.reduce((n, s) => n + (s.kind === 'argReduce' ? 2 : s.kind === 'reduce' ? 1 : 0), 0);
  const most = Math.min(powerAtMost(facts.maxThreads), powerAtMost(facts.sharedBytes / 2 / (8 * Math.max(trees, 1))), 2 * BLOCK_THREADS);
  const threads = Math.min(powerAtLeast(Math.ceil(length / ELEMENTS_PER_THREAD)), most);
  const keptBytes = nest.stages.reduce((sum, s) => (s.kind === 'keep' ? sum + 8 * s.slot.elements : sum), 0);
  let together = 1;
  while (threads * together * 2 <= Math.min(BLOCK_THREADS, facts.maxThreads) && rows % (together * 2) === 0 && keptBytes * together * 2 <= facts.sharedBytes / 2) together *= 2;
  return { threads, rows: together };
}

/** Lowers `nest`; `flops` is what the graph says it computes, for reports. */
export function lowerNest(name: string, raw: Nest, facts: SimtFacts, flops?: number): LoweredKernel {
  let count = 0;
  const nest = refineAxes(raw, () => `y${count++}`);
  const rows = planRows(nest, facts);
  const emitter = new Emitter(nest.dynamic, rows?.rows ?? 1);
  const launch = rows === undefined ? writeThreads(emitter, nest, facts) : writeRows(emitter, nest, rows);
  const traffic = trafficOf(raw);
  const work = nest.stages.reduce((sum, s) => sum + pointsOf(s.axes) * (scalarCost([s.value]) + 1), 0);
  const cost = { flops: flops ?? Math.round(pointsOf(nest.outer) * work), bytes: traffic.readBytes + traffic.writeBytes };
  return { ...finishKernel(emitter, name, launch, rows !== undefined, cost), traffic, inPlace: findPairs(raw) };
}

/** The outer axes in terms of one flat symbol. */
function bindFlat(emitter: Emitter, outer: readonly Axis[], symbol: string): Substitution {
  const position = delinearize(
    indexSymbol(symbol, 0, Math.max(pointsOf(outer) - 1, 0)),
    outer.map((a) => a.extent),
  );
  return new Substitution(new Map(outer.map((a, i) => [a.name, position[i]!])), emitter.dynamic, (definition) => emitter.dynamicSymbol(definition));
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
function writeRows(emitter: Emitter, nest: Nest, plan: RowPlan): Launch {
  const threads = plan.threads * plan.rows;
  const one = plan.rows === 1;
  const inRow = one ? thread : emitter.bind(binary('rem', thread, index(plan.threads)));
  const row = one ? index(0) : emitter.bind(binary('div', thread, index(plan.threads)));
  emitter.define('row', one ? grid : emitter.bind(binary('add', binary('mul', grid, index(plan.rows)), row)));
  const context: RowContext = { emitter, threads: plan.threads, rows: plan.rows, inRow, row, substitution: bindFlat(emitter, nest.outer, 'row') };
  for (const stage of nest.stages) writeRowStage(context, stage);
  return { blocks: pointsOf(nest.outer) / plan.rows, threads };
}

/** Writes what happens only where `condition` holds; always, where there is none. */
export function when(emitter: Emitter, condition: Expr | undefined, write: () => void): void {
  if (condition === undefined) return write();
  const then = emitter.block(write, true);
  emitter.push({ kind: 'if', condition, then, else: [] });
}
