// A process that holds one runner of one model, and does what it is told by messages: one answer for each.
import { readFileSync } from 'node:fs';
import type { Samples } from './agreement.ts';
import { readFeeds } from './feedFile.ts';
import type { FeedFile } from './feedFile.ts';
import { loadRunner } from './runners.ts';
import type { Runner } from './runner.ts';
import { WARM_UPS, WARM_UP_MILLIS, clocks, timeSlice } from './timing.ts';
import type { ClockName } from './timing.ts';

export interface OpenOrder {
  readonly runner: string;
  readonly model: string;
  readonly feeds: FeedFile;
  readonly threads: number;
  readonly reuses: boolean;
}

/** How a runner came to its first answer. */
export interface Start {
  /** From a path to a session, milliseconds; loading the runner's own code does not count. */
  readonly createMillis: number;
  /** From a path to the first answer. */
  readonly firstMillis: number;
  /** Peaks of resident memory: of the process before the runner's code was loaded, and behind a few runs. */
  readonly emptyBytes: number;
  readonly peakBytes: number;
}

const LINE = /^VmHWM:\s+(\d+) kB/m;
/** What the system says where it does; Node's own figure elsewhere. */
function peakBytes(): number {
  try {
    return Number(LINE.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024;
  } catch {
    return process.resourceUsage().maxRSS * 1024;
  }
}

let opened: Runner | undefined;
const runner = (): Runner => {
  if (opened === undefined) throw new Error('nothing is open');
  return opened;
};

const orders = {
  open: async ({ runner: name, model, feeds: file, threads, reuses }: OpenOrder): Promise<Start> => {
    const feeds = readFeeds(file);
    const emptyBytes = peakBytes();
    const open = await loadRunner(name);
    const start = performance.now();
    opened = await open({ model, feeds, threads, reuses });
    const createMillis = performance.now() - start;
    await opened.run();
    const firstMillis = performance.now() - start;
    for (let i = 0; i < WARM_UPS; i++) await opened.run();
    return { createMillis, firstMillis, emptyBytes, peakBytes: peakBytes() };
  },
  outputs: (): Promise<Samples> => runner().outputs(),
  /** Runs that are not timed: compilers of JavaScript have most of their work behind them then. */
  warmUp: async (): Promise<void> => {
    const end = performance.now() + WARM_UP_MILLIS;
    do await runner().run();
    while (performance.now() < end);
  },
  slice: (clock: ClockName): Promise<number[]> => timeSlice(runner(), clocks[clock]),
} as const;

export type Orders = typeof orders;
export type OrderName = keyof Orders;
export interface Message<K extends OrderName = OrderName> {
  readonly order: K;
  readonly given: Parameters<Orders[K]>[0];
}
export type Reply = { readonly answer: unknown } | { readonly problem: string };

const obey = async ({ order, given }: Message): Promise<unknown> => {
  const run: (given: never) => Promise<unknown> = orders[order];
  return run(given as never);
};

// Whoever gave orders is gone.
process.on('disconnect', () => process.exit());

process.on('message', (message: Message) => {
  obey(message).then(
    (answer) => process.send!({ answer } satisfies Reply),
    (error: unknown) => process.send!({ problem: error instanceof Error ? error.message : String(error) } satisfies Reply),
  );
});
