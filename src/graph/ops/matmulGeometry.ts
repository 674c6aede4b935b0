// Shapes of matrix products and of attention, with the checks of their specifications. Knows shapes only, never data.
import { AnychipError } from '../../core/error.ts';
import { formatShape, sameShape } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';

const fail = (reason: string, hint = 'Check the shapes of the operands.'): never => {
  throw new AnychipError('shape', reason, { hint });
};

/** Shapes of NumPy's matmul: vectors become matrices for the product, and their axis goes again. */
export interface Product {
  /** a and b as matrices with batch axes, of one rank. */
  readonly a: Shape;
  readonly b: Shape;
  /** What the axes of vectors are taken out of again. */
  readonly dropRow: boolean;
  readonly dropColumn: boolean;
}

export function resolveProduct(a: Shape, b: Shape): Product {
  if (a.length === 0 || b.length === 0) fail(`a product of ${formatShape(a)} and ${formatShape(b)}: scalars have no rows`);
  const [x, y] = [a.length === 1 ? [1, ...a] : a, b.length === 1 ? [...b, 1] : b];
  if (x.at(-1) !== y.at(-2)) fail(`a product of ${formatShape(a)} and ${formatShape(b)}: the inner dimensions differ`);
  const rank = Math.max(x.length, y.length);
  const widen = (shape: Shape): number[] => [...Array.from({ length: rank - shape.length }, () => 1), ...shape];
  return { a: widen(x), b: widen(y), dropRow: a.length === 1, dropColumn: b.length === 1 };
}

/** The shape of the product without the axes of vectors. */
export function productShape(full: Shape, { dropRow, dropColumn }: Product): number[] {
  return full.filter((_, i) => !(dropRow && i === full.length - 2) && !(dropColumn && i === full.length - 1));
}

/** [M, K, N] of a Gemm. */
export function resolveGemm(a: Shape, b: Shape, c: Shape | undefined, transA: boolean, transB: boolean): readonly [m: number, k: number, n: number] {
  if (a.length !== 2 || b.length !== 2) fail(`a Gemm of ${formatShape(a)} and ${formatShape(b)}: matrices are needed`);
  const [m, k] = transA ? [a[1]!, a[0]!] : [a[0]!, a[1]!];
  const [inner, n] = transB ? [b[1]!, b[0]!] : [b[0]!, b[1]!];
  if (k !== inner) fail(`a Gemm of ${formatShape(a)} and ${formatShape(b)}: the inner dimensions are ${k} and ${inner}`);
  const lead = 2 - (c?.length ?? 0);
  if (c !== undefined && (lead < 0 || c.some((d, i) => d !== 1 && d !== [m, n][lead + i]))) fail(`C of shape ${formatShape(c)} does not broadcast to ${formatShape([m, n])}`);
  return [m, k, n];
}

/** Sizes of the square matrices in the last two axes. */
export function checkSquare(x: Shape): number {
  return x.length >= 2 && x.at(-1) === x.at(-2) ? x.at(-1)! : fail(`a determinant of ${formatShape(x)}: the last two axes must be equal`);
}

export interface AttentionShapes {
  readonly q: Shape;
  readonly k: Shape;
  readonly v: Shape;
  readonly mask: Shape | undefined;
  readonly pastKey: Shape | undefined;
  readonly pastValue: Shape | undefined;
  readonly lengths: Shape | undefined;
}
export interface AttentionAttrs {
  readonly is_causal: number;
  readonly kv_num_heads: number | undefined;
  readonly left_window_size: number;
  readonly q_num_heads: number | undefined;
  readonly qk_matmul_output_mode: number;
  readonly right_window_size: number;
  readonly scale: number | undefined;
  readonly softcap: number;
}
export interface AttentionGeometry {
  readonly batch: number;
  readonly qHeads: number;
  readonly kvHeads: number;
  readonly queries: number;
  /** Keys before this call's, and all together. */
  readonly past: number;
  readonly keys: number;
  readonly headSize: number;
  readonly valueSize: number;
  readonly scale: number;
  /** A query at position p sees keys from p − left to p + right; undefined is without bound. Causal attention has right 0. */
  readonly left: number | undefined;
  readonly right: number | undefined;
}

/** [batch, heads, sequence, size] of a 4-D operand, or of a 3-D one [batch, sequence, heads·size]. */
export function headShape(x: Shape, heads: number | undefined): number[] {
  if (x.length === 4) return [...x];
  const count = heads ?? fail('q_num_heads and kv_num_heads are missing', '3-D operands of Attention need both.');
  if (x.length !== 3 || count < 1 || x[2]! % count !== 0) fail(`an operand of shape ${formatShape(x)} does not split into ${count} heads`);
  return [x[0]!, count, x[1]!, x[2]! / count];
}

