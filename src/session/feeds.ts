// Inputs for a model when nobody gives any: seeded random tensors of the declared types. Says which dimensions it had to assume.
import { elementCount } from '../core/shape.ts';
import { spendMemory, withMemoryBudget } from '../core/memoryBudget.ts';
import { createTensor, elementWriter, stringTensor } from '../core/tensor.ts';
import { dtypes } from '../core/dtype.ts';
import type { NumericDType } from '../core/dtype.ts';
import type { Dim, Graph, HostValue, TensorType, Value } from '../graph/graph.ts';
import { valueInputs } from '../passes/binding.ts';
import { createRandom } from '../reference/randomSource.ts';
import { AnychipError, within } from '../core/error.ts';
import { DEFAULT_MAX_MEMORY_BYTES } from './limits.ts';

export interface Feeds {
  readonly values: Map<string, HostValue>;
  /** Dimensions that nothing bound, with the size taken: 'batch = 1'. */
  readonly assumed: readonly string[];
}

/** Longest input that is made up: beyond it, someone has data or the shape is wrong. */
const MOST_ELEMENTS = 2 ** 27;
/** What a short string takes. */
const STRING_BYTES = 32;

/** Size of a dimension that nothing binds. */
const ASSUMED_SIZE = 1;

/**
 * A value for every input that `given` lacks: floats uniform in [0, 1), integers in [0, 10), ones where the value decides shapes.
 * Names in `bind` fix named dimensions; those of given inputs are bound by their shapes.
 */
export function seededFeeds(
  graph: Graph,
  given: ReadonlyMap<string, HostValue>,
  bind: Readonly<Record<string, number>>,
  seed: number,
  maxMemoryBytes = DEFAULT_MAX_MEMORY_BYTES,
): Feeds {
  return withMemoryBudget(maxMemoryBytes, () => makeFeeds(graph, given, bind, seed));
}

function makeFeeds(graph: Graph, given: ReadonlyMap<string, HostValue>, bind: Readonly<Record<string, number>>, seed: number): Feeds {
  const random = createRandom(seed)();
  const decisive = valueInputs(graph);
  const sizes = new Map<string, number>(Object.entries(bind));
  const assumed = new Map<string, string>();
  const values = new Map(given);
  for (const value of graph.inputs) {
    const fed = given.get(value.name);
    if (fed !== undefined) learn(value, fed, sizes);
  }
  const sizeOf = (dim: Dim, where: string): number => {
    if (typeof dim === 'number') return dim;
    const size = sizes.get(dim);
    if (size !== undefined) return size;
    sizes.set(dim, ASSUMED_SIZE);
    assumed.set(dim, `${dim === '' ? where : dim} = ${ASSUMED_SIZE}`);
    return ASSUMED_SIZE;
  };
  for (const value of graph.inputs) {
    if (values.has(value.name) || graph.constants.has(value)) continue;
    if (value.type?.kind === 'optional') values.set(value.name, null);
    else if (value.type?.kind === 'sequence') values.set(value.name, []);
    else
      values.set(
        value.name,
        within(`input '${value.name}'`, () => randomTensor(value, tensorTypeOf(value), sizeOf, decisive.has(value) ? () => 0.1 : random)),
      );
  }
  return { values, assumed: [...assumed.values()] };
}

function tensorTypeOf(value: Value): TensorType {
  if (value.type?.kind === 'tensor') return value.type;
  throw new AnychipError('bad-argument', `input '${value.name}' has no declared type, so no random value can be made for it`, { hint: `Give it with --input ${value.name}=FILE.` });
}

function randomTensor(value: Value, type: TensorType, sizeOf: (dim: Dim, where: string) => number, random: () => number): HostValue {
  const shape = (type.shape ?? []).map((dim, axis) => sizeOf(dim, `${value.name}[${axis}]`));
  const count = elementCount(shape);
  if (count > MOST_ELEMENTS) {
    throw new AnychipError('limit', `no random values are made for ${count} elements of shape [${shape.join(', ')}]`, {
      hint: `Give them with --input ${value.name}=FILE, or bind smaller dimensions.`,
    });
  }
  if (type.dtype === 'string') {
    spendMemory(count * STRING_BYTES);
    return stringTensor(
      shape,
      Array.from({ length: count }, (_, i) => `text ${i}`),
    );
  }
  const tensor = createTensor(type.dtype, shape);
  const write = elementWriter(tensor);
  const scale = scales[dtypes[type.dtype].class](type.dtype);
  for (let i = 0; i < count; i++) write(i, scale(random()));
  return tensor;
}

const scales: Readonly<Record<'float' | 'int' | 'uint' | 'bool' | 'string', (dtype: NumericDType) => (u: number) => number>> = {
  float: () => (u) => u,
  int: (dtype) => (u) => Math.floor(u * Math.min(10, 2 ** (dtypes[dtype].bits - 1))),
  uint: (dtype) => (u) => Math.floor(u * Math.min(10, 2 ** dtypes[dtype].bits)),
  bool: () => (u) => (u < 0.5 ? 0 : 1),
  string: () => () => 0,
};

/** Binds the names of a declared shape to the sizes of what was fed. */
function learn(value: Value, fed: HostValue, sizes: Map<string, number>): void {
  if (value.type?.kind !== 'tensor' || fed === null || !('shape' in fed)) return;
  value.type.shape?.forEach((dim, i) => {
    const size = fed.shape[i];
    if (typeof dim === 'string' && size !== undefined) sizes.set(dim, size);
  });
}
