// Times runners side by side: short slices in turn, so that what slows the machine slows all of them alike.
import { median } from '../src/core/median.ts';
import type { Runner } from './runner.ts';

export interface Timing {
  readonly name: string;
  readonly medianMillis: number;
  readonly minMillis: number;
  readonly runs: number;
}

/** Milliseconds since some moment. */
export type Clock = () => number;
export const wallClock: Clock = () => performance.now();

const WARM_UPS = 3;
/** A slice lasts at least this long, so that no runner always starts with cold caches. */
const SLICE_MILLIS = 60;

/** Before each slice: threads of the runner before, which spin for a while after their last job, are asleep by then. */
const PAUSE_MILLIS = 20;

export async function timeSideBySide(runners: readonly Runner[], rounds: number, clock: Clock = wallClock): Promise<Timing[]> {
  const times = runners.map((): number[] => []);
  for (const runner of runners) for (let i = 0; i < WARM_UPS; i++) await runner.run();
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < runners.length; turn++) {
      const i = (turn + round) % runners.length;
      await slice(runners[i]!, times[i]!, clock);
    }
  }
  return runners.map(({ name }, i) => ({ name, medianMillis: median(times[i]!), minMillis: Math.min(...times[i]!), runs: times[i]!.length }));
}

async function slice(runner: Runner, times: number[], clock: Clock): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MILLIS));
  await runner.run();
  const end = performance.now() + SLICE_MILLIS;
  do {
    const start = clock();
    await runner.run();
    times.push(clock() - start);
  } while (performance.now() < end);
}
