// Runs one operator by its reference and by its decomposition, on tensors, for tests of operator families.
import { expect } from 'vitest';
import type { NumericDType } from '../../src/core/dtype.ts';
import { elementCount } from '../../src/core/shape.ts';
import type { Shape } from '../../src/core/shape.ts';
import { numeric, tensorFrom, toNumbers } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import type { IntegerProducts } from '../../src/core/words.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Operand } from '../../src/graph/builder.ts';
import { isTensor } from '../../src/graph/graph.ts';
import type { HostValue, NodeOf } from '../../src/graph/graph.ts';
import { schemaOf } from '../../src/graph/ops.ts';
import type { OnnxAttrs, OnnxOpName } from '../../src/graph/ops.ts';
import type { Builder } from '../../src/graph/builder.ts';
import type { OnHost } from '../../src/passes/lowering.ts';
import { lowerings } from '../../src/passes/lowerings.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { createContext } from '../../src/reference/interpret.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import { evaluations } from '../../src/reference/rules.ts';

export interface Call<O extends OnnxOpName> {
  readonly op: O;
  /** What is left out has the default of the schema. */
  readonly attrs?: Partial<OnnxAttrs[O]>;
  readonly inputs: readonly HostValue[];
  /** How the machine of the decomposition multiplies small integers. */
  readonly integers?: IntegerProducts | undefined;
  /** Outputs asked for. */
  readonly outputs?: number;
}

function nodeOf<O extends OnnxOpName>({ op, attrs, inputs, outputs = 1 }: Call<O>): NodeOf<O> {
  const defaults = Object.fromEntries(Object.entries(schemaOf(op).attrs).map(([name, spec]) => [name, spec.fallback]));
  const value = (name: string) => ({ name, type: undefined });
  const node = {
    op,
    name: op,
    attrs: { ...defaults, ...attrs },
    inputs: inputs.map((x, i) => (x === null ? null : value(`x${i}`))),
    outputs: Array.from({ length: outputs }, (_, i) => value(`y${i}`)),
  };
  // Defaults and overrides together are the attributes; spreading a union by name is beyond the type system.
  return node as unknown as NodeOf<O>;
}

function evaluate<O extends OnnxOpName>(node: NodeOf<O>, inputs: readonly HostValue[]): readonly HostValue[] {
  return evaluations[node.op](node, inputs, createContext());
}

/** All outputs by the reference. */
export const reference = <O extends OnnxOpName>(call: Call<O>): readonly HostValue[] => evaluate(nodeOf(call), call.inputs);

/** The first output by the reference, as numbers with their shape. */
export function numbers<O extends OnnxOpName>(call: Call<O>, output = 0): { readonly shape: Shape; readonly values: number[] } {
  const tensor = tensorOf(reference(call)[output] ?? null);
  return { shape: tensor.shape, values: toNumbers(tensor) };
}

function tensorOf(value: HostValue): NumericTensor {
  if (!isTensor(value)) throw new Error('not a tensor');
  return numeric(value);
}

function applyRule<O extends OnnxOpName>(b: Builder, node: NodeOf<O>, inputs: readonly (Operand | null)[]): readonly (Operand | null)[] | OnHost {
  const rule = lowerings[node.op];
  return rule === 'host' ? { onHost: 'always' } : rule(b, node, inputs);
}

/** The first output in primitives of `b`. */
export function lowerOne<O extends OnnxOpName>(b: Builder, call: Omit<Call<O>, 'inputs'>, operands: readonly Operand[]): Operand {
  const result = applyRule(b, nodeOf({ ...call, inputs: operands.map(() => null) }), operands);
  if ('onHost' in result || result[0] === null || result[0] === undefined) throw new Error(`${call.op} gives no operand`);
  return result[0];
}

/** All outputs by the decomposition, or why there is none. Host inputs are constants to it. */
export function decomposed<O extends OnnxOpName>(call: Call<O>): readonly (NumericTensor | null)[] | string {
  const b = createBuilder(createFolder(), call.integers);
  const { inputs: names, hostInputs = [] } = schemaOf(call.op);
  const feeds: { readonly operand: Operand; readonly tensor: NumericTensor }[] = [];
  const operands = call.inputs.map((value, i) => {
    if (value === null) return null;
    const tensor = tensorOf(value);
    if (hostInputs.includes((names[i] ?? '').replace('?', ''))) return b.constant(tensor);
    const operand = b.input(tensor, `x${i}`);
    feeds.push({ operand, tensor });
    return operand;
  });
  const result = applyRule(b, nodeOf(call), operands);
  if ('onHost' in result) return result.onHost;
  const live = result.filter((x) => x !== null);
  const graph = b.finish(
    call.op,
    feeds.map((f) => f.operand),
    live,
  );
  const values = interpretPrims(
    graph,
    feeds.map((f) => f.tensor),
  );
  return result.map((x) => (x === null ? null : values[live.indexOf(x)]!));
}

/** The primitives of the decomposition, by name. */
export function primitivesOf<O extends OnnxOpName>(call: Call<O>): string[] {
  const b = createBuilder(createFolder());
  const { inputs: names, hostInputs = [] } = schemaOf(call.op);
  const operands = call.inputs.map((value, i) => {
    if (value === null) return null;
    return hostInputs.includes((names[i] ?? '').replace('?', '')) ? b.constant(tensorOf(value)) : b.input(tensorOf(value), `x${i}`);
  });
  const result = applyRule(b, nodeOf(call), operands);
  expect(result).not.toHaveProperty('onHost');
  return b.since(0).map((node) => node.op);
}

const tolerances: { readonly [D in NumericDType]?: number } = { f64: 1e-9, f16: 4e-3, bf16: 3e-2 };

/** Both ways give the same dtypes, shapes and values, within the precision of the dtype. */
export function expectAgreement<O extends OnnxOpName>(call: Call<O>, tolerance?: number): void {
  const expected = reference(call);
  const actual = decomposed(call);
  if (typeof actual === 'string') throw new Error(`${call.op} stays on the host: ${actual}`);
  const what = () =>
    `${call.op} ${JSON.stringify(call.attrs ?? {}, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v))} of ${call.inputs.map((x) => (x !== null && isTensor(x) ? `${x.dtype}[${x.shape.join(',')}]` : 'nothing')).join(' ')}`;
  for (let i = 0; i < (call.outputs ?? 1); i++) {
    const [want, got] = [tensorOf(expected[i] ?? null), tensorOf(actual[i] ?? null)];
    expect({ dtype: got.dtype, shape: got.shape }, what()).toEqual({ dtype: want.dtype, shape: want.shape });
    const limit = tolerance ?? tolerances[want.dtype] ?? 1e-4;
    const [a, b] = [toNumbers(want), toNumbers(got)];
    const wrong = a.findIndex((x, j) => !(Object.is(x, b[j]) || x === b[j] || Math.abs(x - b[j]!) <= limit * (1 + Math.abs(x))));
    if (wrong >= 0) throw new Error(`${what()}: output ${i} at ${wrong} is ${b[wrong]} instead of ${a[wrong]}`);
  }
}

/** Reproducible numbers in [low, high). */
export function createSource(seed: number): (dtype: NumericDType, shape: Shape, low?: number, high?: number) => NumericTensor {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return (dtype, shape, low = -1, high = 1) =>
    tensorFrom(
      dtype,
      shape,
      Array.from({ length: elementCount(shape) }, () => low + (high - low) * next()),
    );
}
