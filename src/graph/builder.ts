// Builds a primitive graph: every call infers the type, drops what changes nothing (a reshape to the same shape), folds what is
// constant, and returns an earlier node where an equal one exists. Decompositions and passes speak to graphs through it alone.
import { dtypes, isFloat } from '../core/dtype.ts';
import type { DType, NumericDType } from '../core/dtype.ts';
import { invariant } from '../core/error.ts';
import { elementCount, sameShape } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';
import { tensorBytes, tensorFrom } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import type { IntegerProducts, WordParts } from '../core/words.ts';
import { constantOf as inlineConstant, tensorType } from './graph.ts';
import type { Constant, NodeOf, TensorType, Value } from './graph.ts';
import { inferPrim } from './infer.ts';
import type { ConcreteType } from './infer.ts';
import { binaryFns, compareFns, unaryFns } from './prims.ts';
import type { BinaryFn, CompareFn, IndexSource, PrimAttrs, PrimName, ReduceFn, ScatterFn, UnaryFn } from './prims.ts';

/** A Value of a primitive graph: dtype and shape are known. */
export interface Operand extends Value {
  readonly type: TensorType;
  readonly dtype: NumericDType;
  readonly shape: Shape;
}

export type PrimNode = {
  [P in PrimName]: Omit<NodeOf<P>, 'inputs' | 'outputs'> & { readonly inputs: readonly Operand[]; readonly outputs: readonly Operand[] };
}[PrimName];

/** A graph of primitives over concrete shapes: what a schedule takes. */
export interface PrimGraph {
  readonly name: string;
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Operand[];
  readonly nodes: readonly PrimNode[];
  readonly constants: ReadonlyMap<Operand, Constant>;
}

/** Evaluates one primitive on constants; given by the room that has the reference. */
export type Folder = <P extends PrimName>(op: P, attrs: PrimAttrs[P], inputs: readonly NumericTensor[]) => readonly NumericTensor[];

/** Results larger than this are left to the device's load-time program. */
const FOLD_LIMIT_BYTES = 1 << 16;

type Elementwise = Readonly<Record<UnaryFn, (x: Operand) => Operand> & Record<BinaryFn | CompareFn, (a: Operand, b: Operand) => Operand>>;

export interface Builder extends Elementwise {
  /** How the machine multiplies small integers, where it is faster at that than with floats. */
  readonly integers: IntegerProducts | undefined;
  emit<P extends PrimName>(op: P, attrs: PrimAttrs[P], inputs: readonly Operand[]): readonly Operand[];
  input(type: ConcreteType, name: string): Operand;
  constant(tensor: NumericTensor): Operand;
  /** A constant that may still be in a file. */
  stored(constant: Constant, name: string): Operand;
  /** A scalar (rank 0) constant. */
  scalar(dtype: NumericDType, value: number | bigint): Operand;
  /** A constant scalar expanded to `shape`. */
  full(dtype: NumericDType, shape: Shape, value: number | bigint): Operand;
  /** The data of a constant operand, perhaps still in a file; undefined if it depends on an input. */
  constantOf(x: Operand): Constant | undefined;
  /** The value of a constant operand; undefined if it depends on an input. */
  valueOf(x: Operand): NumericTensor | undefined;

  where(condition: Operand, a: Operand, b: Operand): Operand;
  cast(x: Operand, to: DType, saturate?: boolean): Operand;
  bitcast(x: Operand, to: DType): Operand;
  iota(dtype: NumericDType, shape: Shape, axis: number): Operand;
  reshape(x: Operand, shape: Shape): Operand;
  /** `x` as it was before a reshape, if it comes from one. */
  shapedFrom(x: Operand): Operand;
  transpose(x: Operand, perm: readonly number[]): Operand;
  /** Broadcasts to `shape` (NumPy rules, so the rank may grow). */
  expand(x: Operand, shape: Shape): Operand;
  slice(x: Operand, starts: readonly number[], sizes: readonly number[], steps?: readonly number[]): Operand;
  pad(x: Operand, low: readonly number[], high: readonly number[], value: Operand): Operand;
  window(x: Operand, windows: PrimAttrs['window']['windows']): Operand;
  words(x: Operand, parts: WordParts, axis: number): Operand;
  concat(xs: readonly Operand[], axis: number): Operand;
  /** Keeps the rank: reduced axes become 1. */
  reduce(fn: ReduceFn, x: Operand, axes: readonly number[]): Operand;
  argReduce(fn: 'max' | 'min', x: Operand, axis: number, last?: boolean): Operand;
  scan(fn: 'sum' | 'prod', x: Operand, axis: number, options?: { readonly exclusive?: boolean; readonly reverse?: boolean }): Operand;
  matmul(a: Operand, b: Operand, acc?: DType, words?: WordParts): Operand;
  conv(x: Operand, w: Operand, attrs: PrimAttrs['conv']): Operand;
  gather(data: Operand, sources: readonly IndexSource[], indices: readonly Operand[], shape: Shape): Operand;
  scatter(fn: ScatterFn, data: Operand, updates: Operand, sources: readonly IndexSource[], indices: readonly Operand[]): Operand;
  topK(x: Operand, axis: number, k: number, largest: boolean): readonly [Operand, Operand];

