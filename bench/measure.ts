// Runners of one model, opened, held to each other's outputs, and timed side by side: in Node or in a browser's page.
import type { InferenceSession } from 'onnxruntime-common';
import { decodeValue } from '../src/formats/onnx/tensorProto.ts';
import { isTensor, requiredInputs } from '../src/graph/graph.ts';
import type { Graph } from '../src/graph/graph.ts';
import { seededFeeds } from '../src/session/feeds.ts';
import { toOrt } from '../src/session/ortTensor.ts';
import type { Runner } from './runner.ts';
import { timeSideBySide } from './timing.ts';
import type { Clock } from './timing.ts';
import type { Timing } from './timing.ts';

/** Inputs out of files (TensorProto), in the model's order; seeded random numbers for those that have none. */
export function feedsFor(graph: Graph, files: readonly Uint8Array[]): InferenceSession.FeedsType {
  const inputs = requiredInputs(graph);
  const read = new Map(files.map((file, i) => [inputs[i]!.name, decodeValue(file, inputs[i]!.type)]));
  const { values } = seededFeeds(graph, read, {}, 0);
  return Object.fromEntries([...values].flatMap(([name, value]) => (isTensor(value) ? [[name, toOrt(value, name)]] : [])));
}

/** A runner that may not open. */
export interface Start {
  readonly name: string;
  readonly open: () => Promise<Runner>;
}

/** From a model's bytes to its first answer: opening, compiling, loading and one run. Who opens first may pay for what others find ready. */
interface First {
  readonly firstMillis: number;
}

export interface Measured {
  readonly timings: readonly (Timing & First)[];
  /** Runners that did not open, or whose outputs are not those of the first. */
  readonly failures: readonly string[];
}

interface Opened extends First {
  readonly runner: Runner;
  readonly outputs: Awaited<ReturnType<Runner['outputs']>>;
}

export async function measure(starts: readonly Start[], rounds: number, clock?: Clock): Promise<Measured> {
  const failures: string[] = [];
  const opened: Opened[] = [];
  for (const { name, open } of starts) {
    try {
      const start = performance.now();
      const runner = await open();
      const outputs = await runner.outputs();
      opened.push({ runner, outputs, firstMillis: performance.now() - start });
    } catch (error) {
      failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  failures.push(...disagreements(opened));
  const runners = opened.map(({ runner }) => runner);
  const timings = await timeSideBySide(runners, rounds, clock);
  for (const runner of runners) await runner.close();
  return { timings: timings.map((timing, i) => ({ ...timing, firstMillis: opened[i]!.firstMillis })), failures };
}

/** Of the largest number of an output: what no two runners may differ by. Loose, for it looks for other models rather than for rounding. */
const TOLERANCE = 1e-2;

/** Runners whose outputs are not those of the first: they would be timed at something else. */
function disagreements([first, ...others]: readonly Opened[]): string[] {
  if (first === undefined) return [];
  return others.flatMap(({ runner, outputs }) =>
    [...outputs].flatMap(([name, data]) => {
      const right = Array.from(first.outputs.get(name) ?? []);
      const largest = right.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      const isClose = right.length === data.length && right.every((x, i) => x === data[i] || Math.abs(x - data[i]!) <= TOLERANCE * largest || Number.isNaN(x));
      return isClose ? [] : [`${runner.name}: output '${name}' is not that of ${first.runner.name}`];
    }),
  );
}
