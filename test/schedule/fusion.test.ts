// What becomes one kernel: fusion is decided by traffic, and it shows in the number of calls and in the bytes they move.
import { describe, expect, it } from 'vitest';
import { dtypes } from '../../src/core/dtype.ts';
import type { DType, NumericDType } from '../../src/core/dtype.ts';
import type { Shape } from '../../src/core/shape.ts';
import { tensorFrom } from '../../src/core/tensor.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Builder, Operand } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import type { Capabilities } from '../../src/runtime/device.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import type { Schedule } from '../../src/schedule/schedule.ts';

const capabilities: Capabilities = {
  family: 'simd',
  storage: Object.keys(dtypes).filter((name): name is DType => name !== 'string'),
  simd: { vectorLanes: 8, vectorRegisters: 16, loadsFirst: false, l1Bytes: 32 << 10, l2Bytes: 1 << 20, pointerBytes: 8, convertsHalves: true },
  maxBufferBytes: 2 ** 40,
};

function schedule(build: (b: Builder, input: (shape: Shape, dtype?: NumericDType) => Operand) => readonly Operand[]): Schedule {
  const b = createBuilder(createFolder());
  const inputs: Operand[] = [];
  const input = (shape: Shape, dtype: NumericDType = 'f32'): Operand => {
    const x = b.input({ dtype, shape }, `input ${inputs.length}`);
    inputs.push(x);
    return x;
  };
  const outputs = build(b, input);
  return scheduleGraph(b.finish('graph', inputs, outputs), capabilities);
}

const softmax = (b: Builder, x: Operand, axis: number): Operand => {
  const e = b.exp(b.sub(x, b.reduce('max', x, [axis])));
  return b.div(e, b.reduce('sum', e, [axis]));
};
const layerNorm = (b: Builder, x: Operand): Operand => {
  const axis = x.shape.length - 1;
  const n = b.scalar('f32', x.shape[axis]!);
  const centred = b.sub(x, b.div(b.reduce('sum', x, [axis]), n));
  const variance = b.div(b.reduce('sum', b.mul(centred, centred), [axis]), n);
  return b.div(centred, b.sqrt(b.add(variance, b.scalar('f32', 1e-5))));
};
const conv = (b: Builder, x: Operand, w: Operand): Operand => b.conv(x, w, { strides: [1, 1], dilations: [1, 1], low: [1, 1], high: [1, 1], groups: 1, acc: 'f32' });

