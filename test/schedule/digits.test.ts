// Products of few rows in digits of eight bits: weights of every width, with and without zero points, held to sums in f64.
import { describe, expect, it } from 'vitest';
import { integerRange } from '../../src/core/dtype.ts';
import type { NumericDType } from '../../src/core/dtype.ts';
import { elementCount } from '../../src/core/shape.ts';
import { tensorFrom, toNumbers } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Operand } from '../../src/graph/builder.ts';
import { constantOf } from '../../src/graph/graph.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { lowerOne } from '../ops/rules.ts';
import { createCapabilities, interpretSchedule, lowered, problemsOf } from '../kernel/machine.ts';
import { createRandom, randomTensor } from './randomGraph.ts';

/** What an element may be off by, in units of the largest magnitude in its stretch. */
const ERROR = 1.01 * 2 ** -23;
const DEPTH = 192;

const machines = {
  'vectors of 8': { ...createCapabilities({ vectorLanes: 8 }), words: 'bytes' },
  'vectors of 16, 32 registers': { ...createCapabilities({ vectorLanes: 16, vectorRegisters: 32 }), words: 'bytes' },
} as const;

const random = createRandom(19);
const integers = (dtype: NumericDType, shape: readonly number[]): NumericTensor => {
  const { min, max } = integerRange(dtype);
  return tensorFrom(
    dtype,
    shape,
    Array.from({ length: elementCount(shape) }, () => Number(min) + random(Number(max - min) + 1)),
  );
};

interface Case {
  readonly dtype: NumericDType;
  readonly rows: number;
  /** Steps with one scale; none: one for each column. */
  readonly block: number | undefined;
  readonly hasZero: boolean;
}

/** A product with dequantised weights, scheduled; the weights as the reference computes them. */
function product({ dtype, rows, block, hasZero }: Case, columns: number, capabilities: (typeof machines)[keyof typeof machines]) {
  const b = createBuilder(createFolder());
  const stored = (tensor: NumericTensor): Operand => b.stored({ ...constantOf(tensor), bytes: 2 ** 30 }, 'weights');
  const shape = block === undefined ? [columns] : [DEPTH / block, columns];
  const parameters = [randomTensor(random, 'f32', shape), ...(hasZero ? [integers(dtype, shape)] : [])];
  const attrs = block === undefined ? { axis: 1 } : { axis: 0, block_size: block };
  const w = lowerOne(b, { op: 'DequantizeLinear', attrs }, [integers(dtype, [DEPTH, columns]), ...parameters].map(stored));
  const x = b.input({ dtype: 'f32', shape: [rows, DEPTH] }, 'x');
  const graph = b.finish('product', [x], [b.matmul(x, w, 'f32')]);
  const weights = b.finish('weights', [], [w]);
  return { graph, schedule: scheduleGraph(graph, capabilities), weights: toNumbers(interpretPrims(weights, [])[0]!) };
}

/** Magnitudes differ by stretches, and within them. */
const activations = (rows: number): Float32Array =>
  Float32Array.from({ length: rows * DEPTH }, (_, i) => (random(2 ** 24) / 2 ** 23 - 1) * 2 ** ((Math.floor(i / 16) % 7) * 4 - 12 - random(8)));

function checkErrors(made: Case, columns: number, capabilities: (typeof machines)[keyof typeof machines], isLowered: boolean): void {
  const { graph, schedule, weights } = product(made, columns, capabilities);
  expect(schedule.report.map(({ kernel }) => kernel)).toEqual([expect.stringMatching('write_digits'), expect.stringMatching('digits')]);
  expect(problemsOf(graph, schedule)).toEqual([]);
  const x = activations(made.rows);
  const inputs = [tensorFrom('f32', [made.rows, DEPTH], x)];
  const actual = toNumbers(interpretSchedule(graph, schedule, inputs, 'forward', isLowered ? lowered(schedule.module) : schedule.module)[0]!);
  // Stretches of digits have at most so many steps, and no fewer than this divides them all.
  const largestAround = (at: number): number => x.slice(Math.floor(at / 96) * 96, (Math.floor(at / 96) + 1) * 96).reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  for (let r = 0; r < made.rows; r++) {
    for (let c = 0; c < columns; c++) {
      let [sum, allowed, magnitude] = [0, 0, 0];
      for (let k = 0; k < DEPTH; k++) {
        const [value, weight] = [x[r * DEPTH + k]!, weights[k * columns + c]!];
        sum += value * weight;
        magnitude += Math.abs(value * weight);
        allowed += largestAround(r * DEPTH + k) * Math.abs(weight) * ERROR;
      }
      // And what is rounded as stretches are scaled and added up, zero points first.
      expect(Math.abs(actual[r * columns + c]! - sum)).toBeLessThanOrEqual(2 * allowed + magnitude * 2 ** -20 + 1e-30);
    }
  }
}

describe.each(Object.entries(machines))('products in digits, with %s', (_, capabilities) => {
  const cases = (['u4', 'i4', 'u2', 'i2', 'u8', 'i8'] as const).map((dtype, i): Case => ({
    dtype,
    rows: 1 + (i % 2),
    block: [32, 48, undefined, 96][i % 4],
    hasZero: i % 3 !== 0,
  }));

  it.each(cases)('$dtype, $rows rows, blocks of $block, zero points $hasZero', (made) => {
    checkErrors(made, 345, capabilities, made.rows === 1);
  });

  it('give no number where a stretch has none, zeros where it has nothing, and the smallest numbers', () => {
    const columns = 350;
    const { graph, schedule, weights } = product({ dtype: 'u4', rows: 1, block: 32, hasZero: false }, columns, capabilities);
    const run = (at: number, value: number): readonly number[] => {
      const x = new Float32Array(DEPTH).fill(0);
      x[at] = value;
      return toNumbers(interpretSchedule(graph, schedule, [tensorFrom('f32', [1, DEPTH], x)], 'forward', schedule.module)[0]!);
    };
    expect(run(40, Infinity).every(Number.isNaN)).toBe(true);
    expect(run(7, NaN).every(Number.isNaN)).toBe(true);
    expect(run(7, 0).every((y) => y === 0)).toBe(true);
    run(9, 2 ** -120).forEach((y, c) => expect(Math.abs(y - 2 ** -120 * weights[9 * columns + c]!)).toBeLessThan(2 ** -125));
  });

  it('are left to floats where machines do not multiply bytes', () => {
    const { words: _words, ...plain } = capabilities;
    const { schedule } = product({ dtype: 'u4', rows: 1, block: 32, hasZero: false }, 370, plain as typeof capabilities);
    expect(schedule.report.map(({ kernel }) => kernel)).toEqual([expect.stringMatching('matmul')]);
  });
});
