// A WebGPU device where there is one (a software one will do): what WGSL lacks, and what goes wrong.
import { afterAll, describe, expect, it } from 'vitest';
import { bytesOf, tensorFrom } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { add, binary, cast, compare, index, load, select, store, unary, variable } from '../../src/kernel/build.ts';
import type { BinaryFn, ComputeDType, Expr, Kernel } from '../../src/kernel/ir.ts';
import { binaryScalar, castScalar, compareScalar, unaryScalar } from '../../src/kernel/scalar.ts';
import { packProgram } from '../../src/runtime/launchPlan.ts';
import type { Device } from '../../src/runtime/device.ts';
import { loadModel } from '../../src/session/create.ts';
import { DeviceRunner } from '../../src/session/deviceRunner.ts';
import { PlacementLog } from '../../src/session/placement.ts';
import { WebGpuDevice } from '../../src/targets/webgpu/device.ts';
import { openNodeGpu } from '../../src/targets/webgpu/node.ts';
import { createWebGpuTarget } from '../../src/targets/webgpu/target.ts';
import { doubling } from '../session/models.ts';

const target = createWebGpuTarget(openNodeGpu);
const availability = await target.probe();
if (!availability.ok) console.log(`skipped: ${availability.reason}. ${availability.hint}`);
const device: Device | undefined = availability.ok ? await target.openDevice() : undefined;
afterAll(() => device?.dispose());

type Wide = 'i64' | 'u64' | 'f64';
type NumericData = NumericTensor['data'];
type Result = Wide | 'f32';
const arrayOf = { i64: BigInt64Array, u64: BigUint64Array } as const;

/** Each of `fns` of each pair, one function after the other, on the device. */
async function compute(dtype: Wide, a: NumericData, b: NumericData, result: Result, ...fns: readonly ((x: Expr, y: Expr) => Expr)[]): Promise<Uint8Array<ArrayBuffer>> {
  const n = a.length;
  const at = variable('g');
  const buffer = (name: string, of: Result, access: 'read' | 'write', elements = n) => ({ name, dtype: of, access, elements });
  const kernel: Kernel = {
    name: 'wide',
    params: [buffer('b0', dtype, 'read'), buffer('b1', dtype, 'read'), buffer('b2', result, 'write', n * fns.length)],
    scratch: [],
    grid: { var: 'g', extent: n },
    body: fns.map((fn, i) => store('b2', add(at, index(i * n)), fn(load('b0', at, dtype), load('b1', at, dtype)))),
    cost: { flops: 0, bytes: 0 },
  };
  const module = { kernels: [kernel], init: [], run: [{ kernel: 0, args: [2, 3, 4].map((base) => ({ base, offsetBytes: 0 })) }] };
  const { binary: code } = await target.createCompiler().compile(target.createRenderer().render(module));
  const program = await device!.load(code, { scratchBytes: 0 });
  const queue = device!.createQueue();
  const buffers = [0, 0, 8 * n, 8 * n, (result === 'f32' ? 4 : 8) * n * fns.length].map((bytes) => device!.allocate(bytes));
  [a, b].forEach((data, i) => queue.write(buffers[2 + i]!, 0, bytesOf({ dtype, shape: [n], data })));
  queue.dispatch(program, 'run', buffers);
  const out = new Uint8Array(buffers[4]!.bytes);
  queue.read(buffers[4]!, 0, out);
  await queue.finish();
  for (const buffer of buffers) buffer.dispose();
  program.dispose();
  return out;
}

let seed = 11n;
const random = (): bigint => (seed = (seed * 6364136223846793005n + 1442695040888963407n) & (2n ** 64n - 1n));
const edges = [0n, 1n, 2n, 3n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 64n - 7n];
const pairs = [
  ...edges.flatMap((x) => edges.map((y) => [x, y] as const)),
  ...Array.from({ length: 400 }, () => [random() >> (random() % 64n), random() >> (random() % 64n)] as const),
];

