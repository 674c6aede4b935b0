// The compiler as sessions see it. It is most of the package, and is read when something is to be compiled: what was compiled before does
// without.
import type { CompileOptions } from '../compile.ts';
import type { Graph } from '../graph/graph.ts';
import type { InputBinding } from '../passes/binding.ts';
import type { ExecutionPlan } from '../plan.ts';
import type { Engine } from '../runtime/device.ts';

/** From a graph and one binding of its inputs (types, and values where shapes depend on them), in the graph's order, to a plan for `target`. */
export type Compile = (graph: Graph, target: Engine, bindings: readonly InputBinding[], options?: CompileOptions) => Promise<ExecutionPlan>;

export const compile: Compile = async (...given) => (await import('../compile.ts')).compile(...given);
