// Transformers with random weights, written as exporters write them: an encoder of BERT's kind, a step of a decoder of GPT-2's kind.
import { intTensor } from '../../src/core/tensor.ts';
import type { Value } from '../../src/graph/graph.ts';
import { Net, randomTensor } from './net.ts';
import type { Built } from './net.ts';

export interface TransformerSize {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  /** Numbers inside of the layers that work on each token alone. */
  readonly inside: number;
}

export interface EncoderSize extends TransformerSize {
  readonly length: number;
}

export const bertBase: EncoderSize = { layers: 12, width: 768, heads: 12, inside: 3072, length: 128 };

/** x · W + b, with W of [from, to]: how layers are written, in floats or in bytes (quantised.ts). */
export type Linear = (net: Net, x: Value, from: number, to: number) => Value;

/** Keeps the variance of what goes through. */
export const linearSpread = (from: number): number => Math.sqrt(3 / from);
export const linear: Linear = (net, x, from, to) => net.op('Add', [net.op('MatMul', [x, net.weight([from, to], linearSpread(from))]), net.weight([to], 0.02)]);

/** [1, length, width] as [1, heads, length, width / heads], or with the last two axes swapped. */
function toHeads(net: Net, x: Value, { width, heads }: TransformerSize, length: number, isTransposed = false): Value {
  return net.op('Transpose', [net.reshape(x, [1, length, heads, width / heads])], { perm: isTransposed ? [0, 2, 3, 1] : [0, 2, 1, 3] });
}
const fromHeads = (net: Net, x: Value, { width }: TransformerSize, length: number): Value => net.reshape(net.op('Transpose', [x], { perm: [0, 2, 1, 3] }), [1, length, width]);

/** Layer normalisation by its parts, as files before opset 17 have it. */
function normByParts(net: Net, x: Value, width: number): Value {
  const mean = (v: Value): Value => net.op('ReduceMean', [v, net.ints([-1])], { keepdims: 1 });
  const centred = net.op('Sub', [x, mean(x)]);
  const variance = mean(net.op('Pow', [centred, net.scalar('f32', 2)]));
  const deviation = net.op('Sqrt', [net.op('Add', [variance, net.scalar('f32', 1e-12)])]);
  return net.op('Add', [net.op('Mul', [net.op('Div', [centred, deviation]), net.weight([width], 1)]), net.weight([width], 0.02)]);
}

/** GELU with the error function, by its parts. */
function geluByParts(net: Net, x: Value): Value {
  const erf = net.op('Erf', [net.op('Div', [x, net.scalar('f32', Math.SQRT2)])]);
  return net.op('Mul', [net.op('Mul', [x, net.op('Add', [erf, net.scalar('f32', 1)])]), net.scalar('f32', 0.5)]);
}

/** What is added to scores: a large negative number where the mask [1, length] is 0. */
function maskOf(net: Net, mask: Value): Value {
  const wide = net.op('Unsqueeze', [mask, net.ints([1, 2])]);
  return net.op('Mul', [net.op('Sub', [net.scalar('f32', 1), net.cast(wide, 'f32')]), net.scalar('f32', -10000)]);
}

/** An encoder with norms behind the sums (Devlin et al., 2018), on embedded tokens, the last eighth of them masked. */
export function encoder(name: string, size: EncoderSize, layer: Linear = linear): Built {
  const { layers, width, heads, inside, length } = size;
  const net = new Net(name);
  const tokens = net.fed('tokens', randomTensor('f32', [1, length, width], 1, 7001));
  const mask = maskOf(net, net.fed('attention_mask', intTensor(Array.from({ length }, (_, i) => (i < length - (length >> 3) ? 1 : 0)), [1, length]))); // prettier-ignore
  let x = normByParts(net, tokens, width);
  for (let i = 0; i < layers; i++) {
    const q = toHeads(net, layer(net, x, width, width), size, length);
    const k = toHeads(net, layer(net, x, width, width), size, length, true);
    const v = toHeads(net, layer(net, x, width, width), size, length);
    const scores = net.op('Add', [net.op('Div', [net.op('MatMul', [q, k]), net.scalar('f32', Math.sqrt(width / heads))]), mask]);
    const mixed = fromHeads(net, net.op('MatMul', [net.op('Softmax', [scores], { axis: -1 }), v]), size, length);
    x = normByParts(net, net.op('Add', [layer(net, mixed, width, width), x]), width);
    const grown = geluByParts(net, layer(net, x, width, inside));
    x = normByParts(net, net.op('Add', [layer(net, grown, inside, width), x]), width);
  }
  net.output('hidden', x, 'f32', [1, length, width]);
  return net.build();
}

