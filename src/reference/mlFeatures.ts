// Reference of what prepares features: scalers, imputers, encoders, extractors.
import { isFloat } from '../core/dtype.ts';
import { AnychipError } from '../core/error.ts';
import { elementCount, formatShape } from '../core/shape.ts';
import { bigintReader, createTensor, numberReader, numeric, stringTensor, tensorBytes, tensorFrom, toNumbers } from '../core/tensor.ts';
import type { NumericTensor, Tensor } from '../core/tensor.ts';
import { badModel, rowsOf } from '../graph/ops/classes.ts';
import { imputation, labelTable, scaling } from '../graph/ops/encoders.ts';
import { checkedLength } from '../graph/ops/limits.ts';
import type { mlOps } from '../graph/ops/ml.ts';
import { numericAt, tensorAt } from './evaluate.ts';
import type { Evaluations } from './evaluate.ts';

type FeatureOp = 'Scaler' | 'Normalizer' | 'Binarizer' | 'Imputer' | 'ArrayFeatureExtractor' | 'FeatureVectorizer' | 'OneHotEncoder' | 'LabelEncoder' | 'CategoryMapper';

/** The same shape in `dtype`, each element from its value and its place on the last axis. */
function mapFeatures(x: NumericTensor, dtype: NumericTensor['dtype'], f: (value: number, feature: number) => number): NumericTensor {
  const features = x.shape.at(-1) ?? 1;
  return tensorFrom(
    dtype,
    x.shape,
    toNumbers(x).map((value, i) => f(value, i % features)),
  );
}

const norms: Readonly<Record<string, (row: readonly number[]) => number>> = {
  MAX: (row) => Math.max(...row),
  L1: (row) => row.reduce((sum, v) => sum + Math.abs(v), 0),
  L2: (row) => Math.sqrt(row.reduce((sum, v) => sum + v * v, 0)),
};

/** How elements are told from one another when they are looked up: 64-bit integers exactly, all NaN alike. */
function keysOf(tensor: Tensor): (i: number) => string | number | bigint {
  if (tensor.dtype === 'string') return (i) => tensor.data[i]!;
  return tensor.dtype === 'i64' || tensor.dtype === 'u64' ? bigintReader(tensor) : numberReader(tensor);
}

/** Floats as the integers that a cast makes of them; what has none is found nowhere. */
const truncated =
  (read: (i: number) => number) =>
  (i: number): string | bigint =>
    Number.isFinite(read(i)) ? BigInt(Math.trunc(read(i))) : String(read(i));

function copier(from: Tensor, count: number): { readonly copy: (to: number, at: number, source?: Tensor) => void; readonly finish: (shape: readonly number[]) => Tensor } {
  if (from.dtype === 'string') {
    const strings = Array.from({ length: count }, () => '');
    return {
      copy: (to, at, source = from) => void (source.dtype === 'string' && (strings[to] = source.data[at]!)),
      finish: (shape) => stringTensor(shape, strings),
    };
  }
  const out = createTensor(from.dtype, [count]);
  return {
    copy: (to, at, source = from) => void (out.data[to] = numeric(source).data[at]!),
    finish: (shape) => ({ ...out, shape }),
  };
}

