// Reference of gather and scatter: for each position of the iteration shape, one element of the data.
import { AnychipError } from '../../core/error.ts';
import { forEachIndex, stridesOf } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';
import { bigintReader, createTensor, elementWriter, numberReader } from '../../core/tensor.ts';
import type { NumericTensor } from '../../core/tensor.ts';
import type { IndexSource, ScatterFn } from '../../graph/prims.ts';
import { numericAt } from '../evaluate.ts';
import type { Evaluations } from '../evaluate.ts';
import { isWide, numberBinary, wideBinary } from './arithmetic.ts';
import { broadcastOffsets } from './elementwise.ts';

/** For each position of `shape`, the flat element of `data` that the sources name. */
function positions(data: Shape, sources: readonly IndexSource[], indices: readonly NumericTensor[], shape: Shape): Uint32Array {
  const strides = stridesOf(data);
  const readers = indices.map((t) => {
    const read = numberReader(t);
    const offsets = broadcastOffsets(t.shape, shape);
    return offsets === undefined ? read : (i: number) => read(offsets[i]!);
  });
  const at = new Uint32Array(shape.reduce((a, b) => a * b, 1));
  forEachIndex(shape, (index, flat) => {
    let sum = 0;
    sources.forEach((source, axis) => {
      const size = data[axis]!;
      const given = 'axis' in source ? index[source.axis]! : readers[source.index]!(flat);
      const coordinate = given < 0 ? given + size : given;
      if (!(coordinate >= 0 && coordinate < size)) {
        throw new AnychipError('run', `index ${given} is outside axis ${axis} of ${size} elements`, { hint: 'Check the indices that are fed or computed.' });
      }
      sum += coordinate * strides[axis]!;
    });
    at[flat] = sum;
  });
  return at;
}

const combining = { add: 'add', mul: 'mul', min: 'min', max: 'max' } as const satisfies Record<Exclude<ScatterFn, 'replace'>, string>;

export const indexing: Evaluations<'gather' | 'scatter'> = {
  gather: ({ attrs: { sources, shape } }, inputs) => {
    const data = numericAt(inputs, 0);
    const at = positions(
      data.shape,
      sources,
      inputs.slice(1).map((_, i) => numericAt(inputs, i + 1)),
      shape,
    );
    const out = createTensor(data.dtype, shape);
    for (let i = 0; i < at.length; i++) out.data[i] = data.data[at[i]!]!;
    return [out];
  },
  scatter: ({ attrs: { sources, fn } }, inputs) => {
    const [data, updates] = [numericAt(inputs, 0), numericAt(inputs, 1)];
    const at = positions(
      data.shape,
      sources,
      inputs.slice(2).map((_, i) => numericAt(inputs, i + 2)),
      updates.shape,
    );
    const out: NumericTensor = { ...data, data: data.data.slice() };
    if (fn === 'replace') {
      for (let i = 0; i < at.length; i++) out.data[at[i]!] = updates.data[i]!;
      return [out];
    }
    const write = elementWriter(out);
    if (isWide(data.dtype)) {
      const [held, read, combine] = [bigintReader(out), bigintReader(updates), wideBinary[combining[fn]]];
      for (let i = 0; i < at.length; i++) write(at[i]!, combine(held(at[i]!), read(i)));
    } else {
      const [held, read, combine] = [numberReader(out), numberReader(updates), numberBinary(combining[fn], data.dtype)];
      for (let i = 0; i < at.length; i++) write(at[i]!, combine(held(at[i]!), read(i)));
    }
    return [out];
  },
};