/** Specification of Attention, opsets 23 to 25. */
export function resolveAttention(shapes: AttentionShapes, attrs: AttentionAttrs): AttentionGeometry {
  const { mask, pastKey, pastValue, lengths } = shapes;
  const q = headShape(shapes.q, attrs.q_num_heads);
  const [k, v] = [headShape(shapes.k, attrs.kv_num_heads), headShape(shapes.v, attrs.kv_num_heads)];
  const [batch, qHeads, queries, headSize] = [q[0]!, q[1]!, q[2]!, q[3]!];
  const [kvHeads, valueSize] = [k[1]!, v[3]!];
  if (shapes.q.length !== shapes.k.length || shapes.q.length !== shapes.v.length) fail('Q, K and V have different ranks');
  if (k[0] !== batch || v[0] !== batch || k[3] !== headSize || v[1] !== kvHeads || v[2] !== k[2])
    fail(`Q ${formatShape(q)}, K ${formatShape(k)} and V ${formatShape(v)} (batch, heads, sequence, size) do not fit together`);
  if (kvHeads === 0 || qHeads % kvHeads !== 0) fail(`${qHeads} query heads cannot share ${kvHeads} key heads`);
  if ((pastKey === undefined) !== (pastValue === undefined)) fail('past_key and past_value must be given together');
  if (pastKey !== undefined && lengths !== undefined) fail('nonpad_kv_seqlen cannot be combined with past_key');
  const past = pastKey?.[2] ?? 0;
  if (pastKey !== undefined && !sameShape(pastKey, [batch, kvHeads, past, headSize])) fail(`past_key has shape ${formatShape(pastKey)}`);
  if (pastValue !== undefined && !sameShape(pastValue, [batch, kvHeads, past, valueSize])) fail(`past_value has shape ${formatShape(pastValue)}`);
  if (lengths !== undefined && !sameShape(lengths, [batch])) fail(`nonpad_kv_seqlen has shape ${formatShape(lengths)}, not ${formatShape([batch])}`);
  const keys = past + k[2]!;
  if (mask !== undefined) checkMask(mask, [batch, qHeads, queries, keys]);
  if (![0, 1, 2, 3].includes(attrs.qk_matmul_output_mode)) fail(`a qk_matmul_output_mode of ${attrs.qk_matmul_output_mode}`, 'Modes are 0 to 3.');
  if (attrs.left_window_size < -1 || attrs.right_window_size < -1) fail('a window size below -1', 'Window sizes are −1 (no bound) or more.');
  return {
    batch,
    qHeads,
    kvHeads,
    queries,
    past,
    keys,
    headSize,
    valueSize,
    scale: attrs.scale ?? 1 / Math.sqrt(headSize),
    left: attrs.left_window_size < 0 ? undefined : attrs.left_window_size,
    right: attrs.is_causal !== 0 ? 0 : attrs.right_window_size < 0 ? undefined : attrs.right_window_size,
  };
}

/** A mask broadcasts to [batch, heads, queries, keys]; its last axis may be shorter, what lacks counts as masked. */
function checkMask(mask: Shape, full: Shape): void {
  const lead = full.length - mask.length;
  const fits = lead >= 0 && mask.length > 0 && mask.every((d, i) => (lead + i === 3 ? d <= full[3]! : d === 1 || d === full[lead + i]));
  if (!fits) fail(`attn_mask of shape ${formatShape(mask)} does not broadcast to ${formatShape(full)}`);
}

export interface RotaryGeometry {
  /** [batch, sequence, heads, size]. */
  readonly shape: Shape;
  /** Elements of each head that are turned, in pairs. */
  readonly turned: number;
}

/** Specification of RotaryEmbedding, opset 23. */
export function resolveRotary(
  x: Shape,
  cos: Shape,
  sin: Shape,
  positions: Shape | undefined,
  attrs: { readonly num_heads: number; readonly rotary_embedding_dim: number },
): RotaryGeometry {
  const [batch, heads, sequence, size] = headShape(x, attrs.num_heads);
  const turned = attrs.rotary_embedding_dim === 0 ? size! : attrs.rotary_embedding_dim;
  if (turned < 2 || turned > size! || turned % 2 !== 0) fail(`a rotary_embedding_dim of ${turned} for heads of ${size}`);
  const half = turned / 2;
  if (!sameShape(cos, sin)) fail(`cos_cache ${formatShape(cos)} and sin_cache ${formatShape(sin)} differ`);
  if (positions !== undefined && !sameShape(positions, [batch!, sequence!])) fail(`position_ids has shape ${formatShape(positions)}, not ${formatShape([batch!, sequence!])}`);
  const fits = positions === undefined ? sameShape(cos, [batch!, sequence!, half]) : cos.length === 2 && cos[1] === half;
  if (!fits) fail(`cos_cache of shape ${formatShape(cos)} for ${half} pairs`, 'Caches are [positions, pairs] with position_ids, [batch, sequence, pairs] without.');
  return { shape: [batch!, sequence!, heads!, size!], turned };
}
