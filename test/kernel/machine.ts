// A schedule verified, and run by the interpreter of kernels, for tests: no compiler, and every rule of memory is checked.
import { expect } from 'vitest';
import { byteWidth, dtypes } from '../../src/core/dtype.ts';
import type { DType } from '../../src/core/dtype.ts';
import { elementCount } from '../../src/core/shape.ts';
import { bytesOf, createTensor, numeric, toNumbers } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import type { PrimGraph } from '../../src/graph/builder.ts';
import { verifyPrimGraph } from '../../src/graph/verify.ts';
import { Interpreter } from '../../src/kernel/interpret.ts';
import type { GridOrder } from '../../src/kernel/interpret.ts';
import type { KernelModule, TileRules } from '../../src/kernel/ir.ts';
import { watchedBlock } from '../../src/kernel/memory.ts';
import type { Block } from '../../src/kernel/memory.ts';
import { expandMath } from '../../src/kernel/math.ts';
import { lowerSmallFloats } from '../../src/kernel/smallFloats.ts';
import type { Capabilities, SimdFacts, SimtFacts, VectorUnit } from '../../src/runtime/device.ts';
import type { Schedule } from '../../src/schedule/schedule.ts';
import { verifySchedule } from '../../src/schedule/verify.ts';

const storage = Object.keys(dtypes).filter((name): name is DType => name in dtypes && name !== 'string');

export const createCapabilities = (simd: Partial<SimdFacts> = {}): Capabilities => ({
  family: 'simd',
  storage,
  simd: { vectorLanes: 8, vectorRegisters: 16, loadsFirst: false, l1Bytes: 32 << 10, l2Bytes: 1 << 20, pointerBytes: 8, convertsHalves: true, ...simd },
  maxBufferBytes: 2 ** 31,
});

export const createSimtCapabilities = (simt: Partial<SimtFacts> = {}): Capabilities => ({
  family: 'simt',
  storage,
  simt: { maxThreads: 256, subgroupThreads: 32, shuffleThreads: 32, sharedBytes: 32 << 10, vectorLanes: 1, units: 4, matrixUnits: [], ...simt },
  maxBufferBytes: 2 ** 31,
});

const FULL: VectorUnit = {
  functions: {
    add: ['f32', 'i32', 'u32'],
    sub: ['f32', 'i32', 'u32'],
    mul: ['f32', 'i32', 'u32'],
    div: ['f32'],
    min: ['f32', 'i32'],
    max: ['f32', 'i32'],
    and: ['i32', 'u32', 'bool'],
    or: ['i32', 'u32', 'bool'],
    not: ['bool'],
    bitNot: ['i32', 'u32'],
    shl: ['i32', 'u32'],
    shr: ['i32', 'u32'],
    abs: ['f32'],
    sqrt: ['f32'],
    floor: ['f32'],
    ceil: ['f32'],
    rint: ['f32'],
    trunc: ['f32'],
    eq: ['f32', 'i32'],
    ne: ['f32'],
    lt: ['f32'],
    le: ['f32'],
    gt: ['f32'],
    ge: ['f32'],
    select: ['f32', 'i32', 'u32'],
    splat: ['f32', 'i32', 'u32'],
    across: ['f32'],
  },
  conversions: [
    ['f16', 'f32'],
    ['f32', 'f16'],
    ['bf16', 'f32'],
    ['f32', 'bf16'],
    ['u8', 'f16'],
    ['i8', 'f16'],
    ['f16', 'u8'],
    ['f32', 'i32'],
    ['i32', 'f32'],
  ],
};

const COMPARED = ['f32', 'i32', 'u32'] as const;
/** No small floats, but everything that takes them apart. */
export const WHOLE_NUMBERS: Partial<VectorUnit> = {
  functions: { ...FULL.functions, lt: COMPARED, le: COMPARED, gt: COMPARED, ge: COMPARED },
  conversions: [
    ['f32', 'i32'],
    ['i32', 'f32'],
    ['u8', 'f32'],
    ['f32', 'u8'],
    ['u8', 'i32'],
    ['u16', 'i32'],
  ],
  narrowing: (['i32', 'u32'] as const).flatMap((from) => (['i8', 'u8', 'i16', 'u16'] as const).map((to) => [from, to] as const)),
};

