// Attention and rotary embeddings in primitives: two products of matrices around a softmax. Heads that share keys are rows of one
// product, so keys and values are never repeated.
import type { NumericDType } from '../../core/dtype.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import type { matmulOps } from '../../graph/ops/matmul.ts';
import { headShape, resolveAttention, resolveRotary } from '../../graph/ops/matmulGeometry.ts';
import type { AttentionGeometry } from '../../graph/ops/matmulGeometry.ts';
import { accumulatorOf, inputAt } from '../lowering.ts';
import type { Lower, Lowerings } from '../lowering.ts';
import { softmax } from './rows.ts';
import { along, padAxis, sliceAxis } from './views.ts';

/** [batch, heads, sequence, size] of a 4-D operand or of a 3-D one. */
function splitHeads(b: Builder, x: Operand, heads: number | undefined): Operand {
  const [batch, count, sequence, size] = headShape(x.shape, heads);
  return x.shape.length === 4 ? x : b.transpose(b.reshape(x, [batch!, sequence!, count!, size!]), [0, 2, 1, 3]);
}

const joinSequence = (b: Builder, past: Operand | null, fresh: Operand): Operand => (past === null ? fresh : b.concat([past, fresh], 2));

/** Which keys a query may see by its place: bool, broadcastable to [batch, heads, queries, keys]; undefined when all. */
function visibleKeys(b: Builder, g: AttentionGeometry, lengths: Operand | null): Operand | undefined {
  const place = (size: number, axis: number): Operand => along(b, b.iota('i32', [size], 0), axis, 4);
  const key = place(g.keys, 3);
  const length = lengths === null ? undefined : b.reshape(b.cast(lengths, 'i32'), [g.batch, 1, 1, 1]);
  const conditions: Operand[] = length === undefined ? [] : [b.lt(key, length)];
  if (g.left !== undefined || g.right !== undefined) {
    const offset = length === undefined ? b.scalar('i32', g.past) : b.sub(length, b.scalar('i32', g.queries));
    const behind = b.sub(b.add(place(g.queries, 2), offset), key);
    if (g.left !== undefined) conditions.push(b.le(behind, b.scalar('i32', g.left)));
    if (g.right !== undefined) conditions.push(b.ge(behind, b.scalar('i32', -g.right)));
  }
  return conditions.length === 0 ? undefined : conditions.reduce((all, condition) => b.and(all, condition));
}

/** The scores with the mask added; a bool mask, or one that is too short, takes keys away. */
function applyMask(b: Builder, scores: Operand, mask: Operand, keys: number): Operand {
  const last = mask.shape.length - 1;
  if (mask.dtype === 'bool') return b.where(padAxis(b, mask, last, 0, keys - mask.shape[last]!), scores, b.scalar(scores.dtype, -Infinity));
  return b.add(scores, padAxis(b, b.cast(mask, scores.dtype), last, 0, keys - mask.shape[last]!, -Infinity));
}

/** Softmax over the last axis, where a row of −∞ alone gives zeros. */
function guardedSoftmax(b: Builder, x: Operand): Operand {
  const axis = x.shape.length - 1;
  const scalar = (value: number): Operand => b.scalar(x.dtype, value);
  const largest = b.reduce('max', x, [axis]);
  const powers = b.exp(b.sub(x, b.where(b.eq(largest, scalar(-Infinity)), scalar(0), largest)));
  const sum = b.reduce('sum', powers, [axis]);
  return b.div(powers, b.where(b.eq(sum, scalar(0)), scalar(1), sum));
}