export const featureEvaluations: Evaluations<keyof Pick<typeof mlOps, FeatureOp>> = {
  Scaler({ attrs }, inputs) {
    const x = numericAt(inputs, 0);
    const { offset, scale } = scaling(attrs, x.shape.at(-1) ?? 1);
    return [mapFeatures(x, 'f32', (v, f) => (v - (offset[f] ?? offset[0]!)) * (scale[f] ?? scale[0]!))];
  },

  Normalizer({ attrs }, inputs) {
    const x = numericAt(inputs, 0);
    const [rows, features] = rowsOf(x.shape);
    const norm = Object.hasOwn(norms, attrs.norm) ? norms[attrs.norm]! : badModel(`norm '${attrs.norm}' is unknown`);
    const values = toNumbers(x);
    const divisors = Array.from({ length: rows }, (_, r) => norm(values.slice(r * features, (r + 1) * features)));
    return [
      tensorFrom(
        'f32',
        x.shape,
        values.map((v, i) => v / (divisors[Math.floor(i / features)]! || 1)),
      ),
    ];
  },

  Binarizer({ attrs }, inputs) {
    const x = numericAt(inputs, 0);
    return [mapFeatures(x, x.dtype, (v) => Number(v > attrs.threshold))];
  },

  Imputer({ attrs }, inputs) {
    const x = numericAt(inputs, 0);
    const { values, replaced } = imputation(attrs, isFloat(x.dtype), x.shape.at(-1) ?? 1);
    const { copy, finish } = copier(x, x.data.length);
    const imputed = tensorFrom(x.dtype, [values.length], values);
    const [read, features] = [numberReader(x), x.shape.at(-1) ?? 1];
    for (let i = 0; i < x.data.length; i++) {
      const isMissing = Number.isNaN(replaced) ? Number.isNaN(read(i)) : read(i) === replaced;
      if (isMissing) copy(i, values.length === 1 ? 0 : i % features, imputed);
      else copy(i, i);
    }
    return [finish(x.shape)];
  },

  ArrayFeatureExtractor(_, inputs, context) {
    const [x, indices] = [tensorAt(inputs, 0), toNumbers(numericAt(inputs, 1))];
    const features = x.shape.at(-1) ?? badModel('ArrayFeatureExtractor of a scalar');
    // A vector counts as one row.
    const lead = x.shape.length === 1 ? [1] : x.shape.slice(0, -1);
    const shape = [...lead, indices.length];
    context.reserve(tensorBytes(x.dtype, shape));
    const { copy, finish } = copier(x, elementCount(shape));
    for (let row = 0; row < elementCount(lead); row++) {
      indices.forEach((index, i) => {
        if (index < 0 || index >= features) throw new AnychipError('run', `feature ${index} of ${features}`);
        copy(row * indices.length + i, row * features + index);
      });
    }
    return [finish(shape)];
  },

  FeatureVectorizer({ attrs }, inputs) {
    const parts = inputs.map((_, i) => numericAt(inputs, i));
    const rows = rowsOf(parts[0]!.shape)[0];
    const columns = parts.map((part, i) => {
      const [count, features] = rowsOf(part.shape);
      if (count !== rows) throw new AnychipError('shape', `features of shape ${formatShape(part.shape)} beside others of ${rows} rows`);
      const [read, width] = [numberReader(part), checkedLength('a feature', attrs.inputdimensions?.[i] ?? features)];
      // A declared size cuts the features, or fills them up with zeros.
      return (row: number): number[] => Array.from({ length: width }, (_, c) => (c < features ? read(row * features + c) : 0));
    });
    const data = Array.from({ length: rows }, (_, row) => columns.flatMap((column) => column(row)));
    return [tensorFrom('f32', [rows, data[0]?.length ?? 0], data.flat())];
  },

  OneHotEncoder({ attrs }, inputs, context) {
    const x = tensorAt(inputs, 0);
    const isString = x.dtype === 'string';
    const categories: readonly (string | bigint)[] =
      (isString ? attrs.cats_strings : attrs.cats_int64s?.map(BigInt)) ?? badModel(`OneHotEncoder of ${x.dtype} has no such categories`);
    const positions = new Map(categories.map((category, i) => [category, i]));
    const shape = [...x.shape, categories.length];
    context.reserve(tensorBytes('f32', shape));
    const y = createTensor('f32', shape);
    const read = isString ? (i: number) => x.data[i]! : isFloat(x.dtype) ? truncated(numberReader(numeric(x))) : bigintReader(x);
    for (let i = 0; i < x.data.length; i++) {
      const position = positions.get(read(i));
      if (position !== undefined) y.data[i * categories.length + position] = 1;
      else if (attrs.zeros === 0) throw new AnychipError('run', `'${read(i)}' is no category`, { hint: 'With zeros = 1 unknown categories become rows of zeros.' });
    }
    return [y];
  },

  LabelEncoder({ attrs }, inputs) {
    const x = tensorAt(inputs, 0);
    const { keys, values, fallback } = labelTable(attrs);
    if (keys.dtype !== x.dtype) throw new AnychipError('shape', `LabelEncoder with keys of ${keys.dtype} is given ${x.dtype}`);
    const keyOf = keysOf(keys);
    // Of repeated keys the last one counts.
    const positions = new Map(Array.from({ length: keys.data.length }, (_, i) => [keyOf(i), i]));
    const { copy, finish } = copier(values, x.data.length);
    const read = keysOf(x);
    for (let i = 0; i < x.data.length; i++) {
      const position = positions.get(read(i));
      if (position === undefined) copy(i, 0, fallback);
      else copy(i, position);
    }
    return [finish(x.shape)];
  },

  CategoryMapper({ attrs }, inputs) {
    const x = tensorAt(inputs, 0);
    const { cats_int64s: ints = [], cats_strings: strings = [] } = attrs;
    if (ints.length !== strings.length) badModel(`${ints.length} integers for ${strings.length} strings`);
    if (x.dtype === 'string') {
      const map = new Map(strings.map((s, i) => [s, ints[i]!]));
      return [
        tensorFrom(
          'i64',
          x.shape,
          x.data.map((s) => map.get(s) ?? attrs.default_int64),
        ),
      ];
    }
    const map = new Map(ints.map((n, i) => [n, strings[i]!]));
    return [
      stringTensor(
        x.shape,
        toNumbers(x).map((n) => map.get(n) ?? attrs.default_string),
      ),
    ];
  },
};
