// Reference of the operators that make or read maps. A map is held as the pair of its keys and its values, two vectors of equal length.
import { AnychipError } from '../core/error.ts';
import { bigintReader, createTensor, numeric, stringTensor, tensorFrom, toNumbers, toStrings } from '../core/tensor.ts';
import type { Tensor } from '../core/tensor.ts';
import { isTensor } from '../graph/graph.ts';
import type { HostValue } from '../graph/graph.ts';
import { badModel, labelsOf, rowsOf } from '../graph/ops/classes.ts';
import { checkedLength } from '../graph/ops/limits.ts';
import type { mlOps } from '../graph/ops/ml.ts';
import { numericAt, sequenceAt } from './evaluate.ts';
import type { Evaluations } from './evaluate.ts';

interface MapValue {
  readonly keys: Tensor;
  readonly values: Tensor;
}

function mapOf(value: HostValue): MapValue {
  const [keys, values] = value === null || isTensor(value) ? [] : value;
  if (keys === undefined || keys === null || values === undefined || values === null || !isTensor(keys) || !isTensor(values) || keys.data.length !== values.data.length) {
    throw new AnychipError('shape', 'a map is needed', { hint: 'A map is the pair of its keys and its values, two vectors of equal length.' });
  }
  return { keys, values };
}

const keyList = (keys: Tensor): readonly (string | bigint)[] => (keys.dtype === 'string' ? keys.data : Array.from({ length: keys.data.length }, (_, i) => bigintReader(keys)(i)));

const isMap = (value: HostValue): boolean => value !== null && !isTensor(value) && value.length === 2 && value.every((part) => part !== null && isTensor(part));

type MapOp = 'ZipMap' | 'DictVectorizer' | 'CastMap';

/** CastMap's targets: how a value, given as text or as a number, becomes an element, and what fills the gaps of a sparse map. */
const casts: Readonly<Record<string, (values: readonly (string | number | undefined)[]) => Tensor>> = {
  TO_FLOAT: (values) =>
    tensorFrom(
      'f32',
      [1, values.length],
      values.map((v) => Number(v ?? 0)),
    ),
  TO_INT64: (values) =>
    tensorFrom(
      'i64',
      [1, values.length],
      values.map((v) => Math.trunc(Number(v ?? 0))),
    ),
  TO_STRING: (values) =>
    stringTensor(
      [1, values.length],
      values.map((v) => (v === undefined ? '0.f' : typeof v === 'number' ? v.toFixed(6) : v)),
    ),
};

export const mapEvaluations: Evaluations<keyof Pick<typeof mlOps, MapOp>> = {
  ZipMap({ attrs }, inputs) {
    const x = numericAt(inputs, 0);
    const [rows, columns] = rowsOf(x.shape);
    const labels = labelsOf(attrs.classlabels_int64s, attrs.classlabels_strings) ?? badModel('ZipMap has no class labels');
    if (labels.values.length !== columns) throw new AnychipError('shape', `${labels.values.length} labels for ${columns} columns`);
    const keys = labels.kind === 'ints' ? tensorFrom('i64', [columns], labels.values) : stringTensor([columns], labels.values);
    const values = toNumbers(x);
    return [Array.from({ length: rows }, (_, r) => [keys, tensorFrom(x.dtype, [columns], values.slice(r * columns, (r + 1) * columns))])];
  },

  // Takes one map, or a sequence of them as rows.
  DictVectorizer({ attrs }, inputs) {
    const given = sequenceAt(inputs, 0);
    const maps = (isMap(given) ? [given] : given).map(mapOf);
    const vocabulary: readonly (string | bigint)[] = attrs.string_vocabulary ?? attrs.int64_vocabulary?.map(BigInt) ?? badModel('DictVectorizer has no vocabulary');
    const columns = new Map(vocabulary.map((word, i) => [word, i]));
    const shape = [maps.length, vocabulary.length];
    const first = maps[0]?.values;
    const place = (key: string | bigint): number => {
      const column = columns.get(key);
      if (column === undefined) throw new AnychipError('run', `the key '${key}' is not in the vocabulary`);
      return column;
    };
    if (first?.dtype === 'string') {
      const strings = Array.from({ length: maps.length * vocabulary.length }, () => '');
      maps.forEach(({ keys, values }, row) => keyList(keys).forEach((key, i) => void (strings[row * vocabulary.length + place(key)] = toStrings(values)[i]!)));
      return [stringTensor(shape, strings)];
    }
    const y = createTensor(first === undefined ? 'f32' : first.dtype, shape);
    maps.forEach(({ keys, values }, row) => keyList(keys).forEach((key, i) => void (y.data[row * vocabulary.length + place(key)] = numeric(values).data[i]!)));
    return [y];
  },

  CastMap({ attrs }, inputs) {
    const { keys, values } = mapOf(sequenceAt(inputs, 0));
    const cast = Object.hasOwn(casts, attrs.cast_to) ? casts[attrs.cast_to]! : badModel(`cast_to '${attrs.cast_to}' is unknown`);
    const list: readonly (string | number)[] = values.dtype === 'string' ? values.data : toNumbers(values);
    const entries = toNumbers(keys).map((key, i) => [key, list[i]!] as const);
    if (attrs.map_form === 'DENSE') return [cast(entries.toSorted(([a], [b]) => a - b).map(([, value]) => value))];
    if (attrs.map_form !== 'SPARSE') badModel(`map_form '${attrs.map_form}' is unknown`);
    const sparse = Array.from<string | number | undefined>({ length: checkedLength('a sparse map', attrs.max_map) });
    for (const [key, value] of entries) {
      if (key < 0 || key >= attrs.max_map) throw new AnychipError('run', `the key ${key} lies outside a sparse map of ${attrs.max_map}`);
      sparse[key] = value;
    }
    return [cast(sparse)];
  },
};
