// A norm between two reshapes, as exporters write norms of groups: the image keeps the order that its convolution gives it.
import { expect, it } from 'vitest';
import { filledTensor, intTensor } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { exportModel } from '../../src/formats/onnx/export.ts';
import { constantOf, tensorType } from '../../src/graph/graph.ts';
import type { Node, Value } from '../../src/graph/graph.ts';
import { InferenceSession, Tensor } from '../../src/index.ts';
import { createSource } from '../ops/rules.ts';

const random = createSource(5);
const valueOf = (name: string, shape: readonly number[]): Value => ({ name, type: tensorType('f32', shape) });

/** conv → reshape to [1, groups, rest] → instance norm → reshape back → conv. */
function groupNorm(channels: number, groups: number, length: number): Uint8Array {
  const constants = new Map<Value, ReturnType<typeof constantOf>>();
  const constant = (name: string, tensor: NumericTensor): Value => {
    const value: Value = { name, type: undefined };
    constants.set(value, constantOf(tensor));
    return value;
  };
  const [x, y] = [valueOf('x', [1, 3, length]), valueOf('y', [1, 2, length])];
  const [image, joined, normed, back] = ['image', 'joined', 'normed', 'back'].map((name): Value => ({ name, type: undefined }));
  const weights = (name: string, shape: readonly number[]): Value => constant(name, random('f32', shape));
  const conv = { auto_pad: '', group: 1, dilations: [1], strides: [1], pads: [0, 0], kernel_shape: [1] } as const;
  const [ones, zeros] = [1, 0].map((value) => constant(`all ${value}`, filledTensor('f32', [groups], value)));
  const nodes: Node[] = [
    { op: 'Conv', name: 'first', attrs: conv, inputs: [x, weights('w1', [channels, 3, 1])], outputs: [image!] },
    { op: 'Reshape', name: 'join', attrs: { allowzero: 0 }, inputs: [image!, constant('grouped', intTensor([1, groups, -1]))], outputs: [joined!] },
    { op: 'InstanceNormalization', name: 'norm', attrs: { epsilon: 1e-5 }, inputs: [joined!, ones!, zeros!], outputs: [normed!] },
    { op: 'Reshape', name: 'part', attrs: { allowzero: 0 }, inputs: [normed!, constant('apart', intTensor([1, channels, length]))], outputs: [back!] },
    { op: 'Conv', name: 'last', attrs: conv, inputs: [back!, weights('w2', [2, channels, 1])], outputs: [y] },
  ];
  return exportModel({ name: 'norms', inputs: [x], outputs: [y], nodes, constants });
}

it.each([
  [32, 1, 199],
  [32, 4, 67],
  [48, 48, 31],
])('%i channels in %i groups, %i long', async (channels, groups, length) => {
  const model = groupNorm(channels, groups, length);
  const data = random('f32', [1, 3, length]).data as Float32Array;
  const [expected, found] = await Promise.all(
    ['reference', 'cpu'].map(async (device) => {
      const session = await InferenceSession.create(model, { executionProviders: [device] });
      const { y } = await session.run({ x: new Tensor('float32', data, [1, 3, length]) });
      await session.release();
      return y!.data as Float32Array;
    }),
  );
  expect(found!.length).toBe(expected!.length);
  found!.forEach((v, i) => expect(v).toBeCloseTo(expected![i]!, 4));
});
