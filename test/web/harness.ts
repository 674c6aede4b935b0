// Runs inside the page of a browser: what tests ask for through `globalThis.harness`. Bundled by chromium.ts.
import type { Outcome } from '../../src/conformance/report.ts';
import { runData } from '../../src/conformance/runData.ts';
import { imageFeed, InferenceSession, listDevices, loadModel, Tensor } from '../../src/web.ts';
import type { DeviceStatus } from '../../src/web.ts';

/** A case of a suite, by the addresses of its files. */
export interface FetchedCase {
  readonly model: string;
  readonly sets: readonly { readonly inputs: readonly string[]; readonly outputs: readonly string[] }[];
}

export interface Answers {
  readonly device: InferenceSession['device'];
  readonly placement: InferenceSession['placement'];
  /** The first output of each run. */
  readonly outputs: readonly (readonly number[])[];
}

const bytesAt = async (url: string): Promise<Uint8Array> => new Uint8Array(await (await fetch(url)).arrayBuffer());

const harness = {
  listDevices: (): Promise<DeviceStatus[]> => listDevices(),

  async runCase({ model, sets }: FetchedCase, device: string): Promise<Outcome> {
    const fetched = sets.map(async ({ inputs, outputs }) => ({ inputs: await Promise.all(inputs.map(bytesAt)), outputs: await Promise.all(outputs.map(bytesAt)) }));
    return runData(() => InferenceSession.create(model, { executionProviders: [device] }), await Promise.all(fetched));
  },

  /** What a model says to pictures, one after the other. */
  async readPictures(model: string, pictures: readonly string[], device: string): Promise<Answers> {
    const { graph } = await loadModel(model);
    const input = graph.inputs[0]!.name;
    const session = await InferenceSession.create(model, { executionProviders: [device] });
    const outputs: number[][] = [];
    for (const picture of pictures) {
      const { data, shape } = imageFeed(graph, input, await bytesAt(picture));
      outputs.push(await firstOutput(session, { [input]: new Tensor('float32', data, shape) }));
    }
    return answersOf(session, outputs);
  },

  /** Runs a model with one input of floats, several times over the same numbers. */
  async repeat(model: string, dims: readonly number[], values: readonly number[], device: string, times: number): Promise<Answers> {
    const session = await InferenceSession.create(model, { executionProviders: [device], strict: true });
    const feeds = { [session.inputNames[0]!]: new Tensor('float32', Float32Array.from(values), dims) };
    const outputs: number[][] = [];
    for (let i = 0; i < times; i++) outputs.push(await firstOutput(session, feeds));
    return answersOf(session, outputs);
  },
};

async function firstOutput(session: InferenceSession, feeds: InferenceSession.FeedsType): Promise<number[]> {
  const results = await session.run(feeds);
  return Array.from(results[session.outputNames[0]!]!.data, Number);
}

async function answersOf(session: InferenceSession, outputs: readonly (readonly number[])[]): Promise<Answers> {
  const { device, placement } = session;
  await session.release();
  return { device, placement, outputs };
}

export type Harness = typeof harness;
Object.assign(globalThis, { harness });
