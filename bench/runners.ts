// What can be timed: anychip's devices and its peers, each behind the same two functions. A peer is a row of a table.
// It must not know how times are taken.
import type * as Common from 'onnxruntime-common';
import { InferenceSession } from '../src/index.ts';
import { openTfjs } from './tfjs/peer.ts';

export interface Runner {
  readonly name: string;
  /** One inference with the same inputs each time; resolves when the outputs are there. */
  run(): Promise<unknown>;
  /** What an inference gives: the numbers of each output, in the model's own order. */
  outputs(): Promise<ReadonlyMap<string, ArrayLike<number>>>;
  close(): Promise<void>;
}

export interface Request {
  readonly model: string;
  readonly feeds: Common.InferenceSession.FeedsType;
  readonly threads: number;
}

export type Open = (request: Request) => Promise<Runner>;

/** The numbers of what a session gave. */
const numbersOf = (results: Common.InferenceSession.OnnxValueMapType): Map<string, ArrayLike<number>> =>
  new Map(Object.entries(results).map(([name, { data }]) => [name, Array.from(data as ArrayLike<number | bigint>, Number)]));

/** A session with onnxruntime-common's interface as a runner. */
const asRunner = (name: string, session: Pick<Common.InferenceSession, 'run' | 'release'>, feeds: Common.InferenceSession.FeedsType): Runner => ({
  name,
  run: () => session.run(feeds),
  outputs: async () => numbersOf(await session.run(feeds)),
  close: () => session.release(),
});

/** A package with onnxruntime-common's interface, and how it is told the number of threads. */
const onnxruntime =
  (name: string, file: string, options: (threads: number) => Common.InferenceSession.SessionOptions, prepare?: (ort: typeof Common, threads: number) => void): Open =>
  async ({ model, feeds, threads }) => {
    const ort: typeof Common = await importPeer(file);
    prepare?.(ort, threads);
    const session = await ort.InferenceSession.create(model, options(threads));
    return asRunner(name, session, feeds);
  };

async function importPeer(name: string): Promise<typeof Common> {
  const loaded: typeof Common & { readonly default?: typeof Common } = await import(name);
  // CommonJS packages come as the default export.
  return loaded.default ?? loaded;
}

export const peers: Readonly<Record<string, Open>> = {
  'onnxruntime-node': onnxruntime('onnxruntime-node', 'onnxruntime-node', (threads) => ({ executionProviders: ['cpu'], intraOpNumThreads: threads, interOpNumThreads: 1 })),
  'onnxruntime-web': onnxruntime(
    'onnxruntime-web',
    'onnxruntime-web',
    () => ({ executionProviders: ['wasm'] }),
    (ort, threads) => {
      ort.env.wasm.numThreads = threads;
    },
  ),
  'tfjs-wasm': openTfjs,
};

export async function openDevice(device: string, { model, feeds, threads }: Request): Promise<Runner> {
  const session = await InferenceSession.create(model, { executionProviders: [device], intraOpNumThreads: threads });
  return asRunner(`anychip ${device}`, session, feeds);
}
