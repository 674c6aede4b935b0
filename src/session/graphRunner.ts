// Runs a graph on one device, whatever shapes arrive: a plan is compiled per binding and kept. What depends on data-dependent shapes,
// and bodies of control flow that stays on the host, are runners of their own, made when a plan asks for them.
import { compile } from '../compile.ts';
import type { Graph, HostValue, Value } from '../graph/graph.ts';
import { bindingKey, valueInputs } from '../passes/binding.ts';
import type { InputBinding } from '../passes/binding.ts';
import { interpretGraph } from '../reference/interpret.ts';
import type { ExecutionPlan } from '../plan.ts';
import type { Target } from '../runtime/device.ts';
import { bindingOf } from './bindings.ts';
import { PlanRunner } from './planRunner.ts';
import type { RunContext, SubRunner } from './planRunner.ts';

/** What all runners of a session share. */
export interface CompileContext extends Omit<RunContext, 'createRunner'> {
  readonly target: Target;
}

/** Plans kept for one graph; the oldest goes first. */
const PLAN_LIMIT = 16;
/** A body of host control flow is interpreted this many times before it is worth compiling. */
const COLD_CALLS = 4;
/** Distinct bindings after which a body counts as ever-changing and stays interpreted. */
const BINDING_LIMIT = 32;
export class GraphRunner implements SubRunner {
  readonly graph: Graph;
  readonly #context: CompileContext;
  readonly #isBody: boolean;
  readonly #valueInputs: ReadonlySet<Value>;
  readonly #plans = new Map<string, PlanRunner>();
  readonly #calls = new Map<string, number>();

  constructor(graph: Graph, context: CompileContext, isBody = false) {
    this.graph = graph;
    this.#context = context;
    this.#isBody = isBody;
    // A body sees a new step number every time: compiling for its value would never end.
    this.#valueInputs = isBody ? new Set() : valueInputs(graph);
  }

  /** Outputs for `inputs`, both in the graph's order. */
  async run(inputs: readonly HostValue[]): Promise<readonly HostValue[]> {
    const bindings = this.bind(inputs);
    if (this.#isBody && this.#isCold(bindingKey(bindings))) return this.#interpret(inputs);
    return (await this.#runnerFor(bindings)).run(inputs);
  }

  /** Compiles and loads for these bindings without running. */
  async prepare(bindings: readonly InputBinding[]): Promise<ExecutionPlan> {
    return (await this.#runnerFor(bindings)).plan;
  }

  async #runnerFor(bindings: readonly InputBinding[]): Promise<PlanRunner> {
    const key = bindingKey(bindings);
    const earlier = this.#plans.get(key);
    if (earlier !== undefined) return earlier;
    const plan = await compile(this.graph, this.#context.target, bindings);
    const runner = await PlanRunner.load(plan, { ...this.#context, createRunner: (graph, isBody) => new GraphRunner(graph, this.#context, isBody) });
    this.#plans.set(key, runner);
    const oldest = this.#plans.keys().next();
    if (this.#plans.size > PLAN_LIMIT && oldest.done !== true) {
      this.#plans.get(oldest.value)!.dispose();
      this.#plans.delete(oldest.value);
    }
    return runner;
  }

  /** What a plan for these inputs depends on. */
  bind(inputs: readonly HostValue[]): InputBinding[] {
    return this.graph.inputs.map((value, i) => bindingOf(inputs[i] ?? null, this.#valueInputs.has(value)));
  }

  /** Whether plans depend on the values of inputs, so that shapes alone are not enough to compile. */
  get dependsOnValues(): boolean {
    return this.#valueInputs.size > 0;
  }
  get plans(): readonly ExecutionPlan[] {
    return [...this.#plans.values()].map((runner) => runner.plan);
  }

  #isCold(key: string): boolean {
    const calls = (this.#calls.get(key) ?? 0) + 1;
    if (this.#calls.size < BINDING_LIMIT || this.#calls.has(key)) this.#calls.set(key, calls);
    return calls <= COLD_CALLS;
  }

  #interpret(inputs: readonly HostValue[]): readonly HostValue[] {
    return interpretGraph(this.graph, inputs, { maxMemoryBytes: this.#context.maxMemoryBytes, seed: this.#context.seed });
  }

  dispose(): void {
    for (const runner of this.#plans.values()) runner.dispose();
    this.#plans.clear();
  }
}
