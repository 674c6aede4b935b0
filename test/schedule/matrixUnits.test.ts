// Contractions on matrix units, each input dtype, with work fused before and behind: kernels verified, run by the interpreter of kernels
// (races and unwritten memory are errors) and held to the reference.
import { describe, expect, it } from 'vitest';
import type { NumericDType } from '../../src/core/dtype.ts';
import { numeric, toNumbers } from '../../src/core/tensor.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Builder, Operand, PrimGraph } from '../../src/graph/builder.ts';
import type { Kernel, MatrixUnit, Stmt } from '../../src/kernel/ir.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import { integerConv, integerMatmul } from '../../src/passes/decompose/integerProducts.ts';
import type { Capabilities, TileCapabilities } from '../../src/runtime/device.ts';
import type { Allowance } from '../../src/core/allowance.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { factsOf } from '../../src/driver/machine.ts';
import { ascendCapabilities, ascendChips, ascendLeast } from '../../src/targets/ascend/facts.ts';
import { cudaLeast } from '../../src/targets/cuda/facts.ts';
import { createSimtCapabilities, interpretSchedule, lowered, problemsOf } from '../kernel/machine.ts';
import { createRandom, randomTensor } from './randomGraph.ts';

interface Machine {
  readonly capabilities: Capabilities;
  /** Problems that are none for it. */
  readonly lacks: readonly string[];
}
const usesMatrix = (body: readonly Stmt[]): boolean =>
  body.some((s) => s.kind === 'matrix' || (s.kind === 'for' && usesMatrix(s.body)) || (s.kind === 'if' && [s.then, s.else].some(usesMatrix)));
const isMatrix = ({ body }: Kernel): boolean => usesMatrix(body);
const threads = createSimtCapabilities({ matrixUnits: cudaLeast.matrixUnitsOf('sm_80'), maxThreads: 1024, sharedBytes: 48 << 10, units: 2 });
const ascend = ascendCapabilities(factsOf(ascendLeast, ascendChips['910b4']));
const cores: TileCapabilities = { ...ascend, tile: { ...ascend.tile, cores: 2, matrixCores: 1 } };
const small = { staging: 16 << 10, a: 4 << 10, b: 4 << 10, sum: 8 << 10 };
const tight: TileCapabilities = { ...cores, tile: { ...cores.tile, matrixCores: 3, rules: { ...cores.tile.rules, matrix: { ...cores.tile.rules.matrix!, bytes: small } } } };
const machines: Readonly<Record<string, Machine>> = {
  'subgroups of threads': { capabilities: threads, lacks: ['floats as they are'] },
  'cores of their own': { capabilities: cores, lacks: ['bytes without sign', 'floats, where it is allowed'] },
  'cores with little memory': { capabilities: tight, lacks: ['bytes without sign', 'floats, where it is allowed'] },
};

interface Problem {
  readonly graph: PrimGraph;
  readonly unit: MatrixUnit['in'];
  readonly allow?: readonly Allowance[];
  /** Of an output beside the largest of its kind. */
  readonly tolerance: number;
}

function graph(inputs: readonly (readonly [NumericDType, readonly number[]])[], build: (b: Builder, ...x: Operand[]) => readonly Operand[]): PrimGraph {
  const b = createBuilder(createFolder(), 'matrices');
  const x = inputs.map(([dtype, shape], i) => b.input({ dtype, shape }, `x${i}`));
  return b.finish('problem', x, build(b, ...x));
}
const conv = (b: Builder, x: Operand, w: Operand, groups = 1): Operand => b.conv(x, w, { strides: [1, 2], dilations: [1, 1], low: [1, 1], high: [1, 1], groups, acc: 'f32' });
const EXACT = 1e-6;

