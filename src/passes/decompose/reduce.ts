// Decompositions of the reduce family: one reduction with what comes before and after it.
import { isFloat } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { elementCount, normalizeAxis } from '../../core/shape.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import type { reduceOps } from '../../graph/ops/reduce.ts';
import { reducedAxes, reducedShape } from '../../graph/ops/reduceGeometry.ts';
import type { ReduceAttrs } from '../../graph/ops/reduceGeometry.ts';
import type { PrimAttrs } from '../../graph/prims.ts';
import { accumulatorOf, inputAt, numbersOf } from '../lowering.ts';
import type { Lowerings } from '../lowering.ts';

type Rule = (b: Builder, node: { readonly attrs: ReduceAttrs }, inputs: readonly (Operand | null)[]) => readonly Operand[];
type Formula = (b: Builder, x: Operand, axes: readonly number[]) => Operand;

/** Sums of narrow integers wrap in their own dtype, floats are summed in at least f32. */
const reduce =
  (formula: Formula, dtypeOf: (dtype: NumericDType) => NumericDType = accumulatorOf): Rule =>
  (b, { attrs }, inputs) => {
    const x = inputAt(inputs, 0);
    const given = inputs[1] ?? null;
    const axes = reducedAxes(x.shape, given === null ? undefined : numbersOf(b, given), attrs);
    const result = b.cast(formula(b, b.cast(x, dtypeOf(x.dtype)), axes), x.dtype);
    return [b.reshape(result, reducedShape(x.shape, axes, attrs.keepdims !== 0))];
  };

/** Roots and logarithms of integers are taken in floats. */
const floating = (dtype: NumericDType): NumericDType => (isFloat(dtype) ? accumulatorOf(dtype) : dtype === 'i64' || dtype === 'u64' ? 'f64' : 'f32');

const sum: Formula = (b, x, axes) => b.reduce('sum', x, axes);

function mean(b: Builder, x: Operand, axes: readonly number[]): Operand {
  const count = elementCount(axes.map((axis) => x.shape[axis]!));
  const total = sum(b, x, axes);
  return isFloat(x.dtype) ? b.mul(total, b.scalar(x.dtype, 1 / count)) : b.div(total, b.scalar(x.dtype, count));
}

const logSumExp: Formula = (b, x, axes) => {
  const largest = b.reduce('max', x, axes);
  // An infinite extreme would give ∞ − ∞; nothing is taken out then.
  const shift = b.where(b.isInf(largest), b.scalar(x.dtype, 0), largest);
  return b.add(shift, b.log(sum(b, b.exp(b.sub(x, shift)), axes)));
};

const extreme =
  (fn: 'max' | 'min') =>
  (
    b: Builder,
    { attrs }: { readonly attrs: { readonly axis: number; readonly keepdims: number; readonly select_last_index: number } },
    inputs: readonly (Operand | null)[],
  ): readonly Operand[] => {
    const x = inputAt(inputs, 0);
    const axis = normalizeAxis(attrs.axis, x.shape.length);
    return [b.reshape(b.argReduce(fn, x, axis, attrs.select_last_index !== 0), reducedShape(x.shape, [axis], attrs.keepdims !== 0))];
  };

const running =
  (fn: PrimAttrs['scan']['fn']) =>
  (b: Builder, { attrs }: { readonly attrs: { readonly exclusive: number; readonly reverse: number } }, inputs: readonly (Operand | null)[]): readonly Operand[] => {
    const x = inputAt(inputs, 0);
    const axis = normalizeAxis(numbersOf(b, inputAt(inputs, 1))[0]!, x.shape.length);
    return [b.scan(fn, x, axis, { exclusive: attrs.exclusive !== 0, reverse: attrs.reverse !== 0 })];
  };

const same = (dtype: NumericDType): NumericDType => dtype;

export const reduceLowerings: Lowerings<keyof typeof reduceOps> = {
  ReduceSum: reduce(sum),
  ReduceMean: reduce(mean),
  ReduceProd: reduce((b, x, axes) => b.reduce('prod', x, axes)),
  ReduceMax: reduce((b, x, axes) => b.reduce('max', x, axes), same),
  ReduceMin: reduce((b, x, axes) => b.reduce('min', x, axes), same),
  ReduceL1: reduce((b, x, axes) => sum(b, b.abs(x), axes)),
  ReduceL2: reduce((b, x, axes) => b.sqrt(sum(b, b.mul(x, x), axes)), floating),
  ReduceLogSum: reduce((b, x, axes) => b.log(sum(b, x, axes)), floating),
  ReduceLogSumExp: reduce(logSumExp, floating),
  ReduceSumSquare: reduce((b, x, axes) => sum(b, b.mul(x, x), axes)),
  ArgMax: extreme('max'),
  ArgMin: extreme('min'),
  CumSum: running('sum'),
  CumProd: running('prod'),
};
