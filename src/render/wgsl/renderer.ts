// Kernels as WGSL modules, one for each way that a kernel's buffers lie in blocks of memory: what lies in one block has one binding.
// A module has one entry point, `main`, and knows where its buffers begin from binding 0.
import { dtypes } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { AnychipError } from '../../core/error.ts';
import type { Kernel, KernelCall, KernelModule } from '../../kernel/ir.ts';
import { allStatements } from '../../kernel/statements.ts';
import { expandMath } from '../../kernel/math.ts';
import { lowerSmallFloats } from '../../kernel/smallFloats.ts';
import type { Renderer, Source } from '../../runtime/device.ts';
import type { LaunchedKernel } from '../../runtime/launchPlan.ts';
import { Library } from './library.ts';
import { blocksOf, kernelMemory } from './memory.ts';
import { block } from './statement.ts';
import type { Lines } from './statement.ts';

/** Positions have 32 bits, and what is computed on the way to one must not overflow. */
const MAX_POSITIONS = 2 ** 30;

const symbolOf = (kernel: Kernel, position: number): string => `k${position}_${kernel.name.replace(/\W/g, '_').slice(0, 48)}`;
const basesOf = (call: KernelCall): number[] => call.args.map(({ base }) => base);

export class WgslRenderer implements Renderer {
  render(module: KernelModule): Source {
    const kernels: LaunchedKernel[] = [];
    const units: string[] = [];
    const known = new Map<string, number>();
    const launch = (call: KernelCall): KernelCall => {
      const blocks = blocksOf(basesOf(call));
      const key = [call.kernel, ...blocks].join();
      let position = known.get(key);
      if (position === undefined) {
        const kernel = module.kernels[call.kernel]!;
        known.set(key, (position = kernels.length));
        kernels.push({ symbol: symbolOf(kernel, call.kernel), blocks: kernel.grid.extent, threads: kernel.block?.threads ?? 1 });
        units.push(kernelText(kernel, blocks));
      }
      return { kernel: position, args: call.args };
    };
    const [init, run] = [module.init.map(launch), module.run.map(launch)];
    return { language: 'wgsl', units, launches: { kernels, init, run } };
  }

  renderKernel(module: KernelModule, kernel: number): string {
    const source = module.kernels[kernel]!;
    const call = [...module.run, ...module.init].find((c) => c.kernel === kernel);
    return kernelText(source, call === undefined ? source.params.map((_, i) => i) : blocksOf(basesOf(call)));
  }
}

function kernelText(source: Kernel, blocks: readonly number[]): string {
  checkPositions(source);
  const kernel = expandMath(lowerSmallFloats(source), false);
  const library = new Library();
  const { buffers, declarations, head } = kernelMemory(kernel, blocks, library);
  const sharesBuffers = kernel.params.some((p) => p.access === 'readwrite');
  const out: Lines = { library, buffers, lines: head.map((line) => `  ${line}`), barrier: `workgroupBarrier();${sharesBuffers ? ' storageBarrier();' : ''}` };
  // A grid too long for one dimension is folded; what the last fold has too many ends at once, all threads of a block alike.
  out.lines.push(`  let ${kernel.grid.var} = i32(group.x + group.y * groups.x);`, `  if (${kernel.grid.var} >= ${kernel.grid.extent}i) { return; }`);
  if (kernel.block !== undefined) out.lines.push(`  let ${kernel.block.var} = i32(local);`);
  block(kernel.body, out, '  ');
  const inputs = '@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32';
  const extensions = allStatements(kernel.body).some((s) => s.kind === 'shuffle') ? 'enable subgroups;\n' : '';
  return `${extensions}${declarations}${library.text}@compute @workgroup_size(${kernel.block?.threads ?? 1})\nfn main(${inputs}) {\n${out.lines.join('\n')}\n}\n`;
}

const wordsOf = (b: { readonly dtype: NumericDType; readonly elements: number }): number => b.elements * Math.max(1, dtypes[b.dtype].bytes / 4);

function checkPositions({ name, params, grid, block: threads }: Kernel): void {
  const most = Math.max(grid.extent * (threads?.threads ?? 1), ...params.map(wordsOf));
  if (most <= MAX_POSITIONS) return;
  throw new AnychipError('limit', `kernel ${name} has positions up to ${most}, and WGSL's have 32 bits`, { hint: 'Bind smaller dimensions, or run it on another device.' });
}