export interface DecoderSize extends TransformerSize {
  readonly vocabulary: number;
  /** Positions that there may be. */
  readonly positions: number;
  /** Tokens before this one. */
  readonly past: number;
}

export const gpt2Small: DecoderSize = { layers: 12, width: 768, heads: 12, inside: 3072, vocabulary: 50257, positions: 1024, past: 512 };

/** GELU by tanh, by its parts, as GPT-2 has it. */
function geluTanhByParts(net: Net, x: Value): Value {
  const cubic = net.op('Mul', [net.op('Pow', [x, net.scalar('f32', 3)]), net.scalar('f32', 0.044715)]);
  const tanh = net.op('Tanh', [net.op('Mul', [net.op('Add', [x, cubic]), net.scalar('f32', Math.sqrt(2 / Math.PI))])]);
  return net.op('Mul', [net.op('Mul', [x, net.scalar('f32', 0.5)]), net.op('Add', [tanh, net.scalar('f32', 1)])]);
}

/** One token through a decoder with norms before the layers (Radford et al., 2019). Keys and values of tokens before it come in and go out, longer by one; logits are products with the table of embeddings. */
export function decoderStep(name: string, size: DecoderSize): Built {
  const { layers, width, heads, inside, vocabulary, positions, past } = size;
  const net = new Net(name);
  const ids = net.fed('input_ids', intTensor([past % vocabulary], [1, 1]));
  const position = net.fed('position_ids', intTensor([past], [1, 1]));
  const mask = maskOf(net, net.fed('attention_mask', intTensor(Array.from({ length: past + 1 }, () => 1), [1, past + 1]))); // prettier-ignore
  const table = net.weight([vocabulary, width], 0.04);
  const norm = (x: Value): Value => net.op('LayerNormalization', [x, net.weight([width], 1), net.weight([width], 0.02)], { axis: -1, epsilon: 1e-5 });
  const cache = (kind: string, i: number): Value => net.fed(`past_key_values.${i}.${kind}`, randomTensor('f32', [1, heads, past, width / heads], 1, 8000 + 2 * i + kind.length));
  let x = net.op('Add', [net.op('Gather', [table, ids]), net.op('Gather', [net.weight([positions, width], 0.02), position])]);
  for (let i = 0; i < layers; i++) {
    const [q, k, v] = net.ops(3, 'Split', [linear(net, norm(x), width, 3 * width), net.ints([width, width, width])], { axis: 2 });
    const grow = (kind: string, now: Value): Value => net.op('Concat', [cache(kind, i), toHeads(net, now, size, 1)], { axis: 2 });
    const [keys, values] = [grow('key', k!), grow('value', v!)];
    net.output(`present.${i}.key`, keys, 'f32', [1, heads, past + 1, width / heads]);
    net.output(`present.${i}.value`, values, 'f32', [1, heads, past + 1, width / heads]);
    const products = net.op('MatMul', [toHeads(net, q!, size, 1), net.op('Transpose', [keys], { perm: [0, 1, 3, 2] })]);
    const scores = net.op('Add', [net.op('Div', [products, net.scalar('f32', Math.sqrt(width / heads))]), mask]);
    const mixed = fromHeads(net, net.op('MatMul', [net.op('Softmax', [scores], { axis: -1 }), values]), size, 1);
    x = net.op('Add', [x, linear(net, mixed, width, width)]);
    x = net.op('Add', [x, linear(net, geluTanhByParts(net, linear(net, norm(x), width, inside)), inside, width)]);
  }
  net.output('logits', net.op('MatMul', [norm(x), net.op('Transpose', [table], { perm: [1, 0] })]), 'f32', [1, 1, vocabulary]);
  return net.build();
}
