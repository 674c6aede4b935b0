// Models of old operator sets, read from files as their exporters wrote them: each older form gives what its own specification says.
import { expect, it } from 'vitest';
import { intTensor, tensorFrom, toNumbers } from '../../src/core/tensor.ts';
import type { NumericTensor, Tensor } from '../../src/core/tensor.ts';
import type { MessageInit } from '../../src/formats/onnx/messages.ts';
import { importModel } from '../../src/formats/onnx/import.ts';
import { typeToProto } from '../../src/formats/onnx/types.ts';
import { writeMessage } from '../../src/formats/onnx/writeMessage.ts';
import { isTensor, tensorType } from '../../src/graph/graph.ts';
import { interpretGraph } from '../../src/reference/interpret.ts';

type Attr = number | string | readonly number[] | { readonly float: number } | { readonly floats: readonly number[] };

function attribute(name: string, value: Attr): MessageInit<'AttributeProto'> {
  if (typeof value === 'number') return { name, type: 2, i: BigInt(value) };
  if (typeof value === 'string') return { name, type: 3, s: new TextEncoder().encode(value) };
  if ('float' in value) return { name, type: 1, f: value.float };
  if ('floats' in value) return { name, type: 6, floats: [...value.floats] };
  return { name, type: 7, ints: value.map(BigInt) };
}

/** Outputs of a model with one node. */
function run(op: string, opset: number, attrs: Readonly<Record<string, Attr>>, inputs: readonly NumericTensor[], outputs = 1): Tensor[] {
  const names = inputs.map((_, i) => `x${i}`);
  const results = Array.from({ length: outputs }, (_, i) => `y${i}`);
  const attributes = Object.entries(attrs).map(([name, value]) => attribute(name, value));
  const graphProto: MessageInit<'GraphProto'> = {
    name: 'old',
    node: [{ opType: op, input: names, output: results, attribute: attributes }],
    input: inputs.map(({ dtype }, i) => ({ name: names[i]!, type: typeToProto(tensorType(dtype, undefined)) })),
    output: results.map((name) => ({ name })),
  };
  const { graph } = importModel(writeMessage('ModelProto', { irVersion: 4n, opsetImport: [{ version: BigInt(opset) }], graph: graphProto }));
  return interpretGraph(graph, inputs).map((value) => {
    if (!isTensor(value)) throw new Error('not a tensor');
    return value;
  });
}

const f32 = (shape: readonly number[], ...values: number[]) => tensorFrom('f32', shape, values);
const count = (shape: readonly number[]) => f32(shape, ...Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i + 1));

interface Case {
  readonly op: string;
  readonly opset: number;
  readonly attrs?: Readonly<Record<string, Attr>>;
  readonly inputs: readonly NumericTensor[];
  readonly shape: readonly number[];
  readonly values: readonly number[];
  readonly why: string;
}

