// How an ONNX operator is declared: names of inputs and outputs, typed attributes with defaults, and the facts other rooms ask for.
// One declaration feeds the importer (validation, defaults), the types of every rule table, and docs/operators.md.
import type { Tensor } from '../core/tensor.ts';
import type { Graph, ValueType } from './graph.ts';

interface AttrKinds {
  int: number;
  float: number;
  string: string;
  ints: readonly number[];
  floats: readonly number[];
  strings: readonly string[];
  tensor: Tensor;
  graph: Graph;
  type: ValueType;
}
export type AttrKind = keyof AttrKinds;

export interface AttrSpec<T> {
  readonly kind: AttrKind;
  readonly required: boolean;
  readonly fallback: T | undefined;
}
type AnySpec = AttrSpec<unknown>;

interface AttrMaker<K extends AttrKind> {
  /** Optional, undefined when absent. */
  (): AttrSpec<AttrKinds[K] | undefined>;
  /** Optional with a default. */
  (fallback: AttrKinds[K]): AttrSpec<AttrKinds[K]>;
}
const attr =
  <K extends AttrKind>(kind: K): AttrMaker<K> =>
  <T extends AttrKinds[K] | undefined>(fallback?: T) => ({ kind, required: false, fallback });
/** Marks an attribute as required. */
export const required = <K extends AttrKind>(kind: K): AttrSpec<AttrKinds[K]> => ({ kind, required: true, fallback: undefined });

/** 64-bit in ONNX, a JavaScript number here; values beyond ±2^53 are clamped (they only ever mean "to the end"). */
export const int = attr('int');
export const float = attr('float');
export const string = attr('string');
export const ints = attr('ints');
export const floats = attr('floats');
export const strings = attr('strings');
export const tensor = attr('tensor');
export const valueType = attr('type');

export interface OpSchema<A extends Readonly<Record<string, AnySpec>> = Readonly<Record<string, AnySpec>>> {
  /** '' (ai.onnx), 'ai.onnx.ml', 'ai.onnx.preview.training'. */
  readonly domain: string;
  /** Opset in which the operator first appeared; `until`: last opset that has it (removed or deprecated after). */
  readonly since: number;
  readonly until?: number;
  /** `X` required, `B?` optional, `rest*` variadic (last only). The operator's latest form. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attrs: A;
  /** Inputs whose values (not only shapes) must be known before the node can be compiled: shapes, axes, counts. */
  readonly hostInputs?: readonly string[];
  /** Inputs of which only shape and dtype matter, so that a result does not depend on their values. */
  readonly shapeOnly?: true;
  /** Why the operator never runs on a device: strings, sequences, data-dependent shapes. */
  readonly hostOnly?: string;
  /** When a node runs on the host although the operator has a decomposition; completes "on the host when". Beside hostInputs that depend on data. */
  readonly hostWhen?: string;
  /** What of the specification is left out, and why: one sentence. */
  readonly limits?: string;
  /** Not a function of its inputs (random numbers): never folded. */
  readonly impure?: true;
}

/** Types the attributes of each declared operator from its own declaration. */
export type AttrsOf<S> = S extends { readonly attrs: infer A } ? { readonly [K in keyof A]: A[K] extends AttrSpec<infer T> ? T : never } : never;

export const op = <const S extends Omit<OpSchema, 'domain'>>(schema: S): S & { readonly domain: '' } => ({ ...schema, domain: '' });
export const mlOp = <const S extends Omit<OpSchema, 'domain'>>(schema: S): S & { readonly domain: 'ai.onnx.ml' } => ({ ...schema, domain: 'ai.onnx.ml' });
export const trainingOp = <const S extends Omit<OpSchema, 'domain'>>(schema: S): S & { readonly domain: 'ai.onnx.preview.training' } => ({
  ...schema,
  domain: 'ai.onnx.preview.training',
});
