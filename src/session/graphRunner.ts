// Runs a graph on one device, whatever shapes arrive: a plan is compiled per binding and kept. What depends on data-dependent shapes,
// and bodies of control flow that stays on the host, are runners of their own, made when a plan asks for them.
import type { Allowance } from '../core/allowance.ts';
import type { Graph, HostValue, Value } from '../graph/graph.ts';
import { bindingKey, valueInputs } from '../passes/binding.ts';
import type { InputBinding } from '../passes/binding.ts';
import type { ExecutionPlan } from '../plan.ts';
import type { Engine } from '../runtime/device.ts';
import type { Decide } from '../schedule/decide.ts';
import { bindingOf } from './bindings.ts';
import { compile as compileAnew } from './compiler.ts';
import type { Compile } from './compiler.ts';
import { PlanRunner } from './planRunner.ts';
import { interpretGraph } from './reference.ts';
import type { Destinations, RunContext, SubRunner } from './planRunner.ts';

/** What all runners of a session share. */
export interface CompileContext extends Omit<RunContext, 'createRunner'> {
  readonly target: Engine;
  /** What of exactness plans may give up for speed. */
  readonly allow?: readonly Allowance[];
  readonly decide?: Decide;
  /** How plans come about; by default they are compiled. */
  readonly compile?: Compile;
}

/** Plans kept for one graph; the oldest goes first. */
const PLAN_LIMIT = 16;
/** A body of host control flow is interpreted this many times before it is worth compiling. */
const COLD_CALLS = 4;
/** Distinct bindings after which a body counts as ever-changing and stays interpreted. */
const BINDING_LIMIT = 32;

/** A plan that is being compiled or is loaded, and how many runs hold it; one that was put out is let go by its last run. */
interface Entry {
  readonly runner: Promise<PlanRunner>;
  plan: ExecutionPlan | undefined;
  users: number;
  isOut: boolean;
}

export class GraphRunner implements SubRunner {
  readonly graph: Graph;
  readonly #context: CompileContext;
  readonly #isBody: boolean;
  readonly #valueInputs: ReadonlySet<Value>;
  readonly #plans = new Map<string, Entry>();
  readonly #calls = new Map<string, number>();

  constructor(graph: Graph, context: CompileContext, isBody = false) {
    this.graph = graph;
    this.#context = context;
    this.#isBody = isBody;
    // A body sees a new step number every time: compiling for its value would never end.
    this.#valueInputs = isBody ? new Set() : valueInputs(graph);
  }

  /** Outputs for `inputs`, both in the graph's order. */
  async run(inputs: readonly HostValue[], into: Destinations = []): Promise<readonly HostValue[]> {
    const bindings = this.bind(inputs);
    if (this.#isBody && this.#isCold(bindingKey(bindings))) return this.#interpret(inputs);
    return this.#withRunner(bindings, (runner) => runner.run(inputs, into));
  }

  /** Compiles and loads for these bindings without running. */
  async prepare(bindings: readonly InputBinding[]): Promise<ExecutionPlan> {
    return this.#withRunner(bindings, (runner) => Promise.resolve(runner.plan));
  }

  async #withRunner<T>(bindings: readonly InputBinding[], use: (runner: PlanRunner) => Promise<T>): Promise<T> {
    const entry = this.#entryFor(bindings);
    entry.users++;
    try {
      return await use(await entry.runner);
    } finally {
      entry.users--;
      if (entry.isOut && entry.users === 0) await disposeEntry(entry);
    }
  }

  /** Runs that start together share what the first of them compiles. */
  #entryFor(bindings: readonly InputBinding[]): Entry {
    const key = bindingKey(bindings);
    const earlier = this.#plans.get(key);
    if (earlier !== undefined) return earlier;
    const entry: Entry = { runner: this.#load(bindings), plan: undefined, users: 0, isOut: false };
    this.#plans.set(key, entry);
    entry.runner.then(
      ({ plan }) => void (entry.plan = plan),
      () => void (this.#plans.get(key) === entry && this.#plans.delete(key)),
    );
    const [oldest] = this.#plans.keys();
    if (this.#plans.size > PLAN_LIMIT && oldest !== undefined) void this.#putOut(oldest);
    return entry;
  }

  async #load(bindings: readonly InputBinding[]): Promise<PlanRunner> {
    const { target, maxMemoryBytes, allow = [], decide, compile = compileAnew } = this.#context;
    const plan = await compile(this.graph, target, bindings, { maxMemoryBytes, allow, ...(decide === undefined ? {} : { decide }) });
    return PlanRunner.load(plan, { ...this.#context, createRunner: (graph, isBody) => new GraphRunner(graph, this.#context, isBody) });
  }

  async #putOut(key: string): Promise<void> {
    const entry = this.#plans.get(key)!;
    this.#plans.delete(key);
    entry.isOut = true;
    if (entry.users === 0) await disposeEntry(entry);
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
    return [...this.#plans.values()].flatMap(({ plan }) => (plan === undefined ? [] : [plan]));
  }

  #isCold(key: string): boolean {
    const calls = (this.#calls.get(key) ?? 0) + 1;
    if (this.#calls.size < BINDING_LIMIT || this.#calls.has(key)) this.#calls.set(key, calls);
    return calls <= COLD_CALLS;
  }

  #interpret(inputs: readonly HostValue[]): Promise<readonly HostValue[]> {
    return interpretGraph(this.graph, inputs, { maxMemoryBytes: this.#context.maxMemoryBytes, seed: this.#context.seed });
  }

  /** Lets go of every plan; one that a run holds goes when the run ends. */
  async dispose(): Promise<void> {
    await Promise.all(Array.from(this.#plans.keys(), (key) => this.#putOut(key)));
  }
}

/** A plan that failed to load has let go of everything itself. */
async function disposeEntry(entry: Entry): Promise<void> {
  await entry.runner.then(
    (runner) => runner.dispose(),
    () => undefined,
  );
}