const e = Math.E;
const cases: readonly Case[] = [
  { op: 'Add', opset: 6, attrs: { broadcast: 1, axis: 0 }, inputs: [count([2, 2]), f32([2], 10, 20)], shape: [2, 2], values: [11, 12, 23, 24], why: 'B lies from an axis on' },
  { op: 'Clip', opset: 6, attrs: { min: { float: 0.5 }, max: { float: 2 } }, inputs: [tensorFrom('f16', [3], [0, 1, 3])], shape: [3], values: [0.5, 1, 2], why: 'bounds of the dtype of the data' },
  { op: 'Clip', opset: 6, attrs: { max: { float: 2 } }, inputs: [tensorFrom('f64', [2], [-9, 3])], shape: [2], values: [-9, 2], why: 'one bound' },
  { op: 'Pad', opset: 2, attrs: { pads: [1, 0], value: { float: 7 } }, inputs: [tensorFrom('f64', [2], [1, 2])], shape: [3], values: [7, 1, 2], why: 'a value of the dtype of the data' },
  { op: 'Pad', opset: 1, attrs: { paddings: [0, 1] }, inputs: [count([2])], shape: [3], values: [1, 2, 0], why: 'paddings' },
  { op: 'Softmax', opset: 11, attrs: { axis: 1 }, inputs: [f32([1, 2, 2], 0, 0, 0, 0)], shape: [1, 2, 2], values: [0.25, 0.25, 0.25, 0.25], why: 'all axes from one on' },
  { op: 'Softmax', opset: 13, attrs: { axis: 1 }, inputs: [f32([1, 2, 2], 0, 0, 0, 0)], shape: [1, 2, 2], values: [0.5, 0.5, 0.5, 0.5], why: 'one axis' },
  { op: 'LogSoftmax', opset: 1, inputs: [f32([1, 2, 1], 0, 1)], shape: [1, 2, 1], values: [-Math.log(1 + e), 1 - Math.log(1 + e)], why: 'axis 1 by default' },
  { op: 'Slice', opset: 1, attrs: { starts: [1], ends: [9], axes: [1] }, inputs: [count([2, 3])], shape: [2, 2], values: [2, 3, 5, 6], why: 'attributes' },
  { op: 'Squeeze', opset: 11, attrs: { axes: [-1] }, inputs: [count([1, 2, 1])], shape: [1, 2], values: [1, 2], why: 'attributes' },
  { op: 'Unsqueeze', opset: 1, attrs: { axes: [0, 2] }, inputs: [count([2])], shape: [1, 2, 1], values: [1, 2], why: 'attributes' },
  { op: 'Reshape', opset: 1, attrs: { shape: [-1, 1] }, inputs: [count([2])], shape: [2, 1], values: [1, 2], why: 'attributes' },
  { op: 'TopK', opset: 1, attrs: { k: 1 }, inputs: [count([3])], shape: [1], values: [3], why: 'attributes' },
  { op: 'Split', opset: 2, attrs: { split: [2, 1] }, inputs: [count([3])], shape: [2], values: [1, 2], why: 'attributes' },
  { op: 'ReduceSum', opset: 11, attrs: { axes: [1], keepdims: 0 }, inputs: [count([2, 2])], shape: [2], values: [3, 7], why: 'attributes' },
  { op: 'ReduceMean', opset: 13, attrs: { axes: [0] }, inputs: [count([2, 2])], shape: [1, 2], values: [2, 3], why: 'attributes' },
  { op: 'Tile', opset: 1, inputs: [count([2, 1]), f32([], 2), f32([], 1)], shape: [2, 2], values: [1, 1, 2, 2], why: 'one axis at a time' },
  { op: 'Selu', opset: 1, inputs: [f32([2], 1, -1)], shape: [2], values: [1.0507, 1.0507 * 1.6732 * (1 / e - 1)], why: 'constants of five digits' },
  { op: 'Dropout', opset: 7, attrs: { ratio: { float: 0.9 } }, inputs: [count([2])], shape: [2], values: [1, 2], why: 'no training' },
  { op: 'PRelu', opset: 6, inputs: [f32([1, 2, 2], -1, -1, -1, -1), f32([2], 2, 3)], shape: [1, 2, 2], values: [-2, -2, -3, -3], why: 'a slope a channel' },
  { op: 'Gemm', opset: 6, attrs: { broadcast: 1 }, inputs: [count([1, 2]), count([2, 1]), f32([1], 10)], shape: [1, 1], values: [15], why: 'broadcast' },
  { op: 'Cast', opset: 1, attrs: { to: 'INT32' }, inputs: [f32([2], 1.5, -1.5)], shape: [2], values: [1, -1], why: 'a name of the dtype' },
  { op: 'Upsample', opset: 7, attrs: { scales: { floats: [1, 1, 1, 2] }, mode: 'nearest' }, inputs: [count([1, 1, 1, 2])], shape: [1, 1, 1, 4], values: [1, 1, 2, 2], why: 'attributes' },
  { op: 'Upsample', opset: 9, attrs: { mode: 'linear' }, inputs: [count([1, 1, 1, 2]), f32([4], 1, 1, 1, 2)], shape: [1, 1, 1, 4], values: [1, 1.5, 2, 2], why: 'asymmetric' },
  { op: 'Resize', opset: 10, inputs: [count([1, 1, 1, 4]), f32([4], 1, 1, 1, 0.5)], shape: [1, 1, 1, 2], values: [1, 3], why: 'asymmetric' },
  { op: 'Scatter', opset: 9, inputs: [count([3]), intTensor([0]), f32([1], 9)], shape: [3], values: [9, 2, 3], why: 'another name' },
  { op: 'LpPool', opset: 1, attrs: { kernel_shape: [2], p: { float: 1 } }, inputs: [count([1, 1, 2])], shape: [1, 1, 1], values: [3], why: 'p as a float' },
  { op: 'DFT', opset: 17, attrs: { axis: 1 }, inputs: [f32([1, 2, 1], 1, 3)], shape: [1, 2, 2], values: [4, 0, -2, 0], why: 'an axis attribute' },
  { op: 'BatchNormalization', opset: 7, attrs: { spatial: 0, epsilon: { float: 0 } }, inputs: [f32([1, 2, 1], 3, 3), f32([2, 1], 1, 2), f32([2, 1], 0, 0), f32([2, 1], 1, 1), f32([2, 1], 1, 4)], shape: [1, 2, 1], values: [2, 2], why: 'statistics per element' },
  { op: 'GroupNormalization', opset: 18, attrs: { num_groups: 1, epsilon: { float: 0 } }, inputs: [f32([1, 2, 1], 0, 2), f32([1], 3), f32([1], 1)], shape: [1, 2, 1], values: [-2, 4], why: 'parameters per group' },
]; // prettier-ignore

it.each(cases)('$op of opset $opset: $why', ({ op, opset, attrs = {}, inputs, shape, values }) => {
  const [y] = run(op, opset, attrs, inputs, op === 'TopK' || op === 'Split' ? 2 : 1);
  expect(y!.shape).toEqual(shape);
  expect(y!.dtype).toBe(op === 'Cast' ? 'i32' : inputs[0]!.dtype);
  toNumbers(y!).forEach((value, i) => expect(value, `element ${i}`).toBeCloseTo(values[i]!, 4));
});
