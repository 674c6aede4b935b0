// How import and compile time grow with the number of nodes: `node --import tsx bench/nodes.ts [--nodes 20000] [--compiler]`.
// Each shape of graph is measured at a quarter, half and the whole number; linear growth shows as a ratio of about 4 between first and last.
import { parseArgs } from 'node:util';
import { compile, scheduleStep, specializeFor } from '../src/compile.ts';
import { exportModel } from '../src/formats/onnx/export.ts';
import { importModel } from '../src/formats/onnx/import.ts';
import type { Value } from '../src/graph/graph.ts';
import { bindingsFor } from '../src/session/bindings.ts';
import { requireKernels } from '../src/runtime/device.ts';
import { resolveTarget } from '../src/session/devices.ts';
import { seededFeeds } from '../src/session/feeds.ts';
import { Net } from './models/net.ts';

const { values } = parseArgs({
  options: { nodes: { type: 'string', default: '20000' }, device: { type: 'string', default: 'cpu' }, compiler: { type: 'boolean', default: false }, only: { type: 'string' } },
});

type Grow = (net: Net, x: Value, steps: number) => Value;
interface Shape {
  readonly input: readonly number[];
  /** Nodes of a step. */
  readonly each: number;
  readonly grow: Grow;
}

/** The last of a chain of steps. */
function repeat(x: Value, steps: number, step: (x: Value, i: number) => Value): Value {
  let last = x;
  for (let i = 0; i < steps; i++) last = step(last, i);
  return last;
}

const residual: Grow = (net, x, steps) => {
  const [w, k] = [net.weight([8, 8, 3, 3], 0.05), net.weight([8], 0.5)];
  const conv = (y: Value): Value => net.op('Conv', [y, w, k], { pads: [1, 1, 1, 1] });
  return repeat(x, steps, (y) => net.op('Relu', [net.op('Add', [conv(net.op('Relu', [conv(y)])), y])]));
};

const transformer: Grow = (net, x, steps) => {
  const [g, k, heads, flat] = [net.weight([16], 1), net.weight([16], 0.5), net.ints([1, 8, 2, 8]), net.ints([1, 8, 16])];
  const [wq, wk, wv] = [net.weight([16, 16], 0.5), net.weight([16, 16], 0.5), net.weight([16, 16], 0.5)];
  const norm = (y: Value): Value => net.op('LayerNormalization', [y, g, k]);
  const toHeads = (y: Value, w: Value, perm: readonly number[]): Value => net.op('Transpose', [net.op('Reshape', [net.op('MatMul', [y, w]), heads])], { perm });
  return repeat(x, steps, (y) => {
    const n = norm(y);
    const scores = net.op('MatMul', [toHeads(n, wq, [0, 2, 1, 3]), toHeads(n, wk, [0, 2, 3, 1])]);
    const mixed = net.op('MatMul', [net.op('Softmax', [scores], { axis: -1 }), toHeads(n, wv, [0, 2, 1, 3])]);
    const r = net.op('Add', [net.op('Reshape', [net.op('Transpose', [mixed], { perm: [0, 2, 1, 3] }), flat]), y]);
    return net.op('Add', [net.op('Gelu', [net.op('MatMul', [norm(r), wq])]), r]);
  });
};

const shapeArithmetic: Grow = (net, x, steps) => {
  const [zero, one] = [net.ints([0]), net.ints([1])];
  return repeat(x, steps, (y) => {
    const shape = net.op('Shape', [y]);
    const count = net.op('Mul', [net.op('Gather', [shape, zero], { axis: 0 }), net.op('Gather', [shape, one], { axis: 0 })]);
    return net.op('Relu', [net.op('Reshape', [y, net.op('Concat', [count, one], { axis: 0 })])]);
  });
};

const shapes: Readonly<Record<string, Shape>> = {
  chain: { input: [1, 64], each: 1, grow: (net, x, steps) => repeat(x, steps, (y, i) => net.op((['Relu', 'Neg', 'Tanh', 'Abs'] as const)[i % 4]!, [y])) },
  fanOut: {
    input: [1, 16],
    each: 1,
    grow: (net, x, steps) =>
      net.op(
        'Concat',
        Array.from({ length: steps }, (_, i) => net.op((['Relu', 'Neg', 'Sigmoid', 'Exp'] as const)[i % 4]!, [x])),
        { axis: 0 },
      ),
  },
  residual: { input: [1, 8, 8, 8], each: 5, grow: residual },
  transformer: { input: [1, 8, 16], each: 20, grow: transformer },
  shapeArithmetic: { input: [4, 8], each: 7, grow: shapeArithmetic },
};

/** A file of about `count` nodes. */
function modelOf({ input, each, grow }: Shape, count: number): Uint8Array {
  const net = new Net('nodes');
  net.results([grow(net, net.input('x', 'f32', input), Math.floor(count / each))]);
  return exportModel(net.build().graph);
}

const target = requireKernels(resolveTarget(values.device));
const time = async <T>(body: () => T | Promise<T>): Promise<readonly [millis: number, result: T]> => {
  const start = performance.now();
  const result = await body();
  return [performance.now() - start, result];
};

async function measure(shape: Shape, count: number): Promise<Readonly<Record<string, number>>> {
  const bytes = modelOf(shape, count);
  const [importing, { graph }] = await time(() => importModel(bytes));
  const bindings = bindingsFor(graph, seededFeeds(graph, new Map(), {}, 0).values);
  const [specialising, parts] = await time(() => specializeFor(graph, target, bindings));
  const [scheduling, schedules] = await time(() => parts.steps.flatMap((step) => (step.kind === 'device' ? [scheduleStep(step, target)] : [])));
  const [rendering, sources] = await time(() => schedules.map((schedule) => target.createRenderer().render(schedule.module)));
  const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
  const facts = {
    nodes: graph.nodes.length,
    importing,
    specialising,
    scheduling,
    rendering,
    calls: sum(schedules.map((s) => s.module.run.length)),
    kernels: sum(schedules.map((s) => s.module.kernels.length)),
    sourceBytes: sum(sources.flatMap((s) => s.units.map((unit) => unit.length))),
  };
  if (!values.compiler) return facts;
  const [compiling] = await time(() => compile(graph, target, bindings));
  return { ...facts, compiling };
}

const most = Number(values.nodes);
for (const [name, shape] of Object.entries(shapes)) {
  if (values.only !== undefined && values.only !== name) continue;
  const runs: Readonly<Record<string, number>>[] = [];
  for (const count of [most / 4, most / 2, most]) {
    const facts = await measure(shape, Math.floor(count));
    runs.push(facts);
    process.stdout.write(
      `${name.padEnd(16)}${Object.entries(facts)
        .map(([key, value]) => `${key} ${Math.round(value)}`)
        .join('  ')}\n`,
    );
  }
  const growth = (key: string): string => `${key} ×${((runs[2]![key] ?? 0) / Math.max(runs[0]![key] ?? 0, 1)).toFixed(1)}`;
  process.stdout.write(
    `${''.padEnd(16)}4 × the nodes: ${['importing', 'specialising', 'scheduling', 'rendering', ...(values.compiler ? ['compiling'] : [])].map(growth).join(', ')}\n`,
  );
}
