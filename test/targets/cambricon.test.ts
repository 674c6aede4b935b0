// MLU chips on a virtual one: rendered BANG C, compiled and launched through the chip's driver interface, computes what the reference
// computes; the chip names the rule that a kernel breaks.
import { describe, expect, it } from 'vitest';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { PrimGraph } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { createCambriconTarget } from '../../src/targets/cambricon/target.ts';
import { createRandom, randomTensor } from '../schedule/randomGraph.ts';
import { expectClose, expectRandomGraphs, run, withText } from './onTarget.ts';

const target = createCambriconTarget().virtual!.open('mlu370', 'cambricon:virtual')!;
const works = (await target.probe()).ok;

/** Vector functions of 1000 numbers, halves among them. */
function vectorGraph(): { readonly graph: PrimGraph; readonly inputs: readonly NumericTensor[] } {
  const b = createBuilder(createFolder());
  const [x, y] = [b.input({ dtype: 'f32', shape: [1000] }, 'x'), b.input({ dtype: 'f16', shape: [1000] }, 'y')];
  const graph = b.finish('vectors', [x, y], [b.sqrt(b.abs(b.add(b.mul(x, b.cast(y, 'f32')), b.scalar('f32', 0.5))))]);
  const random = createRandom(3);
  return { graph, inputs: [randomTensor(random, 'f32', [1000]), randomTensor(random, 'f16', [1000])] };
}

describe.skipIf(!works)('cambricon:virtual', () => {
  it('computes random graphs as the reference does', () => expectRandomGraphs(target, 3), 120_000);

  it('computes in vector functions, halves too', async () => {
    const { graph, inputs } = vectorGraph();
    const [text] = target.createRenderer().render(scheduleGraph(graph, target.capabilities).module).units;
    for (const word of ['__nram__', '__memcpy_async(', '__bang_half2float(', '__bang_mul(', '__bang_add_scalar(', '__sync_io();', '__sync_compute();'])
      expect(text).toContain(word);
    const [expected] = interpretPrims(graph, inputs);
    expectClose((await run(target, graph, inputs))[0]!, expected!, 'vectors');
  }, 60_000);
});

const mutants: readonly (readonly [string, (text: string) => string, RegExp])[] = [
  ['copies in that nothing waits for', (t) => t.replaceAll('__sync_io();', ''), /missing order: .*has not waited for the IO pipe/],
  ['results that nothing waits for', (t) => t.replaceAll('__sync_compute();', ''), /missing order: .*has not waited for the compute pipe/],
  ['more memory than a core has', (t) => t.replace(/float tile0\[\d+\]/, 'float tile0[200000]'), /limit of the chip: .*bytes of scratchpad/],
  ['a vector at an odd place', (t) => t.replace(/__bang_mul\((\w+),/, '__bang_mul($1 + 3,'), /misaligned|out of bounds/],
  ['a length that is no multiple of 64', (t) => t.replace(/(__bang_mul\([^;]*), \d+\);/, '$1, 100);'), /granularity/],
  ['a copy past the end', (t) => t.replaceAll(/, (\d+) \* 4, NRAM2GDRAM/g, ', 100000 * 4, NRAM2GDRAM'), /out of bounds/],
  ['a tail that is not filled', (t) => t.replaceAll(/__bang_write_value\([^;]*;/g, ''), /never-written/],
];

describe.skipIf(!works)('cambricon:virtual names', () => {
  it.each(mutants)(
    '%s',
    async (_, mutate, message) => {
      const { graph, inputs } = vectorGraph();
      await expect(run(withText(target, mutate), graph, inputs)).rejects.toThrow(message);
    },
    60_000,
  );
});
