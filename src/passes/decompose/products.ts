// Matrix products in primitives, for every operator that is one underneath.
import { dtypes, isFloat } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { elementCount } from '../../core/shape.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import { productShape, resolveProduct } from '../../graph/ops/matmulGeometry.ts';
import { accumulatorOf } from '../lowering.ts';

/** Where products of `dtype` are summed: f32 for half floats, at least 32 bits for integers (narrower results are cut off after). */
export function sumDType(dtype: NumericDType): NumericDType {
  if (isFloat(dtype)) return accumulatorOf(dtype);
  return dtypes[dtype].bits >= 32 ? dtype : dtypes[dtype].class === 'int' ? 'i32' : 'u32';
}

/**
 * NumPy's matmul by `multiply`, which is given matrices with batch axes, of one rank. `joins`: whether the batches of x may be rows of one
 * larger product where there is one matrix for all of them.
 */
export function matmulBy(b: Builder, x: Operand, y: Operand, multiply: (x: Operand, y: Operand) => Operand, joins = true): Operand {
  const product = resolveProduct(x.shape, y.shape);
  if (joins && y.shape.length <= 2 && x.shape.length > 2) {
    const [k, n] = [x.shape.at(-1)!, product.b.at(-1)!];
    const rows = elementCount(x.shape.slice(0, -1));
    const flat = multiply(b.reshape(x, [rows, k]), b.reshape(y, [k, n]));
    return b.reshape(flat, productShape([...x.shape.slice(0, -1), n], product));
  }
  const full = multiply(b.reshape(x, product.a), b.reshape(y, product.b));
  return b.reshape(full, productShape(full.shape, product));
}

/** NumPy's matmul, with sums and result in `acc`. */
export const matmul = (b: Builder, x: Operand, y: Operand, acc: NumericDType = sumDType(x.dtype)): Operand => matmulBy(b, x, y, (p, q) => b.matmul(p, q, acc));
