// Reference of attention and of rotary embeddings: query by query, in double precision.
import { AnychipError } from '../core/error.ts';
import { forEachIndex, stridesOf } from '../core/shape.ts';
import { createTensor, elementWriter, numberReader, tensorBytes } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import type { matmulOps } from '../graph/ops/matmul.ts';
import { headShape, resolveAttention, resolveRotary } from '../graph/ops/matmulGeometry.ts';
import type { AttentionGeometry } from '../graph/ops/matmulGeometry.ts';
import type { Evaluate, Evaluations } from './evaluate.ts';
import { numericAt, optionalAt } from './evaluate.ts';
import { stridedOffsets } from './prims/elementwise.ts';
import { pick } from './prims/views.ts';
import { softmaxOf, sumOf } from './rows.ts';

/** A 3-D operand [batch, sequence, heads·size] as [batch, heads, sequence, size]. */
function splitHeads(x: NumericTensor, heads: number | undefined): NumericTensor {
  const shape = headShape(x.shape, heads);
  if (x.shape.length === 4) return x;
  const [, count, sequence, size] = shape;
  return pick(x, stridedOffsets(shape, [sequence! * count! * size!, size!, count! * size!, 1], 0), shape);
}

/** Past and fresh keys (or values), joined along the sequence. */
function joinSequence(past: NumericTensor | undefined, fresh: NumericTensor): NumericTensor {
  if (past === undefined) return fresh;
  const joined = createTensor(
    fresh.dtype,
    fresh.shape.map((d, i) => (i === 2 ? d + past.shape[2]! : d)),
  );
  const strides = stridesOf(joined.shape);
  const put = (x: NumericTensor, first: number): void => stridedOffsets(x.shape, strides, first * strides[2]!).forEach((at, i) => (joined.data[at] = x.data[i]!));
  put(past, 0);
  put(fresh, past.shape[2]!);
  return joined;
}

type Bias = (batch: number, head: number, query: number, key: number) => number;

/** What attn_mask adds: a bool mask 0 or −∞, numbers themselves, −∞ where it is too short. */
function maskBias(mask: NumericTensor | undefined): Bias {
  if (mask === undefined) return () => 0;
  const read = numberReader(mask);
  const lead = 4 - mask.shape.length;
  const strides = stridesOf(mask.shape).map((s, i) => (mask.shape[i] === 1 && lead + i !== 3 ? 0 : s));
  return (...index) => {
    if (index[3] >= mask.shape.at(-1)!) return -Infinity;
    const value = read(sumOf(strides.map((s, i) => s * index[lead + i]!)));
    return mask.dtype === 'bool' ? (value === 0 ? -Infinity : 0) : value;
  };
}

/** What causality, windows and the lengths of the sequences add: 0 or −∞. */
function placeBias(g: AttentionGeometry, lengths: NumericTensor | undefined): Bias {
  const length = lengths === undefined ? () => g.keys : numberReader(lengths);
  const offset = lengths === undefined ? () => g.past : (batch: number) => length(batch) - g.queries;
  return (batch, _, query, key) => {
    const behind = query + offset(batch) - key;
    const visible = key < length(batch) && (g.left === undefined || behind <= g.left) && (g.right === undefined || -behind <= g.right);
    return visible ? 0 : -Infinity;
  };
}