  /** The finished graph, without the nodes that no output needs. */
  finish(name: string, inputs: readonly Operand[], outputs: readonly Operand[]): PrimGraph;
  /** Nodes built so far. */
  readonly mark: () => number;
  /** Nodes since `mark`, in order. */
  readonly since: (mark: number) => readonly PrimNode[];
}

/** Whether every number of the one float is a number of the other. */
const isWider = (to: DType, from: DType): boolean => isFloat(to) && isFloat(from) && dtypes[to].bits > dtypes[from].bits && dtypes[to].bits >= 32;

const operand = (type: ConcreteType, name: string): Operand => ({ name, type: tensorType(type.dtype, type.shape), dtype: type.dtype, shape: type.shape });

// oxlint-disable-next-line max-lines-per-function -- a closure whose parts share their tables
export function createBuilder(fold: Folder, integers?: IntegerProducts): Builder {
  const nodes: PrimNode[] = [];
  const constants = new Map<Operand, Constant>();
  const ids = new Map<Operand, number>();
  const known = new Map<string, readonly Operand[]>();
  const scalars = new Map<string, Operand>();
  const idOf = (x: Operand): number => {
    let id = ids.get(x);
    if (id === undefined) ids.set(x, (id = ids.size));
    return id;
  };

  const stored = (constant: Constant, name: string): Operand => {
    invariant(constant.dtype !== 'string', 'a string constant in a primitive graph');
    const value = operand({ dtype: constant.dtype, shape: constant.shape }, name);
    constants.set(value, constant);
    return value;
  };
  const constant = (tensor: NumericTensor): Operand => stored(inlineConstant(tensor), `c${constants.size}`);
  const valueOf = (x: Operand): NumericTensor | undefined => {
    const tensor = constants.get(x)?.read();
    return tensor === undefined || tensor.dtype === 'string' ? undefined : tensor;
  };

  function emit<P extends PrimName>(op: P, attrs: PrimAttrs[P], inputs: readonly Operand[]): readonly Operand[] {
    const types = inferPrim(op, attrs, inputs);
    const key = `${op}|${JSON.stringify(attrs)}|${inputs.map(idOf).join(',')}`;
    const earlier = known.get(key);
    if (earlier !== undefined) return earlier;
    const outputs = folded(op, attrs, inputs, types) ?? types.map((type, i) => operand(type, `${op}${nodes.length}${i > 0 ? `.${i}` : ''}`));
    if (!outputs.every((x) => constants.has(x))) nodes.push(primNode(op, attrs, inputs, outputs, `${op}${nodes.length}`));
    known.set(key, outputs);
    return outputs;
  }

  function folded<P extends PrimName>(op: P, attrs: PrimAttrs[P], inputs: readonly Operand[], types: readonly ConcreteType[]): readonly Operand[] | undefined {
    if (!inputs.every((x) => constants.has(x) && constants.get(x)!.bytes <= FOLD_LIMIT_BYTES)) return undefined;
    if (types.some((t) => tensorBytes(t.dtype, t.shape) > FOLD_LIMIT_BYTES)) return undefined;
    return fold(
      op,
      attrs,
      inputs.map((x) => valueOf(x)!),
    ).map(constant);
  }

  const one = <P extends PrimName>(op: P, attrs: PrimAttrs[P], inputs: readonly Operand[]): Operand => emit(op, attrs, inputs)[0]!;
  const elementwise: Partial<Record<UnaryFn | BinaryFn | CompareFn, (...xs: Operand[]) => Operand>> = {};
  for (const fn of unaryFns) elementwise[fn] = (x) => one('unary', { fn }, [x!]);
  for (const fn of binaryFns) elementwise[fn] = (a, b) => one('binary', { fn }, [a!, b!]);
  for (const fn of compareFns) elementwise[fn] = (a, b) => one('compare', { fn }, [a!, b!]);

  const scalar = (dtype: NumericDType, value: number | bigint): Operand => {
    const key = `${dtype}:${Object.is(value, -0) ? '-0' : value}`;
    let x = scalars.get(key);
    if (x === undefined) scalars.set(key, (x = constant(tensorFrom(dtype, [], [value]))));
    return x;
  };
  /** What was reshaped, by what it became. */
  const reshaped = new Map<Operand, Operand>();
  /** Narrow floats that were made wider, by the wider ones. */
  const widened = new Map<Operand, Operand>();
  const cast = (x: Operand, to: DType, saturate = true): Operand => {
    if (x.dtype === to) return x;
    const from = widened.get(x);
    if (from?.dtype === to) return from;
    const made = one('cast', { to, saturate }, [x]);
    if (isWider(to, x.dtype)) widened.set(made, x);
    return made;
  };
  const shapedFrom = (x: Operand): Operand => reshaped.get(x) ?? x;
  const reshape = (x: Operand, shape: Shape): Operand => {
    if (sameShape(x.shape, shape)) return x;
    const made = one('reshape', { shape }, [x]);
    reshaped.set(made, shapedFrom(x));
    return made;
  };
  const expand = (x: Operand, shape: Shape): Operand => {
    const aligned = reshape(x, [...Array.from({ length: shape.length - x.shape.length }, () => 1), ...x.shape]);
    return sameShape(aligned.shape, shape) ? aligned : one('expand', { shape }, [aligned]);
  };

  return {
    // oxlint-disable-next-line typescript/consistent-type-assertions -- complete after the loops above
    ...(elementwise satisfies Partial<Elementwise> as Elementwise),
    integers,
    emit,
    input: operand,
    constant,
    stored,
    scalar,
    full: (dtype, shape, value) => expand(scalar(dtype, value), shape),
    constantOf: (x) => constants.get(x),
    valueOf,
    where: (condition, a, b) => one('where', {}, [condition, a, b]),
    cast,
    bitcast: (x, to) => (x.dtype === to ? x : one('bitcast', { to }, [x])),
    iota: (dtype, shape, axis) => one('iota', { dtype, shape, axis }, []),
    reshape,
    shapedFrom,
    transpose: (x, perm) => (perm.every((p, i) => p === i) ? x : one('transpose', { perm }, [x])),
    expand,
    slice: (x, starts, sizes, steps = x.shape.map(() => 1)) => (sameShape(sizes, x.shape) && steps.every((s) => s === 1) ? x : one('slice', { starts, sizes, steps }, [x])),
    pad: (x, low, high, value) => ([...low, ...high].every((p) => p === 0) ? x : one('pad', { low, high }, [x, reshape(value, [])])),
    window: (x, windows) => one('window', { windows }, [x]),
    words: (x, parts, axis) => one('words', { parts, axis }, [x]),
    concat: (xs, axis) => {
      const parts = xs.filter((x) => x.shape[axis] !== 0);
      return parts.length === 1 ? parts[0]! : one('concat', { axis }, parts.length === 0 ? xs.slice(0, 1) : parts);
    },
    reduce: (fn, x, axes) => {
      const wide = axes.filter((a) => x.shape[a] !== 1);
      return wide.length === 0 ? x : one('reduce', { fn, axes: wide }, [x]);
    },
    argReduce: (fn, x, axis, last = false) => one('argReduce', { fn, axis, last }, [x]),
    scan: (fn, x, axis, { exclusive = false, reverse = false } = {}) => one('scan', { fn, axis, exclusive, reverse }, [x]),
    matmul: (a, b, acc = a.dtype, parts) => one('matmul', parts === undefined ? { acc } : { acc, words: parts }, [a, b]),
    conv: (x, w, attrs) => one('conv', attrs, [x, w]),
    gather: (data, sources, indices, shape) => one('gather', { sources, shape }, [data, ...indices]),
    scatter: (fn, data, updates, sources, indices) => (elementCount(updates.shape) === 0 ? data : one('scatter', { sources, fn }, [data, updates, ...indices])),
    topK: (x, axis, k, largest) => {
      const [values, indices] = emit('topK', { axis, k, largest }, [x]);
      return [values!, indices!];
    },
    finish: (name, inputs, outputs) => finish(name, inputs, outputs, nodes, constants),
    mark: () => nodes.length,
    since: (mark) => nodes.slice(mark),
  };
}

function primNode<P extends PrimName>(op: P, attrs: PrimAttrs[P], inputs: readonly Operand[], outputs: readonly Operand[], name: string): PrimNode {
  // oxlint-disable-next-line typescript/consistent-type-assertions -- TypeScript cannot follow which attributes go with which operator
  return { op, attrs, inputs, outputs, name } as PrimNode;
}

function finish(name: string, inputs: readonly Operand[], outputs: readonly Operand[], nodes: readonly PrimNode[], constants: ReadonlyMap<Operand, Constant>): PrimGraph {
  const live = new Set<Operand>(outputs);
  const kept: PrimNode[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((x) => live.has(x))) continue;
    kept.push(node);
    for (const x of node.inputs) live.add(x);
  }
  return { name, inputs, outputs, nodes: kept.reverse(), constants: new Map([...constants].filter(([x]) => live.has(x))) };
}
