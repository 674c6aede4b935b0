// A kernel module as C: units of kernels that compile in parallel, one of them with the tables of calls, and the thread pool.
// It must not know the machine: vectors have the lanes the schedule gave them, and compilers map them to what there is.
import type { Kernel, KernelModule } from '../../kernel/ir.ts';
import { groupBySkeleton } from '../../kernel/sizes.ts';
import type { Renderer, Source } from '../../runtime/device.ts';
import { disjointParams } from './aliasing.ts';
import type { Dialect } from './dialect.ts';
import { gnuDialect } from './gnuDialect.ts';
import { kernelSymbol, kernelsText } from './kernel.ts';
import { CALL_DECLARATIONS, KERNEL_DECLARATIONS, POOL_SOURCE } from './pool.ts';
import { Prelude } from './prelude.ts';

/** Characters of kernels that are worth a unit of their own, and the most units to make. */
const UNIT_CHARACTERS = 20_000;
const MAX_UNITS = 8;
/** Work below this many nanoseconds is done by the calling thread: waking the others would take as long. */
const WIDE_NANOS = 4_000;

/** Kernels that share a function. */
interface RenderedKernels {
  readonly text: string;
  readonly prelude: Prelude;
}

export class CRenderer implements Renderer {
  readonly #dialect: Dialect;

  constructor(dialect: Dialect = gnuDialect) {
    this.#dialect = dialect;
  }

  render(module: KernelModule): Source {
    const disjoint = disjointParams(module);
    const groups = groupBySkeleton(module.kernels, (i) => disjoint[i]!.join()).map((group): RenderedKernels => {
      const prelude = new Prelude(this.#dialect);
      const kernels = group.map((i) => module.kernels[i]!);
      const symbols = group.map((i) => kernelSymbol(module.kernels[i]!, i));
      return { text: kernelsText(kernels, symbols, disjoint[group[0]!]!, prelude), prelude };
    });
    const units = distribute(groups).map((kernels) => this.#unitText(kernels));
    // The last has the least text.
    const last = units.pop() ?? this.#unitText([]);
    return {
      language: 'c',
      units: [...units, `${last}\n${entryText(module)}`],
      common: `${new Prelude(gnuDialect).text}${KERNEL_DECLARATIONS}${CALL_DECLARATIONS}${POOL_SOURCE}`,
    };
  }

  renderKernel(module: KernelModule, kernel: number): string {
    const prelude = new Prelude(this.#dialect);
    const source = module.kernels[kernel]!;
    const text = kernelsText([source], [kernelSymbol(source, kernel)], disjointParams(module)[kernel]!, prelude);
    return `${prelude.text}${KERNEL_DECLARATIONS}\n${text}`;
  }

  #unitText(kernels: readonly RenderedKernels[]): string {
    const prelude = new Prelude(this.#dialect);
    for (const kernel of kernels) prelude.include(kernel.prelude);
    return `${prelude.text}${KERNEL_DECLARATIONS}\n${kernels.map((k) => k.text).join('\n')}`;
  }
}

/** Kernels in groups of about equal text, the longest first into the emptiest. */
function distribute(kernels: readonly RenderedKernels[]): RenderedKernels[][] {
  const total = kernels.reduce((sum, k) => sum + k.text.length, 0);
  const count = Math.min(MAX_UNITS, Math.max(1, Math.ceil(total / UNIT_CHARACTERS)));
  const groups = Array.from({ length: count }, (): { size: number; readonly kernels: RenderedKernels[] } => ({ size: 0, kernels: [] }));
  for (const kernel of [...kernels].sort((a, b) => b.text.length - a.text.length)) {
    const emptiest = groups.reduce((least, group) => (group.size < least.size ? group : least));
    emptiest.kernels.push(kernel);
    emptiest.size += kernel.text.length;
  }
  return groups
    .filter((group) => group.kernels.length > 0)
    .sort((a, b) => b.size - a.size)
    .map((group) => group.kernels);
}

/** Whether several threads would finish the call sooner; scalar code does about four operations a nanosecond, memory gives eight bytes. */
const isWide = ({ grid, cost }: Kernel): boolean => grid.extent > 1 && Math.max(cost.flops / 4, cost.bytes / 8) > WIDE_NANOS;

/** The tables of calls, and the function that runs them: entry −1 is `run`, others are `init` calls. */
function entryText(module: KernelModule): string {
  const calls = [...module.init, ...module.run];
  const symbols = module.kernels.map(kernelSymbol);
  const used = new Set(calls.map((call) => symbols[call.kernel]!));
  const places = calls.map((call, i) => `static const struct place a${i}[] = {${call.args.map((a) => `{${a.base}, ${a.offsetBytes}}`).join(', ')}};`);
  const rows = calls.map((call, i) => {
    const kernel = module.kernels[call.kernel]!;
    return `  {${symbols[call.kernel]!}, a${i}, ${call.args.length}, ${kernel.grid.extent}, ${isWide(kernel) ? 1 : 0}},`;
  });
  const first = module.init.length;
  return [
    CALL_DECLARATIONS,
    ...[...used].map((symbol) => `steps ${symbol};`),
    ...places,
    'static const struct call calls[] = {',
    ...rows,
    '  {0, 0, 0, 0, 0},',
    '};',
    'void anychip_execute(struct pool *p, i64 entry, char *const *bases, char *scratch, i64 stride, i64 *times) {',
    `  i64 first = entry < 0 ? ${first} : entry, last = entry < 0 ? ${calls.length} : entry + 1;`,
    '  anychip_run_calls(p, calls + first, calls + last, bases, scratch, stride, times);',
    '}',
    '',
  ].join('\n');
}
