// Times runs of a session. Wall time of whole runs, inputs and outputs included, as a caller sees it.
import type { HostValue } from '../graph/graph.ts';
import type { InferenceSession } from '../session/inferenceSession.ts';
import { median } from '../core/median.ts';

/** Keys as `anychip bench --json` prints them. */
export interface BenchReport {
  readonly device: string;
  readonly median_ms: number;
  readonly min_ms: number;
  readonly runs: number;
  /** From a graph to loaded programs. */
  readonly compile_ms: number;
  /** Whether every program came from the cache. */
  readonly cached: boolean;
  /** Largest resident set of the process so far. */
  readonly peak_bytes: number;
}

/** Without a number of runs: as many as fit into this time, between the two bounds. */
const BUDGET_MILLIS = 3000;
const MIN_RUNS = 5;
const MAX_RUNS = 200;
const WARM_UPS = 2;

/** Times runs of each session; of several, in turns, so that whatever else the machine does meets all alike. */
export async function benchmark(sessions: readonly InferenceSession[], feeds: ReadonlyMap<string, HostValue>, runs?: number): Promise<BenchReport[]> {
  let last = 0;
  for (const session of sessions) {
    for (let i = 1; i < WARM_UPS; i++) await timed(session, feeds);
    last += await timed(session, feeds);
  }
  const budget = BUDGET_MILLIS * sessions.length;
  const count = runs ?? Math.min(MAX_RUNS, Math.max(MIN_RUNS, Math.floor(budget / Math.max(last, 1e-3))));
  const times: number[][] = sessions.map(() => []);
  for (let i = 0; i < count; i++) for (const [k, session] of sessions.entries()) times[k]!.push(await timed(session, feeds));
  return sessions.map((session, k) => reportOf(session, times[k]!));
}

function reportOf(session: InferenceSession, times: readonly number[]): BenchReport {
  return {
    device: session.device.name,
    median_ms: median(times),
    min_ms: Math.min(...times),
    runs: times.length,
    compile_ms: session.plans.reduce((sum, plan) => sum + plan.compile.millis, 0),
    cached: session.plans.length > 0 && session.plans.every((plan) => plan.compile.cached),
    peak_bytes: process.resourceUsage().maxRSS * 1024,
  };
}

async function timed(session: InferenceSession, feeds: ReadonlyMap<string, HostValue>): Promise<number> {
  const start = performance.now();
  await session.runValues(feeds);
  return performance.now() - start;
}