const Attention: Evaluate<'Attention'> = ({ attrs }, inputs, context) => {
  const [Q, K, V] = [numericAt(inputs, 0), numericAt(inputs, 1), numericAt(inputs, 2)];
  const [mask, pastKey, pastValue, lengths] = [optionalAt(inputs, 3), optionalAt(inputs, 4), optionalAt(inputs, 5), optionalAt(inputs, 6)];
  const shapes = { q: Q.shape, k: K.shape, v: V.shape, mask: mask?.shape, pastKey: pastKey?.shape, pastValue: pastValue?.shape, lengths: lengths?.shape };
  const g = resolveAttention(shapes, attrs);
  const query = splitHeads(Q, attrs.q_num_heads);
  const [key, value] = [joinSequence(pastKey, splitHeads(K, attrs.kv_num_heads)), joinSequence(pastValue, splitHeads(V, attrs.kv_num_heads))];
  const traced = [g.batch, g.qHeads, g.queries, g.keys];
  context.reserve(tensorBytes(Q.dtype, traced));
  const y = createTensor(Q.dtype, Q.shape.length === 4 ? [g.batch, g.qHeads, g.queries, g.valueSize] : [g.batch, g.queries, g.qHeads * g.valueSize]);
  const trace = createTensor(Q.dtype, traced);
  const [write, writeTrace] = [elementWriter(y), elementWriter(trace)];
  const [q, k, v] = [numberReader(query), numberReader(key), numberReader(value)];
  const [masked, placed] = [maskBias(mask), placeBias(g, lengths)];
  const yStrides = Q.shape.length === 4 ? stridesOf(y.shape) : [g.queries * g.qHeads * g.valueSize, g.valueSize, g.qHeads * g.valueSize, 1];
  const positions = Array.from({ length: g.keys }, (_, j) => j);
  forEachIndex([g.batch, g.qHeads, g.queries], ([batch, head, i], row) => {
    const shared = batch! * g.kvHeads + Math.floor(head! / (g.qHeads / g.kvHeads));
    const dot = (j: number): number => {
      let sum = 0;
      for (let d = 0; d < g.headSize; d++) sum += q(row * g.headSize + d) * k((shared * g.keys + j) * g.headSize + d);
      return sum * g.scale;
    };
    const raw = positions.map(dot);
    const capped = attrs.softcap > 0 ? raw.map((s) => attrs.softcap * Math.tanh(s / attrs.softcap)) : raw;
    const bias = positions.map((j) => masked(batch!, head!, i!, j) + placed(batch!, head!, i!, j));
    const biased = capped.map((s, j) => s + bias[j]!);
    // A query that sees no key gives zeros.
    const weights = bias.every((v) => v === -Infinity) ? biased.map(() => 0) : softmaxOf(biased);
    const stages = [raw, capped, biased, weights];
    stages[attrs.qk_matmul_output_mode]!.forEach((s, j) => writeTrace(row * g.keys + j, s));
    for (let d = 0; d < g.valueSize; d++) {
      const sum = sumOf(weights.map((w, j) => (w === 0 ? 0 : w * v((shared * g.keys + j) * g.valueSize + d))));
      write(batch! * yStrides[0]! + head! * yStrides[1]! + i! * yStrides[2]! + d, sum);
    }
  });
  return [y, key, value, trace];
};

const RotaryEmbedding: Evaluate<'RotaryEmbedding'> = ({ attrs }, inputs) => {
  const [x, cos, sin, positions] = [numericAt(inputs, 0), numericAt(inputs, 1), numericAt(inputs, 2), optionalAt(inputs, 3)];
  const { shape, turned } = resolveRotary(x.shape, cos.shape, sin.shape, positions?.shape, attrs);
  const [, sequence, heads, size] = shape;
  const half = turned / 2;
  const y: NumericTensor = { ...x, data: x.data.slice() };
  const [read, write, c, s] = [numberReader(x), elementWriter(y), numberReader(cos), numberReader(sin)];
  const place = positions === undefined ? (row: number) => row : numberReader(positions);
  forEachIndex(shape.slice(0, 3), ([batch, i, head]) => {
    const start = x.shape.length === 4 ? ((batch! * heads! + head!) * sequence! + i!) * size! : ((batch! * sequence! + i!) * heads! + head!) * size!;
    const row = place(batch! * sequence! + i!);
    if (!(row >= 0 && row * half < cos.data.length)) throw new AnychipError('run', `position ${row} is outside the caches of ${formatRows(cos)} rows`);
    for (let pair = 0; pair < half; pair++) {
      const [first, second] = attrs.interleaved !== 0 ? [start + 2 * pair, start + 2 * pair + 1] : [start + pair, start + half + pair];
      const [real, imaginary, cosine, sine] = [read(first), read(second), c(row * half + pair), s(row * half + pair)];
      write(first, cosine * real - sine * imaginary);
      write(second, sine * real + cosine * imaginary);
    }
  });
  return [y];
};
const formatRows = (cache: NumericTensor): number => cache.data.length / cache.shape.at(-1)!;

export const attentionEvaluations: Evaluations<Extract<keyof typeof matmulOps, 'Attention' | 'RotaryEmbedding'>> = { Attention, RotaryEmbedding };
