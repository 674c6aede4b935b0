// Whether runners compute the same: what is kept of their outputs, and how it is compared. It must not know who they are.

/** Of one output: its length, and elements spread over all of it. */
export interface Sample {
  readonly length: number;
  readonly values: Float64Array;
}
export type Samples = ReadonlyMap<string, Sample>;

/** Elements kept of an output. */
const KEPT = 1 << 16;

export function sampleOf(data: ArrayLike<number | bigint>): Sample {
  const step = Math.max(1, data.length / KEPT);
  return { length: data.length, values: Float64Array.from({ length: Math.min(data.length, KEPT) }, (_, i) => Number(data[Math.floor(i * step)])) };
}

/** Of the largest number of an output: what no two runners may differ by. Loose, for it looks for other models rather than for rounding. */
export const TOLERANCE = 1e-2;

/** What of `samples` is not as in `right`: names of outputs. */
export function disagreements(right: Samples, samples: Samples, tolerance = TOLERANCE): string[] {
  return [...right].flatMap(([name, expected]) => {
    const got = samples.get(name);
    const isSame = got !== undefined && got.length === expected.length && isClose(expected.values, got.values, tolerance);
    return isSame ? [] : [name];
  });
}

function isClose(right: Float64Array, got: Float64Array, tolerance: number): boolean {
  const largest = right.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0);
  return right.every((x, i) => Object.is(x, got[i]) || x === got[i] || Math.abs(x - got[i]!) <= tolerance * largest);
}
