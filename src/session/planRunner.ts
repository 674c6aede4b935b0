// Runs one ExecutionPlan, perhaps compiled elsewhere: device programs, host nodes between them, and what waits for its shapes at the end.
// It compiles nothing itself: runners for late graphs and bodies come from whoever loads the plan.
import { AnychipError, within } from '../core/error.ts';
import { checkMemory, withMemoryBudget } from '../core/memoryBudget.ts';
import type { NumericTensor } from '../core/tensor.ts';
import { trace } from '../core/trace.ts';
import { capturesOf, isTensor, titleOf } from '../graph/graph.ts';
import type { Graph, HostValue } from '../graph/graph.ts';
import type { Device } from '../runtime/device.ts';
import type { DeviceStep, ExecutionPlan, HostNodeStep, RestStep } from '../plan.ts';
import type { PlacementLog } from './placement.ts';
import { ProgramRunner } from './programRunner.ts';
import { loadReference } from './reference.ts';

/** Memory of the caller's for outputs, in their order: a device writes them there where dtype and shape are those of the output. */
export type Destinations = readonly (NumericTensor | undefined)[];

/** Runs a graph, by whatever means. */
export interface SubRunner {
  run(inputs: readonly HostValue[]): Promise<readonly HostValue[]>;
  /** Ends when everything is let go. */
  dispose(): Promise<void>;
}

export interface RunContext {
  readonly device: Device;
  readonly maxMemoryBytes: number;
  readonly seed: number;
  /** Refuse host steps instead of running them. */
  readonly strict: boolean;
  /** Told what ran where. */
  readonly placement: PlacementLog;
  /** For graphs whose shapes depend on data, and for bodies of control flow on the host. */
  readonly createRunner: (graph: Graph, isBody: boolean) => SubRunner;
}

/** A body of control flow with what it takes from around it, which become inputs after its own. */
interface Body {
  readonly runner: SubRunner;
  readonly captures: ReturnType<typeof capturesOf>;
}

/** The value with memory of its own. */
export function copyValue(value: HostValue): HostValue {
  if (value === null) return null;
  if (!isTensor(value)) return value.map(copyValue);
  return value.dtype === 'string' ? value : { ...value, data: value.data.slice() };
}

export class PlanRunner {
  readonly plan: ExecutionPlan;
  readonly #context: RunContext;
  readonly #programs = new Map<DeviceStep, ProgramRunner>();
  readonly #rests = new Map<RestStep, SubRunner>();
  readonly #bodies = new Map<Graph, Body>();
  /** Slots that hold new memory after each run. */
  readonly #fresh: ReadonlySet<number>;

  private constructor(plan: ExecutionPlan, context: RunContext) {
    this.plan = plan;
    this.#context = context;
    this.#fresh = new Set(plan.steps.flatMap((step) => (step.kind === 'device' ? step.outputs.map(({ slot }) => slot) : step.kind === 'rest' ? step.outputs : [])));
  }

  static async load(plan: ExecutionPlan, context: RunContext): Promise<PlanRunner> {
    if (context.strict) refuseHostSteps(plan);
    const runner = new PlanRunner(plan, context);
    try {
      for (const step of plan.steps) {
        if (step.kind === 'device') runner.#programs.set(step, await ProgramRunner.load(context.device, step, context.maxMemoryBytes));
        if (step.kind === 'rest') runner.#rests.set(step, context.createRunner(step.graph, false));
      }
      return runner;
    } catch (error) {
      await runner.dispose();
      throw error;
    }
  }

