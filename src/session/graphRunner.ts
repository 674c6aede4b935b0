// Runs a graph on one device, whatever shapes arrive: a plan is compiled per binding and kept. Host steps run between device programs,
// and what depends on data-dependent shapes is compiled when it is reached. Control flow that stays on the host runs its bodies here too.
import { AnychipError, within } from '../core/error.ts';
import { trace } from '../core/trace.ts';
import type { NumericTensor } from '../core/tensor.ts';
import { compile } from '../compile.ts';
import { capturesOf, isTensor } from '../graph/graph.ts';
import type { Graph, HostValue, Value } from '../graph/graph.ts';
import { bindingKey, valueInputs } from '../passes/binding.ts';
import type { InputBinding } from '../passes/binding.ts';
import { controlSteps } from '../reference/control.ts';
import { createContext, evaluateNode, interpretGraph } from '../reference/interpret.ts';
import type { Device, Target } from '../runtime/device.ts';
import type { DeviceStep, ExecutionPlan, HostNodeStep, RestStep } from '../plan.ts';
import { ProgramRunner } from './programRunner.ts';

/** What all runners of a session share. */
export interface RunnerContext {
  readonly target: Target;
  readonly device: Device;
  readonly maxMemoryBytes: number;
  readonly seed: number;
  /** Refuse host steps instead of running them. */
  readonly strict: boolean;
  /** Told about every node that runs on the host. */
  readonly onHostNode: (step: { readonly op: string; readonly name: string; readonly reason: string; readonly bytes: number }) => void;
}

interface LoadedPlan {
  readonly plan: ExecutionPlan;
  readonly programs: ReadonlyMap<DeviceStep, ProgramRunner>;
  readonly rests: ReadonlyMap<RestStep, GraphRunner>;
}

/** Plans kept for one graph; the oldest goes first. */
const PLAN_LIMIT = 16;
/** A body of host control flow is interpreted this many times before it is worth compiling. */
const COLD_CALLS = 4;
/** Distinct bindings after which a body counts as ever-changing and stays interpreted. */
const BINDING_LIMIT = 32;

export class GraphRunner {
  readonly graph: Graph;
  readonly #context: RunnerContext;
  readonly #isBody: boolean;
  readonly #valueInputs: ReadonlySet<Value>;
  readonly #plans = new Map<string, LoadedPlan>();
  readonly #calls = new Map<string, number>();
  readonly #bodies = new Map<Graph, GraphRunner>();

  constructor(graph: Graph, context: RunnerContext, isBody = false) {
    this.graph = graph;
    this.#context = context;
    this.#isBody = isBody;
    // A body sees a new step number every time: compiling for its value would never end.
    this.#valueInputs = isBody ? new Set() : valueInputs(graph);
  }

