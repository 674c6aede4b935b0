// Times runners side by side: short slices in turn, so that what slows the machine slows all of them alike.
import { median } from '../src/core/median.ts';
import type { Runner } from './runner.ts';

export interface Timing {
  readonly medianMillis: number;
  readonly minMillis: number;
  readonly runs: number;
}

/** Milliseconds since some moment. */
export type Clock = () => number;
export const wallClock: Clock = () => performance.now();
/** Processor time of this process counts what was computed, however busy the machine is with others: for runners with one thread. */
const processorClock: Clock = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
export const clocks = { wall: wallClock, processor: processorClock } as const;
export type ClockName = keyof typeof clocks;

export const WARM_UPS = 3;
/** Before the first slice of a runner. */
export const WARM_UP_MILLIS = 500;
/** A slice lasts at least this long, so that no runner always starts with cold caches. */
const SLICE_MILLIS = 60;
/** Before each slice: threads of the runner before, which spin for a while after their last job, are asleep by then. */
const PAUSE_MILLIS = 20;

/** Times of some runs, milliseconds. Where a run is shorter than a slice, the first does not count. */
export async function timeSlice(runner: Pick<Runner, 'run'>, clock: Clock): Promise<number[]> {
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MILLIS));
  const times: number[] = [];
  const began = performance.now();
  await runner.run();
  const isLong = performance.now() - began > SLICE_MILLIS;
  const end = (isLong ? began : performance.now()) + SLICE_MILLIS;
  do {
    const start = clock();
    await runner.run();
    times.push(clock() - start);
  } while (performance.now() < end);
  return times;
}

/** Turns of all: as many as asked for, fewer where they have taken this many milliseconds, but never fewer than `least`. */
export interface Turns {
  readonly rounds: number;
  readonly least: number;
  readonly millis: number;
}

/** Gives each of `slices` its turns, another first each time. */
export async function takeTurns(slices: readonly (() => Promise<readonly number[]>)[], { rounds, least, millis }: Turns): Promise<Timing[]> {
  const times = slices.map((): number[] => []);
  const end = performance.now() + millis;
  for (let round = 0; round < rounds && (round < least || performance.now() < end); round++) {
    for (let turn = 0; turn < slices.length; turn++) {
      const i = (turn + round) % slices.length;
      times[i]!.push(...(await slices[i]!()));
    }
  }
  return times.map((all) => ({ medianMillis: median(all), minMillis: all.reduce((least, x) => Math.min(least, x), Infinity), runs: all.length }));
}
