// Runs a model whose inputs may have default values. Those that a run leaves alone are constants of the graph it compiles, so they fold
// and are packed like weights; a run that feeds some of them gets a graph, and plans, of its own.
import type { Graph, HostValue, Value } from '../graph/graph.ts';
import { lowerPrecision } from '../passes/precision/lowerPrecision.ts';
import type { Beyond, LoweredGraph } from '../passes/precision/lowerPrecision.ts';
import type { Precision } from '../passes/precision/narrow.ts';
import type { ExecutionPlan } from '../plan.ts';
import { requireStorage } from '../runtime/device.ts';
import type { Engine } from '../runtime/device.ts';
import { GraphRunner } from './graphRunner.ts';
import type { CompileContext } from './graphRunner.ts';
import type { Destinations } from './planRunner.ts';

export type { NodePrecision } from '../passes/precision/lowerPrecision.ts';

/** `graph` without the inputs that have a default value and are not in `fed`: what is left must be given. */
export function closeDefaults(graph: Graph, fed: ReadonlySet<Value>): Graph {
  const inputs = graph.inputs.filter((value) => fed.has(value) || !graph.constants.has(value));
  return inputs.length === graph.inputs.length ? graph : { ...graph, inputs };
}

/** How the floats of a model are narrowed. */
export interface Narrowing {
  readonly precision: Precision;
  /** What runs have found to reach too far. */
  readonly beyond: Beyond;
}

/** To a precision that was asked for, before any run. */
export const narrowingTo = (precision: Precision | undefined): Narrowing | undefined => (precision === undefined ? undefined : { precision, beyond: new Map() });

export interface ModelContext extends CompileContext {
  readonly narrowing?: Narrowing;
}

/** What runs that feed exactly these inputs compile for `target`: defaults closed, and floats in the precision asked for. */
export function lowerFor(graph: Graph, fed: ReadonlySet<Value>, narrowing: Narrowing | undefined, target?: Engine): LoweredGraph {
  const closed = closeDefaults(graph, fed);
  if (narrowing === undefined) return { graph: closed, nodes: [], narrow: new Map() };
  const { precision, beyond } = narrowing;
  if (target !== undefined) requireStorage(target, precision);
  return lowerPrecision(closed, precision, beyond);
}

export class ModelRunner {
  readonly #graph: Graph;
  readonly #context: ModelContext;
  /** By the names of the defaults that are fed. */
  readonly #variants = new Map<string, GraphRunner>();

  constructor(graph: Graph, context: ModelContext) {
    this.#graph = graph;
    this.#context = context;
  }

  /** The runner for runs that feed exactly these inputs. */
  variantFor(fed: ReadonlySet<Value>): GraphRunner {
    const key = JSON.stringify([...fed].flatMap((value) => (this.#graph.constants.has(value) ? [value.name] : [])).sort());
    let runner = this.#variants.get(key);
    if (runner === undefined) this.#variants.set(key, (runner = new GraphRunner(lowerFor(this.#graph, fed, this.#context.narrowing, this.#context.target).graph, this.#context)));
    return runner;
  }

  run(feeds: ReadonlyMap<Value, HostValue>, into: Destinations = []): Promise<readonly HostValue[]> {
    const runner = this.variantFor(new Set(feeds.keys()));
    return runner.run(
      runner.graph.inputs.map((value) => feeds.get(value) ?? null),
      into,
    );
  }

  /** Lets go of all plans: what they were made for has changed. Runs under way end with theirs. */
  async renew(): Promise<void> {
    const runners = [...this.#variants.values()];
    this.#variants.clear();
    await Promise.all(runners.map((runner) => runner.dispose()));
  }

  get plans(): readonly ExecutionPlan[] {
    return [...this.#variants.values()].flatMap((runner) => runner.plans);
  }

  dispose(): Promise<void> {
    return this.renew();
  }
}
