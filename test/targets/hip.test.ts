// HIP without a device: what AMD's run-time compiler makes of kernels of every kind, where it is installed (Debian: libamdhip64-5 and
// libhiprtc-builtins5). It compiles; nothing runs.
import { describe, expect, it } from 'vitest';
import { findCompiler } from '../../src/driver/compiler.ts';
import type { PrimGraph } from '../../src/graph/builder.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { hipTable } from '../../src/targets/hip/driver.ts';
import { createHipTarget } from '../../src/targets/hip/target.ts';
import { randomGraph } from '../schedule/randomGraph.ts';
import { allKinds, expectMachineCode } from './kernelKinds.ts';

const compiler = await findCompiler(hipTable.compiler).catch(() => undefined);

describe.skipIf(compiler === undefined)('the compiler of HIP', () => {
  const target = createHipTarget();
  const textOf = (source: PrimGraph): string => String(target.createRenderer().render(scheduleGraph(source, target.capabilities).module).units[0]);

  it.each(['gfx906', 'gfx90a'])(
    'makes machine code of kernels of every kind, for %s',
    async (architecture) => expectMachineCode(compiler!, textOf(allKinds), architecture),
    60_000,
  );

  it('makes machine code of a random graph', async () => expectMachineCode(compiler!, textOf(randomGraph(100, 14).graph), 'gfx90a'), 60_000);

  it('is quoted where it fails', async () => {
    await expect(compiler!.compile('__global__ void k(unknown x) {}', 'gfx906')).rejects.toThrow(/unknown/);
  }, 60_000);
});
