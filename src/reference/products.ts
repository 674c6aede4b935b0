// Sums of products on the host: exact on integers (results wrap), double precision on floats.
import { dtypes, isInteger } from '../core/dtype.ts';
import type { NumericDType } from '../core/dtype.ts';
import { broadcastShapes, elementCount } from '../core/shape.ts';
import { bigintReader, createTensor, elementWriter, numberReader, tensorBytes } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import { productShape, resolveProduct } from '../graph/ops/matmulGeometry.ts';
import type { EvaluateContext } from './evaluate.ts';
import { broadcastOffsets } from './prims/elementwise.ts';

/** Whether products of this dtype may leave the whole numbers that a double holds. */
const needsBigint = (dtype: NumericDType): boolean => isInteger(dtype) && dtypes[dtype].bits > 16;

/** Σ over k < `count` of the product of `factors`, each read at `at(factor, k)`. */
export function productSum(factors: readonly NumericTensor[]): (count: number, at: (factor: number, k: number) => number) => number | bigint {
  if (factors.some((f) => needsBigint(f.dtype))) {
    const read = factors.map(bigintReader);
    return (count, at) => {
      let sum = 0n;
      for (let k = 0; k < count; k++) sum += read.reduce((product, r, f) => product * r(at(f, k)), 1n);
      return sum;
    };
  }
  const read = factors.map(numberReader);
  return (count, at) => {
    let sum = 0;
    for (let k = 0; k < count; k++) sum += read.reduce((product, r, f) => product * r(at(f, k)), 1);
    return sum;
  };
}

/** NumPy's matmul with results in `dtype`. */
export function matmulTensors(a: NumericTensor, b: NumericTensor, dtype: NumericDType, context: EvaluateContext): NumericTensor {
  const product = resolveProduct(a.shape, b.shape);
  const [aBatch, bBatch] = [product.a.slice(0, -2), product.b.slice(0, -2)];
  const batch = broadcastShapes(aBatch, bBatch);
  const [m, k, n] = [product.a.at(-2)!, product.a.at(-1)!, product.b.at(-1)!];
  const shape = [...batch, m, n];
  context.reserve(tensorBytes(dtype, shape));
  const y = createTensor(dtype, productShape(shape, product));
  const write = elementWriter(y);
  const sum = productSum([a, b]);
  const [aAt, bAt] = [broadcastOffsets(aBatch, batch), broadcastOffsets(bBatch, batch)];
  for (let i = 0, flat = 0; i < elementCount(batch); i++) {
    const [first, second] = [(aAt?.[i] ?? i) * m * k, (bAt?.[i] ?? i) * k * n];
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < n; column++, flat++) {
        write(
          flat,
          sum(k, (factor, j) => (factor === 0 ? first + row * k + j : second + j * n + column)),
        );
      }
    }
  }
  return y;
}
