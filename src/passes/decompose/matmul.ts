// Decompositions of the matmul family.
import { isInteger } from '../../core/dtype.ts';
import { elementCount } from '../../core/shape.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import type { matmulOps } from '../../graph/ops/matmul.ts';
import { checkSquare, resolveGemm } from '../../graph/ops/matmulGeometry.ts';
import { accumulatorOf, inputAt, onHost } from '../lowering.ts';
import type { Lower, Lowerings } from '../lowering.ts';
import { attentionLowerings } from './attention.ts';
import { dequantizedMatmul, transposed } from './dequantized.ts';
import { einsum } from './einsum.ts';
import { linearAttention } from './linearAttention.ts';
import { matmul, sumDType } from './products.ts';
import { along, sliceAxis } from './views.ts';

/** Larger determinants are left to the host: each step of an elimination is a handful of kernels. */
const MAX_DETERMINANT = 32;

const Gemm: Lower<'Gemm'> = (b, { attrs }, inputs) => {
  const [x, y, c] = [inputAt(inputs, 0), inputAt(inputs, 1), attrs.beta === 0 ? null : (inputs[2] ?? null)];
  resolveGemm(x.shape, y.shape, c?.shape, attrs.transA !== 0, attrs.transB !== 0);
  const flip = (v: Operand, trans: number): Operand => (trans === 0 ? v : transposed(b, v, [1, 0]));
  const [left, right] = [flip(x, attrs.transA), flip(y, attrs.transB)];
  const product = dequantizedMatmul(b, left, right) ?? b.matmul(left, right, sumDType(x.dtype));
  const fractional = isInteger(x.dtype) && !(Number.isInteger(attrs.alpha) && Number.isInteger(attrs.beta));
  const wide = fractional ? 'f64' : product.dtype;
  const times = (v: Operand, factor: number): Operand => (factor === 1 ? b.cast(v, wide) : b.mul(b.cast(v, wide), b.scalar(wide, factor)));
  const scaled = times(product, attrs.alpha);
  return [b.cast(c === null ? scaled : b.add(scaled, times(c, attrs.beta)), x.dtype)];
};

/**
 * One step of an elimination with row pivots over matrices [batch, n, n]: the pivot with its sign [batch, 1, 1], and what is left of
 * the matrices [batch, n − 1, n − 1].
 */
function eliminate(b: Builder, m: Operand): { readonly pivot: Operand; readonly rest: Operand } {
  const [batch, n] = [m.shape[0]!, m.shape[1]!];
  const [zero, one] = [b.scalar(m.dtype, 0), b.scalar(m.dtype, 1)];
  const first = b.argReduce('max', b.abs(sliceAxis(b, m, 2, 0, 1)), 1);
  const row = b.gather(m, [{ axis: 0 }, { index: 0 }, { axis: 2 }], [first], [batch, 1, n]);
  const pivot = sliceAxis(b, row, 2, 0, 1);
  const signed = b.where(b.eq(first, b.scalar('i64', 0)), pivot, b.neg(pivot));
  // The top row takes the place of the pivot's row.
  const places = b.add(along(b, b.iota('i64', [n - 1], 0), 1, 3), b.scalar('i64', 1));
  const below = b.where(b.eq(places, first), sliceAxis(b, m, 1, 0, 1), sliceAxis(b, m, 1, 1, n - 1));
  const factors = b.div(sliceAxis(b, below, 2, 0, 1), b.where(b.eq(pivot, zero), one, pivot));
  return { pivot: signed, rest: b.sub(sliceAxis(b, below, 2, 1, n - 1), b.mul(factors, sliceAxis(b, row, 2, 1, n - 1))) };
}

export const matmulLowerings: Lowerings<keyof typeof matmulOps> = {
  ...attentionLowerings,
  LinearAttention: linearAttention,
  MatMul(b, _, inputs) {
    const [x, y] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    return [dequantizedMatmul(b, x, y) ?? b.cast(matmul(b, x, y), x.dtype)];
  },
  Gemm,
  Einsum: (b, { attrs }, inputs) => [
    einsum(
      b,
      attrs.equation,
      inputs.map((_, i) => inputAt(inputs, i)),
    ),
  ],
  Det(b, _, inputs) {
    const x = inputAt(inputs, 0);
    const n = checkSquare(x.shape);
    if (n > MAX_DETERMINANT) return onHost(`determinants of ${n} × ${n}`);
    const batch = x.shape.slice(0, -2);
    let rest = b.reshape(b.cast(x, accumulatorOf(x.dtype)), [elementCount(batch), n, n]);
    let product = b.full(rest.dtype, [elementCount(batch), 1, 1], 1);
    for (let k = 0; k < n - 1; k++) {
      const step = eliminate(b, rest);
      [product, rest] = [b.mul(product, step.pivot), step.rest];
    }
    return [b.cast(b.reshape(n === 0 ? product : b.mul(product, rest), batch), x.dtype)];
  },
};
