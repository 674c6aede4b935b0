// Decompositions of what prepares features: elementwise formulas, and lookups as comparisons with constant tables.
import { isFloat } from '../../core/dtype.ts';
import { AnychipError } from '../../core/error.ts';
import { formatShape } from '../../core/shape.ts';
import { bigintReader, numberReader, numeric, tensorFrom } from '../../core/tensor.ts';
import type { NumericTensor } from '../../core/tensor.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import { badModel, rowsOf } from '../../graph/ops/classes.ts';
import { imputation, labelTable, scaling } from '../../graph/ops/encoders.ts';
import { checkedLength } from '../../graph/ops/limits.ts';
import type { mlOps } from '../../graph/ops/ml.ts';
import { inputAt, onHost } from '../lowering.ts';
import type { Lowerings } from '../lowering.ts';
import { featureMatrix } from './mlScores.ts';
import { dropAxes, padAxis, sliceAxis } from './views.ts';

type FeatureOp = 'Scaler' | 'Normalizer' | 'Binarizer' | 'Imputer' | 'ArrayFeatureExtractor' | 'FeatureVectorizer' | 'OneHotEncoder' | 'LabelEncoder' | 'CategoryMapper';

/** Numbers laid along the last axis. */
const row = (b: Builder, dtype: Operand['dtype'], values: readonly number[]): Operand => b.constant(tensorFrom(dtype, [values.length], values));

const norms: Readonly<Record<string, (b: Builder, x: Operand) => Operand>> = {
  MAX: (b, x) => b.reduce('max', x, [1]),
  L1: (b, x) => b.reduce('sum', b.abs(x), [1]),
  L2: (b, x) => b.sqrt(b.reduce('sum', b.mul(x, x), [1])),
};

/** x with one more axis at the end, to be compared with a table. */
const column = (b: Builder, x: Operand): Operand => b.reshape(x, [...x.shape, 1]);

/** Distinct keys with their values; of repeated keys the last one counts. NaN is one key. */
function distinct(keys: NumericTensor, values: NumericTensor): { readonly keys: (number | bigint)[]; readonly values: (number | bigint)[] } {
  const [key, value] = [keys, values].map((t) => (t.dtype === 'i64' || t.dtype === 'u64' ? bigintReader(t) : numberReader(t)));
  const table = new Map(Array.from({ length: keys.data.length }, (_, i) => [key!(i), value!(i)]));
  return { keys: [...table.keys()], values: [...table.values()] };
}

export const featureLowerings: Lowerings<keyof Pick<typeof mlOps, FeatureOp>> = {
  Scaler(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    const wide = b.cast(x, x.dtype === 'f64' ? 'f64' : 'f32');
    const { offset, scale } = scaling(attrs, x.shape.at(-1) ?? 1);
    return [b.cast(b.mul(b.sub(wide, row(b, wide.dtype, offset)), row(b, wide.dtype, scale)), 'f32')];
  },

  Normalizer(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    const rows = featureMatrix(b, x);
    const norm = Object.hasOwn(norms, attrs.norm) ? norms[attrs.norm]! : badModel(`norm '${attrs.norm}' is unknown`);
    const divisor = norm(b, rows);
    const safe = b.where(b.eq(divisor, b.scalar(rows.dtype, 0)), b.scalar(rows.dtype, 1), divisor);
    return [b.reshape(b.cast(b.div(rows, safe), 'f32'), x.shape)];
  },

  Binarizer(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    // An integer exceeds the threshold exactly when it exceeds its floor.
    const threshold = isFloat(x.dtype) ? attrs.threshold : Math.floor(attrs.threshold);
    return [b.cast(b.gt(x, b.scalar(x.dtype, threshold)), x.dtype)];
  },

  Imputer(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    const { values, replaced } = imputation(attrs, isFloat(x.dtype), x.shape.at(-1) ?? 1);
    const isMissing = Number.isNaN(replaced) ? b.isNaN(x) : b.eq(x, b.scalar(x.dtype, replaced));
    return [b.where(isMissing, row(b, x.dtype, values), x)];
  },

  ArrayFeatureExtractor(b, _, inputs) {
    const [x, indices] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    const count = indices.shape.reduce((a, d) => a * d, 1);
    if (x.shape.length === 0) badModel('ArrayFeatureExtractor of a scalar');
    const data = x.shape.length === 1 ? b.reshape(x, [1, ...x.shape]) : x;
    const last = data.shape.length - 1;
    const sources = data.shape.map((_, i) => (i === last ? { index: 0 } : { axis: i }));
    return [b.gather(data, sources, [b.reshape(indices, [...data.shape.slice(0, -1).map(() => 1), count])], data.shape.with(last, count))];
  },

  FeatureVectorizer(b, { attrs }, inputs) {
    const parts = inputs.map((_, i) => {
      const x = inputAt(inputs, i);
      const rows = b.reshape(b.cast(x, 'f32'), rowsOf(x.shape));
      const [features, width] = [rows.shape[1]!, checkedLength('a feature', attrs.inputdimensions?.[i] ?? rows.shape[1]!)];
      return width <= features ? sliceAxis(b, rows, 1, 0, width) : padAxis(b, rows, 1, 0, width - features);
    });
    if (parts.some((part) => part.shape[0] !== parts[0]!.shape[0])) {
      throw new AnychipError('shape', `features of ${parts.map((part) => formatShape(part.shape)).join(' and ')} have different numbers of rows`);
    }
    return [b.concat(parts, 1)];
  },

  OneHotEncoder(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    const categories = attrs.cats_int64s ?? badModel(`OneHotEncoder of ${x.dtype} has no such categories`);
    if (attrs.zeros === 0) return onHost('an unknown category is an error, which devices cannot raise');
    // Floats are compared as the integers that a cast makes of them; in floats, where what has no integer equals nothing.
    const whole = isFloat(x.dtype) ? b.trunc(x) : x;
    return [b.cast(b.eq(column(b, whole), row(b, x.dtype, categories)), 'f32')];
  },

  LabelEncoder(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    const { keys, values, fallback } = labelTable(attrs);
    if (keys.dtype !== x.dtype) throw new AnychipError('shape', `LabelEncoder with keys of ${keys.dtype} is given ${x.dtype}`);
    if (values.dtype === 'string') return onHost('the values are strings');
    const table = distinct(numeric(keys), values);
    const nan = table.keys.findIndex((key) => Number.isNaN(key));
    const last = x.shape.length;
    const keyRow = b.constant(tensorFrom(x.dtype, [table.keys.length], table.keys));
    const valueRow = b.constant(tensorFrom(values.dtype, [table.keys.length], table.values));
    const equal = b.eq(column(b, x), keyRow);
    const isNaNKey = b.constant(
      tensorFrom(
        'bool',
        [table.keys.length],
        table.keys.map((_, i) => Number(i === nan)),
      ),
    );
    const found = nan < 0 ? equal : b.or(equal, b.and(isNaNKey, column(b, b.isNaN(x))));
    // At most one key matches, so the sum is its value.
    const value = dropAxes(b, b.reduce('sum', b.where(found, valueRow, b.scalar(values.dtype, 0)), [last]), [last]);
    const isKnown = dropAxes(b, b.reduce('max', found, [last]), [last]);
    return [b.where(isKnown, value, b.reshape(b.constant(numeric(fallback)), []))];
  },

  CategoryMapper: 'host',
};
