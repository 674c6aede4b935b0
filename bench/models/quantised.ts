// Quantised forms of layers, as tools write them: bytes between QuantizeLinear and DequantizeLinear, scales found at run time, and
// weights of four bits in blocks.
import { filledTensor, tensorFrom } from '../../src/core/tensor.ts';
import type { Value } from '../../src/graph/graph.ts';
import type { Style } from './images.ts';
import { Net, randomTensor } from './net.ts';
import type { Built } from './net.ts';
import { linearSpread } from './transformers.ts';
import type { Linear } from './transformers.ts';

/** The largest weight in bytes. */
const BYTE_SPREAD = 127;
/** Of what layers hand on, which keeps a deviation of about 1: from 0 to 8 where it is positive, else from -4 to 4. */
const STEP = 8 / 255;
const BIAS = 0.1;

/** Through a byte and back. */
function throughBytes(net: Net, x: Value, isPositive: boolean): Value {
  const [scale, zero] = [net.scalar('f32', STEP), net.scalar('u8', isPositive ? 0 : 128)];
  return net.op('DequantizeLinear', [net.op('QuantizeLinear', [x, scale, zero]), scale, zero]);
}

/** A weight of bytes with one scale for each of its filters, the first axis. */
function byteWeight(net: Net, shape: readonly number[], spread: number): Value {
  const count = shape[0]!;
  const scales = net.constant(filledTensor('f32', [count], spread / BYTE_SPREAD));
  return net.op('DequantizeLinear', [net.weight(shape, BYTE_SPREAD, 'i8'), scales, net.constant(filledTensor('i8', [count], 0))], { axis: 0 });
}

/** Layers of images between QuantizeLinear and DequantizeLinear. */
export const quantisedImages: Style = {
  weight: byteWeight,
  // In steps of the products' sums, as the specification of QLinearConv has it.
  bias: (net, length, spread) => {
    const step = (STEP * spread) / BYTE_SPREAD;
    return net.op('DequantizeLinear', [net.weight([length], BIAS / step, 'i32'), net.constant(filledTensor('f32', [length], step))], { axis: 0 });
  },
  handOn: throughBytes,
};

/** x · W + b on bytes with scales of the model. */
export const quantisedLinear: Linear = (net, x, from, to) => {
  const weight = net.op('DequantizeLinear', [net.weight([from, to], BYTE_SPREAD, 'i8'), net.scalar('f32', linearSpread(from) / BYTE_SPREAD), net.scalar('i8', 0)]);
  const sums = throughBytes(net, net.op('MatMul', [throughBytes(net, x, false), weight]), false);
  return net.op('Add', [sums, net.weight([to], 0.02)]);
};

/** x · W + b on bytes whose scale each run finds: DynamicQuantizeLinear and MatMulInteger. */
export const dynamicLinear: Linear = (net, x, from, to) => {
  const [bytes, scale, zero] = net.ops(3, 'DynamicQuantizeLinear', [x]);
  const sums = net.op('MatMulInteger', [bytes!, net.weight([from, to], BYTE_SPREAD, 'i8'), zero!, net.scalar('i8', 0)]);
  const factor = net.op('Mul', [scale!, net.scalar('f32', linearSpread(from) / BYTE_SPREAD)]);
  return net.op('Add', [net.op('Mul', [net.cast(sums, 'f32'), factor]), net.weight([to], 0.02)]);
};

/** Elements along the sum that have one scale. */
const BLOCK = 32;

/** A product with weights of four bits in blocks, on their way through DequantizeLinear of opset 21. */
export function fourBitProduct(name: string, rows: number, from: number, to: number): Built {
  const net = new Net(name);
  const x = net.fed('x', randomTensor('f32', [rows, from], 1, 7001));
  const scales = net.constant(randomScales([from / BLOCK, to], linearSpread(from) / 7));
  const weight = net.op('DequantizeLinear', [net.weight([from, to], 8, 'i4'), scales], { axis: 0, block_size: BLOCK });
  net.output('y', net.op('MatMul', [x, weight]), 'f32', [rows, to]);
  return net.build();
}

/** Positive, and not all alike. */
function randomScales(shape: readonly number[], most: number) {
  const { data } = randomTensor('f32', shape, 0.5, 7002);
  return tensorFrom(
    'f32',
    shape,
    Float32Array.from({ length: data.length }, (_, i) => most * (0.5 + Math.abs(Number(data[i])))),
  );
}
