// Shapes of LinearAttention and the parts of its recurrence, checked. Knows shapes only, never data.
import { AnychipError } from '../../core/error.ts';
import { formatShape, sameShape } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';

export interface LinearAttentionGeometry {
  readonly batch: number;
  readonly steps: number;
  readonly heads: number;
  /** Query heads that share one state. */
  readonly group: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly scale: number;
  /** Entries of the decay for each head (one, or one for each row of the state); 0 without decay. */
  readonly decays: number;
  /** Heads that have an update rate of their own (one for all, or each); 0 where values are written as they are. */
  readonly rates: number;
}

const fail = (reason: string): never => {
  throw new AnychipError('shape', reason, { hint: 'Operands are [batch, steps, heads · size]; the state is [batch, heads, key size, value size].' });
};

/** Which inputs an update rule uses. */
const rules: Readonly<Record<string, { readonly decays: boolean; readonly corrects: boolean }>> = {
  linear: { decays: false, corrects: false },
  gated: { decays: true, corrects: false },
  delta: { decays: false, corrects: true },
  gated_delta: { decays: true, corrects: true },
};

interface Shapes {
  readonly query: Shape;
  readonly key: Shape;
  readonly value: Shape;
  readonly past: Shape | undefined;
  readonly decay: Shape | undefined;
  readonly beta: Shape | undefined;
}
interface Attrs {
  readonly kv_num_heads: number;
  readonly q_num_heads: number;
  readonly scale: number;
  readonly update_rule: string;
}

/** Specification of LinearAttention, opset 27. */
export function resolveLinearAttention({ query, key, value, past, decay, beta }: Shapes, attrs: Attrs): LinearAttentionGeometry {
  const rule = (Object.hasOwn(rules, attrs.update_rule) ? rules[attrs.update_rule] : undefined) ?? fail(`the update_rule '${attrs.update_rule}' is unknown`);
  const { q_num_heads: queryHeads, kv_num_heads: heads } = attrs;
  if (!(heads > 0 && queryHeads > 0) || queryHeads % heads !== 0) fail(`${queryHeads} query heads cannot share ${heads} states`);
  if (query.length !== 3) fail(`a query of shape ${formatShape(query)}`);
  const [batch, steps] = [query[0]!, query[1]!];
  const [keySize, valueSize] = [query[2]! / queryHeads, (value[2] ?? 0) / heads];
  const fits = (shape: Shape | undefined, ...sizes: number[]): boolean => sizes.some((size) => Number.isInteger(size) && sameShape(shape ?? [], [batch, steps, size]));
  if (!Number.isInteger(keySize) || !fits(key, heads * keySize)) fail(`a key of shape ${formatShape(key)} for ${heads} heads of ${keySize}`);
  if (!Number.isInteger(valueSize) || !fits(value, heads * valueSize)) fail(`a value of shape ${formatShape(value)} for ${heads} heads`);
  if (past !== undefined && !sameShape(past, [batch, heads, keySize, valueSize])) fail(`a state of shape ${formatShape(past)}`);
  if (rule.decays !== (decay !== undefined)) fail(`the update rule ${attrs.update_rule} ${rule.decays ? 'wants a' : 'has no'} decay`);
  if (rule.corrects !== (beta !== undefined)) fail(`the update rule ${attrs.update_rule} ${rule.corrects ? 'wants a' : 'has no'} beta`);
  if (rule.decays && !fits(decay, heads, heads * keySize)) fail(`a decay of shape ${formatShape(decay ?? [])}`);
  if (rule.corrects && !fits(beta, heads, 1)) fail(`a beta of shape ${formatShape(beta ?? [])}`);
  return {
    batch,
    steps,
    heads,
    group: queryHeads / heads,
    keySize,
    valueSize,
    scale: attrs.scale === 0 ? 1 / Math.sqrt(keySize) : attrs.scale,
    decays: (decay?.[2] ?? 0) / heads,
    rates: beta?.[2] ?? 0,
  };
}
