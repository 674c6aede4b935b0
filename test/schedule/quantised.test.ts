// Nets of bytes: what layers hand on stays bytes in memory, and words of them are read where they lie.
import { describe, expect, it } from 'vitest';
import type { NumericDType } from '../../src/core/dtype.ts';
import { tensorFrom } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import type { WordParts } from '../../src/core/words.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Builder, Operand, PrimGraph } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import type { Capabilities } from '../../src/runtime/device.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { lowerOne } from '../ops/rules.ts';
import { createCapabilities, expectClose, interpretSchedule, lowered, problemsOf } from '../kernel/machine.ts';
import { createRandom, randomTensor } from './randomGraph.ts';

const machines = {
  'bytes in vectors of 16': { integers: 'bytes', capabilities: createCapabilities({ vectorLanes: 16, vectorRegisters: 32 }) },
  'shorts in vectors of 8': { integers: 'shorts', capabilities: createCapabilities({ vectorLanes: 8 }) },
} as const satisfies Readonly<Record<string, { readonly integers: WordParts; readonly capabilities: Capabilities }>>;

const CHANNELS = 32;
const random = createRandom(71);
const constant = (b: Builder, dtype: NumericDType, shape: readonly number[]): Operand => b.constant(randomTensor(random, dtype, shape));
const scalar = (b: Builder, dtype: NumericDType, value: number): Operand => b.constant(tensorFrom(dtype, [], [value]));

/** Bytes between layers have a sign or have none; zero points are those of bytes without. */
let activations: 'u8' | 'i8' = 'u8';

/** Through a byte: its zero point is the least behind an activation. */
function throughBytes(b: Builder, x: Operand, zero: number): Operand {
  const parameters = [scalar(b, 'f32', 0.37), scalar(b, activations, activations === 'u8' ? zero : zero - 128)];
  const bytes = lowerOne(b, { op: 'QuantizeLinear' }, [x, ...parameters]);
  return lowerOne(b, { op: 'DequantizeLinear' }, [bytes, ...parameters]);
}

function layer(b: Builder, x: Operand, filters: number, taps: number, zero = 0): Operand {
  const scales = b.constant(tensorFrom('f32', [filters], new Float32Array(filters).fill(0.011)));
  const w = lowerOne(b, { op: 'DequantizeLinear', attrs: { axis: 0 } }, [constant(b, 'i8', [filters, x.shape[1]!, taps, taps]), scales]);
  const pad = (taps - 1) / 2;
  const y = lowerOne(b, { op: 'Conv', attrs: { pads: [pad, pad, pad, pad] } }, [x, w]);
  return throughBytes(b, zero === 0 ? b.max(y, b.scalar('f32', 0)) : y, zero);
}

function net(integers: WordParts, channels: number, build: (b: Builder, x: Operand) => Operand): PrimGraph {
  const b = createBuilder(createFolder(), integers);
  const x = b.input({ dtype: 'f32', shape: [1, channels, 9, 10] }, 'x');
  return b.finish('net', [x], [build(b, throughBytes(b, x, 0))]);
}

const plain = (b: Builder, x: Operand): Operand => layer(b, layer(b, layer(b, x, CHANNELS, 3), CHANNELS, 1), CHANNELS, 3);
const residual = (b: Builder, x: Operand): Operand => {
  const start = layer(b, x, CHANNELS, 1);
  const sum = b.add(layer(b, layer(b, start, CHANNELS, 3), CHANNELS, 1, 128), layer(b, start, CHANNELS, 1, 128));
  return layer(b, throughBytes(b, b.max(sum, b.scalar('f32', 0)), 0), CHANNELS, 1);
};
const pooled = (b: Builder, x: Operand): Operand => {
  const y = lowerOne(b, { op: 'MaxPool', attrs: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] } }, [layer(b, x, CHANNELS, 3)]);
  return layer(b, y, CHANNELS, 3);
};
/** Zero points in the padding, channels that fill no words. */
const odd = (b: Builder, x: Operand): Operand => layer(b, layer(b, layer(b, x, 30, 3, 128), 18, 3, 7), CHANNELS, 1);

