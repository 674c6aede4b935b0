// How import and compile time grow with the number of nodes: `node --import tsx bench/nodes.ts [--nodes 20000] [--compiler]`.
// Each shape of graph is measured at a quarter, half and the whole number; linear growth shows as a ratio of about 4 between first and last.
import { create, toBinary } from '@bufbuild/protobuf';
import { parseArgs } from 'node:util';
import { compile, scheduleStep, specializeFor } from '../src/compile.ts';
import { ModelProtoSchema } from '../src/formats/onnx/generated/onnx_pb.ts';
import { importModel } from '../src/formats/onnx/import.ts';
import { bindingsFor } from '../src/session/bindings.ts';
import { requireKernels } from '../src/runtime/device.ts';
import { resolveTarget } from '../src/session/devices.ts';
import { seededFeeds } from '../src/session/feeds.ts';

const { values } = parseArgs({
  options: { nodes: { type: 'string', default: '20000' }, device: { type: 'string', default: 'cpu' }, compiler: { type: 'boolean', default: false }, only: { type: 'string' } },
});

type NodeInit = {
  readonly opType: string;
  readonly name: string;
  readonly input: string[];
  readonly output: string[];
  readonly attribute?: { name: string; type: number; i?: bigint; ints?: bigint[] }[];
};
type TensorInit = { readonly name: string; readonly dims: bigint[]; readonly dataType: number; readonly rawData: Uint8Array };

const node = (opType: string, input: string[], output: string, attribute: NodeInit['attribute'] = []): NodeInit => ({ opType, name: output, input, output: [output], attribute });
const axis = (i: number) => [{ name: 'axis', type: 2, i: BigInt(i) }];
const ints = (name: string, list: readonly number[]) => ({ name, type: 7, ints: list.map(BigInt) });
const floats = (name: string, dims: readonly number[], scale = 0.1): TensorInit => {
  const count = dims.reduce((a, b) => a * b, 1);
  return { name, dims: dims.map(BigInt), dataType: 1, rawData: new Uint8Array(Float32Array.from({ length: count }, (_, i) => scale * (((i * 7) % 13) - 6)).buffer) };
};
const longs = (name: string, list: readonly number[]): TensorInit => ({
  name,
  dims: [BigInt(list.length)],
  dataType: 7,
  rawData: new Uint8Array(BigInt64Array.from(list, BigInt).buffer),
});

interface Made {
  readonly nodes: NodeInit[];
  readonly constants: TensorInit[];
  readonly shape: readonly number[];
  readonly output: string;
}

