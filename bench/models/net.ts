// Builds nets of ONNX operators with seeded random weights, which are made when they are read, so that large nets take no memory here.
// It must not know which nets there are, nor who runs them.
import { dtypes } from '../../src/core/dtype.ts';
import type { NumericDType } from '../../src/core/dtype.ts';
import { elementCount } from '../../src/core/shape.ts';
import type { Shape } from '../../src/core/shape.ts';
import { createTensor } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { tensorType } from '../../src/graph/graph.ts';
import type { Dim, Graph, Value } from '../../src/graph/graph.ts';
import type { OnnxAttrs, OnnxOpName } from '../../src/graph/ops.ts';
import { Composer, call } from '../../src/passes/compose/composer.ts';

/** Uniform in [-1, 1): a generator of 32 bits (Marsaglia, "Xorshift RNGs", 2003), whose every seed is a stream of its own. */
export function randomStream(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b1) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state / 2 ** 31;
  };
}

/** A tensor of random numbers uniform in [-spread, spread), rounded to whole ones for integers. */
export function randomTensor(dtype: NumericDType, shape: Shape, spread: number, seed: number): NumericTensor {
  const tensor = createTensor(dtype, shape);
  const random = randomStream(seed);
  const { data } = tensor;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) throw new Error('random weights have no 64 bits');
  const isReal = dtypes[dtype].class === 'float';
  for (let i = 0; i < data.length; i++) data[i] = isReal ? random() * spread : Math.floor(random() * spread);
  return tensor;
}

/** A net, and what a run brings where random numbers in [0, 1) would mean nothing. */
export interface Built {
  readonly graph: Graph;
  /** By the names of inputs: of all or of none. */
  readonly feeds: ReadonlyMap<string, NumericTensor>;
}

export class Net extends Composer {
  readonly #name: string;
  readonly #inputs: Value[] = [];
  readonly #outputs: Value[] = [];
  readonly #feeds = new Map<string, NumericTensor>();
  #seed: number;

  constructor(name: string, seed = 1) {
    super();
    this.#name = name;
    this.#seed = seed;
  }

  input(name: string, dtype: NumericDType, shape: Shape): Value {
    const value: Value = { name, type: tensorType(dtype, shape) };
    this.#inputs.push(value);
    return value;
  }

  /** An input with what a run brings for it. */
  fed(name: string, tensor: NumericTensor): Value {
    this.#feeds.set(name, tensor);
    return this.input(name, tensor.dtype, tensor.shape);
  }

  /** Random weights, uniform in [-spread, spread). */
  weight(shape: Shape, spread: number, dtype: NumericDType = 'f32'): Value {
    const seed = this.#seed++;
    const value: Value = { name: `weight.${seed}`, type: tensorType(dtype, shape) };
    this.constants.set(value, { dtype, shape, bytes: elementCount(shape) * dtypes[dtype].bytes, read: () => randomTensor(dtype, shape, spread, seed) });
    return value;
  }

  /** The first output of an operator; attributes that are left out have their defaults. */
  op<O extends OnnxOpName>(op: O, inputs: readonly (Value | null)[], attrs: Partial<OnnxAttrs[O]> = {}): Value {
    return this.value(call(op, inputs, attrs));
  }

  /** Several outputs of an operator. */
  ops<O extends OnnxOpName>(count: number, op: O, inputs: readonly (Value | null)[], attrs: Partial<OnnxAttrs[O]> = {}): readonly Value[] {
    const name = `${op}.${this.nodes.length}`;
    const outputs = Array.from({ length: count }, (_, i): Value => ({ name: `${name}.${i}`, type: undefined }));
    this.emit(call(op, inputs, attrs), name, outputs);
    return outputs;
  }

  /** `x` under the name of an output of the net. */
  output(name: string, x: Value, dtype: NumericDType = 'f32', shape?: readonly Dim[]): void {
    const value: Value = { name, type: tensorType(dtype, shape) };
    this.emit(call('Identity', [x]), name, [value]);
    this.#outputs.push(value);
  }

  /** Values as outputs of the net, under the names that they have. */
  results(values: readonly Value[]): void {
    this.#outputs.push(...values);
  }

  build(): Built {
    const graph = { name: this.#name, inputs: this.#inputs, outputs: this.#outputs, nodes: this.nodes, constants: this.constants };
    return { graph, feeds: this.#feeds };
  }
}
