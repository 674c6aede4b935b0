// Decomposition of Resize: one axis after the other, by views where the pixels lie regularly, else by gathers from constant tables.
import { isFloat } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { elementCount } from '../../core/shape.ts';
import { tensorFrom } from '../../core/tensor.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import { resizedShape, resizeTable, resolveResize } from '../../graph/ops/resizeGeometry.ts';
import type { ResizeAxis, ResizeEntry } from '../../graph/ops/resizeGeometry.ts';
import { accumulatorOf, inputAt, numbersOf } from '../lowering.ts';
import type { Lower } from '../lowering.ts';
import { along, dropAxes, sliceAxis } from './views.ts';

/** Up to this many taps are added one by one, which fuses into one expression; more are gathered and summed. */
const UNROLLED_TAPS = 4;

interface Table extends ResizeAxis {
  readonly entries: readonly ResizeEntry[];
}

/** x[indices[i]] along `axis`: a view where the indices repeat or step evenly. */
function pick(b: Builder, x: Operand, axis: number, indices: readonly number[]): Operand {
  const size = x.shape[axis]!;
  const count = indices.length;
  const repeat = count / size;
  if (Number.isInteger(repeat) && indices.every((v, i) => v === Math.floor(i / repeat))) {
    const split = x.shape.toSpliced(axis + 1, 0, 1);
    return b.reshape(b.expand(b.reshape(x, split), split.with(axis + 1, repeat)), x.shape.with(axis, count));
  }
  const step = count > 1 ? indices[1]! - indices[0]! : 1;
  if (step !== 0 && indices.every((v, i) => v === indices[0]! + i * step)) return sliceAxis(b, x, axis, indices[0]!, count, step);
  const table = along(b, b.constant(tensorFrom('i32', [count], indices)), axis, x.shape.length);
  return b.gather(
    x,
    x.shape.map((_, i) => (i === axis ? { index: 0 } : { axis: i })),
    [table],
    x.shape.with(axis, count),
  );
}

/** The weighted taps of one axis. */
function resample(b: Builder, x: Operand, { axis, entries }: Table): Operand {
  const taps = Math.max(...entries.map((e) => e.indices.length));
  const rank = x.shape.length;
  // Missing taps repeat the first one with a weight of zero.
  const indices = (t: number): number[] => entries.map((e) => e.indices[t] ?? e.indices[0]!);
  const weights = (t: number): number[] => entries.map((e) => e.weights[t] ?? 0);
  if (taps > UNROLLED_TAPS) return resampleWide(b, x, axis, entries, taps);
  const terms = Array.from({ length: taps }, (_, t) => {
    const value = pick(b, x, axis, indices(t));
    const factors = weights(t);
    return factors.every((w) => w === 1) ? value : b.mul(value, along(b, b.constant(tensorFrom(x.dtype, [factors.length], factors)), axis, rank));
  });
  return terms.reduce((sum, term) => b.add(sum, term));
}

function resampleWide(b: Builder, x: Operand, axis: number, entries: readonly ResizeEntry[], taps: number): Operand {
  const rank = x.shape.length;
  const shape = x.shape.with(axis, entries.length);
  const table = (dtype: NumericDType, value: (e: ResizeEntry, t: number) => number): Operand =>
    b.reshape(
      b.constant(
        tensorFrom(
          dtype,
          [entries.length, taps],
          entries.flatMap((e) => Array.from({ length: taps }, (_, t) => value(e, t))),
        ),
      ),
      [...shape.map((d, i) => (i === axis ? d : 1)), taps],
    );
  const sources = x.shape.map((_, i) => (i === axis ? { index: 0 } : { axis: i }));
  const gathered = b.gather(x, sources, [table('i32', (e, t) => e.indices[t] ?? e.indices[0]!)], [...shape, taps]);
  return dropAxes(
    b,
    b.reduce(
      'sum',
      b.mul(
        gathered,
        table(x.dtype, (e, t) => e.weights[t] ?? 0),
      ),
      [rank],
    ),
    [rank],
  );
}

const isIdentity = ({ size, out, entries }: Table): boolean => out === size && entries.every((e, i) => e.indices.length === 1 && e.indices[0] === i && e.weights[0] === 1);

/** Output positions that lie outside the region of interest become `value`. */
function extrapolate(b: Builder, y: Operand, tables: readonly Table[], value: number): Operand {
  const masks = tables.flatMap(({ axis, entries }) =>
    entries.some((e) => e.outside)
      ? [
          along(
            b,
            b.constant(
              tensorFrom(
                'bool',
                [entries.length],
                entries.map((e) => Number(e.outside)),
              ),
            ),
            axis,
            y.shape.length,
          ),
        ]
      : [],
  );
  return masks.length === 0
    ? y
    : b.where(
        masks.reduce((all, mask) => b.or(all, mask)),
        b.scalar(y.dtype, value),
        y,
      );
}

export const resize: Lower<'Resize'> = (b, { attrs }, inputs) => {
  const x = inputAt(inputs, 0);
  const [roi, scales, sizes] = [1, 2, 3].map((i) => inputs[i] ?? null).map((operand) => (operand === null ? undefined : numbersOf(b, operand)));
  const axes = resolveResize(x.shape, attrs, { roi, scales, sizes });
  const shape = resizedShape(x.shape, axes);
  if (elementCount(shape) === 0) return [b.full(x.dtype, shape, 0)];
  const tables = axes.map((a) => ({ ...a, entries: resizeTable(a, attrs) }));
  // What shrinks goes first, so that the rest has less to do.
  const work = tables.filter((table) => !isIdentity(table)).sort((p, q) => p.out / p.size - q.out / q.size);
  const acc = attrs.mode === 'nearest' ? x.dtype : isFloat(x.dtype) ? accumulatorOf(x.dtype) : 'f32';
  const resized = work.reduce((value, table) => resample(b, value, table), b.cast(x, acc));
  return [extrapolate(b, b.cast(resized, x.dtype), tables, attrs.extrapolation_value)];
};
