// An NVIDIA GPU: anychip beside PyTorch (eager: cuBLAS and cuDNN; compiled: Inductor) and ONNX Runtime, where that has CUDA, in turns in one run.
//   npx tsx bench/gpu/main.ts [--only GLOB] [--device cuda] [--peers eager,compiled,onnxruntime] [--rounds 3] [--calls 10] [--tune] [--keep DIR] [--json]
// DIR keeps the cases as files: `anychip bench DIR/CASE/model.onnx --profile` shows where the time goes.
// Needs python3 with torch and onnx. Device times of anychip are the sum of its kernels', of the peers one event before and one behind their calls.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { table } from '../../src/cli/print.ts';
import { globPattern, listCases } from '../../src/conformance/suite.ts';
import type { Case } from '../../src/conformance/suite.ts';
import { median } from '../../src/core/median.ts';
import { toNumbers } from '../../src/core/tensor.ts';
import { decodeValue } from '../../src/formats/onnx/tensorProto.ts';
import { isTensor, requiredInputs, tensorType } from '../../src/graph/graph.ts';
import type { HostValue } from '../../src/graph/graph.ts';
import { loadModel, openModel } from '../../src/session/create.ts';
import { profile } from '../../src/inspect/profile.ts';
import type { Allowance } from '../../src/session/options.ts';
import { tune } from '../../src/session/tune.ts';
import { Peer } from './peer.ts';
import type { Ceilings, PeerTiming } from './peer.ts';

interface GpuCase {
  readonly name: string;
  readonly kind: 'matmul' | 'resnet50' | 'encoder';
  readonly precision: 'f32' | 'tf32' | 'f16' | 'bf16';
  readonly size: number;
}

const precisions = ['f32', 'tf32', 'f16', 'bf16'] as const;
const cases: readonly GpuCase[] = [
  ...precisions.flatMap((precision) => [1024, 4096].map((size): GpuCase => ({ name: `matmul ${precision} ${size}`, kind: 'matmul', precision, size }))),
  ...(['resnet50', 'encoder'] as const).flatMap((kind) =>
    (['f32', 'tf32', 'f16'] as const).map((precision): GpuCase => ({ name: `${kind} ${precision} batch 1`, kind, precision, size: 1 })),
  ),
];

interface Row extends PeerTiming {
  readonly case: string;
  readonly runner: string;
}

