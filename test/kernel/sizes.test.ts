// Kernels over sizes: what is shared is one kernel, and with its sizes put back it is each of those it stands for.
import { describe, expect, it } from 'vitest';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Kernel } from '../../src/kernel/ir.ts';
import { groupBySkeleton, kernelKey, parametrize } from '../../src/kernel/sizes.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { CRenderer } from '../../src/render/c/renderer.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { createCapabilities } from './machine.ts';

/** A chain of convolutions that differ in channels. */
function convolutions(channels: readonly number[]) {
  const b = createBuilder(createFolder());
  const x = b.input({ dtype: 'f32', shape: [1, channels[0]!, 28, 28] }, 'x');
  const weights = channels.slice(1).map((out, i) => b.input({ dtype: 'f32', shape: [out, channels[i]!, 3, 3] }, `w${i}`));
  const attrs = { strides: [1, 1], dilations: [1, 1], low: [1, 1], high: [1, 1], groups: 1, acc: 'f32' } as const;
  const y = weights.reduce((v, w) => b.conv(v, w, attrs), x);
  return scheduleGraph(b.finish('chain', [x, ...weights], [y]), createCapabilities());
}

/** The kernel with the variables of these names replaced by numbers, as text. */
const filled = (kernel: Kernel, sizes: readonly string[], values: readonly number[]): unknown =>
  JSON.parse(JSON.stringify(kernel.body), (_, v: unknown) => {
    if (typeof v !== 'object' || v === null || !('kind' in v) || v.kind !== 'var' || !('name' in v) || typeof v.name !== 'string') return v;
    const at = sizes.indexOf(v.name);
    return at < 0 ? v : { kind: 'const', type: { dtype: 'index', lanes: 1 }, value: values[at] };
  });

describe('kernels over sizes', () => {
  const { module } = convolutions([24, 48, 24, 96, 192]);

  it('are the kernels they stand for', () => {
    const groups = groupBySkeleton(module.kernels, () => '');
    expect(groups.length).toBeLessThan(module.kernels.length);
    expect(groups.flat().sort((a, b) => a - b)).toEqual(module.kernels.map((_, i) => i));
    for (const group of groups) {
      const kernels = group.map((i) => module.kernels[i]!);
      const { kernel, sizes, values, scratchOffsets } = parametrize(kernels);
      expect(scratchOffsets).toHaveLength(kernel.scratch.length);
      kernels.forEach((each, i) => expect(filled(kernel, sizes, values[i]!)).toEqual(JSON.parse(JSON.stringify(each.body))));
    }
  });

  it('leave a single kernel as it is', () => {
    const one = module.kernels[0]!;
    const { kernel, sizes, values } = parametrize([one]);
    expect(kernelKey(kernel)).toBe(kernelKey(one));
    expect([sizes, values]).toEqual([[], [[]]]);
  });

  it('are kept apart by their mark', () => {
    expect(groupBySkeleton(module.kernels, (i) => `${i}`)).toHaveLength(module.kernels.length);
  });

  it('are one function in C', () => {
    const text = new CRenderer()
      .render(module)
      .units.filter((unit) => typeof unit === 'string')
      .join('\n');
    expect(text.match(/^static .*_steps\(/gm)!.length).toBeLessThan(module.kernels.length);
    expect(text.match(/^HIDDEN void k\d+/gm)).toHaveLength(module.kernels.length);
  });
});