describe('fusion', () => {
  it('makes one kernel of a chain of elementwise operators', () => {
    const s = schedule((b, input) => {
      let y = input([8, 100]);
      for (let i = 0; i < 10; i++) y = i % 2 === 0 ? b.exp(y) : b.add(y, b.scalar('f32', i));
      return [y];
    });
    expect(s.module.run).toHaveLength(1);
    expect(s.report[0]!.readBytes).toBe(3200);
    expect(s.report[0]!.nodes).toHaveLength(10);
    expect(s.unfusedBytes).toBeGreaterThan(10 * 3200);
  });

  it('leaves what is done to sums with the contraction, where windows that overlap would repeat it', () => {
    const pooled = (stride: number): Schedule =>
      schedule((b, input) => {
        const y = conv(b, input([1, 4, 9, 9]), b.constant(tensorFrom('f32', [8, 4, 3, 3], new Float32Array(8 * 4 * 9).fill(0.1))));
        // Twice used, as in x·sigmoid(x).
        const active = b.mul(y, b.add(y, b.scalar('f32', 1)));
        const windows = b.window(
          b.max(active, b.scalar('f32', 0)),
          [2, 3].map((axis) => ({ axis, size: 3, stride, dilation: 1 })),
        );
        return [b.reduce('max', windows, [4, 5])];
      });
    const sizes = (s: Schedule): number[] => s.report.map(({ nodes }) => nodes.length);
    expect(sizes(pooled(1))).toEqual([4, 1]);
    expect(sizes(pooled(3))).toEqual([1, 5]);
  });

  it('makes one kernel of softmax and of layer norm, whatever the axis', () => {
    expect(schedule((b, input) => [softmax(b, input([32, 100]), 1)]).module.run).toHaveLength(1);
    expect(schedule((b, input) => [softmax(b, input([100, 32]), 0)]).module.run).toHaveLength(1);
    expect(schedule((b, input) => [layerNorm(b, input([4, 32, 64]))]).module.run).toHaveLength(1);
  });

  it('normalises groups of channels in one kernel, through the reshapes around it', () => {
    const s = schedule((b, input) => {
      const x = input([4, 32, 5, 7]);
      return [b.mul(b.reshape(layerNorm(b, b.reshape(x, [4, 8, 4 * 35])), [4, 32, 5, 7]), input([32, 1, 1]))];
    });
    expect(s.module.run).toHaveLength(1);
  });

  it('fuses bias, residual and activation behind a convolution', () => {
    const s = schedule((b, input) => {
      const x = input([1, 8, 14, 14]);
      const y = b.add(conv(b, x, input([8, 8, 3, 3])), input([8, 1, 1]));
      return [b.mul(b.add(y, x), b.reciprocal(b.add(b.exp(b.neg(y)), b.scalar('f32', 1))))];
    });
    expect(s.module.run).toHaveLength(1);
    expect(s.memory.arenaBytes).toBe(0);
  });

  it('splits and joins heads without copies', () => {
    const s = schedule((b, input) => {
      const heads = (x: Operand): Operand => b.transpose(b.reshape(x, [2, 16, 4, 8]), [0, 2, 1, 3]);
      const [q, k, v] = [input([2, 16, 32]), input([2, 16, 32]), input([2, 16, 32])];
      const scores = softmax(b, b.matmul(heads(q), b.transpose(heads(k), [0, 1, 3, 2])), 3);
      return [b.reshape(b.transpose(b.matmul(scores, heads(v)), [0, 2, 1, 3]), [2, 16, 32])];
    });
    expect(s.module.run).toHaveLength(1);
  });

  it('lets producers write their part of a concat', () => {
    const s = schedule((b, input) => {
      const x = input([1, 8, 14, 14]);
      const parts = [conv(b, x, input([8, 8, 3, 3])), conv(b, x, input([8, 8, 1, 1]))];
      return [b.concat([parts[0]!, b.slice(parts[1]!, [0, 0, 1, 1], [1, 8, 14, 14])], 1)];
    });
    expect(s.module.run.length).toBeLessThanOrEqual(3);
  });

  it('does not repeat expensive work for several users', () => {
    const s = schedule((b, input) => {
      const y = b.exp(input([64, 64]));
      return [b.matmul(y, y), b.neg(b.transpose(y, [1, 0]))];
    });
    expect(s.module.run).toHaveLength(3);
  });

  it('renders equal kernels once', () => {
    const s = schedule((b, input) => {
      let y = input([16, 16]);
      for (let i = 0; i < 6; i++) y = b.matmul(y, input([16, 16]));
      return [y];
    });
    expect(s.module.run).toHaveLength(6);
    expect(s.module.kernels).toHaveLength(1);
  });

  it('works in place where a value is read for the last time', () => {
    const s = schedule((b, input) => {
      const scores = b.matmul(input([32, 64]), input([64, 256]));
      // Rows that are no softmax: with one, all of it would be one kernel.
      const centred = b.sub(scores, b.expand(b.reduce('max', scores, [1]), scores.shape));
      return [b.matmul(centred, input([256, 64]))];
    });
    expect(s.module.run).toHaveLength(3);
    expect(s.memory.arenaBytes).toBe(32 * 256 * 4);
    expect(s.memory.lowerBoundBytes).toBe(s.memory.arenaBytes);
  });

  it('prepares constants once, at load, and does not keep what only they needed', () => {
    const w = tensorFrom(
      'f32',
      [128, 256],
      Array.from({ length: 128 * 256 }, (_, i) => i % 100),
    );
    const s = schedule((b, input) => [b.matmul(input([4, 128]), b.mul(b.constant(w), b.scalar('f32', 0.5)))]);
    expect(s.module.run).toHaveLength(1);
    // One kernel multiplies, one brings the products into the order that the matrix product reads.
    expect(s.module.init).toHaveLength(2);
    expect(s.loads).toHaveLength(0);
    expect(s.staged.map((list) => list.length)).toEqual([1, 0]);
    expect(s.memory.weightsBytes).toBe(128 * 256 * 4);
  });

  it('takes time in proportion to the nodes', () => {
    const s = schedule((b, input) => {
      const x = input([4, 64]);
      let y = x;
      for (let i = 0; i < 10_000; i++) y = b.add(b.mul(y, b.scalar('f32', 1.5)), x);
      return [y];
    });
    expect(s.module.run.length).toBeGreaterThan(100);
    expect(Math.max(...s.report.map((r) => r.nodes.length))).toBeLessThan(100);
  });
});