/** Bits that are doubles of all sizes, and what is easily got wrong. */
const bitsToDouble = (bits: bigint): number => new Float64Array(BigUint64Array.of(bits).buffer)[0]!;
const sharp = [
  0,
  -0,
  1,
  -1,
  0.5,
  1.5,
  2.5,
  -2.5,
  2 ** 52 + 1,
  2 ** 53,
  Infinity,
  -Infinity,
  NaN,
  Number.MIN_VALUE,
  2 ** -1022,
  -(2 ** -1022) + Number.MIN_VALUE,
  Number.MAX_VALUE,
  1 / 3,
];
const doublePairs = [
  ...sharp.flatMap((x) => sharp.map((y) => [x, y] as const)),
  ...Array.from({ length: 300 }, () => [bitsToDouble(random()), bitsToDouble(random())] as const),
  ...Array.from({ length: 300 }, () => [Number(BigInt.asIntN(64, random())) / 2 ** 60, Number(BigInt.asIntN(64, random())) / 2 ** 61] as const),
];

describe.skipIf(device === undefined)('WebGPU', () => {
  for (const dtype of ['i64', 'u64'] as const) {
    const wrap = (x: bigint): bigint => (dtype === 'i64' ? BigInt.asIntN(64, x) : x);
    const [a, b] = [pairs.map(([x]) => wrap(x)), pairs.map(([, y]) => wrap(y))];
    const expectAll = async (
      result: ComputeDType & ('i64' | 'u64' | 'f32'),
      y: readonly bigint[],
      fn: (x: Expr, y: Expr) => Expr,
      exact: (x: bigint, y: bigint) => number | bigint,
    ) => {
      const bytes = await compute(dtype, arrayOf[dtype].from(a), arrayOf[dtype].from(y), result, fn);
      const got = result === 'f32' ? new Float32Array(bytes.buffer) : new arrayOf[result](bytes.buffer);
      expect([...got].map(String)).toEqual(a.map((x, i) => String(exact(x, y[i]!))));
    };
    const counts = b.map((y) => BigInt.asUintN(64, y) % 64n);
    const divisors = b.map((y) => (y === 0n ? 5n : y));
    const operands: Partial<Record<BinaryFn, readonly bigint[]>> = { div: divisors, rem: divisors, shl: counts, shr: counts };
    for (const fn of ['add', 'sub', 'mul', 'div', 'rem', 'min', 'max', 'and', 'or', 'xor', 'shl', 'shr'] as const) {
      it(`computes ${fn} of ${dtype}`, () =>
        expectAll(
          dtype,
          operands[fn] ?? b,
          (x, y) => binary(fn, x, y),
          (x, y) => binaryScalar(fn, dtype, x, y),
        ));
    }
    it(`compares ${dtype} and turns it into f32, correctly rounded`, async () => {
      for (const fn of ['eq', 'lt', 'le', 'ge'] as const)
        await expectAll(
          dtype,
          b,
          (x, y) => select(compare(fn, x, y), x, y),
          (x, y) => (compareScalar(fn, x, y) === 1 ? x : y),
        );
      await expectAll(
        'f32',
        b,
        (x) => cast('f32', x),
        (x) => castScalar(dtype, 'f32', x),
      );
    });
  }

  const doubles = { a: Float64Array.from(doublePairs, ([x]) => x), b: Float64Array.from(doublePairs, ([, y]) => y) };
  const expectDoubles = (got: Float64Array | Float32Array, exact: readonly number[]) =>
    expect([...got].map((x) => (Object.is(x, -0) ? '-0' : String(x)))).toEqual(exact.map((x) => (Object.is(x, -0) ? '-0' : String(x))));

  it('computes in f64 as a machine that has it does', async () => {
    const { a, b } = doubles;
    const binaries = ['add', 'sub', 'mul', 'div'] as const;
    const unaries = ['neg', 'abs', 'floor', 'ceil', 'rint', 'trunc', 'sqrt'] as const;
    const fns = [...binaries.map((fn) => (x: Expr, y: Expr) => binary(fn, x, y)), ...unaries.map((fn) => (x: Expr) => unary(fn, x))];
    const bytes = await compute('f64', a, b, 'f64', ...fns);
    const exact = [
      ...binaries.flatMap((fn) => doublePairs.map(([x, y]) => Number(binaryScalar(fn, 'f64', x, y)))),
      ...unaries.flatMap((fn) => doublePairs.map(([x]) => Number(unaryScalar(fn, 'f64', x)))),
    ];
    expectDoubles(new Float64Array(bytes.buffer), exact);
  });

  it('compares f64 and turns it into other types', async () => {
    const { a, b } = doubles;
    const fns = (['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const).map((fn) => (x: Expr, y: Expr) => cast('f32', compare(fn, x, y)));
    const bytes = await compute('f64', a, b, 'f32', (x) => cast('f32', x), ...fns);
    const compared = (['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const).flatMap((fn) => doublePairs.map(([x, y]) => Number(compareScalar(fn, x, y))));
    expectDoubles(new Float32Array(bytes.buffer), [...doublePairs.map(([x]) => Math.fround(x)), ...compared]);
    const small = Float64Array.from(doublePairs, ([x]) => (Math.abs(x) < 2 ** 62 ? x : 1.5));
    const whole = await compute('f64', small, small, 'i64', (x) => cast('i64', x));
    expect([...new BigInt64Array(whole.buffer)]).toEqual([...small].map((x) => BigInt(Math.trunc(x))));
    const back = await compute(
      'i64',
      BigInt64Array.from(pairs, ([x]) => x),
      new BigInt64Array(pairs.length),
      'f64',
      (x) => cast('f64', x),
    );
    expectDoubles(
      new Float64Array(back.buffer),
      pairs.map(([x]) => Number(BigInt.asIntN(64, x))),
    );
  });

  it('names the kernel that its compiler refuses, and works on', async () => {
    const plan = { kernels: [{ symbol: 'k0_broken', blocks: 1, threads: 1 }], init: [], run: [] };
    const bytes = packProgram(plan, new TextEncoder().encode(JSON.stringify(['fn main() { let x: i32 = 1.5f; }'])));
    await expect(device!.load({ format: 'wgsl', bytes }, { scratchBytes: 0 })).rejects.toMatchObject({ code: 'device', facts: { symbol: 'k0_broken' } });
    await expect(compute('u64', BigUint64Array.of(1n), BigUint64Array.of(2n), 'u64', (x, y) => binary('add', x, y))).resolves.toEqual(Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0));
  });

  it('fails the run that a loss takes along, and is opened anew for the next', { timeout: 60_000 }, async () => {
    const { graph } = loadModel(doubling());
    const opened: WebGpuDevice[] = [];
    const context = { target, maxMemoryBytes: 1 << 30, seed: 0, strict: false, placement: new PlacementLog() };
    const runner = await DeviceRunner.open(graph, context, async () => {
      const made = await target.openDevice();
      if (!(made instanceof WebGpuDevice)) throw new TypeError('not a WebGPU device');
      opened.push(made);
      return made;
    });
    const feeds = new Map([[graph.inputs[0]!, tensorFrom('f32', [3], [1, 2, 3])]]);
    const doubled = { data: Float32Array.of(2, 4, 6) };
    expect((await runner.run(feeds))[0]).toMatchObject(doubled);
    const run = runner.run(feeds);
    opened[0]!.gpu.destroy();
    await expect(run).rejects.toMatchObject({ code: 'device', hint: expect.any(String) });
    await opened[0]!.gpu.lost;
    expect((await runner.run(feeds))[0]).toMatchObject(doubled);
    expect(opened).toHaveLength(2);
    await runner.dispose();
  });

  it('refuses a buffer that it cannot make', () => {
    expect(() => device!.allocate(device!.limits.maxBufferBytes + 1)).toThrow(/out of memory/);
  });
});
