// Kernels that are alike but for the numbers in their index arithmetic (extents, strides, offsets), as one kernel with parameters: what a
// slow compiler should see once. It knows no renderer.
import { dtypes } from '../core/dtype.ts';
import { index, variable } from './build.ts';
import { scratchBytes } from './ir.ts';
import type { Expr, Kernel, Stmt } from './ir.ts';
import { mapOperands } from './rewriteKernel.ts';
import { mapStatement } from './statements.ts';

/** Several kernels as one over sizes; `values[i]` are those of kernel i. */
export interface SizedKernel {
  readonly kernel: Kernel;
  /** Where each scratch buffer begins, bytes. */
  readonly scratchOffsets: readonly Expr[];
  /** Names of variables of index type that the kernel is given. */
  readonly sizes: readonly string[];
  readonly values: readonly (readonly number[])[];
}

/** The kernel with each constant of index type replaced, in a fixed order. */
function mapIndexConstants(kernel: Kernel, replace: (value: number) => Expr): Kernel {
  const expr = (e: Expr): Expr => {
    if (e.kind === 'const') return e.type.dtype === 'index' ? replace(Number(e.value)) : e;
    return e.kind === 'var' ? e : mapOperands(e, expr);
  };
  const statements = (list: readonly Stmt[]): Stmt[] => list.map((s) => mapStatement(s, { expr, block: statements }));
  return { ...kernel, body: statements(kernel.body) };
}

/** Where each scratch buffer begins, bytes, in the memory whose size `scratchBytes` tells. */
function scratchOffsetsOf(kernel: Kernel): number[] {
  return kernel.scratch.map((_, i) => scratchBytes({ ...kernel, scratch: kernel.scratch.slice(0, i) }, (dtype) => dtypes[dtype].bytes));
}

/** Text that is equal for kernels whose statements and buffers are. */
export function kernelKey(kernel: Omit<Kernel, 'name' | 'cost'>): string {
  const { params, scratch, grid, block, tiles, body } = kernel;
  return JSON.stringify([params, scratch, grid, block ?? null, tiles ?? null, body], (_, v: unknown) =>
    typeof v === 'bigint' ? `${v}n` : typeof v === 'number' && !Number.isFinite(v) ? `${v}f` : Object.is(v, -0) ? '-0' : v,
  );
}

/** What is left of a kernel without its sizes, and the sizes. */
function skeletonOf(kernel: Kernel): { readonly key: string; readonly constants: readonly number[] } {
  const constants = scratchOffsetsOf(kernel);
  const bare = mapIndexConstants(kernel, (value) => {
    constants.push(value);
    return index(0);
  });
  const sized = <B extends { readonly elements: number }>(buffers: readonly B[]): B[] => buffers.map((b) => ({ ...b, elements: 0 }));
  return { key: kernelKey({ ...bare, params: sized(kernel.params), scratch: sized(kernel.scratch), grid: { ...kernel.grid, extent: 0 } }), constants };
}

/** The positions in groups; in each, kernels that differ in sizes alone. `mark` keeps apart what must not be one. */
export function groupBySkeleton(kernels: readonly Kernel[], mark: (position: number) => string): (readonly number[])[] {
  const groups = new Map<string, number[]>();
  kernels.forEach((kernel, i) => {
    const key = `${mark(i)}|${skeletonOf(kernel).key}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [i]);
    else group.push(i);
  });
  return [...groups.values()];
}

/** One kernel for all of `kernels`, which differ in sizes alone: numbers that differ become variables, equal columns of them the same one. */
export function parametrize(kernels: readonly Kernel[]): SizedKernel {
  const rows = kernels.map((kernel) => skeletonOf(kernel).constants);
  const names = new Map<string, string>();
  const columns: (readonly number[])[] = [];
  let at = 0;
  const next = (): Expr => {
    const column = rows.map((row) => row[at]!);
    at++;
    if (column.every((x) => x === column[0])) return index(column[0]!);
    const key = column.join();
    let name = names.get(key);
    if (name === undefined) {
      names.set(key, (name = `size${names.size}`));
      columns.push(column);
    }
    return variable(name);
  };
  const scratchOffsets = kernels[0]!.scratch.map(next);
  const kernel = mapIndexConstants(kernels[0]!, next);
  return { kernel, scratchOffsets, sizes: [...names.values()], values: kernels.map((_, i) => columns.map((column) => column[i]!)) };
}
