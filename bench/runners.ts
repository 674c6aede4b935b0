// What can be timed in Node: anychip's devices and its peers, each behind the same functions. A peer is a row of a table.
// It must not know how times are taken. Packages are loaded only for the one that is asked for.
import { readdirSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import type * as Common from 'onnxruntime-common';
import type * as Anychip from '../src/index.ts';
import { sessionRunner } from './runner.ts';
import type { Runner } from './runner.ts';

export interface Request {
  readonly model: string;
  readonly feeds: Common.InferenceSession.FeedsType;
  readonly threads: number;
  /** Whether runs write into the outputs of the first, where the runner can. */
  readonly reuses: boolean;
}

/** Reads a model, compiles it where that is to be done, and loads it. */
export type Open = (request: Request) => Promise<Runner>;
/** Loads the code of a runner. */
type Load = () => Promise<Open>;

/** A package with onnxruntime-common's interface, and how it is told the number of threads. */
const onnxruntime =
  (file: string, options: (request: Pick<Request, 'model' | 'threads'>) => Common.InferenceSession.SessionOptions, prepare?: (ort: typeof Common, threads: number) => void): Load =>
  async () => {
    const ort = await importPeer(file);
    ort.env.logLevel = 'error';
    return async ({ model, feeds, threads, reuses }) => {
      prepare?.(ort, threads);
      return sessionRunner(await ort.InferenceSession.create(model, { logSeverityLevel: 3, ...options({ model, threads }) }), feeds, reuses);
    };
  };

async function importPeer(name: string): Promise<typeof Common> {
  const loaded: typeof Common & { readonly default?: typeof Common } = await import(name);
  // CommonJS packages come as the default export.
  return loaded.default ?? loaded;
}

/** Files beside a model, which may hold its weights: this package has to be told of them. */
function filesBeside(model: string): { readonly path: string; readonly data: string }[] {
  const folder = dirname(model);
  const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile() && extname(entry.name) !== '.onnx');
  return files.map(({ name }) => ({ path: name, data: join(folder, name) }));
}

export const peers: Readonly<Record<string, Load>> = {
  'onnxruntime-node': onnxruntime('onnxruntime-node', ({ threads }) => ({ executionProviders: ['cpu'], intraOpNumThreads: threads, interOpNumThreads: 1 })),
  'onnxruntime-web': onnxruntime(
    'onnxruntime-web',
    ({ model }) => ({ executionProviders: ['wasm'], externalData: filesBeside(model) }),
    (ort, threads) => {
      ort.env.wasm.numThreads = threads;
    },
  ),
  'tfjs-wasm': async () => (await import('./tfjs/peer.ts')).openTfjs,
};

/** The package as users get it: remote.ts builds it beside the script that this is bundled into. */
const BUILT = new URL('dist/index.js', import.meta.url).href;

const device =
  (name: string): Load =>
  async () => {
    const { InferenceSession }: typeof Anychip = await import(BUILT);
    return async ({ model, feeds, threads, reuses }) =>
      sessionRunner(await InferenceSession.create(model, { executionProviders: [name], intraOpNumThreads: threads }), feeds, reuses);
  };

/** The code of a peer, or of one of anychip's devices. */
export const loadRunner = (name: string): Promise<Open> => (peers[name] ?? device(name))();
