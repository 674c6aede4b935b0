// Primitives that bring elements together, as operators of ONNX: reductions, contractions, indices, order.
import type { NumericDType } from '../../core/dtype.ts';
import { isFloat } from '../../core/dtype.ts';
import { tensorFrom } from '../../core/tensor.ts';
import type { Operand } from '../../graph/builder.ts';
import type { Value } from '../../graph/graph.ts';
import type { OnnxOpName } from '../../graph/ops.ts';
import type { IndexSource, ReduceFn, ScatterFn } from '../../graph/prims.ts';
import { call, reshape, through } from './composer.ts';
import type { Call, Compose, Composer, Compositions } from './composer.ts';

const reductions: { readonly [F in ReduceFn]: OnnxOpName } = { sum: 'ReduceSum', prod: 'ReduceProd', max: 'ReduceMax', min: 'ReduceMin' };
/** What sums and products of ONNX know; others are computed in i32. */
const isSummed = (dtype: NumericDType): boolean => isFloat(dtype) || ['i32', 'i64', 'u32', 'u64'].includes(dtype);

const reduce: Compose<'reduce'> = ({ attrs: { fn, axes }, inputs: [data] }, inputs, c) => {
  const compute = ([x]: readonly Value[]): Call => ({ op: reductions[fn], inputs: [x!, c.ints(axes)], attrs: {} });
  return isSummed(data!.dtype) ? compute(inputs) : through(c, 'i32', data!, inputs, compute);
};

const scan: Compose<'scan'> = ({ attrs: { fn, axis, exclusive, reverse }, inputs: [data] }, inputs, c) => {
  const compute = ([x]: readonly Value[]): Call =>
    call(fn === 'sum' ? 'CumSum' : 'CumProd', [x!, c.scalar('i64', axis)], { exclusive: exclusive ? 1 : 0, reverse: reverse ? 1 : 0 });
  return isSummed(data!.dtype) ? compute(inputs) : through(c, 'i32', data!, inputs, compute);
};

/** Factors in the dtype of the sums. */
const factors = (x: Operand, y: Operand, inputs: readonly Value[], c: Composer): readonly Value[] => (x.dtype === y.dtype ? inputs : inputs.map((value) => c.cast(value, y.dtype)));

const matmul: Compose<'matmul'> = ({ inputs: [a], outputs: [y] }, inputs, c) => {
  const compute = (values: readonly Value[]): Call => call('MatMul', values);
  const values = factors(a!, y!, inputs, c);
  return isSummed(y!.dtype) ? compute(values) : through(c, 'i32', y!, values, compute);
};

/** Integers are convolved in f64, which holds each of their sums. */
const conv: Compose<'conv'> = ({ attrs: { strides, dilations, low, high, groups }, inputs: [x], outputs: [y] }, inputs, c) => {
  const compute = (values: readonly Value[]): Call => call('Conv', values, { strides, dilations, pads: [...low, ...high], group: groups });
  const values = factors(x!, y!, inputs, c);
  return isFloat(y!.dtype) ? compute(values) : through(c, 'f64', y!, values, compute);
};

/** For each point of `shape` the coordinates that `sources` give, along a last axis. */
function places(sources: readonly IndexSource[], indices: readonly { readonly value: Value; readonly type: Operand }[], shape: readonly number[], c: Composer): Value {
  const target = c.ints(shape);
  const columns = sources.map((source) => {
    const line = shape.map((n, i) => ('axis' in source && i === source.axis ? n : 1));
    const coordinate =
      'index' in source
        ? coordinateOf(indices[source.index]!, c)
        : c.constant(
            tensorFrom(
              'i64',
              line,
              Array.from({ length: shape[source.axis]! }, (_, i) => i),
            ),
          );
    return c.reshape(c.value(call('Expand', [coordinate, target])), [...shape, 1]);
  });
  return c.value(call('Concat', columns, { axis: shape.length }));
}
const coordinateOf = ({ value, type }: { readonly value: Value; readonly type: Operand }, c: Composer): Value => (type.dtype === 'i64' ? value : c.cast(value, 'i64'));
const typed = (types: readonly Operand[], values: readonly Value[]): { readonly value: Value; readonly type: Operand }[] => values.map((value, i) => ({ value, type: types[i]! }));

const gather: Compose<'gather'> = ({ attrs: { sources, shape }, inputs: [, ...types] }, [data, ...indices], c) =>
  sources.length === 0 ? call('Expand', [data!, c.ints(shape)]) : call('GatherND', [data!, places(sources, typed(types, indices), shape, c)]);

const scatters: { readonly [F in ScatterFn]: string } = { replace: 'none', add: 'add', mul: 'mul', min: 'min', max: 'max' };

/** A scalar is written to as the one element of a vector. */
const scatter: Compose<'scatter'> = ({ attrs: { sources, fn }, inputs: [target, from, ...types] }, [data, updates, ...indices], c) => {
  const [x, y] = [target!, from!];
  const isScalar = x.shape.length === 0;
  const at = isScalar
    ? c.constant(tensorFrom('i64', [...y.shape, 1], new Float64Array(y.shape.reduce((n, size) => n * size, 1))))
    : places(sources, typed(types, indices), y.shape, c);
  const written = call('ScatterND', [isScalar ? c.reshape(data!, [1]) : data!, at, updates!], { reduction: scatters[fn] });
  return isScalar ? reshape(c, c.value(written), []) : written;
};

type Arithmetic = 'reduce' | 'argReduce' | 'scan' | 'matmul' | 'conv' | 'gather' | 'scatter' | 'topK';

export const arithmetic: Pick<Compositions, Arithmetic> = {
  reduce,
  argReduce: ({ attrs: { fn, axis, last }, inputs: [data] }, [x], c) =>
    call(fn === 'max' ? 'ArgMax' : 'ArgMin', [data!.dtype === 'bool' ? c.cast(x!, 'i32') : x!], { axis, select_last_index: last ? 1 : 0 }),
  scan,
  matmul,
  conv,
  gather,
  scatter,
  topK: ({ attrs: { axis, k, largest } }, [x], c) => call('TopK', [x!, c.ints([k])], { axis, largest: largest ? 1 : 0 }),
};
