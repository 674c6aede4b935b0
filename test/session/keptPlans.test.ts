// Plans that are kept between processes: taken where nothing has changed, made again where anything has, and the same in what they give.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { storedIn } from '../../src/core/stored.ts';
import { tensorFrom, toNumbers } from '../../src/core/tensor.ts';
import { constantOf, isTensor } from '../../src/graph/graph.ts';
import type { Graph, Node } from '../../src/graph/graph.ts';
import { loadModel } from '../../src/index.ts';
import { writeMessage } from '../../src/formats/onnx/writeMessage.ts';
import type { ExecutionPlan } from '../../src/plan.ts';
import { CompileCache } from '../../src/runtime/compileCache.ts';
import { chooseDevice, resolveTarget } from '../../src/session/devices.ts';
import { InferenceSession } from '../../src/session/inferenceSession.ts';
import { compile } from '../../src/session/compiler.ts';
import { keepPlans } from '../../src/session/keptPlans.ts';
import type { SessionOptions } from '../../src/session/options.ts';
import { devices, doubling, throughText, valueOf } from './models.ts';

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'anychip-test-'))));
afterEach(() => rmSync(folder, { recursive: true }));

interface Opened {
  readonly isKept: boolean;
  readonly outputs: readonly (readonly number[])[];
}

const LENGTH = 2000;
const numbers = (scale: number): number[] => Array.from({ length: LENGTH }, (_, i) => ((i % 7) - 3) * scale);

/** y = op(x · large) + √|small|, where both constants are as long as x. */
function graphOf({ large = 1, folded = 1, op = 'Neg' as 'Neg' | 'Abs' }): Graph {
  const [x, w, f, a, b, c, d, y] = ['x', 'w', 'f', 'a', 'b', 'c', 'd', 'y'].map((name) => valueOf(name, 'f32', [LENGTH]));
  const node = (name: 'Mul' | 'Neg' | 'Abs' | 'Sqrt' | 'Add', inputs: Node['inputs'], output: typeof x): Node => ({ op: name, name, attrs: {}, inputs, outputs: [output!] });
  return {
    name: 'kept',
    inputs: [x!],
    outputs: [y!],
    nodes: [node('Mul', [x!, w!], a), node(op, [a!], b), node('Abs', [f!], c), node('Sqrt', [c!], d), node('Add', [b!, d!], y)],
    constants: new Map([
      [w!, constantOf(tensorFrom('f32', [LENGTH], numbers(large)))],
      [f!, constantOf(tensorFrom('f32', [LENGTH], numbers(folded)))],
    ]),
  };
}

