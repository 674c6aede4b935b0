// Reference of the matmul family.
import { isInteger } from '../core/dtype.ts';
import { elementCount, stridesOf } from '../core/shape.ts';
import { createTensor, elementWriter, numberReader, tensorBytes, tensorFrom } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import { planEinsum } from '../graph/ops/einsum.ts';
import type { matmulOps } from '../graph/ops/matmul.ts';
import { checkSquare, resolveGemm } from '../graph/ops/matmulGeometry.ts';
import { attentionEvaluations } from './attention.ts';
import type { Evaluate, Evaluations } from './evaluate.ts';
import { numericAt, optionalAt } from './evaluate.ts';
import { linearAttention } from './linearAttention.ts';
import { broadcastOffsets, castTensor, stridedOffsets } from './prims/elementwise.ts';
import { matmulTensors, productSum } from './products.ts';

const transposed = (x: NumericTensor): NumericTensor => {
  const [rows, columns] = x.shape;
  const y = createTensor(x.dtype, [columns!, rows!]);
  stridedOffsets(y.shape, [1, columns!], 0).forEach((from, to) => (y.data[to] = x.data[from]!));
  return y;
};

/** Integers stay integers while alpha and beta are; a beta of 0 means that C is not looked at. */
const Gemm: Evaluate<'Gemm'> = ({ attrs }, inputs, context) => {
  const [a, b, c] = [numericAt(inputs, 0), numericAt(inputs, 1), attrs.beta === 0 ? undefined : optionalAt(inputs, 2)];
  const [m, , n] = resolveGemm(a.shape, b.shape, c?.shape, attrs.transA !== 0, attrs.transB !== 0);
  const [left, right] = [attrs.transA !== 0 ? transposed(a) : a, attrs.transB !== 0 ? transposed(b) : b];
  const whole = isInteger(a.dtype) && Number.isInteger(attrs.alpha) && Number.isInteger(attrs.beta);
  const wide = whole ? 'i64' : 'f64';
  const [term, shift] = [matmulTensors(left, right, wide, context), c === undefined ? undefined : castTensor(c, wide, false)];
  const offsets = shift === undefined ? undefined : broadcastOffsets(shift.shape, [m, n]);
  const y = createTensor(wide, [m, n]);
  const write = elementWriter(y);
  for (let i = 0; i < m * n; i++) {
    const [product, added] = [term.data[i]!, shift?.data[offsets?.[i] ?? i] ?? 0];
    if (typeof product === 'bigint') write(i, product * BigInt(attrs.alpha) + BigInt(added) * BigInt(attrs.beta));
    else write(i, product * attrs.alpha + Number(added) * attrs.beta);
  }
  return [castTensor(y, a.dtype, false)];
};

/** Every element of the result is a sum over all labels that it lacks. */
const Einsum: Evaluate<'Einsum'> = ({ attrs }, inputs, context) => {
  const operands = inputs.map((_, i) => numericAt(inputs, i));
  const {
    operands: labels,
    output,
    sizes,
  } = planEinsum(
    attrs.equation,
    operands.map((x) => x.shape),
  );
  const summed = [...sizes.keys()].filter((label) => !output.includes(label));
  const sizesOf = (list: readonly string[]): number[] => list.map((label) => sizes.get(label)!);
  /** Where each operand is read as the labels of `list` run: repeated labels walk the diagonal, a size of 1 stands still. */
  const offsetsOver = (list: readonly string[]): Uint32Array[] =>
    operands.map((x, i) => {
      const own = stridesOf(x.shape);
      const strides = list.map((label) => labels[i]!.reduce((sum, l, axis) => (l === label && x.shape[axis] !== 1 ? sum + own[axis]! : sum), 0));
      return stridedOffsets(sizesOf(list), strides, 0);
    });
  const [outer, inner] = [offsetsOver(output), offsetsOver(summed)];
  const { dtype } = operands[0]!;
  const shape = sizesOf(output);
  context.reserve(tensorBytes(dtype, shape) + 4 * operands.length * (elementCount(shape) + elementCount(sizesOf(summed))));
  const y = createTensor(dtype, shape);
  const write = elementWriter(y);
  const sum = productSum(operands);
  const count = elementCount(sizesOf(summed));
  for (let o = 0; o < y.data.length; o++) {
    write(
      o,
      sum(count, (operand, k) => outer[operand]![o]! + inner[operand]![k]!),
    );
  }
  return [y];
};

/** Gaussian elimination with row pivots. */
function determinant(matrix: number[][]): number {
  let result = 1;
  for (let k = 0; k < matrix.length; k++) {
    const pivot = matrix.reduce((best, row, i) => (i >= k && Math.abs(row[k]!) > Math.abs(matrix[best]![k]!) ? i : best), k);
    const [top, below] = [matrix[pivot]!, matrix[k]!];
    if (top[k] === 0) return 0;
    if (pivot !== k) result = -result;
    [matrix[k], matrix[pivot]] = [top, below];
    result *= top[k]!;
    for (let i = k + 1; i < matrix.length; i++) {
      const factor = matrix[i]![k]! / top[k]!;
      matrix[i] = matrix[i]!.map((v, j) => v - factor * top[j]!);
    }
  }
  return result;
}

export const matmulEvaluations: Evaluations<keyof typeof matmulOps> = {
  ...attentionEvaluations,
  LinearAttention: linearAttention,
  MatMul: (_, inputs, context) => [matmulTensors(numericAt(inputs, 0), numericAt(inputs, 1), numericAt(inputs, 0).dtype, context)],
  Gemm,
  Einsum,
  Det(_, inputs) {
    const x = numericAt(inputs, 0);
    const n = checkSquare(x.shape);
    const read = numberReader(x);
    const batch = x.shape.slice(0, -2);
    const values = Array.from({ length: elementCount(batch) }, (_, i) =>
      determinant(Array.from({ length: n }, (_, row) => Array.from({ length: n }, (_, column) => read((i * n + row) * n + column)))),
    );
    return [tensorFrom(x.dtype, batch, values)];
  },
};
