// What can be timed: anychip's devices and its peers, each behind the same two functions. A peer is a row of a table.
// It must not know how times are taken.
import type * as Common from 'onnxruntime-common';
import { InferenceSession } from '../src/index.ts';
import { sessionRunner } from './runner.ts';
import type { Runner } from './runner.ts';
import { openTfjs } from './tfjs/peer.ts';

export interface Request {
  readonly model: string;
  readonly feeds: Common.InferenceSession.FeedsType;
  readonly threads: number;
}

export type Open = (request: Request) => Promise<Runner>;

/** A package with onnxruntime-common's interface, and how it is told the number of threads. */
const onnxruntime =
  (name: string, file: string, options: (threads: number) => Common.InferenceSession.SessionOptions, prepare?: (ort: typeof Common, threads: number) => void): Open =>
  async ({ model, feeds, threads }) => {
    const ort: typeof Common = await importPeer(file);
    prepare?.(ort, threads);
    const session = await ort.InferenceSession.create(model, options(threads));
    return sessionRunner(name, session, feeds);
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
  return sessionRunner(`anychip ${device}`, session, feeds);
}
