// Minimal filtering (Winograd; Lavin & Gray 2015, arXiv:1509.09308): a tile of results from a tile of the input and a filter by one
// multiplication for each element of the input's tile. Its matrices follow from the points at which polynomials are evaluated.
import { range } from '../../../core/integers.ts';
import { add, binary, constant, fma, mul, splat } from '../../../kernel/build.ts';
import type { Expr } from '../../../kernel/ir.ts';
import type { Emitter } from '../../emit/emitter.ts';

export type Matrix = readonly (readonly number[])[];

/** F(results × results, taps × taps). A tile of the input has `side` = results + taps − 1 elements along each axis. */
export interface Filtering {
  readonly results: number;
  readonly side: number;
  readonly input: Matrix;
  readonly weights: Matrix;
  readonly output: Matrix;
}

/** Coefficients of Π (x − root), the constant first. */
const polynomial = (roots: readonly number[]): number[] => roots.reduce<number[]>((p, root) => [0, ...p].map((above, i) => above - root * (p[i] ?? 0)), [1]);

/** The filtering that evaluates at `points` and at infinity. */
export function filteringAt(points: readonly number[], taps: number): Filtering {
  const side = points.length + 1;
  const results = side - taps + 1;
  const powers = (count: number): number[][] => [
    ...points.map((p) => Array.from({ length: count }, (_, i) => p ** i)),
    Array.from({ length: count }, (_, i) => (i === count - 1 ? 1 : 0)),
  ];
  const others = (i: number): number[] => points.filter((_, k) => k !== i);
  const scales = points.map((p, i) => others(i).reduce((product, q) => product * (p - q), 1));
  const padded = (row: readonly number[]): number[] => Array.from({ length: side }, (_, i) => row[i] ?? 0);
  return {
    results,
    side,
    input: [...points.map((_, i) => padded(polynomial(others(i)))), padded(polynomial(points))],
    weights: powers(taps).map((row, i) => row.map((x) => x / (scales[i] ?? 1))),
    output: turned(powers(results)),
  };
}

/** Filterings of an image's two axes. */
export interface PlaneFiltering {
  readonly high: Filtering;
  readonly wide: Filtering;
}

/** Multiplications of one tile, for each channel and filter. */
export const pointsOf = ({ high, wide }: PlaneFiltering): number => high.side * wide.side;
/** Axes along which a tile is more than one element: each takes a pass of the transforms. */
export const passesOf = ({ high, wide }: PlaneFiltering): number => [high, wide].filter(({ side }) => side > 1).length;

/** Points, by number: with these results are about as exact as a plain sum in f32. All factors are exact but those of weights. */
const POINTS = [
  [0, 1, -1],
  [0, 3 / 4, -3 / 4, 3 / 2, -3 / 2],
  [0, 1 / 2, -1 / 2, 1, -1, 2, -2],
  [1 / 4, -1 / 4, 3 / 4, -3 / 4, 5 / 4, -5 / 4, 7 / 4, -7 / 4],
];
/** More results of one tile along an axis take higher powers of the points, and errors with them. */
const MOST_RESULTS = 4;
/** The same for larger tiles along both axes, whose values would not stay in registers either. */
const MOST_SIDE = 6;

function axisFilterings(taps: number): Filtering[] {
  if (taps === 1) return [filteringAt([], 1)];
  return POINTS.filter((points) => points.length + 2 - taps >= 2 && points.length + 2 - taps <= MOST_RESULTS).map((points) => filteringAt(points, taps));
}

/** Filterings for so many taps, of the same tile along both axes where there are several taps along both. */
export function filteringsFor(highTaps: number, wideTaps: number): PlaneFiltering[] {
  if (highTaps === 1 && wideTaps === 1) return [];
  const isFlat = highTaps === 1 || wideTaps === 1;
  return axisFilterings(highTaps).flatMap((high) =>
    axisFilterings(wideTaps).flatMap((wide) => (isFlat || (high.side === wide.side && wide.side <= MOST_SIDE) ? [{ high, wide }] : [])),
  );
}

export const turned = <T>(rows: readonly (readonly T[])[]): T[][] => rows[0]!.map((_, i) => rows.map((row) => row[i]!));

/** A multiple of a value. */
interface Term {
  readonly factor: number;
  readonly x: Expr;
}

/** What is multiplied with the factors of one column. */
interface Column {
  readonly factors: readonly number[];
  readonly x: Expr;
}