describe.each(devices.filter((device) => device !== 'reference' && resolveTarget(device).identity !== undefined))('%s', (device) => {
  async function open(graph: Graph, options: SessionOptions = {}, inFolder = folder): Promise<Opened> {
    const model = { graph, irVersion: 10, opsets: new Map([['', 21]]), producer: '', metadata: new Map() };
    let isKept = true;
    const kept = keepPlans(new CompileCache(inFolder), (...given) => {
      isKept = false;
      return compile(...given);
    });
    const session = await InferenceSession.open(model, { executionProviders: [device], ...options }, async (names) => ({
      ...(await chooseDevice(names)),
      compile: kept,
    }));
    try {
      const feeds = graph.inputs.map(({ name, type }) => {
        const shape = (type?.kind === 'tensor' ? (type.shape ?? []) : []).map((dim) => (typeof dim === 'number' ? dim : (options.freeDimensionOverrides?.[dim] ?? 3)));
        const count = shape.reduce((product, dim) => product * dim, 1);
        return [
          name,
          tensorFrom(
            'f32',
            shape,
            Array.from({ length: count }, (_, i) => (i % 5) - 1),
          ),
        ] as const;
      });
      const outputs = [...(await session.runValues(new Map(feeds))).values()].map((value) => (isTensor(value) ? toNumbers(value) : []));
      return { isKept, outputs };
    } finally {
      await session.release();
    }
  }

  it('takes what was kept, and gives the same', async () => {
    const first = await open(graphOf({}));
    const second = await open(graphOf({}));
    expect([first.isKept, second.isKept]).toEqual([false, true]);
    expect(second.outputs).toEqual(first.outputs);
  });

  it('takes it for other weights, and computes with these', async () => {
    const first = await open(graphOf({}));
    const second = await open(graphOf({ large: 2 }));
    expect(second.isKept).toBe(true);
    const root = numbers(1).map((value) => Math.fround(Math.sqrt(Math.abs(value))));
    expect(second.outputs[0]).toEqual(first.outputs[0]!.map((value, i) => Math.fround(2 * Math.fround(value - root[i]!) + root[i]!)).map((value) => expect.closeTo(value, 4)));
  });

  it.each([
    ['what was computed from a constant', { folded: 4 }],
    ['an operator', { op: 'Abs' as const }],
  ])('makes it again for another value of %s', async (_, change) => {
    const first = await open(graphOf({}));
    const second = await open(graphOf(change));
    expect([second.isKept, second.outputs[0]![4] === first.outputs[0]![4]]).toEqual([false, false]);
  });

  it('makes it again for other options, and for other shapes', async () => {
    const { graph } = loadModel(doubling('f32', ['n']));
    const sized = (n: number, more: SessionOptions = {}): Promise<Opened> => open(graph, { freeDimensionOverrides: { n }, ...more });
    await sized(3);
    expect((await sized(3)).isKept).toBe(true);
    expect((await sized(4)).isKept).toBe(false);
    expect((await sized(3, { allow: ['tf32'] })).isKept).toBe(false);
  });

  it('tells models from a file by what it says, small data in other files too, and computes with the large weights that it has', async () => {
    const sizes = { large: LENGTH, small: 1 };
    const opened = (values: { readonly large: number; readonly small: number }, op = 'Add'): Promise<Opened> => {
      const files = new Map(Object.entries(values).map(([name, value]) => [`${name}.bin`, new Uint8Array(new Float32Array(sizes[name as keyof typeof sizes]).fill(value).buffer)]));
      const weight = (name: keyof typeof sizes) => ({
        name,
        dims: [BigInt(sizes[name])],
        dataType: 1,
        dataLocation: 1,
        externalData: [{ key: 'location', value: `${name}.bin` }],
      });
      const info = (name: string) => ({ name, type: { tensorType: { elemType: 1, shape: { dim: [{ dimValue: BigInt(LENGTH) }] } } } });
      const node = [
        { opType: op, input: ['x', 'large'], output: ['sum'] },
        { opType: 'Mul', input: ['sum', 'small'], output: ['y'] },
      ];
      const graph = { name: 'file', initializer: [weight('large'), weight('small')], input: [info('x')], output: [info('y')], node };
      return open(loadModel(writeMessage('ModelProto', { irVersion: 10n, opsetImport: [{ domain: '', version: 21n }], graph }), files).graph);
    };
    const first = await opened({ large: 1, small: 2 });
    const others = [await opened({ large: 1, small: 2 }), await opened({ large: 5, small: 2 }), await opened({ large: 1, small: 3 }), await opened({ large: 1, small: 2 }, 'Sub')];
    expect([first, ...others].map(({ isKept }) => isKept)).toEqual([false, true, true, false, false]);
    // x begins with −1.
    expect([first, ...others].map(({ outputs }) => outputs[0]![0])).toEqual([0, 0, 8, 0, -4]);
    expect([first, ...others].map(({ outputs }) => outputs[0]![1])).toEqual([2, 2, 10, 3, -2]);
  });

  it('tells models from a file apart by large tensors that are attributes', async () => {
    const plan: ExecutionPlan = {
      target: device, inputNames: [], outputNames: [], bindings: [], slots: 0, inputs: [], outputs: [], constants: new Map(), hostValues: new Map(), steps: [],
      compile: { millis: 0, cached: false },
    }; // prettier-ignore
    let compiled = 0;
    const kept = keepPlans(new CompileCache(folder), async () => {
      compiled++;
      return plan;
    });
    const count = async (value: number): Promise<number> => {
      const t = { dims: [BigInt(LENGTH)], dataType: 11, rawData: storedIn(new Uint8Array(new Float64Array(LENGTH).fill(value).buffer)) };
      const node = [{ opType: 'TreeEnsembleRegressor', domain: 'ai.onnx.ml', input: ['x'], output: ['y'], attribute: [{ name: 'base_values_as_tensor', type: 4, t }] }];
      const opsetImport = [{ domain: '', version: 21n }, { domain: 'ai.onnx.ml', version: 3n }]; // prettier-ignore
      const { graph } = loadModel(writeMessage('ModelProto', { irVersion: 10n, opsetImport, graph: { name: 'trees', input: [{ name: 'x' }], output: [{ name: 'y' }], node } }));
      await kept(graph, resolveTarget(device), []);
      return compiled;
    };
    expect([await count(1), await count(1), await count(2)]).toEqual([1, 1, 2]);
  });

  it('takes plans with steps on the host', async () => {
    const { graph } = loadModel(throughText());
    const first = await open(graph);
    const second = await open(graph);
    expect([first.isKept, second.isKept]).toEqual([false, true]);
    expect(second.outputs).toEqual(first.outputs);
  });

  it('compiles where nothing can be kept', async () => {
    // A folder cannot be where a file is.
    const blocked = join(folder, 'blocked');
    writeFileSync(blocked, '');
    const first = await open(graphOf({}), {}, blocked);
    const second = await open(graphOf({}), {}, blocked);
    expect([first.isKept, second.isKept]).toEqual([false, false]);
  });
});
