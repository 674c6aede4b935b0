// TfIdfVectorizer: how often each n-gram of a pool occurs in a row of words or numbers, weighted.
import { AnychipError } from '../core/error.ts';
import { formatShape } from '../core/shape.ts';
import { tensorFrom, toNumbers } from '../core/tensor.ts';
import type { Tensor } from '../core/tensor.ts';
import type { OnnxAttrs } from '../graph/ops.ts';

type Attrs = OnnxAttrs['TfIdfVectorizer'];
type Item = string | number;

const bad = (reason: string): never => {
  throw new AnychipError('bad-model', reason, { hint: 'Check the attributes of TfIdfVectorizer against its specification.' });
};

const keyOf = (items: readonly Item[]): string => JSON.stringify(items);

/** The position of each n-gram in the pool, counted in n-grams. `ngram_counts[n − 1]` is where those of n items begin. */
function readPool(attrs: Attrs): ReadonlyMap<string, number> {
  if ((attrs.pool_int64s === undefined) === (attrs.pool_strings === undefined)) bad('exactly one of pool_int64s and pool_strings must be given');
  const items: readonly Item[] = attrs.pool_strings ?? attrs.pool_int64s!;
  const starts = attrs.ngram_counts;
  const positions = new Map<string, number>();
  for (const [i, start] of starts.entries()) {
    const end = starts[i + 1] ?? items.length;
    if (!(start >= 0 && end >= start && end <= items.length && (end - start) % (i + 1) === 0))
      bad(`ngram_counts ${formatShape(starts)} do not cut ${items.length} items into n-grams`);
    for (let at = start; at < end; at += i + 1) positions.set(keyOf(items.slice(at, at + i + 1)), positions.size);
  }
  if (positions.size !== attrs.ngram_indexes.length) bad(`${attrs.ngram_indexes.length} ngram_indexes for ${positions.size} different n-grams`);
  return positions;
}

/** Every n-gram of a row, whose items lie up to `max_skip_count` apart. */
function* gramsOf(row: readonly Item[], { min_gram_length: min, max_gram_length: max, max_skip_count: skips }: Attrs): Generator<readonly Item[]> {
  for (let n = min; n <= max; n++) {
    // One item alone has nothing to skip.
    for (let stride = 1; stride <= (n === 1 ? 1 : skips + 1); stride++) {
      for (let start = 0; start + (n - 1) * stride < row.length; start++) yield Array.from({ length: n }, (_, i) => row[start + i * stride]!);
    }
  }
}

type Weigh = (count: number, weight: number) => number;
const modes: Readonly<Record<string, Weigh>> = { TF: (count) => count, IDF: (count, weight) => (count > 0 ? weight : 0), TFIDF: (count, weight) => count * weight };

/** [C] → [max(ngram_indexes) + 1], [N, C] → one such row each. */
export function countGrams(x: Tensor, attrs: Attrs): Tensor {
  const weigh = modes[attrs.mode] ?? bad(`mode '${attrs.mode}' is unknown`);
  if (x.shape.length > 2) throw new AnychipError('shape', `TfIdfVectorizer of ${formatShape(x.shape)}`, { hint: 'It takes [C] or [N, C].' });
  if ((x.dtype === 'string') !== (attrs.pool_strings !== undefined)) bad(`a pool of ${attrs.pool_strings === undefined ? 'integers' : 'strings'} for an input of ${x.dtype}`);
  const positions = readPool(attrs);
  const width = attrs.ngram_indexes.reduce((most, index) => Math.max(most, index), -1) + 1;
  const items: readonly Item[] = x.dtype === 'string' ? x.data : toNumbers(x);
  const [rows, length] = x.shape.length === 2 ? [x.shape[0]!, x.shape[1]!] : [1, items.length];
  const values = new Float64Array(rows * width);
  for (let row = 0; row < rows; row++) {
    const counts = new Float64Array(attrs.ngram_indexes.length);
    for (const gram of gramsOf(items.slice(row * length, (row + 1) * length), attrs)) {
      const position = positions.get(keyOf(gram));
      if (position !== undefined) counts[position]!++;
    }
    counts.forEach((count, i) => void (values[row * width + attrs.ngram_indexes[i]!]! += weigh(count, attrs.weights?.[i] ?? 1)));
  }
  return tensorFrom('f32', [...x.shape.slice(0, -1), width], values);
}
