// Mutants of kernels on a virtual chip: which of them break a rule is known from how they were made, or from the verifier and the
// interpreter of kernels, which know nothing of virtual chips; of those the chip must name the rule.
import { expect } from 'vitest';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Builder, Operand, PrimGraph } from '../../src/graph/builder.ts';
import type { Kernel } from '../../src/kernel/ir.ts';
import { createFolder } from '../../src/reference/fold.ts';
import type { Binary, Source, Target } from '../../src/runtime/device.ts';
import type { LaunchedKernel } from '../../src/runtime/launchPlan.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { createRandom, randomTensor } from '../schedule/randomGraph.ts';
import { deviceVerdict, interpreterVerdict, moduleOf } from './bench.ts';
import type { Mutant, Mutation } from './mutate.ts';

export function graph(dtype: NumericTensor['dtype'], shape: readonly number[], build: (b: Builder, x: Operand) => readonly Operand[]): PrimGraph {
  const b = createBuilder(createFolder());
  const x = b.input({ dtype, shape }, 'x');
  return b.finish('problem', [x], build(b, x));
}
export const constant = (b: Builder, seed: number, shape: readonly number[]): Operand => b.constant(randomTensor(createRandom(seed), 'f32', shape));
export const softmax = (b: Builder, x: Operand): Operand[] => {
  const e = b.exp(b.sub(x, b.reduce('max', x, [1])));
  return [b.div(e, b.reduce('sum', e, [1]))];
};

export interface Bench {
  readonly target: Target;
  readonly mutations: Readonly<Record<string, Mutation>>;
  /** Of the mutants of a kind every n-th is taken. */
  readonly every: number;
  /** What a kernel means in the chip's language, where that is more than it says. */
  readonly meaning?: (kernel: Kernel) => Kernel;
}

interface Tally {
  /** Mutants that break a rule, those whose rule the chip named, and those that break none. */
  broken: number;
  named: number;
  harmless: number;
  readonly missed: string[];
  readonly kinds: Set<string>;
}

/** The kernels with what mutants change in the launch or in the text. */
function changed(source: Source, mutants: readonly Mutant[]): Source {
  const { kernels, ...launches } = source.launches!;
  const edited = (own: string, i: number): string => {
    const text = mutants[i]!.text?.(own) ?? own;
    if (mutants[i]!.text !== undefined) expect(text, mutants[i]!.title).not.toBe(own);
    return text;
  };
  const threads = kernels.map((kernel, i) => ({ ...kernel, threads: mutants[i]!.threads ?? kernel.threads }));
  return { ...source, units: unitsOf(source.units.map(String), kernels, edited), launches: { ...launches, kernels: threads } };
}

/** Each kernel's text changed, in a unit of its own or in the one that holds all. */
function unitsOf(units: readonly string[], kernels: readonly LaunchedKernel[], edited: (text: string, i: number) => string): readonly string[] {
  const [text] = units;
  if (units.length > 1) return units.map(edited);
  const starts = kernels.map(({ symbol }) => text!.indexOf(`${symbol}(`));
  return [text!.slice(0, starts[0]) + kernels.map((_, i) => edited(text!.slice(starts[i]!, starts[i + 1] ?? text!.length), i)).join('')];
}

async function judge({ target: on, mutations, every, meaning = (k) => k }: Bench, kernel: Kernel, tally: Tally): Promise<void> {
  const isWhole = interpreterVerdict(kernel, true) === undefined;
  const original: Mutant = { title: 'as it is', kernel, verdict: 'ask', rule: /./ };
  const kinds = Object.entries(mutations).flatMap(([kind, mutate]) =>
    mutate(kernel)
      .filter((_, i) => i % every === 0)
      .map((mutant) => ({ kind, mutant })),
  );
  const compiled = async (mutants: readonly Mutant[]): Promise<Binary> => {
    const source = on.createRenderer().render(moduleOf(mutants.map((m) => m.kernel)));
    return (await on.createCompiler().compile(changed(source, mutants))).binary;
  };
  const together = [original, ...kinds.map(({ mutant }) => mutant).filter((mutant) => mutant.isLoadedAlone !== true)];
  const binary = await compiled(together);
  expect(await deviceVerdict(on, binary, 0, { kernel, isWhole }), kernel.name).toBeUndefined();
  for (const { kind, mutant } of kinds) {
    const at = together.indexOf(mutant);
    const said = await (at < 0 ? deviceVerdict(on, await compiled([mutant]), 0, { ...mutant, isWhole }) : deviceVerdict(on, binary, at, { ...mutant, isWhole }));
    const breaks = mutant.verdict === 'sure' ? 'by what it is' : interpreterVerdict(meaning(mutant.kernel), isWhole);
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

/** Of at least `least` mutants of the problems' kernels that break a rule, of every kind, the chip names at least 95 %. */
export async function expectNamed(bench: Bench, problems: readonly PrimGraph[], least: number): Promise<void> {
  const tally: Tally = { broken: 0, named: 0, harmless: 0, missed: [], kinds: new Set() };
  for (const problem of problems) {
    for (const kernel of scheduleGraph(problem, bench.target.capabilities).module.kernels) await judge(bench, kernel, tally);
  }
  console.log(`${tally.named} of ${tally.broken} named, ${tally.harmless} harmless\n${tally.missed.join('\n')}`);
  expect(tally.broken).toBeGreaterThanOrEqual(least);
  expect([...tally.kinds].sort()).toEqual(Object.keys(bench.mutations).sort());
  expect(tally.named / tally.broken, tally.missed.join('\n')).toBeGreaterThanOrEqual(0.95);
}
