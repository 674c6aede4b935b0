// Contractions on matrix units that read swizzled memory themselves: kernels verified, run by the interpreter of kernels (what is used before
// it is there, or changed while it is used, is an error) and held to the reference.
import { describe, expect, it } from 'vitest';
import type { NumericDType } from '../../src/core/dtype.ts';
import { numeric, toNumbers } from '../../src/core/tensor.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Builder, Operand, PrimGraph } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import type { Allowance } from '../../src/core/allowance.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { cudaLeast } from '../../src/targets/cuda/facts.ts';
import { createSimtCapabilities, interpretSchedule, lowered, problemsOf } from '../kernel/machine.ts';
import { createRandom, randomTensor } from './randomGraph.ts';

interface Problem {
  readonly graph: PrimGraph;
  readonly unit: 'f16' | 'bf16' | 'tf32';
  readonly allow?: readonly Allowance[];
  /** Of an output beside the largest of its kind. */
  readonly tolerance: number;
}

function graph(inputs: readonly (readonly [NumericDType, readonly number[]])[], build: (b: Builder, ...x: Operand[]) => readonly Operand[]): PrimGraph {
  const b = createBuilder(createFolder());
  const x = inputs.map(([dtype, shape], i) => b.input({ dtype, shape }, `x${i}`));
  return b.finish('problem', x, build(b, ...x));
}
const conv = (b: Builder, x: Operand, w: Operand): Operand => b.conv(x, w, { strides: [1, 2], dilations: [1, 1], low: [1, 1], high: [1, 1], groups: 1, acc: 'f32' });
const EXACT = 1e-6;

/** Units that read swizzled memory themselves, of few columns, so that problems are small. */
const warpgroups = cudaLeast.matrixUnitsOf('sm_90').filter(({ layout, n }) => layout === 'swizzled' && n < 256);
const swizzled = createSimtCapabilities({
  matrixUnits: warpgroups,
  maxThreads: 1024,
  sharedBytes: 48 << 10,
  givenSharedBytes: 227 << 10,
  fetchBytes: [16, 8, 4],
  units: 1,
});
/** Large enough to be worth their start. */
const onSwizzled: Readonly<Record<string, Problem>> = {
  'a product of halves': {
    graph: graph(
      [
        ['f16', [128, 160]],
        ['f16', [160, 128]],
      ],
      (b, x, y) => [b.matmul(x, y, 'f32')],
    ),
    unit: 'f16',
    tolerance: EXACT,
  },
  'ends that do not fill tiles': {
    graph: graph(
      [
        ['bf16', [77, 170]],
        ['bf16', [170, 93]],
      ],
      (b, x, y) => [b.matmul(x, y, 'f32')],
    ),
    unit: 'bf16',
    tolerance: EXACT,
  },
  'both factors turned, and work behind': {
    graph: graph(
      [
        ['bf16', [200, 72]],
        ['bf16', [96, 200]],
        ['f32', [96]],
      ],
      (b, x, y, bias) => [b.cast(b.max(b.add(b.matmul(b.transpose(x!, [1, 0]), b.transpose(y!, [1, 0]), 'f32'), bias!), b.scalar('f32', 0)), 'bf16')],
    ),
    unit: 'bf16',
    tolerance: 1e-2,
  },
  'work before, in a batch': {
    graph: graph(
      [
        ['f16', [2, 64, 136]],
        ['f16', [2, 136, 64]],
      ],
      (b, x, y) => [b.matmul(b.mul(x!, x!), y!, 'f32')],
    ),
    unit: 'f16',
    tolerance: EXACT,
  },
  'floats, where it is allowed': {
    graph: graph(
      [
        ['f32', [120, 200]],
        ['f32', [200, 128]],
      ],
      (b, x, y) => [b.matmul(x, y)],
    ),
    unit: 'tf32',
    allow: ['tf32'],
    tolerance: 2 ** -8,
  },
  'floats along the sum, where it is allowed': {
    graph: graph(
      [
        ['f32', [200, 128]],
        ['f32', [124, 200]],
      ],
      (b, x, y) => [b.matmul(b.transpose(x!, [1, 0]), b.transpose(y!, [1, 0]))],
    ),
    unit: 'tf32',
    allow: ['tf32'],
    tolerance: 2 ** -8,
  },
  'a convolution of halves': {
    graph: graph(
      [
        ['f16', [2, 16, 12, 11]],
        ['f16', [64, 16, 3, 3]],
      ],
      (b, x, w) => [conv(b, x!, w!)],
    ),
    unit: 'f16',
    tolerance: EXACT,
  },
};

describe('contractions on matrix units that read memory themselves', () => {
  it.each(Object.entries(onSwizzled))(
    '%s',
    (_, { graph: source, unit, allow, tolerance }) => {
      const schedule = scheduleGraph(source, swizzled, allow ?? []);
      expect(JSON.stringify(schedule.module.kernels)).toContain(`"in":"${unit}"`);
      expect(problemsOf(source, schedule)).toEqual([]);
      const random = createRandom(7);
      const inputs = source.inputs.map((x) => randomTensor(random, x.dtype, x.shape));
      const expected = interpretPrims(source, inputs).map((tensor) => toNumbers(numeric(tensor)));
      interpretSchedule(source, schedule, inputs, 'forward', lowered(schedule.module)).forEach((tensor, i) => {
        const largest = Math.max(...expected[i]!.map(Math.abs));
        toNumbers(tensor).forEach((x, j) => expect(Math.abs(x - expected[i]![j]!)).toBeLessThanOrEqual(tolerance * largest));
      });
    },
    120_000,
  );
});