  /** Outputs for `inputs`, both in the graph's order. */
  async run(inputs: readonly HostValue[], into: Destinations = []): Promise<readonly HostValue[]> {
    const { plan } = this;
    const values = new Array<HostValue | undefined>(plan.slots);
    for (const [slot, value] of plan.hostValues) values[slot] = value;
    for (const [slot, constant] of plan.constants) values[slot] = constant.read();
    plan.inputs.forEach((slot, i) => void (values[slot] = inputs[i] ?? null));
    const at = (slot: number): HostValue => {
      const value = values[slot];
      if (value === undefined) throw new AnychipError('internal', `slot ${slot} is read before it is written`);
      return value;
    };
    for (const step of plan.steps) {
      const outputs = await this.#runStep(step, at, into);
      if (step.kind === 'device') step.outputs.forEach((port, i) => void (values[port.slot] = outputs[i] ?? null));
      else step.outputs.forEach((slot, i) => void (slot !== null && (values[slot] = outputs[i] ?? null)));
    }
    // An output is the caller's to change: what the plan keeps, the caller gave or a host node may have passed on is copied.
    return plan.outputs.map((slot, i) => (this.#fresh.has(slot) && plan.outputs.indexOf(slot) === i ? at(slot) : copyValue(at(slot))));
  }

  async #runStep(step: ExecutionPlan['steps'][number], at: (slot: number) => HostValue, into: Destinations): Promise<readonly HostValue[]> {
    if (step.kind === 'device') {
      const inputs = step.inputs.map((port) => tensorFor(at(port.slot)));
      const outputs = await this.#programs.get(step)!.run(
        inputs,
        step.outputs.map(({ slot }) => into[this.plan.outputs.indexOf(slot)]),
      );
      this.#context.placement.ranOnDevice(step.nodes, inputs, outputs);
      return outputs;
    }
    if (step.kind === 'rest') return this.#rests.get(step)!.run(step.inputs.map(at));
    const inputs = step.inputs.map((slot) => (slot === null ? null : at(slot)));
    trace(1, () => ({ kind: 'placement', message: `${titleOf(step.node)} runs on the host: ${step.reason}` }));
    const outputs = await this.#runHost(step, inputs, at);
    this.#context.placement.ranOnHost(step.node, step.reason, [...inputs, ...step.captures.map(({ slot }) => at(slot))], outputs);
    return outputs;
  }

  async #runHost(step: HostNodeStep, inputs: readonly HostValue[], at: (slot: number) => HostValue): Promise<readonly HostValue[]> {
    const scope = new Map(step.captures.map(({ value, slot }) => [value, at(slot)] as const));
    const { MAX_BODIES, controlSteps, createContext, endlessLoop, evaluateNode } = await loadReference();
    const control = controlSteps(step.node, inputs);
    if (control === undefined) {
      const { maxMemoryBytes, seed } = this.#context;
      return evaluateNode(step.node, inputs, createContext({ scope, maxMemoryBytes, seed }));
    }
    return withinAsync(titleOf(step.node), async () => {
      let next = control.next();
      for (let bodies = 1; next.done !== true; bodies++) {
        const { graph, inputs: feeds, heldBytes } = next.value;
        if (bodies > MAX_BODIES) throw endlessLoop(MAX_BODIES);
        withMemoryBudget(this.#context.maxMemoryBytes, () => checkMemory(heldBytes));
        const body = this.#body(graph);
        next = control.next(await body.runner.run([...feeds, ...body.captures.map((value) => scope.get(value) ?? null)]));
      }
      return next.value;
    });
  }

  #body(graph: Graph): Body {
    let body = this.#bodies.get(graph);
    if (body === undefined) {
      const captures = capturesOf(graph);
      const runner = this.#context.createRunner({ ...graph, inputs: [...graph.inputs, ...captures] }, true);
      this.#bodies.set(graph, (body = { runner, captures }));
    }
    return body;
  }

  async dispose(): Promise<void> {
    for (const program of this.#programs.values()) program.dispose();
    await Promise.all([...this.#rests.values(), ...Array.from(this.#bodies.values(), ({ runner }) => runner)].map((runner) => runner.dispose()));
  }
}

/** Before anything runs: every node known to need the host. What waits for its shapes is held to the same when it is compiled. */
export function refuseHostSteps(plan: ExecutionPlan, hint = 'Run without strict to let the host compute them.'): void {
  const hosted = plan.steps.flatMap((step) => (step.kind === 'host' ? [{ node: titleOf(step.node), reason: step.reason }] : step.kind === 'rest' ? step.hosted : []));
  if (hosted.length === 0) return;
  const waiting = plan.steps.reduce((sum, step) => sum + (step.kind === 'rest' ? step.graph.nodes.length - step.hosted.length : 0), 0);
  const list = hosted.map(({ node, reason }) => `\n  ${node}: ${reason}`).join('');
  const rest = waiting === 0 ? '' : `\n  and ${waiting === 1 ? '1 node waits' : `${waiting} nodes wait`} for shapes that depend on data`;
  throw new AnychipError('unsupported', `${hosted.length === 1 ? '1 node' : `${hosted.length} nodes`} cannot run on ${plan.target}:${list}${rest}`, {
    hint,
    facts: { hosted, waiting },
  });
}

async function withinAsync<T>(step: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    return within(step, () => {
      throw error;
    });
  }
}

function tensorFor(value: HostValue): NumericTensor {
  if (isTensor(value) && value.dtype !== 'string') return value;
  throw new AnychipError('internal', 'a device program was given something that is not a tensor of numbers');
}
