// What an upgrade rule is. The graph holds each ONNX operator in its latest form; a rule rewrites an older form into it, so that no
// other room knows that versions exist.
import type { Tensor } from '../../../core/tensor.ts';
import type { Graph, ValueType } from '../../../graph/graph.ts';

/** Attributes as the file has them, before the schema has checked them. */
export type RawAttr =
  | { readonly kind: 'int' | 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'ints' | 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'tensor'; readonly value: Tensor }
  | { readonly kind: 'graph'; readonly value: Graph }
  | { readonly kind: 'type'; readonly value: ValueType };

/** A node by the names of its values; '' is an omitted one. */
export interface RawNode {
  readonly domain: string;
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attrs: ReadonlyMap<string, RawAttr>;
}

export interface UpgradeContext {
  /** The opset of the node's domain that the model imports. */
  readonly opset: number;
  /** A fresh value name. */
  fresh(hint: string): string;
  /** A constant: its name. */
  constant(tensor: Tensor): string;
}

/** Returns the nodes that replace `node`, in order, all in their latest form; `[node]` when nothing changed for this opset. */
export type Upgrade = (node: RawNode, context: UpgradeContext) => readonly RawNode[];
export type Upgrades = Readonly<Record<string, Upgrade>>;
