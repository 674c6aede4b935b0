// From values to what a plan for them depends on.
import { isTensor } from '../graph/graph.ts';
import type { Graph, HostValue } from '../graph/graph.ts';
import { valueInputs } from '../passes/binding.ts';
import type { InputBinding } from '../passes/binding.ts';

/** Numeric inputs longer than this are data, not parameters: plans never depend on their values. */
const VALUE_BINDING_ELEMENTS = 1024;

/** The binding of one input; `byValue` when shapes or branches may depend on its value. */
export function bindingOf(value: HostValue, byValue: boolean): InputBinding {
  if (!isTensor(value)) return { type: undefined, value: undefined };
  const type = value.dtype === 'string' ? undefined : { dtype: value.dtype, shape: value.shape };
  return { type, value: byValue && (type === undefined || value.data.length <= VALUE_BINDING_ELEMENTS) ? value : undefined };
}

/** What `compile` needs to know of a graph's inputs, taken from example values by name. */
export function bindingsFor(graph: Graph, feeds: ReadonlyMap<string, HostValue>): InputBinding[] {
  const decisive = valueInputs(graph);
  return graph.inputs.map((value) => bindingOf(feeds.get(value.name) ?? graph.constants.get(value)?.read() ?? null, decisive.has(value)));
}
