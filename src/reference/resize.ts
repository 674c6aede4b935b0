// Reference of Resize: every output element is the weighted sum that the tables of its axes say.
import { stringTensor, createTensor, elementWriter, numberReader, tensorBytes, toNumbers } from '../core/tensor.ts';
import type { Tensor } from '../core/tensor.ts';
import { isFloat } from '../core/dtype.ts';
import { elementCount, forEachIndex, stridesOf } from '../core/shape.ts';
import { resizedShape, resizeTable, resolveResize } from '../graph/ops/resizeGeometry.ts';
import type { ResizeAxis, ResizeEntry } from '../graph/ops/resizeGeometry.ts';
import { optionalAt, tensorAt } from './evaluate.ts';
import type { Evaluate } from './evaluate.ts';

/** What meets one output element: flat input positions and their weights. */
type Visit = (output: number, inputs: readonly number[], weights: readonly number[], outside: boolean) => void;

function forEachOutput(x: Tensor, axes: readonly ResizeAxis[], tables: readonly (readonly ResizeEntry[])[], visit: Visit): void {
  const strides = stridesOf(x.shape);
  forEachIndex(resizedShape(x.shape, axes), (position, output) => {
    let inputs = [0];
    let weights = [1];
    let outside = false;
    for (let axis = 0; axis < strides.length; axis++) {
      const resized = axes.findIndex((a) => a.axis === axis);
      const entry = tables[resized]?.[position[axis]!] ?? {
        indices: [position[axis]!],
        weights: [1],
        outside: false,
      };
      inputs = inputs.flatMap((flat) => entry.indices.map((i) => flat + i * strides[axis]!));
      weights = weights.flatMap((weight) => entry.weights.map((w) => weight * w));
      outside ||= entry.outside;
    }
    visit(output, inputs, weights, outside);
  });
}

export const resize: Evaluate<'Resize'> = ({ attrs }, inputs, context) => {
  const x = tensorAt(inputs, 0);
  const [roi, scales, sizes] = [1, 2, 3].map((i) => optionalAt(inputs, i)).map((t) => (t === undefined ? undefined : toNumbers(t)));
  const axes = resolveResize(x.shape, attrs, { roi, scales, sizes });
  const shape = resizedShape(x.shape, axes);
  context.reserve(tensorBytes(x.dtype, shape));
  const tables = axes.map((a) => resizeTable(a, attrs));
  if (x.dtype === 'string') {
    const strings = Array.from({ length: elementCount(shape) }, () => '');
    forEachOutput(x, axes, tables, (output, [input]) => void (strings[output] = x.data[input!]!));
    return [stringTensor(shape, strings)];
  }
  const y = createTensor(x.dtype, shape);
  if (attrs.mode === 'nearest' && !isFloat(x.dtype)) {
    forEachOutput(x, axes, tables, (output, [input], _, outside) => void (outside ? elementWriter(y)(output, attrs.extrapolation_value) : (y.data[output] = x.data[input!]!)));
    return [y];
  }
  const [read, write] = [numberReader(x), elementWriter(y)];
  // Integers are truncated from f32, so that rounding errors of the weights do not show.
  const finish = isFloat(x.dtype) ? (value: number) => value : Math.fround;
  forEachOutput(x, axes, tables, (output, from, weights, outside) => {
    write(output, outside ? attrs.extrapolation_value : finish(from.reduce((sum, flat, i) => sum + read(flat) * weights[i]!, 0)));
  });
  return [y];
};
