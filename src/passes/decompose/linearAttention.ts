// LinearAttention in primitives: the recurrence over its state is unrolled, all heads of a step at once.
import type { Operand } from '../../graph/builder.ts';
import { resolveLinearAttention } from '../../graph/ops/linearAttentionGeometry.ts';
import { inputAt, onHost } from '../lowering.ts';
import type { Lower } from '../lowering.ts';
import { sliceAxis } from './views.ts';

/** Unrolled steps; beyond, compiling would take longer than anyone waits. */
const MAX_STEPS = 1024;

export const linearAttention: Lower<'LinearAttention'> = (b, { attrs }, inputs) => {
  const [query, key, value] = [inputAt(inputs, 0), inputAt(inputs, 1), inputAt(inputs, 2)];
  const [past, decay, beta] = [inputs[3] ?? null, inputs[4] ?? null, inputs[5] ?? null];
  const shapes = { query: query.shape, key: key.shape, value: value.shape, past: past?.shape, decay: decay?.shape, beta: beta?.shape };
  const g = resolveLinearAttention(shapes, attrs);
  if (g.steps > MAX_STEPS) return onHost(`a recurrence of ${g.steps} steps`);
  const { batch, heads, group, keySize, valueSize } = g;
  /** Step t of x, as [batch, heads, rows, columns]. */
  const stepOf = (x: Operand, t: number, count: number, rows: number, columns: number): Operand =>
    b.reshape(b.cast(sliceAxis(b, x, 1, t, 1), 'f32'), [batch, count, rows, columns]);
  const scale = b.scalar('f32', g.scale);
  const results: Operand[] = [];
  let state = past === null ? b.full('f32', [batch, heads, keySize, valueSize], 0) : b.cast(past, 'f32');
  for (let t = 0; t < g.steps; t++) {
    if (decay !== null) state = b.mul(state, b.exp(stepOf(decay, t, heads, g.decays, 1)));
    let written = stepOf(value, t, heads, 1, valueSize);
    if (beta !== null) written = b.mul(stepOf(beta, t, g.rates, 1, 1), b.sub(written, b.matmul(stepOf(key, t, heads, 1, keySize), state)));
    state = b.add(state, b.mul(stepOf(key, t, heads, keySize, 1), written));
    const read = b.matmul(b.mul(stepOf(query, t, heads, group, keySize), scale), state);
    results.push(b.reshape(read, [batch, 1, heads * group * valueSize]));
  }
  const y = results.length === 0 ? b.full('f32', [batch, 0, heads * group * valueSize], 0) : b.concat(results, 1);
  return [b.cast(y, query.dtype), b.cast(state, past?.dtype ?? query.dtype)];
};
