// Half floats on every device: what machines convert in one instruction is what bits and arithmetic make of it, for every half there is.
import { describe, expect, it } from 'vitest';
import { numberReader, tensorOf } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Builder, Operand } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import { takesModels } from '../../src/runtime/device.ts';
import { resolveTarget } from '../../src/session/devices.ts';
import { devices } from '../session/models.ts';
import { run } from './onTarget.ts';

type Half = 'f16' | 'bf16';

/** Every code there is. */
const codes = (dtype: Half): NumericTensor =>
  tensorOf(
    dtype,
    [2 ** 16],
    Uint16Array.from({ length: 2 ** 16 }, (_, i) => i),
  );

/** Every half, what lies between it and the next, and the floats beside both. */
function floats(dtype: Half): NumericTensor {
  const read = numberReader(codes(dtype));
  const values = new Float32Array(2 ** 18);
  for (let i = 0; i < 2 ** 16; i++) {
    values[i] = read(i);
    values[i + 2 ** 16] = (read(i) + read((i + 1) % 2 ** 16)) / 2;
  }
  const bits = new Uint32Array(values.buffer);
  for (let i = 0; i < 2 ** 17; i++) bits[i + 2 ** 17] = bits[i]! + (i % 2 === 0 ? 1 : -1);
  return tensorOf('f32', [values.length], values);
}

/** Machines may take f32 for zero that are smaller than this. */
const LEAST_NORMAL = 2 ** -126;

/** Elements that are alike: NaN is NaN, whatever its bits. */
function expectSame(actual: NumericTensor, expected: NumericTensor): void {
  const [a, e] = [numberReader(actual), numberReader(expected)];
  let wrong = -1;
  const isLost = (i: number): boolean => Math.abs(e(i)) < LEAST_NORMAL && a(i) === 0;
  for (let i = 0; i < expected.data.length && wrong < 0; i++) if (!Object.is(a(i), e(i)) && !isLost(i)) wrong = i;
  expect(wrong, wrong < 0 ? '' : `element ${wrong} is ${a(wrong)} instead of ${e(wrong)}`).toBe(-1);
}

async function check(device: string, x: NumericTensor, build: (b: Builder, x: Operand) => Operand): Promise<void> {
  const b = createBuilder(createFolder());
  const input = b.input({ dtype: x.dtype, shape: x.shape }, 'x');
  const graph = b.finish('halves', [input], [build(b, input)]);
  const engine = resolveTarget(device);
  if (takesModels(engine)) throw new Error(`${device} takes models`);
  const [actual] = await run(engine, graph, [x]);
  expectSame(actual!, interpretPrims(graph, [x])[0]!);
}

/** HIP converts by a type of its own, and shares all else with the first of its family. */
const ofKernels = [...devices, ...(devices.includes('cuda:virtual') ? ['hip:virtual'] : [])].filter((device) => device !== 'reference' && !takesModels(resolveTarget(device)));

describe.each(ofKernels)('%s', (device) => {
  it.each(['f16', 'bf16'] as const)('reads every %s', (dtype) => check(device, codes(dtype), (b, x) => b.cast(x, 'f32')), 60_000);

  it.each(['f16', 'bf16'] as const)('rounds to the nearest %s in memory', (dtype) => check(device, floats(dtype), (b, x) => b.cast(x, dtype)), 60_000);

  it.each(['f16', 'bf16'] as const)(
    'rounds to the nearest %s between two operations',
    (dtype) => check(device, floats(dtype), (b, x) => b.neg(b.cast(b.cast(x, dtype), 'f32'))),
    60_000,
  );

  it('reads and writes halves in rows of odd lengths', async () => {
    const x = tensorOf('f16', [37, 23], codes('f16').data.slice(0x3000, 0x3000 + 37 * 23));
    await check(device, x, (b, v) => b.div(v, b.reduce('max', v, [1])));
    await check(device, x, (b, v) => b.transpose(b.mul(v, v), [1, 0]));
  }, 60_000);
});
