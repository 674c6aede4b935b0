// Nodes in topological order. ONNX demands that order; files that break it are put right, and what cannot be is named.
import { AnychipError } from '../../core/error.ts';
import type { GraphProto, NodeProto } from './messages.ts';

/** `nodes` so that each comes after what it uses; `isKnown` says which names are there from the start. Linear in size. */
export function sortNodes(nodes: readonly NodeProto[], isKnown: (name: string) => boolean): readonly NodeProto[] {
  const makers = new Map<string, number>();
  nodes.forEach((node, i) => node.output.forEach((name) => void (name !== '' && makers.set(name, i))));
  const needs = nodes.map((node, i) => [
    ...new Set(usedNames(node).flatMap((name) => (makers.has(name) && !(isKnown(name) && makers.get(name) === i) ? [makers.get(name)!] : []))),
  ]);
  if (needs.every((list, i) => list.every((maker) => maker < i))) return nodes;
  return kahn(nodes, needs);
}

function kahn(nodes: readonly NodeProto[], needs: readonly (readonly number[])[]): NodeProto[] {
  const users = new Map<number, number[]>();
  const missing = needs.map((list) => list.length);
  needs.forEach((list, i) => {
    for (const maker of list) {
      const known = users.get(maker);
      if (known === undefined) users.set(maker, [i]);
      else known.push(i);
    }
  });
  const order = missing.flatMap((count, i) => (count === 0 ? [i] : []));
  for (const done of order) for (const user of users.get(done) ?? []) if (--missing[user]! === 0) order.push(user);
  if (order.length < nodes.length) {
    const stuck = nodes[missing.findIndex((count) => count > 0)]!;
    throw new AnychipError('bad-model', `the nodes form a cycle, at ${stuck.opType} '${stuck.name}'`, { hint: 'A graph must be acyclic; export the model again.' });
  }
  return order.map((i) => nodes[i]!);
}

/** Names that a node reads, those of its subgraphs included. */
function usedNames(node: NodeProto): string[] {
  const names = node.input.filter((name) => name !== '');
  for (const attribute of node.attribute) for (const graph of [...(attribute.g === undefined ? [] : [attribute.g]), ...attribute.graphs]) names.push(...namesIn(graph));
  return names;
}

function namesIn(graph: GraphProto): string[] {
  const own = new Set([...graph.input, ...graph.initializer].map(({ name }) => name));
  for (const node of graph.node) for (const name of node.output) own.add(name);
  return [...graph.node.flatMap(usedNames), ...graph.output.map(({ name }) => name)].filter((name) => !own.has(name));
}
