// Constants of f32 in a narrower float: whether they fit, and their data when it is asked for.
import { narrowFloats } from '../../core/float.ts';
import { AnychipError } from '../../core/error.ts';
import { numberReader, tensorOf } from '../../core/tensor.ts';
import type { NumericTensor } from '../../core/tensor.ts';
import type { Constant } from '../../graph/graph.ts';

/** Floats that a model may be lowered to. */
export const precisions = ['f16', 'bf16'] as const;
export type Precision = (typeof precisions)[number];

/** The largest finite number. Of bf16 it is that of f32, but for what rounding adds. */
export const largestOf: { readonly [P in Precision]: number } = { f16: 65504, bf16: 3.3895313892515355e38 };

function floatsOf(constant: Constant): Float32Array {
  const { data } = constant.read();
  if (!(data instanceof Float32Array)) throw new AnychipError('internal', `a constant of ${constant.dtype} where f32 is needed`);
  return data;
}

/** The largest magnitude among the finite elements. */
export function reachOf(tensor: NumericTensor): number {
  const read = numberReader(tensor);
  let largest = 0;
  for (let i = 0; i < tensor.data.length; i++) {
    const magnitude = Math.abs(read(i));
    if (magnitude > largest && magnitude !== Infinity) largest = magnitude;
  }
  return largest;
}

/** The same data rounded to `dtype`, each time it is read. */
export const narrowed = (constant: Constant, dtype: Precision): Constant => ({
  dtype,
  shape: constant.shape,
  bytes: constant.bytes / 2,
  read: () => tensorOf(dtype, constant.shape, narrowFloats(dtype, floatsOf(constant))),
});
