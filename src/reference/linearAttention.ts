// Reference of LinearAttention: one state a head, step by step.
import { forEachIndex } from '../core/shape.ts';
import { createTensor, elementWriter, numberReader, tensorFrom } from '../core/tensor.ts';
import { resolveLinearAttention } from '../graph/ops/linearAttentionGeometry.ts';
import { numericAt, optionalAt } from './evaluate.ts';
import type { Evaluate } from './evaluate.ts';

/** S ← e^g ⊙ S; v ← β (v − Sᵀk); S ← S + k vᵀ; o = scale · Sᵀq. A rule that lacks decay or β leaves that part out. */
export const linearAttention: Evaluate<'LinearAttention'> = ({ attrs }, inputs) => {
  const [query, key, value] = [numericAt(inputs, 0), numericAt(inputs, 1), numericAt(inputs, 2)];
  const [past, decay, beta] = [optionalAt(inputs, 3), optionalAt(inputs, 4), optionalAt(inputs, 5)];
  const shapes = { query: query.shape, key: key.shape, value: value.shape, past: past?.shape, decay: decay?.shape, beta: beta?.shape };
  const g = resolveLinearAttention(shapes, attrs);
  const { steps, heads, keySize, valueSize } = g;
  const [q, k, v] = [numberReader(query), numberReader(key), numberReader(value)];
  const [fade, rate] = [decay === undefined ? () => 0 : numberReader(decay), beta === undefined ? () => 1 : numberReader(beta)];
  const size = keySize * valueSize;
  const states = Float64Array.from({ length: g.batch * heads * size }, past === undefined ? () => 0 : (_, i) => numberReader(past)(i));
  const y = createTensor(query.dtype, [g.batch, steps, heads * g.group * valueSize]);
  const write = elementWriter(y);
  forEachIndex([g.batch, heads, steps], ([n, head, t]) => {
    const state = states.subarray((n! * heads + head!) * size, (n! * heads + head! + 1) * size);
    const row = (n! * steps + t!) * heads + head!;
    if (g.decays > 0) for (let i = 0; i < size; i++) state[i]! *= Math.exp(fade(row * g.decays + (g.decays === 1 ? 0 : Math.floor(i / valueSize))));
    const read = (vector: (i: number) => number, column: number): number => {
      let sum = 0;
      for (let i = 0; i < keySize; i++) sum += vector(i) * state[i * valueSize + column]!;
      return sum;
    };
    const keyAt = (i: number): number => k(row * keySize + i);
    const rateOf = g.rates === 0 ? 0 : rate((n! * steps + t!) * g.rates + (g.rates === 1 ? 0 : head!));
    const written = Array.from({ length: valueSize }, (_, c) => (g.rates === 0 ? v(row * valueSize + c) : rateOf * (v(row * valueSize + c) - read(keyAt, c))));
    for (let i = 0; i < size; i++) state[i]! += keyAt(Math.floor(i / valueSize)) * written[i % valueSize]!;
    for (let member = 0; member < g.group; member++) {
      const at = row * g.group + member;
      for (let c = 0; c < valueSize; c++) write(at * valueSize + c, g.scale * read((i) => q(at * keySize + i), c));
    }
  });
  return [y, tensorFrom(past?.dtype ?? query.dtype, [g.batch, heads, keySize, valueSize], states)];
};
