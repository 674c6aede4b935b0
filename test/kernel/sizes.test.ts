// Kernels over sizes: what is shared is one kernel, and with its sizes put back it is each of those it stands for.
import { describe, expect, it } from 'vitest';
import { add, declare, index, load, loop, mul, store, variable } from '../../src/kernel/build.ts';
import type { Kernel, KernelModule } from '../../src/kernel/ir.ts';
import { groupBySkeleton, kernelKey, parametrize } from '../../src/kernel/sizes.ts';
import { CRenderer } from '../../src/render/c/renderer.ts';

/** Copies rows of `columns` elements, `pitch` apart, through scratch memory, and stores each `times` times its value. */
function rowCopy(rows: number, columns: number, pitch: number, times: number): Kernel {
  const [i, at] = [variable('n0'), variable('t0')];
  const through = loop('n0', index(0), index(columns), [store('s1', add(i, index(3)), load('b0', add(at, i), 'f32'))]);
  const back = loop('n0', index(0), index(columns), [
    store('b1', add(mul(variable('g'), index(columns)), i), mul(load('s1', add(i, index(3)), 'f32'), { kind: 'const', type: { dtype: 'f32', lanes: 1 }, value: times })),
  ]);
  return {
    name: 'rows',
    params: [
      { name: 'b0', dtype: 'f32', access: 'read', elements: rows * pitch },
      { name: 'b1', dtype: 'f32', access: 'write', elements: rows * columns },
    ],
    scratch: [
      { name: 's0', dtype: 'f32', elements: columns },
      { name: 's1', dtype: 'f32', elements: columns + 3 },
    ],
    grid: { var: 'g', extent: rows },
    body: [declare('t0', mul(variable('g'), index(pitch))), through, back],
    cost: { flops: 0, bytes: 0 },
  };
}

const kernels = [rowCopy(4, 20, 32, 2), rowCopy(9, 100, 100, 2), rowCopy(4, 20, 32, 3), rowCopy(5, 100, 128, 2)];
/** The third multiplies by another number, which is no size. */
const GROUPS = [[0, 1, 3], [2]];

/** The kernel with the variables of these names replaced by numbers, as text. */
const filled = (kernel: Kernel, sizes: readonly string[], values: readonly number[]): unknown =>
  JSON.parse(JSON.stringify(kernel.body), (_, v: unknown) => {
    if (typeof v !== 'object' || v === null || !('kind' in v) || v.kind !== 'var' || !('name' in v) || typeof v.name !== 'string') return v;
    const at = sizes.indexOf(v.name);
    return at < 0 ? v : { kind: 'const', type: { dtype: 'index', lanes: 1 }, value: values[at] };
  });

describe('kernels over sizes', () => {
  it('are the kernels they stand for', () => {
    const groups = groupBySkeleton(kernels, () => '');
    expect(groups).toEqual(GROUPS);
    for (const group of groups) {
      const own = group.map((i) => kernels[i]!);
      const { kernel, sizes, values } = parametrize(own);
      own.forEach((each, i) => expect(filled(kernel, sizes, values[i]!)).toEqual(JSON.parse(JSON.stringify(each.body))));
    }
  });

  it('tell where each of them has its scratch memory', () => {
    const { scratchOffsets, sizes, values } = parametrize([kernels[0]!, kernels[1]!]);
    const [first, second] = scratchOffsets;
    expect(first).toEqual(index(0));
    // 20 and 100 elements of four bytes, in whole lines of 64.
    expect(second?.kind === 'var' ? values.map((row) => row[sizes.indexOf(second.name)]) : second).toEqual([128, 448]);
  });

  it('have one name for numbers that are equal everywhere', () => {
    const { sizes, values } = parametrize([kernels[0]!, kernels[1]!]);
    expect(new Set(values[0]!.map((x, i) => `${x} ${values[1]![i]}`)).size).toBe(sizes.length);
  });

  it('leave a single kernel as it is', () => {
    const { kernel, sizes, values } = parametrize([kernels[0]!]);
    expect(kernelKey(kernel)).toBe(kernelKey(kernels[0]!));
    expect([sizes, values]).toEqual([[], [[]]]);
  });

  it('are kept apart by their mark', () => {
    expect(groupBySkeleton(kernels, (i) => `${i}`)).toHaveLength(kernels.length);
  });

  it('are one function in C', () => {
    const module: KernelModule = { kernels, init: [], run: [] };
    const text = new CRenderer().render(module).units.join('\n');
    expect(text.match(/^static .*_steps\(/gm)).toHaveLength(GROUPS.length);
    expect(text.match(/^HIDDEN void k\d+/gm)).toHaveLength(kernels.length);
  });
});
