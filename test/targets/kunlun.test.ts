// Kunlunxin's chips on virtual ones: rendered XPU C++, compiled one kernel a unit and launched through the XPU runtime, computes what the
// reference computes; the chip names the rule that a kernel or a caller breaks.
import { describe, expect, it } from 'vitest';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { PrimGraph } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import type { Target } from '../../src/runtime/device.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { kunlunChips } from '../../src/targets/kunlun/facts.ts';
import { createKunlunTarget } from '../../src/targets/kunlun/target.ts';
import { createRandom, randomTensor } from '../schedule/randomGraph.ts';
import { expectClose, expectRandomGraphs, run, withText } from './onTarget.ts';

const open = (chip: string): Target => createKunlunTarget().virtual!.open(chip, `kunlun:virtual/${chip}`)!;
const target = open('r200');
const works = (await target.probe()).ok;

/** Vector instructions of 1000 numbers. */
function vectorGraph(): { readonly graph: PrimGraph; readonly inputs: readonly NumericTensor[] } {
  const b = createBuilder(createFolder());
  const [x, y] = [b.input({ dtype: 'f32', shape: [1000] }, 'x'), b.input({ dtype: 'i32', shape: [1000] }, 'y')];
  const graph = b.finish('vectors', [x, y], [b.sqrt(b.abs(b.add(b.mul(x, b.cast(y, 'f32')), b.scalar('f32', 0.5))))]);
  const random = createRandom(3);
  return { graph, inputs: [randomTensor(random, 'f32', [1000]), randomTensor(random, 'i32', [1000])] };
}

/** Single elements of global memory, at places that data tells. */
function gatherGraph(): { readonly graph: PrimGraph; readonly inputs: readonly NumericTensor[] } {
  const b = createBuilder(createFolder());
  const [x, i] = [b.input({ dtype: 'f32', shape: [20] }, 'x'), b.input({ dtype: 'i64', shape: [70] }, 'i')];
  const graph = b.finish('single', [x, i], [b.gather(x, [{ index: 0 }], [i], [70])]);
  return { graph, inputs: [randomTensor(createRandom(5), 'f32', [20]), { dtype: 'i64', shape: [70], data: BigInt64Array.from({ length: 70 }, (_, n) => BigInt((7 * n) % 20)) }] };
}

const textsOf = (graph: PrimGraph): readonly string[] => target.createRenderer().render(scheduleGraph(graph, target.capabilities).module).units.map(String);

describe.skipIf(!works)('kunlun:virtual', () => {
  it('computes random graphs as the reference does', () => expectRandomGraphs(target, 3), 240_000);

  it.each(Object.keys(kunlunChips))(
    'computes in local memory, on %s',
    async (chip) => {
      const { graph, inputs } = vectorGraph();
      const [text] = textsOf(graph);
      for (const word of ['__simd__', 'GM2LM_ASYNC(', 'LM2GM_ASYNC(', 'vvmul_float32x16(', 'svadd_float32x16(', 'mfence();', 'mfence_lm();']) expect(text).toContain(word);
      const [expected] = interpretPrims(graph, inputs);
      expectClose((await run(open(chip), graph, inputs))[0]!, expected!, 'vectors');
    },
    60_000,
  );

  it('reads and writes single elements of global memory by copies', async () => {
    const { graph, inputs } = gatherGraph();
    expect(textsOf(graph).join('')).toMatch(/gm_write\(.*gm_read\(/);
    const [expected] = interpretPrims(graph, inputs);
    expectClose((await run(target, graph, inputs))[0]!, expected!, 'single');
  }, 60_000);

  it('renders every kernel as a unit of its own', () => {
    const b = createBuilder(createFolder());
    const x = b.input({ dtype: 'f32', shape: [8, 200] }, 'x');
    const graph = b.finish('two', [x], [b.reduce('sum', x, [0]), b.reduce('max', x, [1])]);
    const { units, launches } = target.createRenderer().render(scheduleGraph(graph, target.capabilities).module);
    expect(units.length).toBeGreaterThan(1);
    expect(units).toHaveLength(launches!.kernels.length);
    units.forEach((unit, i) => expect(String(unit).match(/__global__ void (\w+)/g)).toEqual([`__global__ void ${launches!.kernels[i]!.symbol}`]));
  });
});

const mutants: readonly (readonly [string, (text: string) => string, RegExp])[] = [
  ['copies in that nothing waits for', (t) => t.replaceAll(' mfence();', ''), /missing order: .*has not waited for the GM2LM pipe/],
  ['results that nothing waits for', (t) => t.replaceAll(' mfence_lm();', ''), /missing order: .*the SIMD pipe/],
  ['more memory than a core has', (t) => t.replace(/float tile0\[\d+\]/, 'float tile0[3000]'), /limit of the chip: .*bytes of scratchpad, and a core has 6144/],
  ['a register at an odd place', (t) => t.replace(/vload_lm_float32x16\((\w+) \+ each\)/, 'vload_lm_float32x16($1 + 3 + each)'), /misaligned/],
  ['a register of global memory', (t) => t.replace(/vload_lm_float32x16\(\w+ \+ each\)/, 'vload_lm_float32x16(b0)'), /host memory: .*outside local memory/],
  ['a copy past the end', (t) => t.replaceAll(/LM2GM_ASYNC\((.*), \d+ \* 4\);/g, 'LM2GM_ASYNC($1, 1500 * 4);'), /out of bounds/],
  ['a copy larger than local memory', (t) => t.replaceAll(/LM2GM_ASYNC\((.*), \d+ \* 4\);/g, 'LM2GM_ASYNC($1, 5000 * 4);'), /limit of the chip: .*LM2GM of 20000 bytes/],
  ['a copy the wrong way', (t) => t.replaceAll('GM2LM_ASYNC(', 'LM2GM_ASYNC('), /host memory: .*one side is not where the function says/],
  ['a copy of nothing', (t) => t.replaceAll(/GM2LM_ASYNC\((.*), \d+ \* 4\);/g, 'GM2LM_ASYNC($1, 0);'), /granularity/],
  ['a tail that is not filled', (t) => t.replaceAll(/for \(int each = 0; each < \d+; each\+\+\) \w+\[each\] = 0(\.0f)?;/g, ''), /never-written/],
];

describe.skipIf(!works)('kunlun:virtual names', () => {
  it.each(mutants)(
    '%s',
    async (_, mutate, message) => {
      const { graph, inputs } = vectorGraph();
      await expect(run(withText(target, mutate), graph, inputs)).rejects.toThrow(message);
    },
    60_000,
  );

  it('more clusters than a launch takes', async () => {
    const { graph, inputs } = vectorGraph();
    const source = target.createRenderer().render(scheduleGraph(graph, target.capabilities).module);
    const [kernel] = source.launches!.kernels;
    const renderer = { ...target.createRenderer(), render: () => ({ ...source, launches: { ...source.launches!, kernels: [{ ...kernel!, blocks: 256 }] } }) };
    await expect(run({ ...target, capabilities: target.capabilities, createRenderer: () => renderer }, graph, inputs)).rejects.toThrow(/256 clusters of 64 cores: from 1 to 255/);
  }, 60_000);
});