const { values: given } = parseArgs({
  options: {
    only: { type: 'string', default: '*' },
    device: { type: 'string', default: 'cuda' },
    peers: { type: 'string', default: 'eager,compiled,onnxruntime' },
    rounds: { type: 'string', default: '3' },
    calls: { type: 'string', default: '10' },
    tune: { type: 'boolean', default: false },
    keep: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const [rounds, calls] = [Number(given.rounds), Number(given.calls)];

/** Length of the difference, as a part of the length of what is right. */
function relativeError(value: HostValue | undefined, right: HostValue): number {
  if (value === undefined || !isTensor(value) || !isTensor(right)) return NaN;
  const [x, y] = [toNumbers(value), toNumbers(right)];
  let [difference, length] = [0, 0];
  for (let i = 0; i < y.length; i++) {
    difference += (x[i]! - y[i]!) ** 2;
    length += y[i]! ** 2;
  }
  return Math.sqrt(difference / length);
}

const middle = (timings: readonly PeerTiming[]): PeerTiming => ({
  ...timings[0]!,
  wholeMillis: median(timings.map((t) => t.wholeMillis)),
  ...(timings[0]!.deviceMillis === undefined ? {} : { deviceMillis: median(timings.map((t) => t.deviceMillis!)) }),
});

/** Us, as the peers time themselves. */
async function openOurs(test: Case, precision: GpuCase['precision']): Promise<{ time(): Promise<PeerTiming>; close(): Promise<void> }> {
  const model = loadModel(test.model);
  const { inputs, outputs } = test.dataSets[0]!;
  const feeds = new Map(requiredInputs(model.graph).map((input, i) => [input.name, decodeValue(readFileSync(inputs[i]!), input.type)]));
  const right = decodeValue(readFileSync(outputs[0]!), tensorType('f32', undefined));
  const allow: readonly Allowance[] = precision === 'tf32' ? ['tf32'] : [];
  const options = { executionProviders: [given.device], allow };
  if (given.tune) await tune(model, feeds, options);
  const began = performance.now();
  const session = await openModel(model, options);
  const first = await session.runValues(feeds);
  const firstMillis = performance.now() - began;
  const error = relativeError([...first.values()][0], right);
  return {
    time: async () => {
      const kernels = await profile(session, feeds, calls);
      const whole: number[] = [];
      for (let i = 0; i < calls; i++) {
        const start = performance.now();
        await session.runValues(feeds);
        whole.push(performance.now() - start);
      }
      return { deviceMillis: kernels.reduce((sum, { micros }) => sum + micros, 0) / 1000, wholeMillis: median(whole), firstMillis, error };
    },
    close: () => session.release(),
  };
}

async function measureCase(peer: Peer, { name, ...rest }: GpuCase, root: string): Promise<Row[]> {
  const folder = join(root, name.replaceAll(' ', '_'));
  await peer.ask({ do: 'build', name, folder, ...rest });
  const test = listCases(root, name.replaceAll(' ', '_'))[0]!;
  const times = new Map<string, PeerTiming[]>();
  const skipped = new Set<string>();
  const ours = await openOurs(test, rest.precision);
  const runners: readonly (readonly [string, () => Promise<PeerTiming>])[] = [
    ...given.peers.split(',').map((mode) => [mode, () => peer.ask<PeerTiming>({ do: 'time', name, mode, calls })] as const),
    [`anychip ${given.device}`, ours.time],
  ];
  for (let round = 0; round < rounds; round++) {
    for (const [runner, time] of runners) {
      if (skipped.has(runner)) continue;
      try {
        times.set(runner, [...(times.get(runner) ?? []), await time()]);
      } catch (error) {
        skipped.add(runner);
        process.stderr.write(`${name}: ${runner}: ${error instanceof Error ? error.message : String(error)}\n`);
      }
    }
  }
  await ours.close();
  await peer.ask({ do: 'drop', name });
  return [...times].map(([runner, timings]) => ({ case: name, runner, ...middle(timings) }));
}

const fixed = (x: number | undefined, digits = 3): string => (x === undefined ? '' : x.toFixed(digits));
const ratio = (x: number | undefined, first: number | undefined): string => (x === undefined || first === undefined ? '' : (x / first).toFixed(2));

const root = given.keep ?? mkdtempSync(join(tmpdir(), 'anychip-gpu-'));
const peer = new Peer(fileURLToPath(new URL('torchPeer.py', import.meta.url)));
try {
  const ceilings = await peer.ask<Ceilings>({ do: 'probe' });
  process.stderr.write(`${ceilings.device}: ${(ceilings.bytesPerSecond / 1e12).toFixed(2)} TB/s, ${(ceilings.bf16PerSecond / 1e12).toFixed(0)} TFLOP/s of bf16\n`);
  const rows: Row[] = [];
  const wanted = globPattern(given.only);
  for (const test of cases.filter(({ name }) => wanted.test(name))) {
    try {
      const measured = await measureCase(peer, test, root);
      for (const row of measured)
        process.stderr.write(`${row.case}: ${row.runner} ${fixed(row.deviceMillis)} ms on the device, ${fixed(row.wholeMillis)} ms whole, error ${row.error.toExponential(1)}\n`);
      rows.push(...measured);
    } catch (error) {
      process.stderr.write(`${test.name}: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
  const titles = ['case', 'runner', 'device ms', 'ratio', 'whole ms', 'ratio whole', 'first ms', 'error'];
  const firstOf = (row: Row): Row => rows.find((other) => other.case === row.case)!;
  const cells = rows.map((row) => [
    row.case,
    row.runner,
    fixed(row.deviceMillis),
    ratio(row.deviceMillis, firstOf(row).deviceMillis),
    fixed(row.wholeMillis),
    ratio(row.wholeMillis, firstOf(row).wholeMillis),
    fixed(row.firstMillis, 0),
    row.error.toExponential(1),
  ]);
  process.stdout.write(`${given.json ? JSON.stringify({ ceilings, rows }) : table(titles, cells, titles.slice(2))}\n`);
} finally {
  peer.close();
  if (given.keep === undefined) rmSync(root, { recursive: true, force: true });
}
process.exit(0);