const Attention: Lower<'Attention'> = (b, { attrs, outputs }, inputs) => {
  const [Q, K, V] = [inputAt(inputs, 0), inputAt(inputs, 1), inputAt(inputs, 2)];
  const [mask, pastKey, pastValue, lengths] = [inputs[3] ?? null, inputs[4] ?? null, inputs[5] ?? null, inputs[6] ?? null];
  const shapes = { q: Q.shape, k: K.shape, v: V.shape, mask: mask?.shape, pastKey: pastKey?.shape, pastValue: pastValue?.shape, lengths: lengths?.shape };
  const g = resolveAttention(shapes, attrs);
  const acc = accumulatorOf(Q.dtype);
  const key = joinSequence(b, pastKey, splitHeads(b, K, attrs.kv_num_heads));
  const value = joinSequence(b, pastValue, splitHeads(b, V, attrs.kv_num_heads));
  const rows = (g.qHeads / g.kvHeads) * g.queries;
  const query = b.reshape(splitHeads(b, Q, attrs.q_num_heads), [g.batch, g.kvHeads, rows, g.headSize]);
  const products = b.reshape(b.matmul(query, b.transpose(key, [0, 1, 3, 2]), acc), [g.batch, g.qHeads, g.queries, g.keys]);
  const raw = b.mul(products, b.scalar(acc, g.scale));
  const cap = b.scalar(acc, attrs.softcap);
  const capped = attrs.softcap > 0 ? b.mul(b.tanh(b.div(raw, cap)), cap) : raw;
  const masked = mask === null ? capped : applyMask(b, capped, mask, g.keys);
  const visible = visibleKeys(b, g, lengths);
  const biased = visible === undefined ? masked : b.where(visible, masked, b.scalar(acc, -Infinity));
  const weights = biased === capped ? softmax(b, biased, 3) : guardedSoftmax(b, biased);
  const sums = b.matmul(b.reshape(weights, [g.batch, g.kvHeads, rows, g.keys]), b.cast(value, acc), acc);
  const heads = b.reshape(sums, [g.batch, g.qHeads, g.queries, g.valueSize]);
  const y = Q.shape.length === 4 ? heads : b.reshape(b.transpose(heads, [0, 2, 1, 3]), [g.batch, g.queries, g.qHeads * g.valueSize]);
  const stages = [raw, capped, biased, weights];
  const wanted = (i: number, x: Operand, dtype: NumericDType): Operand | null => ((outputs[i] ?? null) === null ? null : b.cast(x, dtype));
  return [b.cast(y, Q.dtype), wanted(1, key, key.dtype), wanted(2, value, value.dtype), wanted(3, stages[attrs.qk_matmul_output_mode]!, Q.dtype)];
};

/** Turns pairs of elements by the angles of their positions; what lies beyond `turned` stays. */
const RotaryEmbedding: Lower<'RotaryEmbedding'> = (b, { attrs }, inputs) => {
  const [x, cos, sin, positions] = [inputAt(inputs, 0), inputAt(inputs, 1), inputAt(inputs, 2), inputs[3] ?? null];
  const { shape, turned } = resolveRotary(x.shape, cos.shape, sin.shape, positions?.shape, attrs);
  const [batch, sequence, heads, size] = shape;
  const half = turned / 2;
  const acc = accumulatorOf(x.dtype);
  const angles = (cache: Operand): Operand => {
    const rows = positions === null ? cache : b.gather(cache, [{ index: 0 }, { axis: 2 }], [b.reshape(positions, [batch!, sequence!, 1])], [batch!, sequence!, half]);
    return b.reshape(b.cast(rows, acc), [batch!, sequence!, 1, half]);
  };
  const split = x.shape.length === 4 ? b.transpose(x, [0, 2, 1, 3]) : b.reshape(x, shape);
  // Pairs are neighbours, or lie half of the turned part away.
  const interleaved = attrs.interleaved !== 0;
  const pairAxis = interleaved ? 4 : 3;
  const pairs = b.reshape(b.cast(sliceAxis(b, split, 3, 0, turned), acc), interleaved ? [batch!, sequence!, heads!, half, 2] : [batch!, sequence!, heads!, 2, half]);
  const member = (i: number): Operand => b.reshape(sliceAxis(b, pairs, pairAxis, i, 1), [batch!, sequence!, heads!, half]);
  const [first, second, cosine, sine] = [member(0), member(1), angles(cos), angles(sin)];
  const real = b.sub(b.mul(cosine, first), b.mul(sine, second));
  const imaginary = b.add(b.mul(sine, first), b.mul(cosine, second));
  const column = [batch!, sequence!, heads!, half, 1];
  const joined = interleaved ? b.concat([b.reshape(real, column), b.reshape(imaginary, column)], 4) : b.concat([real, imaginary], 3);
  const result = b.cast(b.reshape(joined, [batch!, sequence!, heads!, turned]), x.dtype);
  const whole = turned === size ? result : b.concat([result, sliceAxis(b, split, 3, turned, size! - turned)], 3);
  return [x.shape.length === 4 ? b.transpose(whole, [0, 2, 1, 3]) : b.reshape(whole, x.shape)];
};

export const attentionLowerings: Lowerings<Extract<keyof typeof matmulOps, 'Attention' | 'RotaryEmbedding'>> = { Attention, RotaryEmbedding };
