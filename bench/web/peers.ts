// What is timed in a page: anychip's devices, and peers whose packages the page imports from the server of the benchmark.
import type * as Common from 'onnxruntime-common';
import { InferenceSession } from '../../src/web.ts';
import { samplesOf, sessionRunner } from '../runner.ts';
import type { Runner } from '../runner.ts';
import type { Start } from './measure.ts';

export interface Request {
  readonly model: Uint8Array;
  readonly feeds: Common.InferenceSession.FeedsType;
  readonly threads: number;
}
/** A module of the server, which is there for the page alone. */
const load = async <T>(url: string): Promise<T> => import(url);

type Open = (request: Request) => Promise<Runner>;

const ORT = '/packages/onnxruntime-web/dist/';
type Ort = typeof Common & { readonly env: { readonly wasm: { wasmPaths?: string; numThreads?: number } } };

/** onnxruntime-web in one of its builds, with one of its providers. */
const onnxruntime =
  (build: string, provider: string): Open =>
  async ({ model, feeds, threads }) => {
    const ort = await load<Ort>(ORT + build);
    Object.assign(ort.env.wasm, { wasmPaths: ORT, numThreads: threads });
    const session = await ort.InferenceSession.create(model, { executionProviders: [provider] });
    const own = Object.fromEntries(Object.entries(feeds).map(([key, { type, data, dims }]) => [key, new ort.Tensor(type as 'float32', data as Float32Array, dims)]));
    return sessionRunner(session, own);
  };

/** The part of jax-js that is called, as its documentation has it. */
interface JaxArray {
  readonly ref: JaxArray;
  reshape(shape: readonly number[]): JaxArray;
  data(): Promise<ArrayLike<number>>;
}
type JaxRun = (inputs: Readonly<Record<string, JaxArray>>) => Readonly<Record<string, JaxArray>>;
interface Jax {
  init(device: string): Promise<readonly string[]>;
  defaultDevice(device: string): string;
  jit(run: JaxRun): JaxRun & { dispose(): void };
  readonly numpy: { array(data: ArrayLike<number>, options?: { readonly shape: readonly number[] }): JaxArray };
}
interface JaxOnnx {
  readonly ONNXModel: new (bytes: Uint8Array) => { readonly run: JaxRun; dispose(): void };
}

/** jax-js by its reader of ONNX, the whole model under `jit`. */
const jax =
  (device: string): Open =>
  async ({ model, feeds }) => {
    const [core, reader] = await Promise.all([load<Jax>('/bench/jax.js'), load<JaxOnnx>('/bench/jaxOnnx.js')]);
    if (!(await core.init(device)).includes(device)) throw new Error(`it finds no ${device}`);
    core.defaultDevice(device);
    const opened = new reader.ONNXModel(model.slice());
    const call = core.jit(opened.run);
    const run = async (): Promise<ReadonlyMap<string, ArrayLike<number>>> => {
      const inputs = Object.fromEntries(Object.entries(feeds).map(([key, { data, dims }]) => [key, core.numpy.array(data as Float32Array, { shape: [...dims] })]));
      const outputs = Object.entries(call(inputs));
      return new Map(await Promise.all(outputs.map(async ([key, value]) => [key, await value.data()] as const)));
    };
    return {
      run,
      outputs: async () => samplesOf(await run()),
      close: async () => {
        call.dispose();
        opened.dispose();
      },
    };
  };

const device =
  (provider: string): Open =>
  async ({ model, feeds, threads }) =>
    sessionRunner(await InferenceSession.create(model, { executionProviders: [provider], intraOpNumThreads: threads }), feeds);

const table: Readonly<Record<string, Open>> = {
  'ort-wasm': onnxruntime('ort.wasm.min.mjs', 'wasm'),
  'ort-webgpu': onnxruntime('ort.webgpu.min.mjs', 'webgpu'),
  'jax-wasm': jax('wasm'),
  'jax-webgpu': jax('webgpu'),
  wasm: device('wasm'),
  webgpu: device('webgpu'),
};

/** The runner of this name for a model. */
export const startOf = (name: string, request: Request): Start => ({
  name,
  open: () => {
    const open = table[name];
    if (open === undefined) throw new Error(`there is no such runner; there are ${Object.keys(table).join(', ')}`);
    return open(request);
  },
});
