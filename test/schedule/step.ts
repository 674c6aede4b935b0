// A primitive graph as a step of a plan: scheduled, rendered and compiled for a target.
import type { Operand, PrimGraph } from '../../src/graph/builder.ts';
import type { DeviceStep } from '../../src/plan.ts';
import type { Target } from '../../src/runtime/device.ts';
import type { Allowance } from '../../src/core/allowance.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';

export async function stepOf(graph: PrimGraph, target: Target, allow: readonly Allowance[] = []): Promise<DeviceStep> {
  const schedule = scheduleGraph(graph, target.capabilities, allow);
  const { binary } = await target.createCompiler().compile(target.createRenderer().render(schedule.module));
  const constant = (x: Operand) => graph.constants.get(x)!;
  const port = (x: Operand, slot: number) => ({ slot, dtype: x.dtype, shape: x.shape });
  return {
    kind: 'device',
    nodes: [],
    binary,
    memory: schedule.memory,
    loads: schedule.loads.map((l) => ({ constant: constant(l.constant), offsetBytes: l.offsetBytes })),
    staged: schedule.staged.map((list) => list.map(constant)),
    inputs: graph.inputs.map(port),
    outputs: graph.outputs.map(port),
    report: schedule.report,
    unfusedBytes: schedule.unfusedBytes,
  };
}
