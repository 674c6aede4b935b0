// OpenCL C for devices that are processors: kernels that each run on one core, as functions behind one entry. Drivers for processors link
// every entry of a program on its own, which takes longer than compiling it.
import type { KernelModule } from '../../kernel/ir.ts';
import { expandMath } from '../../kernel/math.ts';
import { groupBySkeleton, parametrize } from '../../kernel/sizes.ts';
import { lowerSmallFloats } from '../../kernel/smallFloats.ts';
import { byteWidth } from '../../core/dtype.ts';
import { scratchBytes } from '../../kernel/ir.ts';
import type { Renderer, Source } from '../../runtime/device.ts';
import type { LaunchedKernel } from '../../runtime/launchPlan.ts';
import { disjointParams } from '../c/aliasing.ts';
import { exprText } from '../c/expression.ts';
import { kernelSymbol } from '../c/kernel.ts';
import { Prelude } from '../c/prelude.ts';
import { block } from '../c/statement.ts';
import type { Lines } from '../c/statement.ts';
import { convertedBy, storageIn } from '../c/types.ts';
import { clLanguage } from './language.ts';

const ENTRY = 'run';

/** Drivers for processors convert halves one by one, in calls: whole vectors of bits are faster. */
const { floats: _, ...coreDialect } = clLanguage.dialect(true);

/** Kernels that differ in sizes alone, as one function. */
interface SharedFunction {
  readonly name: string;
  readonly text: string;
  readonly buffers: number;
  /** Positions of the kernels in the module, and the sizes of each. */
  readonly kernels: readonly number[];
  readonly values: readonly (readonly number[])[];
}

export class ClCoreRenderer implements Renderer {
  render(module: KernelModule): Source {
    const prelude = new Prelude(coreDialect);
    const disjoint = disjointParams(module);
    const functions = groupBySkeleton(module.kernels, (i) => disjoint[i]!.join()).map((group) => functionOf(module, group, disjoint[group[0]!]!, prelude));
    const buffers = Math.max(0, ...functions.map((f) => f.buffers));
    const launches = new Map(
      functions.flatMap((f, number) =>
        f.kernels.map((position, i): [number, LaunchedKernel] => {
          const blocks = module.kernels[position]!.grid.extent;
          return [position, { symbol: ENTRY, blocks, threads: 1, entry: { buffers, numbers: [number, ...f.values[i]!] } }];
        }),
      ),
    );
    const numbers = Math.max(0, ...[...launches.values()].map((l) => l.entry!.numbers.length - 1));
    const kernels = module.kernels.map((_, i) => withNumbers(launches.get(i)!, numbers + 1));
    const scratch = module.kernels.reduce((most, kernel) => Math.max(most, scratchBytes(kernel, byteWidth)), 0);
    const text = `${prelude.text}\n${functions.map((f) => f.text).join('\n')}\n${entryText(functions, buffers, numbers, scratch)}`;
    return { language: clLanguage.name, units: [text], launches: { kernels, init: module.init, run: module.run } };
  }

  renderKernel(module: KernelModule, kernel: number): string {
    const prelude = new Prelude(coreDialect);
    const { text } = functionOf(module, [kernel], disjointParams(module)[kernel]!, prelude);
    return `${prelude.text}\n${text}`;
  }
}

/** Every launch gives the entry all its numbers. */
const withNumbers = (launch: LaunchedKernel, count: number): LaunchedKernel => {
  const { buffers, numbers } = launch.entry!;
  return { ...launch, entry: { buffers, numbers: [...numbers, ...Array.from({ length: count - numbers.length }, () => 0)] } };
};

function functionOf(module: KernelModule, group: readonly number[], disjoint: readonly boolean[], prelude: Prelude): SharedFunction {
  const sources = group.map((i) => module.kernels[i]!);
  const { kernel: sized, scratchOffsets, sizes, values } = parametrize(sources);
  const kernel = expandMath(lowerSmallFloats(sized, convertedBy(prelude.dialect)));
  const { index } = prelude.dialect;
  const name = kernelSymbol(sources[0]!, group[0]!);
  const out: Lines = { prelude, buffers: new Map([...kernel.params, ...kernel.scratch].map((b) => [b.name, b.dtype] as const)), lines: [] };
  const params = kernel.params.map(
    (b, i) => `__global ${b.access === 'read' ? 'const ' : ''}${storageIn(prelude.dialect, b.dtype).c} *${disjoint[i] === true ? 'restrict ' : ''}${b.name}`,
  );
  out.lines.push(
    `static __attribute__((noinline)) void ${name}(${[...params, 'char *scratch', `const ${index} ${kernel.grid.var}`, ...sizes.map((s) => `const ${index} ${s}`)].join(', ')}) {`,
  );
  kernel.scratch.forEach((s, i) => {
    const { c } = storageIn(prelude.dialect, s.dtype);
    out.lines.push(`  ${c} *restrict ${s.name} = (${c} *)(scratch + ${exprText(scratchOffsets[i]!, out)});`);
  });
  block(kernel.body, out, '  ');
  return { name, text: `${out.lines.join('\n')}\n}\n`, buffers: kernel.params.length, kernels: group, values };
}

/** The one entry: which function, with which buffers and sizes. */
function entryText(functions: readonly SharedFunction[], buffers: number, numbers: number, scratch: number): string {
  const list = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
  const params = [...list(buffers, (i) => `__global char *b${i}, const long o${i}`), 'const long kernel_number', ...list(numbers, (i) => `const long n${i}`)];
  const cases = functions.map((f, i) => {
    const args = [...list(f.buffers, (b) => `(__global void *)(b${b} + o${b})`), 'scratch', 'get_group_id(0)', ...list(f.values[0]!.length, (n) => `n${n}`)];
    return `    case ${i}: ${f.name}(${args.join(', ')}); break;`;
  });
  return [
    `__kernel __attribute__((reqd_work_group_size(1, 1, 1)))\nvoid ${ENTRY}(${params.join(', ')}) {`,
    `  char scratch[${Math.max(scratch, 1)}] __attribute__((aligned(64)));`,
    '  switch (kernel_number) {',
    ...cases,
    '  }',
    '}\n',
  ].join('\n');
}
