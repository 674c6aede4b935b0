// One case: a device of anychip and its peers in processes of their own, opened, held to each other's outputs, and timed in turns.
// It must not know how results are shown.
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { disagreements } from './agreement.ts';
import type { Samples } from './agreement.ts';
import type { FeedFile } from './feedFile.ts';
import { Remote } from './remote.ts';
import type { Entry, Race } from './results.ts';
import { takeTurns } from './timing.ts';
import type { ClockName, Turns } from './timing.ts';
import type { Start } from './worker.ts';

export interface RaceOrder {
  readonly device: string;
  readonly peers: readonly string[];
  readonly model: string;
  readonly feeds: FeedFile;
  readonly threads: number;
  readonly turns: Turns;
  readonly clock: ClockName;
  readonly tolerance: number | undefined;
  /** Whether runs write into the outputs of the first. */
  readonly reuses: boolean;
  /** Whether starts are measured: with an empty cache, and once more. */
  readonly starts: boolean;
  /** For caches and whatever else. */
  readonly folder: string;
}

interface Opened {
  readonly remote: Remote;
  readonly cold: Start;
  readonly samples: Samples;
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
type Attempt<T> = { readonly value: T } | { readonly problem: string };
const attempt = <T>(work: Promise<T>): Promise<Attempt<T>> =>
  work.then(
    (value) => ({ value }),
    (error: unknown) => ({ problem: textOf(error) }),
  );

export class Runners {
  readonly #order: RaceOrder;
  readonly #environment: Readonly<Record<string, string>>;

  constructor(order: RaceOrder) {
    this.#order = order;
    // An empty cache where starts are measured, else one for all cases.
    this.#environment = { ANYCHIP_CACHE: order.starts ? mkdtempSync(join(order.folder, 'cache-')) : join(order.folder, 'cache') };
  }

  /** Peers first. `right`: what an earlier race found, if any. */
  async race(right: Samples | undefined): Promise<{ readonly race: Race; readonly samples: Samples | undefined }> {
    const { device, peers } = this.#order;
    const names = [...peers, device];
    const opened: Attempt<Opened>[] = [];
    try {
      for (const name of names) opened.push(await attempt(this.#open(name)));
      const first = right ?? opened.map((one) => ('value' in one ? one.value.samples : undefined)).find((samples) => samples !== undefined);
      for (const one of opened) if ('value' in one) await attempt(one.value.remote.ask('warmUp', undefined));
      const timings = await this.#time(opened);
      await this.#close(opened);
      const entries: Entry[] = [];
      for (const [i, name] of names.entries()) entries.push(await this.#entry(name, opened[i]!, timings[i]!, first));
      return { race: { peers: entries.slice(0, -1), device: entries.at(-1)! }, samples: first };
    } finally {
      await this.#close(opened);
    }
  }

  async #open(runner: string): Promise<Opened> {
    const remote = new Remote(this.#environment);
    try {
      const { model, feeds, threads, reuses } = this.#order;
      const cold = await remote.ask('open', { runner, model, feeds, threads, reuses });
      return { remote, cold, samples: await remote.ask('outputs', undefined) };
    } catch (error) {
      await remote.close();
      throw error;
    }
  }

  async #close(opened: readonly Attempt<Opened>[]): Promise<void> {
    for (const one of opened) if ('value' in one) await one.value.remote.close();
  }

  /** A runner that fails while others take turns is left out from then on. */
  async #time(opened: readonly Attempt<Opened>[]): Promise<(Attempt<NonNullable<Entry['timing']>> | undefined)[]> {
    const problems = new Map<number, string>();
    const slices = opened.map((one, i) => async (): Promise<readonly number[]> => {
      if (!('value' in one) || problems.has(i)) return [];
      const times = await attempt(one.value.remote.ask('slice', this.#order.clock));
      if ('value' in times) return times.value;
      problems.set(i, times.problem);
      return [];
    });
    const timings = await takeTurns(slices, this.#order.turns);
    return timings.map((timing, i) => (problems.has(i) ? { problem: problems.get(i)! } : timing.runs === 0 ? undefined : { value: timing }));
  }

  async #entry(runner: string, opened: Attempt<Opened>, timing: Attempt<NonNullable<Entry['timing']>> | undefined, right: Samples | undefined): Promise<Entry> {
    if ('problem' in opened) return { runner, problem: opened.problem };
    if (timing === undefined || 'problem' in timing) return { runner, problem: timing?.problem ?? 'it gave no times' };
    const { cold, samples } = opened.value;
    const wrong = right === undefined ? [] : disagreements(right, samples, this.#order.tolerance);
    const warm = this.#order.starts ? await attempt(this.#startAgain(runner)) : undefined;
    return {
      runner,
      timing: timing.value,
      start: { cold, ...(warm !== undefined && 'value' in warm ? { warm: warm.value } : {}) },
      ...(wrong.length === 0 ? {} : { problem: `differs in ${wrong.join(', ')}` }),
    };
  }

  async #startAgain(runner: string): Promise<Start> {
    const remote = new Remote(this.#environment);
    try {
      const { model, feeds, threads, reuses } = this.#order;
      return await remote.ask('open', { runner, model, feeds, threads, reuses });
    } finally {
      await remote.close();
    }
  }
}