const problems: Readonly<Record<string, Problem>> = {
  'a product of halves': {
    graph: graph(
      [
        ['f16', [64, 48]],
        ['f16', [48, 80]],
      ],
      (b, x, y) => [b.matmul(x, y, 'f32')],
    ),
    unit: 'f16',
    tolerance: EXACT,
  },
  'ends that do not fill tiles': {
    graph: graph(
      [
        ['f16', [45, 70]],
        ['f16', [70, 37]],
      ],
      (b, x, y) => [b.matmul(x, y, 'f32')],
    ),
    unit: 'f16',
    tolerance: EXACT,
  },
  'one step': {
    graph: graph(
      [
        ['f16', [64, 16]],
        ['f16', [16, 64]],
      ],
      (b, x, y) => [b.matmul(x, y, 'f32')],
    ),
    unit: 'f16',
    tolerance: EXACT,
  },
  'both factors turned': {
    graph: graph(
      [
        ['bf16', [50, 40]],
        ['bf16', [60, 50]],
      ],
      (b, x, y) => [b.matmul(b.transpose(x, [1, 0]), b.transpose(y, [1, 0]), 'f32')],
    ),
    unit: 'bf16',
    tolerance: EXACT,
  },
  'work before and behind': {
    graph: graph(
      [
        ['f16', [96, 64]],
        ['f16', [64, 96]],
        ['f32', [96]],
      ],
      (b, x, y, bias) => [b.cast(b.max(b.add(b.matmul(b.mul(x, x), y, 'f32'), bias), b.scalar('f32', 0)), 'f16')],
    ),
    unit: 'f16',
    tolerance: 1e-3,
  },
  'a batch': {
    graph: graph(
      [
        ['f16', [3, 50, 48]],
        ['f16', [3, 48, 60]],
      ],
      (b, x, y) => [b.matmul(x, y, 'f32')],
    ),
    unit: 'f16',
    tolerance: EXACT,
  },
  bytes: {
    graph: graph(
      [
        ['i8', [60, 70]],
        ['i8', [70, 60]],
      ],
      (b, x, y) => [b.matmul(x, y, 'i32')],
    ),
    unit: 'i8',
    tolerance: 0,
  },
  'bytes without sign': {
    graph: graph(
      [
        ['u8', [60, 64]],
        ['u8', [64, 60]],
      ],
      (b, x, y) => [b.matmul(x, y, 'i32')],
    ),
    unit: 'u8',
    tolerance: 0,
  },
  'bytes with and without sign, and zero points': {
    graph: graph(
      [
        ['u8', [60, 64]],
        ['i8', [64, 60]],
        ['u8', [60, 1]],
        ['i8', [60]],
      ],
      (b, x, y, p, q) => [integerMatmul(b, { values: x!, zero: p }, { values: y!, zero: q })],
    ),
    unit: 'i8',
    tolerance: 0,
  },
  'a convolution of bytes with a zero point': {
    graph: graph(
      [
        ['u8', [2, 16, 9, 11]],
        ['i8', [24, 16, 3, 3]],
        ['u8', []],
      ],
      (b, x, w, zero) => [integerConv(b, { values: x!, zero }, { values: w!, zero: undefined }, { strides: [1, 2], dilations: [1, 1], low: [1, 1], high: [1, 1], groups: 1 })],
    ),
    unit: 'i8',
    tolerance: 0,
  },
  'a convolution of halves': {
    graph: graph(
      [
        ['f16', [2, 16, 9, 11]],
        ['f16', [96, 16, 3, 3]],
      ],
      (b, x, w) => [conv(b, x, w)],
    ),
    unit: 'f16',
    tolerance: EXACT,
  },
  'floats as they are': {
    graph: graph(
      [
        ['f32', [70, 50]],
        ['f32', [50, 90]],
      ],
      (b, x, y) => [b.matmul(x, y)],
    ),
    unit: 'f32',
    tolerance: EXACT,
  },
  'floats, where it is allowed': {
    graph: graph(
      [
        ['f32', [64, 40]],
        ['f32', [40, 48]],
      ],
      (b, x, y) => [b.matmul(x, y)],
    ),
    unit: 'tf32',
    allow: ['tf32'],
    tolerance: 2 ** -10,
  },
};

describe.each(Object.entries(machines))('contractions on matrix units of %s', (_machine, { capabilities, lacks }) => {
  it.each(Object.entries(problems).filter(([name]) => !lacks.includes(name)))(
    '%s',
    (_, { graph: source, unit, allow, tolerance }) => {
      const schedule = scheduleGraph(source, capabilities, allow ?? []);
      const kernels = schedule.module.kernels.filter(isMatrix);
      expect(kernels).toHaveLength(1);
      expect(JSON.stringify(kernels[0]!.body)).toContain(`"in":"${unit}"`);
      expect(problemsOf(source, schedule)).toEqual([]);
      const random = createRandom(7);
      const inputs = source.inputs.map((x) => randomTensor(random, x.dtype, x.shape));
      const expected = interpretPrims(source, inputs).map((tensor) => toNumbers(numeric(tensor)));
      // Without small floats, as renderers see it; and once as it is.
      for (const module of unit === 'bf16' ? [schedule.module, lowered(schedule.module)] : [lowered(schedule.module)]) {
        interpretSchedule(source, schedule, inputs, 'forward', module).forEach((tensor, i) => {
          const largest = Math.max(...expected[i]!.map(Math.abs));
          toNumbers(tensor).forEach((x, j) => expect(Math.abs(x - expected[i]![j]!)).toBeLessThanOrEqual(tolerance * largest));
        });
      }
    },
    120_000,
  );
});

describe('matrix units that read fewer bits', () => {
  it('leave floats exact where nothing is allowed', () => {
    const { module } = scheduleGraph(problems['floats, where it is allowed']!.graph, threads);
    expect(module.kernels.some(isMatrix)).toBe(false);
  });

  it('leave what is too small to the threads', () => {
    const source = graph(
      [
        ['f16', [8, 8]],
        ['f16', [8, 8]],
      ],
      (b, x, y) => [b.matmul(x, y, 'f32')],
    );
    expect(scheduleGraph(source, threads).module.kernels.some(isMatrix)).toBe(false);
  });
});
