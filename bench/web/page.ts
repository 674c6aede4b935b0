// Runs inside the page: measures one model on the runners that it is told of.
import { loadModel } from '../../src/web.ts';
import { feedsOf, valuesFor } from '../feeds.ts';
import { measure } from './measure.ts';
import type { Measured } from './measure.ts';
import { startOf } from './peers.ts';

export interface Order {
  readonly model: string;
  /** Addresses of its inputs; none for random ones. */
  readonly inputs: readonly string[];
  readonly runners: readonly string[];
  readonly threads: number;
  readonly rounds: number;
}

const bytesAt = async (url: string): Promise<Uint8Array> => new Uint8Array(await (await fetch(url)).arrayBuffer());

async function measureOrder({ model: url, inputs, runners, threads, rounds }: Order): Promise<Measured> {
  const model = await bytesAt(url);
  const feeds = feedsOf(valuesFor((await loadModel(model)).graph, await Promise.all(inputs.map(bytesAt))));
  return measure(
    runners.map((name) => startOf(name, { model, feeds, threads })),
    rounds,
  );
}

Object.assign(globalThis, { measureOrder });
