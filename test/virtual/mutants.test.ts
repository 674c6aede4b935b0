// The virtual chip of CUDA under mutation: of rendered kernels that are in order and break one rule, it names the rule.
import { describe, expect, it } from 'vitest';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Builder, Operand, PrimGraph } from '../../src/graph/builder.ts';
import type { Kernel } from '../../src/kernel/ir.ts';
import { createFolder } from '../../src/reference/fold.ts';
import type { Source, Target } from '../../src/runtime/device.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { createCudaTarget } from '../../src/targets/cuda/target.ts';
import { createRandom, randomTensor } from '../schedule/randomGraph.ts';
import { deviceVerdict, interpreterVerdict, moduleOf } from './bench.ts';
import { mutations } from './mutate.ts';
import type { Mutant } from './mutate.ts';

const target = createCudaTarget().virtual!.open('h100', 'cuda:virtual')!;
const { ok } = await target.probe();

function graph(dtype: NumericTensor['dtype'], shape: readonly number[], build: (b: Builder, x: Operand) => readonly Operand[]): PrimGraph {
  const b = createBuilder(createFolder());
  const x = b.input({ dtype, shape }, 'x');
  return b.finish('problem', [x], build(b, x));
}
const constant = (b: Builder, seed: number, shape: readonly number[]): Operand => b.constant(randomTensor(createRandom(seed), 'f32', shape));
const softmax = (b: Builder, x: Operand): Operand[] => {
  const e = b.exp(b.sub(x, b.reduce('max', x, [1])));
  return [b.div(e, b.reduce('sum', e, [1]))];
};
const problems: Readonly<Record<string, PrimGraph>> = {
  elements: graph('f32', [301], (b, x) => [b.add(b.neg(b.abs(x)), b.scalar('f32', 1))]),
  halves: graph('f16', [3, 70], (b, x) => [b.mul(x, x), b.reduce('max', x, [1])]),
  'long rows': graph('f32', [2, 200], softmax),
  'short rows': graph('f32', [9, 12], softmax),
  product: graph('f32', [20, 24], (b, x) => [b.max(b.matmul(x, constant(b, 3, [24, 40])), b.scalar('f32', 0))]),
  convolution: graph('f32', [1, 4, 9, 7], (b, x) => [
    b.conv(x, constant(b, 4, [8, 2, 3, 3]), { strides: [2, 1], dilations: [1, 1], low: [1, 1], high: [1, 1], groups: 2, acc: 'f32' }),
  ]),
  'first of rows': graph('f32', [2, 60], (b, x) => b.topK(x, 1, 20, true)),
  'positions of extremes': graph('f32', [3, 90], (b, x) => [b.argReduce('max', x, 1, false), b.argReduce('min', x, 1, true)]),
};

/** Of the mutants of a kind; ANYCHIP_MUTANTS=1 takes all of them, twice as many. */
const EVERY = Number(process.env['ANYCHIP_MUTANTS'] ?? 2);

/** Launches with the threads that mutants ask for. */
function withThreads(source: Source, mutants: readonly Mutant[]): Source {
  const launches = source.launches!;
  return { ...source, launches: { ...launches, kernels: launches.kernels.map((kernel, i) => ({ ...kernel, threads: mutants[i]!.threads ?? kernel.threads })) } };
}

interface Tally {
  /** Mutants that break a rule, those whose rule the chip named, and those that break none. */
  broken: number;
  named: number;
  harmless: number;
  readonly missed: string[];
  readonly kinds: Set<string>;
}

async function judge(on: Target, kernel: Kernel, tally: Tally): Promise<void> {
  const isWhole = interpreterVerdict(kernel, true) === undefined;
  const original: Mutant = { title: 'as it is', kernel, verdict: 'ask', rule: /./ };
  const kinds = Object.entries(mutations).flatMap(([kind, mutate]) =>
    mutate(kernel)
      .filter((_, i) => i % EVERY === 0)
      .map((mutant) => ({ kind, mutant })),
  );
  const all = [original, ...kinds.map(({ mutant }) => mutant)];
  const { binary } = await on.createCompiler().compile(withThreads(on.createRenderer().render(moduleOf(all.map((m) => m.kernel))), all));
  expect(await deviceVerdict(on, binary, 0, { kernel, isWhole }), kernel.name).toBeUndefined();
  for (const [i, { kind, mutant }] of kinds.entries()) {
    const said = await deviceVerdict(on, binary, i + 1, { ...mutant, isWhole });
    const breaks = mutant.verdict === 'sure' ? 'by what it is' : interpreterVerdict(mutant.kernel, isWhole);
    if (breaks === undefined) {
      tally.harmless++;
      continue;
    }
    tally.broken++;
    tally.kinds.add(kind);
    if (said !== undefined && /virtual/.test(said) && mutant.rule.test(said)) tally.named++;
    else tally.missed.push(`${kernel.name}: ${mutant.title} (${breaks}): ${said ?? 'nothing said'}`);
  }
}

describe.skipIf(!ok)('mutants of kernels on a virtual chip', () => {
  it('have the broken rule named', async () => {
    const tally: Tally = { broken: 0, named: 0, harmless: 0, missed: [], kinds: new Set() };
    for (const problem of Object.values(problems)) {
      for (const kernel of scheduleGraph(problem, target.capabilities).module.kernels) await judge(target, kernel, tally);
    }
    console.log(`${tally.named} of ${tally.broken} named, ${tally.harmless} harmless\n${tally.missed.join('\n')}`);
    expect(tally.broken).toBeGreaterThanOrEqual(200);
    expect([...tally.kinds].sort()).toEqual(Object.keys(mutations).sort());
    expect(tally.named / tally.broken, tally.missed.join('\n')).toBeGreaterThanOrEqual(0.95);
  }, 600_000);
});
