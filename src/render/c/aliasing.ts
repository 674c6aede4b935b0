// Which parameters of kernels never share memory with one that is written, so that a compiler may be told so.
import { dtypes } from '../../core/dtype.ts';
import type { Kernel, KernelCall, KernelModule } from '../../kernel/ir.ts';

/** For each kernel and parameter: whether in no call its memory overlaps that of another parameter while one of the two is written. */
export function disjointParams(module: KernelModule): boolean[][] {
  const disjoint = module.kernels.map((kernel) => kernel.params.map(() => true));
  for (const call of [...module.init, ...module.run]) {
    const { params } = module.kernels[call.kernel]!;
    for (let i = 0; i < params.length; i++) {
      for (let j = 0; j < i; j++) {
        if ((params[i]!.access === 'read' && params[j]!.access === 'read') || !overlaps(call, params, i, j)) continue;
        disjoint[call.kernel]![i] = false;
        disjoint[call.kernel]![j] = false;
      }
    }
  }
  return disjoint;
}

function overlaps(call: KernelCall, params: Kernel['params'], i: number, j: number): boolean {
  const [a, b] = [call.args[i]!, call.args[j]!];
  const end = (at: number): number => call.args[at]!.offsetBytes + params[at]!.elements * dtypes[params[at]!.dtype].bytes;
  return a.base === b.base && a.offsetBytes < end(j) && b.offsetBytes < end(i);
}