export const createTileCapabilities = (rules: Partial<TileRules> = {}, cores = 4, more: Partial<VectorUnit> = {}): Capabilities => ({
  family: 'tile',
  storage,
  tile: { cores, rules: { scratchBytes: 16 << 10, alignBytes: 32, lineBytes: 64, countMultiple: 1, floats: ['f16', 'bf16'], ...rules }, vectors: { ...FULL, ...more } },
  maxBufferBytes: 2 ** 31,
});

/** What is wrong with a graph and its schedule, as it is and after each lowering that renderers apply. */
export function problemsOf(graph: PrimGraph, schedule: Schedule): string[] {
  const again = { ...schedule, module: lowered(schedule.module) };
  return [...verifyPrimGraph(graph), ...verifySchedule(graph, schedule), ...verifySchedule(graph, again)];
}

/** The module as the C renderer sees it: no small floats, no mathematics. */
export const lowered = (module: KernelModule): KernelModule => ({ ...module, kernels: module.kernels.map((kernel) => expandMath(lowerSmallFloats(kernel))) });

function blockOf(tensor: NumericTensor, interpreter: Interpreter): Block {
  const bytes = bytesOf(tensor);
  const block = watchedBlock(bytes.byteLength);
  block.bytes.set(bytes);
  interpreter.markWritten(block);
  return block;
}

/** The graph's outputs, computed by the kernels of its schedule. */
export function interpretSchedule(graph: PrimGraph, schedule: Schedule, inputs: readonly NumericTensor[], order: GridOrder = 'forward', module = schedule.module): NumericTensor[] {
  const interpreter = new Interpreter(module, order);
  const constant = (x: PrimGraph['inputs'][number]): NumericTensor => numeric(graph.constants.get(x)!.read());
  // The first stamp is that of the loads.
  interpreter.markWritten(watchedBlock(0));
  const [arena, weights] = [watchedBlock(schedule.memory.arenaBytes), watchedBlock(schedule.memory.weightsBytes)];
  for (const load of schedule.loads) {
    const bytes = bytesOf(constant(load.constant));
    weights.bytes.set(bytes, load.offsetBytes);
    weights.watch!.written.fill(1, load.offsetBytes, load.offsetBytes + bytes.byteLength);
  }
  schedule.staged.forEach((list, i) => interpreter.execute({ init: i }, [arena, weights, ...list.map((x) => blockOf(constant(x), interpreter))]));
  const outputs = graph.outputs.map((x) => createTensor(x.dtype, x.shape));
  const blocks = outputs.map((tensor) => watchedBlock(tensor.data.byteLength));
  interpreter.execute('run', [arena, weights, ...inputs.map((tensor) => blockOf(tensor, interpreter)), ...blocks]);
  return outputs.map((tensor, i) => {
    expect(blocks[i]!.watch!.written.indexOf(0), `output ${i} is written everywhere`).toBe(-1);
    bytesOf(tensor).set(blocks[i]!.bytes);
    return tensor;
  });
}

/** Within `tolerance` of each element, which must have been written. */
export function expectClose(actual: NumericTensor, expected: NumericTensor, what: string, tolerance = 1e-4): void {
  expect({ dtype: actual.dtype, shape: actual.shape }, what).toEqual({ dtype: expected.dtype, shape: expected.shape });
  expect(actual.data.byteLength).toBe(elementCount(expected.shape) * byteWidth(expected.dtype));
  const [a, b] = [toNumbers(actual), toNumbers(expected)];
  const wrong = a.findIndex((x, i) => !(Object.is(x, b[i]) || x === b[i] || Math.abs(x - b[i]!) <= tolerance * (1 + Math.abs(b[i]!))));
  if (wrong >= 0) expect.fail(`${what}: element ${wrong} is ${a[wrong]} instead of ${b[wrong]}`);
}