/** About `count` nodes each. */
const shapes: Readonly<Record<string, (count: number) => Made>> = {
  chain: (count) => ({
    nodes: Array.from({ length: count }, (_, i) => node(['Relu', 'Neg', 'Tanh', 'Abs'][i % 4]!, [`v${i}`], `v${i + 1}`)),
    constants: [],
    shape: [1, 64],
    output: `v${count}`,
  }),
  fanOut: (count) => ({
    nodes: [
      ...Array.from({ length: count }, (_, i) => node(['Relu', 'Neg', 'Sigmoid', 'Exp'][i % 4]!, ['v0'], `f${i}`)),
      node(
        'Concat',
        Array.from({ length: count }, (_, i) => `f${i}`),
        'y',
        axis(0),
      ),
    ],
    constants: [],
    shape: [1, 16],
    output: 'y',
  }),
  residual: (count) => {
    const blocks = Math.floor(count / 5);
    return {
      nodes: Array.from({ length: blocks }, (_, i) => [
        node('Conv', [`b${i}`, 'w', 'k'], `c${i}`, [ints('pads', [1, 1, 1, 1])]),
        node('Relu', [`c${i}`], `r${i}`),
        node('Conv', [`r${i}`, 'w', 'k'], `d${i}`, [ints('pads', [1, 1, 1, 1])]),
        node('Add', [`d${i}`, `b${i}`], `a${i}`),
        node('Relu', [`a${i}`], `b${i + 1}`),
      ]).flat(),
      constants: [floats('w', [8, 8, 3, 3], 0.01), floats('k', [8])],
      shape: [1, 8, 8, 8],
      output: `b${blocks}`,
    };
  },
  transformer: (count) => {
    const layers = Math.floor(count / 20);
    return {
      nodes: Array.from({ length: layers }, (_, i) => {
        const x = `b${i}`;
        const v = (name: string): string => `${name}.${i}`;
        return [
          node('LayerNormalization', [x, 'g', 'k'], v('n')),
          ...['q', 'k', 'v'].flatMap((p) => [
            node('MatMul', [v('n'), `w${p}`], v(`m${p}`)),
            node('Reshape', [v(`m${p}`), 'heads'], v(`h${p}`)),
            node('Transpose', [v(`h${p}`)], v(`t${p}`), [ints('perm', p === 'k' ? [0, 2, 3, 1] : [0, 2, 1, 3])]),
          ]),
          node('MatMul', [v('tq'), v('tk')], v('s')),
          node('Softmax', [v('s')], v('p'), axis(-1)),
          node('MatMul', [v('p'), v('tv')], v('o')),
          node('Transpose', [v('o')], v('ot'), [ints('perm', [0, 2, 1, 3])]),
          node('Reshape', [v('ot'), 'flat'], v('of')),
          node('Add', [v('of'), x], v('r')),
          node('LayerNormalization', [v('r'), 'g', 'k'], v('n2')),
          node('MatMul', [v('n2'), 'wq'], v('f')),
          node('Gelu', [v('f')], v('ge')),
          node('Add', [v('ge'), v('r')], `b${i + 1}`),
        ];
      }).flat(),
      constants: [floats('g', [16], 1), floats('k', [16]), ...['q', 'k', 'v'].map((p) => floats(`w${p}`, [16, 16])), longs('heads', [1, 8, 2, 8]), longs('flat', [1, 8, 16])],
      shape: [1, 8, 16],
      output: `b${layers}`,
    };
  },
  shapeArithmetic: (count) => {
    const blocks = Math.floor(count / 7);
    return {
      nodes: Array.from({ length: blocks }, (_, i) => [
        node('Shape', [`b${i}`], `s${i}`),
        node('Gather', [`s${i}`, 'zero'], `h${i}`, axis(0)),
        node('Gather', [`s${i}`, 'one'], `w${i}`, axis(0)),
        node('Mul', [`h${i}`, `w${i}`], `p${i}`),
        node('Concat', [`p${i}`, 'one'], `c${i}`, axis(0)),
        node('Reshape', [`b${i}`, `c${i}`], `r${i}`),
        node('Relu', [`r${i}`], `b${i + 1}`),
      ]).flat(),
      constants: [longs('zero', [0]), longs('one', [1])],
      shape: [4, 8],
      output: `b${blocks}`,
    };
  },
};

function modelOf({ nodes, constants, shape, output }: Made): Uint8Array {
  const input = nodes[0]!.input[0]!;
  const info = (name: string, dims: readonly number[] | undefined) => ({
    name,
    type: { tensorType: { elemType: 1, ...(dims === undefined ? {} : { shape: { dim: dims.map((d) => ({ dimValue: BigInt(d) })) } }) } },
  });
  const graph = { name: 'g', node: nodes, initializer: constants, input: [info(input, shape)], output: [info(output, undefined)] };
  return toBinary(ModelProtoSchema, create(ModelProtoSchema, { irVersion: 10n, opsetImport: [{ domain: '', version: 21n }], graph }));
}

const target = requireKernels(resolveTarget(values.device));
const time = async <T>(body: () => T | Promise<T>): Promise<readonly [millis: number, result: T]> => {
  const start = performance.now();
  const result = await body();
  return [performance.now() - start, result];
};

async function measure(make: (count: number) => Made, count: number): Promise<Readonly<Record<string, number>>> {
  const bytes = modelOf(make(count));
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
for (const [name, make] of Object.entries(shapes)) {
  if (values.only !== undefined && values.only !== name) continue;
  const runs: Readonly<Record<string, number>>[] = [];
  for (const count of [most / 4, most / 2, most]) {
    const facts = await measure(make, Math.floor(count));
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