  /** Outputs for `inputs`, both in the graph's order. */
  async run(inputs: readonly HostValue[]): Promise<readonly HostValue[]> {
    const bindings = this.bind(inputs);
    const key = bindingKey(bindings);
    if (this.#isBody && this.#isCold(key)) return this.#interpret(inputs);
    const loaded = this.#plans.get(key) ?? (await this.#load(key, await compile(this.graph, this.#context.target, bindings)));
    return this.#execute(loaded, inputs);
  }

  /** Compiles and loads for these bindings without running. */
  async prepare(bindings: readonly InputBinding[]): Promise<ExecutionPlan> {
    const key = bindingKey(bindings);
    const loaded = this.#plans.get(key) ?? (await this.#load(key, await compile(this.graph, this.#context.target, bindings)));
    return loaded.plan;
  }

  /** Takes a plan that was compiled earlier, perhaps elsewhere. */
  async adopt(plan: ExecutionPlan): Promise<void> {
    await this.#load(bindingKey(plan.bindings), plan);
  }

  /** What a plan for these inputs depends on. */
  bind(inputs: readonly HostValue[]): InputBinding[] {
    return this.graph.inputs.map((value, i) => {
      const given = inputs[i] ?? null;
      const isNumeric = isTensor(given) && given.dtype !== 'string';
      const byValue = !isNumeric ? isTensor(given) && this.#valueInputs.has(value) : this.#valueInputs.has(value) && given.data.length <= VALUE_BINDING_ELEMENTS;
      return { type: isNumeric ? { dtype: given.dtype, shape: given.shape } : undefined, value: byValue ? given : undefined };
    });
  }

  /** Whether plans depend on the values of inputs, so that shapes alone are not enough to compile. */
  get dependsOnValues(): boolean {
    return this.#valueInputs.size > 0;
  }
  get plans(): readonly ExecutionPlan[] {
    return [...this.#plans.values()].map((loaded) => loaded.plan);
  }

  #isCold(key: string): boolean {
    const calls = (this.#calls.get(key) ?? 0) + 1;
    if (this.#calls.size < BINDING_LIMIT || this.#calls.has(key)) this.#calls.set(key, calls);
    return calls <= COLD_CALLS;
  }

  #interpret(inputs: readonly HostValue[]): readonly HostValue[] {
    return interpretGraph(this.graph, inputs, { maxMemoryBytes: this.#context.maxMemoryBytes, seed: this.#context.seed });
  }

  async #load(key: string, plan: ExecutionPlan): Promise<LoadedPlan> {
    this.#checkStrict(plan);
    const programs = new Map<DeviceStep, ProgramRunner>();
    const rests = new Map<RestStep, GraphRunner>();
    for (const step of plan.steps) {
      if (step.kind === 'device') programs.set(step, await ProgramRunner.load(this.#context.device, step, this.#context.maxMemoryBytes));
      if (step.kind === 'rest') rests.set(step, new GraphRunner(step.graph, this.#context));
    }
    const loaded = { plan, programs, rests };
    this.#plans.set(key, loaded);
    const oldest = this.#plans.keys().next();
    if (this.#plans.size > PLAN_LIMIT && oldest.done !== true) {
      disposePlan(this.#plans.get(oldest.value)!);
      this.#plans.delete(oldest.value);
    }
    return loaded;
  }

  #checkStrict(plan: ExecutionPlan): void {
    if (!this.#context.strict) return;
    const hosted = plan.steps.flatMap((step) => (step.kind === 'host' ? [`${step.node.op} '${step.node.name}': ${step.reason}`] : []));
    if (hosted.length > 0) {
      throw new AnychipError('unsupported', `${hosted.length} node(s) cannot run on ${plan.target}:\n  ${hosted.join('\n  ')}`, {
        hint: 'Run without strict to let the host compute them.',
        facts: { hosted },
      });
    }
  }

  async #execute(loaded: LoadedPlan, inputs: readonly HostValue[]): Promise<readonly HostValue[]> {
    const { plan } = loaded;
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
      if (step.kind === 'device') {
        const outputs = await loaded.programs.get(step)!.run(step.inputs.map((port) => tensorFor(at(port.slot))));
        step.outputs.forEach((port, i) => void (values[port.slot] = outputs[i]!));
      } else if (step.kind === 'host') {
        const outputs = await this.#runHost(step, at);
        step.outputs.forEach((slot, i) => void (slot !== null && (values[slot] = outputs[i] ?? null)));
      } else {
        const outputs = await loaded.rests.get(step)!.run(step.inputs.map(at));
        step.outputs.forEach((slot, i) => void (values[slot] = outputs[i] ?? null));
      }
    }
    return plan.outputs.map(at);
  }

  async #runHost(step: HostNodeStep, at: (slot: number) => HostValue): Promise<readonly HostValue[]> {
    const inputs = step.inputs.map((slot) => (slot === null ? null : at(slot)));
    const { op, name } = step.node;
    const bytes = inputs.reduce((sum, value) => sum + hostBytes(value), 0);
    this.#context.onHostNode({ op, name, reason: step.reason, bytes });
    trace(1, () => ({ kind: 'placement', message: `${op} '${name}' runs on the host: ${step.reason}`, facts: { bytes } }));
    const scope = new Map(step.captures.map(({ value, slot }) => [value, at(slot)] as const));
    const control = controlSteps(step.node, inputs);
    if (control === undefined) {
      return evaluateNode(step.node, inputs, createContext({ scope, maxMemoryBytes: this.#context.maxMemoryBytes, seed: this.#context.seed }));
    }
    return withinAsync(`${op} '${name}'`, async () => {
      let next = control.next();
      while (next.done !== true) {
        const body = this.#body(next.value.graph);
        const captured = body.graph.inputs.slice(next.value.graph.inputs.length).map((value) => scope.get(value) ?? null);
        next = control.next(await body.run([...next.value.inputs, ...captured]));
      }
      return next.value;
    });
  }

  /** A runner for a body, its captures made inputs. */
  #body(graph: Graph): GraphRunner {
    let runner = this.#bodies.get(graph);
    if (runner === undefined) {
      const closed = { ...graph, inputs: [...graph.inputs, ...capturesOf(graph)] };
      this.#bodies.set(graph, (runner = new GraphRunner(closed, this.#context, true)));
    }
    return runner;
  }

  dispose(): void {
    for (const loaded of this.#plans.values()) disposePlan(loaded);
    for (const body of this.#bodies.values()) body.dispose();
    this.#plans.clear();
    this.#bodies.clear();
  }
}

/** Inputs longer than this are data, not parameters: plans never depend on their values. */
const VALUE_BINDING_ELEMENTS = 1024;

function disposePlan(loaded: LoadedPlan): void {
  for (const program of loaded.programs.values()) program.dispose();
  for (const rest of loaded.rests.values()) rest.dispose();
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

const hostBytes = (value: HostValue): number =>
  value === null ? 0 : !isTensor(value) ? value.reduce<number>((sum, v) => sum + hostBytes(v), 0) : value.dtype === 'string' ? 0 : value.data.byteLength;
