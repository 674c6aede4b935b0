// Rendered C of a few small kernels, to be read: what changes here changes what every program on the processor is made of.
// `npx vitest run test/render -u` writes the files anew.
import { describe, expect, it } from 'vitest';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Builder, Operand } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { CRenderer } from '../../src/render/c/renderer.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { createCapabilities } from '../kernel/machine.ts';

const capabilities = createCapabilities({ vectorLanes: 4 });
const MAX_LINES = 70;

const graphs: Readonly<Record<string, (b: Builder) => { readonly inputs: readonly Operand[]; readonly output: Operand }>> = {
  elementwise: (b) => {
    const [x, y] = ['x', 'y'].map((name) => b.input({ dtype: 'f32', shape: [3, 6] }, name)) as [Operand, Operand];
    return { inputs: [x, y], output: b.max(b.add(b.mul(x, y), b.scalar('f32', 0.5)), b.scalar('f32', 0)) };
  },
  integers: (b) => {
    const x = b.input({ dtype: 'i8', shape: [16] }, 'x');
    return { inputs: [x], output: b.cast(b.mul(b.cast(x, 'i32'), b.scalar('i32', 3)), 'u8') };
  },
  transpose: (b) => {
    const x = b.input({ dtype: 'f32', shape: [5, 8] }, 'x');
    return { inputs: [x], output: b.neg(b.transpose(x, [1, 0])) };
  },
  rows: (b) => {
    const x = b.input({ dtype: 'f32', shape: [2, 10] }, 'x');
    const centred = b.sub(x, b.reduce('max', x, [1]));
    return { inputs: [x], output: b.div(centred, b.reduce('sum', centred, [1])) };
  },
  pool: (b) => {
    const x = b.input({ dtype: 'f32', shape: [1, 2, 5, 5] }, 'x');
    const windows = b.window(
      x,
      [2, 3].map((axis) => ({ axis, size: 3, stride: 2, dilation: 1 })),
    );
    return { inputs: [x], output: b.reshape(b.reduce('max', windows, [4, 5]), [1, 2, 2, 2]) };
  },
};

describe('rendered C', () => {
  it.each(Object.entries(graphs))('of %s', async (name, build) => {
    const b = createBuilder(createFolder());
    const { inputs, output } = build(b);
    const { module } = scheduleGraph(b.finish(name, inputs, [output]), capabilities);
    expect(module.run).toHaveLength(1);
    const text = new CRenderer().renderKernel(module, 0);
    expect(text.split('\n').length).toBeLessThan(MAX_LINES);
    await expect(text).toMatchFileSnapshot(`golden/${name}.c`);
  });
});
