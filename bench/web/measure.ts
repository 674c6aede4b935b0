// Runners of one model, opened, held to each other's outputs, and timed in turns, all in one page.
import { disagreements } from '../agreement.ts';
import type { Samples } from '../agreement.ts';
import type { Runner } from '../runner.ts';
import { WARM_UPS, takeTurns, timeSlice, wallClock } from '../timing.ts';
import type { Timing } from '../timing.ts';

/** A runner that may not open. */
export interface Start {
  readonly name: string;
  readonly open: () => Promise<Runner>;
}

export interface PageEntry {
  readonly name: string;
  readonly timing: Timing;
  /** From a model's bytes to its first answer: opening, compiling, loading and one run. Who opens first may pay for what others find ready. */
  readonly firstMillis: number;
}

export interface Measured {
  readonly entries: readonly PageEntry[];
  /** Runners that did not open, or whose outputs are not those of the first. */
  readonly problems: readonly string[];
}

interface Opened {
  readonly name: string;
  readonly runner: Runner;
  readonly samples: Samples;
  readonly firstMillis: number;
}

export async function measure(starts: readonly Start[], rounds: number): Promise<Measured> {
  const problems: string[] = [];
  const opened: Opened[] = [];
  for (const { name, open } of starts) {
    try {
      const start = performance.now();
      const runner = await open();
      const samples = await runner.outputs();
      opened.push({ name, runner, samples, firstMillis: performance.now() - start });
    } catch (error) {
      problems.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  for (const { name, samples } of opened.slice(1)) {
    const wrong = disagreements(opened[0]!.samples, samples);
    if (wrong.length > 0) problems.push(`${name}: differs in ${wrong.join(', ')}`);
  }
  for (const { runner } of opened) for (let i = 0; i < WARM_UPS; i++) await runner.run();
  const timings = await takeTurns(
    opened.map(
      ({ runner }) =>
        () =>
          timeSlice(runner, wallClock),
    ),
    { rounds, least: rounds, millis: Infinity },
  );
  for (const { runner } of opened) await runner.close();
  return { entries: opened.map(({ name, firstMillis }, i) => ({ name, firstMillis, timing: timings[i]! })), problems };
}
