// What is counted of a run: operations of products and convolutions, and bytes that must move.
import { describe, expect, it } from 'vitest';
import { Net, randomTensor } from '../../bench/models/net.ts';
import type { Built } from '../../bench/models/net.ts';
import { bertBase, decoderStep, encoder } from '../../bench/models/transformers.ts';
import { fourBitProduct } from '../../bench/models/quantised.ts';
import { workOf } from '../../bench/work.ts';
import type { Work } from '../../bench/work.ts';
import { seededFeeds } from '../../src/session/feeds.ts';
import { createCpuTarget } from '../../src/targets/cpu/target.ts';

const count = ({ graph, feeds }: Built): Work => workOf(graph, seededFeeds(graph, feeds, {}, 0).values, createCpuTarget());

/** Scalars that operators bring along are bytes too. */
function expectAbout(bytes: number, right: number): void {
  expect(bytes).toBeGreaterThanOrEqual(right);
  expect(bytes / right).toBeLessThan(1.01);
}

describe('workOf', () => {
  it('counts two for each multiply-add of a convolution, in groups too, and nothing for what is done to each element', () => {
    const net = new Net('conv');
    const x = net.input('x', 'f32', [1, 4, 6, 6]);
    const y = net.op('Relu', [net.op('Conv', [x, net.weight([8, 2, 3, 3], 1)], { group: 2 })]);
    net.output('y', y, 'f32', [1, 8, 4, 4]);
    const { flops, bytes } = count(net.build());
    expect(flops).toBe(2 * (8 * 4 * 4) * (2 * 3 * 3));
    expectAbout(bytes, 4 * (4 * 6 * 6 + 8 * 2 * 3 * 3 + 8 * 4 * 4));
  });

  it('counts the rows of a table that are looked up, and all of it where it is a factor too', () => {
    const table = (isFactor: boolean): Work => {
      const net = new Net('table');
      const rows = net.weight([4096, 8], 1);
      const found = net.op('Gather', [rows, net.fed('ids', randomTensor('i32', [3], 50, 1))]);
      net.output('y', isFactor ? net.op('MatMul', [found, net.op('Transpose', [rows], { perm: [1, 0] })]) : found);
      return count(net.build());
    };
    expect(table(false)).toEqual({ flops: 0, bytes: 4 * (3 + 3 * 8 + 3 * 8) });
    expect(table(true)).toEqual({ flops: 2 * 3 * 4096 * 8, bytes: 4 * (3 + 4096 * 8 + 3 * 4096) });
  });

  it('counts weights of four bits as such', () => {
    const { flops, bytes } = count(fourBitProduct('int4', 2, 1024, 64));
    expect(flops).toBe(2 * 2 * 1024 * 64);
    expect(bytes).toBe((1024 * 64) / 2 + 4 * (32 * 64 + 2 * 1024 + 2 * 64));
  });

  it('counts keys and values of a decoder as they come and as they go', () => {
    const size = { layers: 1, width: 16, heads: 4, inside: 32, vocabulary: 64, positions: 16, past: 8 };
    const { bytes } = count(decoderStep('decoder', size));
    const linear = (from: number, to: number): number => from * to + to;
    const weights = 64 * 16 + linear(16, 48) + linear(16, 16) + linear(16, 32) + linear(32, 16) + 3 * 2 * 16;
    const cache = 2 * 16 * (8 + 9);
    // The one row of positions; ids, positions and mask are 64-bit.
    expectAbout(bytes, 4 * (weights + 16 + cache + 64) + 8 * (1 + 1 + 9));
  });

  it('counts of an encoder of BERT’s size what is known of it', () => {
    const { width, inside, length } = bertBase;
    const { flops } = count(encoder('layer', { ...bertBase, layers: 1 }));
    expect(flops).toBe(2 * length * (4 * width * width + 2 * width * inside) + 2 * 2 * length * length * width);
  });
});
