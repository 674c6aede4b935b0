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

/** NumPy's matmul, with sums and result in `acc`. */
export function matmul(b: Builder, x: Operand, y: Operand, acc: NumericDType = sumDType(x.dtype)): Operand {
  const product = resolveProduct(x.shape, y.shape);
  // One matrix for all batches: the batches are rows of one larger product.
  if (y.shape.length <= 2 && x.shape.length > 2) {
    const [k, n] = [x.shape.at(-1)!, product.b.at(-1)!];
    const rows = elementCount(x.shape.slice(0, -1));
    const flat = b.matmul(b.reshape(x, [rows, k]), b.reshape(y, [k, n]), acc);
    return b.reshape(flat, productShape([...x.shape.slice(0, -1), n], product));
  }
  const full = b.matmul(b.reshape(x, product.a), b.reshape(y, product.b), acc);
  return b.reshape(full, productShape(full.shape, product));
}
