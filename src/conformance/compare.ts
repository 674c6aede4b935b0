// Holds one value against the expected one: dtype and shape exactly, elements within a tolerance. Knows nothing of models.
import { bigintReader, numberReader } from '../core/tensor.ts';
import type { NumericTensor, Tensor } from '../core/tensor.ts';
import { formatShape, sameShape } from '../core/shape.ts';
import { isTensor } from '../graph/graph.ts';
import type { HostValue } from '../graph/graph.ts';
import type { Tolerance } from './tolerances.ts';

/** How far two equal-shaped values lie apart. */
export interface Difference {
  /** Largest |actual − expected|; 0 for strings. */
  readonly largest: number;
  /** What is wrong, first place first; undefined when within tolerance. */
  readonly mismatch: string | undefined;
}

const none: Difference = { largest: 0, mismatch: undefined };
const wrong = (mismatch: string): Difference => ({ largest: Infinity, mismatch });

/** Compares values of any kind; sequences element by element. */
export function compareValues(actual: HostValue, expected: HostValue, toleranceOf: (tensor: Tensor) => Tolerance): Difference {
  if (actual === null || expected === null) return actual === expected ? none : wrong(`${describe(actual)} instead of ${describe(expected)}`);
  if (isTensor(actual) && isTensor(expected)) return compareTensors(actual, expected, toleranceOf(expected));
  if (isTensor(actual) || isTensor(expected)) return wrong(`${describe(actual)} instead of ${describe(expected)}`);
  if (actual.length !== expected.length) return wrong(`a sequence of ${actual.length} instead of ${expected.length}`);
  return actual.reduce<Difference>((worst, value, i) => {
    const difference = compareValues(value, expected[i]!, toleranceOf);
    return {
      largest: Math.max(worst.largest, difference.largest),
      mismatch: worst.mismatch ?? (difference.mismatch === undefined ? undefined : `element ${i}: ${difference.mismatch}`),
    };
  }, none);
}

export function compareTensors(actual: Tensor, expected: Tensor, tolerance: Tolerance): Difference {
  if (actual.dtype !== expected.dtype) return wrong(`dtype ${actual.dtype} instead of ${expected.dtype}`);
  if (!sameShape(actual.shape, expected.shape)) return wrong(`shape ${formatShape(actual.shape)} instead of ${formatShape(expected.shape)}`);
  if (tolerance.shapeOnly) return none;
  if (actual.dtype === 'string') return expected.dtype === 'string' ? compareStrings(actual.data, expected.data) : none;
  if (expected.dtype === 'string') return none;
  return isWide(actual) ? compareWide(actual, expected, tolerance) : compareNumbers(actual, expected, tolerance);
}

const isWide = (tensor: NumericTensor): boolean => tensor.dtype === 'i64' || tensor.dtype === 'u64';

function compareStrings(actual: readonly string[], expected: readonly string[]): Difference {
  const at = actual.findIndex((text, i) => text !== expected[i]);
  return at < 0 ? none : wrong(`element ${at} is ${JSON.stringify(actual[at])} instead of ${JSON.stringify(expected[at])}`);
}

function compareWide(actual: NumericTensor, expected: NumericTensor, tolerance: Tolerance): Difference {
  const a = bigintReader(actual);
  const e = bigintReader(expected);
  return compareWith(
    actual.data.length,
    (i) => Math.abs(Number(a(i) - e(i))),
    (i) => allowed(Math.abs(Number(e(i))), tolerance, 0),
    (i) => `${a(i)} instead of ${e(i)}`,
  );
}

function compareNumbers(actual: NumericTensor, expected: NumericTensor, tolerance: Tolerance): Difference {
  const a = numberReader(actual);
  const e = numberReader(expected);
  const distance = (i: number): number => {
    const [x, y] = [a(i), e(i)];
    if (Object.is(x, y) || x === y) return 0;
    const d = Math.abs(x - y);
    return Number.isNaN(d) ? Infinity : d;
  };
  const magnitude = tolerance.scaled === 0 ? 0 : largestMagnitude(e, expected.data.length);
  return compareWith(
    actual.data.length,
    distance,
    (i) => allowed(Math.abs(e(i)), tolerance, magnitude),
    (i) => `${a(i)} instead of ${e(i)}`,
  );
}

const allowed = (expected: number, { rtol, atol, scaled }: Tolerance, magnitude: number): number => atol + (Number.isFinite(expected) ? rtol * expected : 0) + scaled * magnitude;

function largestMagnitude(read: (i: number) => number, length: number): number {
  let largest = 0;
  for (let i = 0; i < length; i++) {
    const x = Math.abs(read(i));
    if (Number.isFinite(x) && x > largest) largest = x;
  }
  return largest;
}

function compareWith(length: number, distance: (i: number) => number, limit: (i: number) => number, say: (i: number) => string): Difference {
  let largest = 0;
  let outside = 0;
  let first = -1;
  for (let i = 0; i < length; i++) {
    const d = distance(i);
    if (d > largest) largest = d;
    if (d <= limit(i)) continue;
    outside++;
    if (first < 0) first = i;
  }
  return { largest, mismatch: first < 0 ? undefined : `${outside} of ${length} elements differ, first at ${first}: ${say(first)} (largest difference ${largest.toPrecision(3)})` };
}

const describe = (value: HostValue): string => (value === null ? 'nothing' : isTensor(value) ? `a ${value.dtype} tensor` : 'a sequence');
