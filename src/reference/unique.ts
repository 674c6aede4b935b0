// Unique: distinct elements, or distinct slices along an axis.
import { dtypes } from '../core/dtype.ts';
import { elementCount, normalizeAxis, stridesOf } from '../core/shape.ts';
import { bigintReader, intTensor, numberReader } from '../core/tensor.ts';
import type { Tensor } from '../core/tensor.ts';
import { moveElements } from './moves.ts';

type Item = number | bigint | string;

const readerOf = (x: Tensor): ((i: number) => Item) => (x.dtype === 'string' ? (i) => x.data[i]! : dtypes[x.dtype].held === 'bigint' ? bigintReader(x) : numberReader(x));

/** Numbers by value with NaN last, strings by code units. */
function compareItems(a: Item, b: Item): number {
  if (a === b) return 0;
  if (a !== a) return b !== b ? 0 : 1;
  return b !== b || a < b ? -1 : 1;
}

interface Group {
  readonly first: number;
  readonly items: readonly Item[];
  count: number;
}

const keyOf = (items: readonly Item[]): string => JSON.stringify(items.map((v) => (typeof v === 'string' ? v : v === 0 ? '0' : String(v))));

function compareGroups(a: Group, b: Group): number {
  for (let i = 0; i < a.items.length; i++) {
    const order = compareItems(a.items[i]!, b.items[i]!);
    if (order !== 0) return order;
  }
  return 0;
}

/** Y, the first place of each, for each element its place in Y, and how often each occurs. */
export function uniqueOf(x: Tensor, attr: number | undefined, sorted: boolean): readonly Tensor[] {
  const axis = attr === undefined ? undefined : normalizeAxis(attr, x.shape.length);
  const shape = axis === undefined ? [elementCount(x.shape)] : x.shape;
  const along = axis ?? 0;
  const [strides, read, size] = [stridesOf(shape), readerOf(x), shape[along]!];
  const rest = shape.with(along, 1);
  const offsets = Array.from({ length: elementCount(rest) }, (_, flat) =>
    stridesOf(rest).reduce((sum, stride, i) => sum + (Math.floor(flat / stride) % rest[i]!) * strides[i]!, 0),
  );
  const groups = new Map<string, Group>();
  const keys = Array.from({ length: size }, (_, i) => {
    const items = offsets.map((offset) => read(offset + i * strides[along]!));
    const key = keyOf(items);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { first: i, items, count: 1 });
    else group.count++;
    return key;
  });
  const order = [...groups.values()];
  if (sorted) order.sort(compareGroups);
  const places = new Map(order.map((group, i) => [keyOf(group.items), i] as const));
  const y = moveElements(x, shape.with(along, order.length), (index) => index.reduce((sum, at, i) => sum + (i === along ? order[at]!.first : at) * strides[i]!, 0));
  return [y, intTensor(order.map((g) => g.first)), intTensor(keys.map((key) => places.get(key)!)), intTensor(order.map((g) => g.count))];
}
