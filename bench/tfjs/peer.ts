// TensorFlow.js with its WebAssembly backend as a peer. It reads no ONNX: its calls are made from our graph (rules.ts), with everything
// that can be done at load done then. In Node the package has one thread, whatever is asked for.
import { loadModel } from '../../src/index.ts';
import { requiredInputs } from '../../src/graph/graph.ts';
import { samplesOf } from '../runner.ts';
import type { Open } from '../runners.ts';
import type { Tf, TfTensor, TfWasm } from './api.ts';
import { extentsOf, permutation, reorder } from './layout.ts';
import { buildProgram } from './program.ts';

const isNode = globalThis.process?.versions?.node !== undefined;

async function importTf(threads: number): Promise<Tf> {
  const [core, backend] = ['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-wasm'];
  const tf: Tf = await import(core);
  const wasm: TfWasm = await import(backend);
  wasm.setThreadsCount(isNode ? 1 : threads);
  if (!(await tf.setBackend('wasm'))) throw new Error('its WebAssembly backend does not start');
  await tf.ready();
  return tf;
}

export const openTfjs: Open = async ({ model, feeds, threads }) => {
  const tf = await importTf(threads);
  const { graph } = loadModel(model);
  const inputs = requiredInputs(graph);
  const program = buildProgram(
    tf,
    graph,
    inputs.map((value) => [value, feeds[value.name]!.dims] as const),
  );
  // Like the layout of the weights, that of the inputs is what the backend wants.
  const fed = program.inputs.map(({ layout }, i) => {
    const { data, type } = feeds[inputs[i]!.name]!;
    if (type !== 'float32') throw new Error(`the tfjs peer has no inputs of ${type}`);
    return { data: reorder(Array.from(data as Float32Array), layout), extents: extentsOf(layout) };
  });
  const run = async (): Promise<Awaited<ReturnType<TfTensor['data']>>[]> => {
    const tensors = fed.map(({ data, extents }) => tf.tensor(data, extents, 'float32'));
    const outputs = program.run(tensors);
    const data = await Promise.all(outputs.map((x) => x.data()));
    for (const x of outputs) x.dispose();
    return data;
  };
  const outputs = async () => {
    const data = await run();
    return samplesOf(
      program.outputs.map(({ layout }, i): readonly [string, ArrayLike<number>] => {
        const { shape, order } = layout;
        const memory = {
          shape: extentsOf(layout),
          order: permutation(
            order,
            shape.map((_, axis) => axis),
          ),
        };
        return [graph.outputs[i]!.name, reorder(data[i]!, memory)];
      }),
    );
  };
  return { run, outputs, close: () => Promise.resolve() };
};