/** Sums of terms, one fused multiply-add each, beginning with one that needs no factor; undefined where there is none. */
function sumOf(emitter: Emitter, terms: readonly Term[]): Expr | undefined {
  const sorted = terms.filter((t) => t.factor !== 0).sort((a, b) => Number(b.factor === 1) - Number(a.factor === 1));
  const sum = sorted.reduce<Expr | undefined>((total, { factor, x }) => {
    const scale = splat(constant(x.type.dtype, factor), x.type.lanes);
    if (total === undefined) return factor === 1 ? x : mul(x, scale);
    if (Math.abs(factor) === 1) return binary(factor < 0 ? 'sub' : 'add', total, x);
    return fma(x, scale, total);
  }, undefined);
  return sum === undefined || sum.kind === 'var' ? sum : emitter.bind(sum);
}

/** Two lists of factors that are equal in some places and opposite in the others, with some of each: the parts where they are. */
function pairOf(a: readonly number[], b: readonly number[]): { readonly equal: readonly number[]; readonly opposite: readonly number[] } | undefined {
  if (a.some((x, i) => Math.abs(x) !== Math.abs(b[i]!))) return undefined;
  const part = (sign: number): number[] => a.map((x, i) => (x !== 0 && x === sign * b[i]! ? x : 0));
  const [equal, opposite] = [part(1), part(-1)];
  return [equal, opposite].every((factors) => factors.some((x) => x !== 0)) ? { equal, opposite } : undefined;
}

/** Each pair of a list that `match` accepts, the first found first, and what is left single. */
function pairUp<T, M>(
  items: readonly T[],
  match: (a: T, b: T) => M | undefined,
): { readonly pairs: readonly { readonly at: readonly [number, number]; readonly match: M }[]; readonly single: readonly number[] } {
  const pairs: { readonly at: readonly [number, number]; readonly match: M }[] = [];
  const taken = new Set<number>();
  for (let i = 0; i < items.length; i++) {
    for (let k = i + 1; k < items.length && !taken.has(i); k++) {
      const found = taken.has(k) ? undefined : match(items[i]!, items[k]!);
      if (found === undefined) continue;
      pairs.push({ at: [i, k], match: found });
      taken.add(i).add(k);
    }
  }
  return { pairs, single: items.flatMap((_, i) => (taken.has(i) ? [] : [i])) };
}

/** Two columns that differ in signs alone become their sum and their difference. */
function pairColumns(emitter: Emitter, columns: readonly Column[]): Column[] {
  const { pairs, single } = pairUp(columns, (a, b) => pairOf(a.factors, b.factors));
  return [
    ...single.map((i) => columns[i]!),
    ...pairs.flatMap(({ at: [i, k], match: { equal, opposite } }) => {
      const [a, b] = [columns[i]!.x, columns[k]!.x];
      return [
        { factors: equal, x: emitter.bind(add(a, b)) },
        { factors: opposite, x: emitter.bind(binary('sub', a, b)) },
      ];
    }),
  ];
}

/** matrix · values. Rows and columns that differ in signs alone share their sums. */
export function transform(emitter: Emitter, matrix: Matrix, values: readonly Expr[]): Expr[] {
  const columns = pairColumns(
    emitter,
    values.map((x, i) => ({ x, factors: matrix.map((row) => row[i]!) })),
  );
  const rows = matrix.map((_, r) => columns.map(({ factors }) => factors[r]!));
  const sum = (row: readonly number[]): Expr =>
    sumOf(
      emitter,
      row.map((factor, i) => ({ factor, x: columns[i]!.x })),
    )!;
  const results: Expr[] = [];
  const { pairs, single } = pairUp(rows, pairOf);
  for (const i of single) results[i] = sum(rows[i]!);
  for (const {
    at: [i, k],
    match: { equal, opposite },
  } of pairs) {
    const [common, other] = [sum(equal), sum(opposite)];
    results[i] = emitter.bind(add(common, other));
    results[k] = emitter.bind(binary('sub', common, other));
  }
  return results;
}

/** high · values · wideᵀ. */
export const transformBoth = (emitter: Emitter, high: Matrix, wide: Matrix, values: readonly (readonly Expr[])[]): Expr[][] =>
  turned(turned(values.map((row) => transform(emitter, wide, row))).map((column) => transform(emitter, high, column)));

/** Operations of transforming one tile by both: for reports. */
export function transformFlops(high: Matrix, wide: Matrix): number {
  const sums = (matrix: Matrix): number => matrix.flat().filter((factor) => factor !== 0).length - matrix.length;
  return sums(wide) * high[0]!.length + sums(high) * wide.length;
}

/** A rectangle of values, read one by one. */
export const rectangle = (rows: number, columns: number, read: (y: number, x: number) => Expr): Expr[][] => range(rows).map((y) => range(columns).map((x) => read(y, x)));
