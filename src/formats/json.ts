// Tensors as JSON: nested arrays, or { dtype, shape, data } where the dtype must be said.
import { dtypes } from '../core/dtype.ts';
import type { DType } from '../core/dtype.ts';
import { AnychipError } from '../core/error.ts';
import { elementCount, formatShape } from '../core/shape.ts';
import { stringTensor, tensorFrom } from '../core/tensor.ts';
import type { Tensor } from '../core/tensor.ts';

type Item = number | bigint | string | boolean;
const bad = (reason: string): never => {
  throw new AnychipError('bad-file', `not a tensor in JSON: ${reason}`, { hint: 'Write nested arrays of one shape, or {"dtype": "i64", "shape": [2], "data": [1, 2]}.' });
};

/** What `value` says, in its own dtype, else in `dtype` (else f32, strings or bools by what the items are). */
export function tensorFromJson(value: unknown, dtype?: DType): Tensor {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return fromRecord(value, dtype);
  const { shape, items } = flatten(value);
  return build(dtype ?? inferred(items), shape, items);
}

function fromRecord(value: object, dtype: DType | undefined): Tensor {
  const given = 'dtype' in value ? value.dtype : undefined;
  if (given !== undefined && (typeof given !== 'string' || !isDType(given))) return bad(`dtype ${JSON.stringify(given)}`);
  const { shape, items } = flatten('data' in value ? value.data : undefined);
  const said = 'shape' in value ? value.shape : shape;
  if (!isShape(said)) return bad(`shape ${JSON.stringify(said)}`);
  if (elementCount(said) !== items.length) return bad(`${items.length} values for shape ${formatShape(said)}`);
  return build(given ?? dtype ?? inferred(items), said, items);
}

const isDType = (name: string): name is DType => Object.hasOwn(dtypes, name);
const isShape = (value: unknown): value is number[] => Array.isArray(value) && value.every((d) => Number.isSafeInteger(d) && Number(d) >= 0);
const inferred = (items: readonly Item[]): DType => (typeof items[0] === 'string' ? 'string' : typeof items[0] === 'boolean' ? 'bool' : 'f32');

const MAX_RANK = 64;

/** The shape of nested arrays, and what is in them in order. */
function flatten(value: unknown): { readonly shape: number[]; readonly items: Item[] } {
  const shape: number[] = [];
  for (let level = value; Array.isArray(level); level = level[0]) if (shape.push(level.length) > MAX_RANK) bad(`arrays nested more than ${MAX_RANK} deep`);
  const items: Item[] = [];
  const visit = (x: unknown, depth: number): void => {
    if (Array.isArray(x)) {
      if (x.length !== shape[depth]) bad(`an array of ${x.length} beside one of ${shape[depth] ?? 'single values'}`);
      for (const y of x) visit(y, depth + 1);
    } else if (depth < shape.length) bad('a single value beside an array');
    else if (typeof x === 'number' || typeof x === 'string' || typeof x === 'boolean') items.push(x);
    else bad(`${JSON.stringify(x) ?? 'nothing'} is no element`);
  };
  visit(value, 0);
  return { shape, items };
}

/** Texts that JSON has no number for. */
const special: Readonly<Record<string, number>> = { NaN: NaN, Infinity: Infinity, '-Infinity': -Infinity };

function build(dtype: DType, shape: readonly number[], items: readonly Item[]): Tensor {
  if (dtype === 'string')
    return stringTensor(
      shape,
      items.map((item) => (typeof item === 'string' ? item : bad(`${String(item)} among strings`))),
    );
  const isWide = dtypes[dtype].held === 'bigint';
  const isInteger = dtypes[dtype].class === 'int' || dtypes[dtype].class === 'uint';
  const numberOf = (item: Item): number | bigint => {
    if (typeof item === 'boolean') return item ? 1 : 0;
    if (typeof item === 'string')
      return isWide && /^-?\d+$/.test(item) ? BigInt(item) : !isInteger && Object.hasOwn(special, item) ? special[item]! : bad(`the text ${JSON.stringify(item)} among numbers`);
    if (isInteger && !Number.isInteger(item)) return bad(`${item} among ${dtype}`);
    return isWide ? BigInt(item) : item;
  };
  return tensorFrom(dtype, shape, items.map(numberOf));
}
