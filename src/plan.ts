// ExecutionPlan: what compiling a graph for one target and one binding gives. Plain data: it can be saved and run where no compiler is.
import type { NumericDType } from './core/dtype.ts';
import { AnychipError } from './core/error.ts';
import type { Shape } from './core/shape.ts';
import { tensorBytes } from './core/tensor.ts';
import type { Constant, Graph, HostValue, Node, Value } from './graph/graph.ts';
import type { InputBinding } from './passes/binding.ts';
import type { HostedNode, Slot } from './passes/partition.ts';
import type { Binary } from './runtime/device.ts';
import type { CallReport, MemoryPlan } from './schedule/schedule.ts';

/** A tensor that crosses the edge of a device program. */
export interface Port {
  readonly slot: Slot;
  readonly dtype: NumericDType;
  readonly shape: Shape;
}

/** One device program: loaded once, run as a whole. */
export interface DeviceStep {
  readonly kind: 'device';
  readonly binary: Binary;
  /** The model's nodes that it computes, wholly or in part, by title: 'Conv conv1'. */
  readonly nodes: readonly string[];
  readonly memory: MemoryPlan;
  /** Constants written to the weights block as they are. */
  readonly loads: readonly { readonly constant: Constant; readonly offsetBytes: number }[];
  /** For each init call, the constants bound to it. */
  readonly staged: readonly (readonly Constant[])[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly report: readonly CallReport[];
  readonly unfusedBytes: number;
}

/** Throws `limit` when a program, with what goes in and comes out, needs more than `maxMemoryBytes`. */
export function checkProgramMemory({ memory, inputs, outputs }: Pick<DeviceStep, 'memory' | 'inputs' | 'outputs'>, maxMemoryBytes: number): void {
  const { arenaBytes, weightsBytes } = memory;
  const portBytes = [...inputs, ...outputs].reduce((sum, port) => sum + tensorBytes(port.dtype, port.shape), 0);
  const bytes = arenaBytes + weightsBytes + portBytes;
  if (bytes <= maxMemoryBytes) return;
  throw new AnychipError(
    'limit',
    `the program needs ${bytes} bytes (${arenaBytes} for intermediates, ${weightsBytes} for weights, ${portBytes} for inputs and outputs), over the limit of ${maxMemoryBytes}`,
    { hint: 'Raise --max-memory (maxMemoryBytes), or bind smaller dimensions.', facts: { ...memory, portBytes } },
  );
}

/** One node on the host. */
export interface HostNodeStep {
  readonly kind: 'host';
  readonly node: Node;
  readonly reason: string;
  readonly inputs: readonly (Slot | null)[];
  readonly outputs: readonly (Slot | null)[];
  readonly captures: readonly { readonly value: Value; readonly slot: Slot }[];
}

/** A graph whose shapes depend on data: compiled when its inputs are there. Always last. */
export interface RestStep {
  readonly kind: 'rest';
  readonly graph: Graph;
  readonly inputs: readonly Slot[];
  readonly outputs: readonly Slot[];
  /** Those of its nodes that are sure to run on the host. */
  readonly hosted: readonly HostedNode[];
}

export type PlanStep = DeviceStep | HostNodeStep | RestStep;

export interface ExecutionPlan {
  readonly target: string;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** What the plan was compiled for, one per graph input: a run with other shapes needs another plan. */
  readonly bindings: readonly InputBinding[];
  readonly slots: number;
  readonly inputs: readonly Slot[];
  readonly outputs: readonly Slot[];
  readonly constants: ReadonlyMap<Slot, Constant>;
  readonly hostValues: ReadonlyMap<Slot, HostValue>;
  readonly steps: readonly PlanStep[];
  readonly compile: { readonly millis: number; readonly cached: boolean };
}
