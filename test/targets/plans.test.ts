// Plans of one chip on another: chips of one architecture take the same machine code, but its kernels were planned with the numbers of one
// of them. A saved plan names the chip that was at hand, and no other one loads it.
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/compile.ts';
import { tensorOf } from '../../src/core/tensor.ts';
import { importModel } from '../../src/formats/onnx/import.ts';
import type { ExecutionPlan } from '../../src/plan.ts';
import { loadPlan, savePlan } from '../../src/planFile.ts';
import { bindingsFor } from '../../src/session/bindings.ts';
import { openPlan } from '../../src/session/create.ts';
import { resolveTarget } from '../../src/session/devices.ts';
import { createTargets } from '../../src/targets/targets.ts';
import { doubling } from '../session/models.ts';

const { graph } = importModel(doubling());
const feeds = new Map([['x', tensorOf('f32', [5], new Float32Array([1, -2, 3, -4, 5]))]]);
const planFor = async (device: string): Promise<ExecutionPlan> => loadPlan(savePlan(await compile(graph, resolveTarget(device), bindingsFor(graph, feeds))));
/** The plan where the device of its name is another chip. */
const moved = (plan: ExecutionPlan, device: string): ExecutionPlan => ({ ...plan, target: device });

/** Engines that have several virtual chips, and which. */
const families = createTargets().flatMap(({ name, virtual }) => (virtual !== undefined && virtual.names.length > 1 ? [[name, virtual.names] as const] : []));
const { ok } = await resolveTarget(`${families[0]![0]}:virtual`).probe();

describe.skipIf(!ok)('a saved plan of a virtual chip', () => {
  it.each(families)(
    'runs on its own chip and on no other: %s',
    async (name, chips) => {
      for (const [i, chip] of chips.entries()) {
        const other = chips[(i + 1) % chips.length]!;
        const plan = await planFor(`${name}:virtual/${chip}`);
        const session = await openPlan(plan);
        const y = (await session.runValues(feeds)).get('y');
        expect(y).toMatchObject({ data: new Float32Array([2, -4, 6, -8, 10]) });
        await session.release();
        await expect(openPlan(moved(plan, `${name}:virtual/${other}`)), `${chip} on ${other}`).rejects.toMatchObject({
          code: 'device',
          message: expect.stringMatching(new RegExp(`a plan for ${name}:virtual/${other} → .*the program was compiled for .*${chip}, this is .*${other}`, 'i')),
          hint: 'Compile the model again on this machine.',
        });
      }
    },
    300_000,
  );
});
