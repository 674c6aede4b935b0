// What a person sees of a model's outputs: their types and a few of their values.
import { formatShape } from '../core/shape.ts';
import { numberReader } from '../core/tensor.ts';
import { isTensor } from '../graph/graph.ts';
import type { HostValue } from '../graph/graph.ts';
import { describeValue } from '../reference/interpret.ts';
import { print, table } from './print.ts';

/** For `--json`. */
export const summaries = (outputs: ReadonlyMap<string, HostValue>): readonly object[] =>
  [...outputs].map(([name, value]) => ({ name, type: describeValue(value), ...summary(value) }));

export function printOutputs(outputs: ReadonlyMap<string, HostValue>): void {
  const rows = [...outputs].map(([name, value]) => [name, describeValue(value), preview(value)]);
  print(table(['output', 'type', 'values'], rows));
}

/** The first elements, and for numbers the largest with its place: enough to see what a classifier says. */
function preview(value: HostValue): string {
  const { first, largest } = summary(value);
  if (first === undefined) return value === null ? 'nothing' : `${Array.isArray(value) ? value.length : 0} elements`;
  return `${first.join(' ')}${isTensor(value) && value.data.length > first.length ? ' …' : ''}${largest === undefined ? '' : `  largest ${largest.value} at ${formatShape(largest.index)}`}`;
}

interface Summary {
  readonly first?: readonly (string | number)[];
  readonly largest?: { readonly value: number; readonly index: readonly number[] };
}

const SHOWN = 6;

function summary(value: HostValue): Summary {
  if (!isTensor(value)) return {};
  if (value.dtype === 'string') return { first: value.data.slice(0, SHOWN).map((text) => JSON.stringify(text)) };
  const read = numberReader(value);
  const first = Array.from({ length: Math.min(SHOWN, value.data.length) }, (_, i) => Number(read(i).toPrecision(6)));
  if (value.data.length <= SHOWN) return { first };
  let at = 0;
  for (let i = 1; i < value.data.length; i++) if (read(i) > read(at)) at = i;
  return { first, largest: { value: Number(read(at).toPrecision(6)), index: indexOf(at, value.shape) } };
}

function indexOf(flat: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  let rest = flat;
  for (const size of shape.toReversed()) {
    index.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return index;
}