describe.each(Object.entries(machines))('quantised nets, %s', (_, { integers, capabilities }) => {
  const kernelsOf = (graph: PrimGraph): string[] => scheduleGraph(graph, capabilities).report.map(({ kernel }) => kernel.replace(/_\d+$/, ''));

  it.each(Object.entries({ plain, residual, pooled, odd }))('%s: what the reference computes', (name, build) => {
    for (const channels of [3, CHANNELS]) {
      activations = channels === 3 ? 'u8' : 'i8';
      const graph = net(integers, channels, build);
      const schedule = scheduleGraph(graph, capabilities);
      expect(problemsOf(graph, schedule), name).toEqual([]);
      const inputs: NumericTensor[] = [randomTensor(random, 'f32', graph.inputs[0]!.shape)];
      const actual = interpretSchedule(graph, schedule, inputs, 'backward', channels === 3 ? lowered(schedule.module) : schedule.module);
      interpretPrims(graph, inputs).forEach((expected, i) => expectClose(actual[i]!, expected, name, 1e-4));
    }
  });

  it.each(['u8', 'i8'] as const)('make one kernel of a layer and what rounds its results to %s', (dtype) => {
    activations = dtype;
    // The caller's image becomes words by itself.
    expect(kernelsOf(net(integers, CHANNELS, plain)), 'plain').toEqual(['map', 'conv', 'conv', 'conv']);
    expect(kernelsOf(net(integers, CHANNELS, residual)), 'residual').toEqual(['map', 'conv', 'conv', 'conv', 'conv', 'conv']);
    expect(kernelsOf(net(integers, CHANNELS, pooled)), 'pooled').toEqual(['map', 'conv', 'reduce', 'conv']);
  });

  it('keep the bytes of a product that rows are made of', () => {
    activations = 'u8';
    const [rows, depth, columns] = [20, 64, 48];
    const b = createBuilder(createFolder(), integers);
    const x = b.input({ dtype: 'f32', shape: [1, rows, depth] }, 'x');
    const w = lowerOne(b, { op: 'DequantizeLinear' }, [constant(b, 'i8', [depth, columns]), scalar(b, 'f32', 0.01)]);
    const y = throughBytes(b, lowerOne(b, { op: 'MatMul' }, [throughBytes(b, x, 128), w]), 128);
    const { report } = scheduleGraph(b.finish('rows', [x], [lowerOne(b, { op: 'Softmax' }, [y])]), capabilities);
    expect(report.map(({ writeBytes }) => writeBytes).slice(1)).toEqual([rows * columns, rows * columns * 4]);
  });

  it('look once at what is below zero, and leave the wrapping of bytes to the store', () => {
    activations = 'u8';
    const bodiesOf = (build: (b: Builder, x: Operand) => Operand): string[] =>
      scheduleGraph(net('bytes', CHANNELS, build), capabilities)
        .module.kernels.filter(({ name }) => name.startsWith('conv'))
        .map((kernel) => JSON.stringify(kernel.body));
    const [first] = bodiesOf((b, x) => layer(b, layer(b, x, CHANNELS, 1), CHANNELS, 1));
    const count = (fn: string): number => first!.split(`"fn":"${fn}"`).length - 1;
    expect(count('rint')).toBeGreaterThan(0);
    expect(count('max')).toBe(count('rint'));
    // Nor is what was rounded a moment ago an integer in between.
    for (const body of bodiesOf(residual)) expect(body).not.toContain('"kind":"narrow"');
  });

  it('keep bytes between layers, not sums', () => {
    const graph = net(integers, CHANNELS, plain);
    const { report } = scheduleGraph(graph, capabilities);
    const pixels = 9 * 10;
    const perValue = integers === 'bytes' ? 1 : 2;
    for (const { writeBytes } of report.slice(0, -1)) expect(writeBytes).toBe(pixels * CHANNELS * perValue);
  });
});
