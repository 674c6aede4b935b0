// Where intermediates lie: every block of memory is live from the first to the last call that touches it, and blocks whose lives do not
// meet may share bytes. Packing intervals is NP-hard; several greedy orders are tried and the smallest arena is taken.
// Knows neither tensors nor kernels.

export const ALIGNMENT = 64;
export const alignUp = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Live from call `start` to call `end`, both included. */
export interface LiveRange {
  readonly bytes: number;
  readonly start: number;
  readonly end: number;
}

export interface Packing {
  /** One offset per range. */
  readonly offsets: readonly number[];
  readonly bytes: number;
  /** Bytes of the largest set of ranges live at once: no packing can be smaller. */
  readonly lowerBound: number;
}

type Order = (a: LiveRange, b: LiveRange) => number;
const span = (r: LiveRange): number => r.end - r.start + 1;
const ORDERS: readonly Order[] = [
  (a, b) => b.bytes - a.bytes || a.start - b.start,
  (a, b) => b.bytes * span(b) - a.bytes * span(a) || a.start - b.start,
  (a, b) => a.start - b.start || b.bytes - a.bytes,
  (a, b) => span(b) - span(a) || b.bytes - a.bytes,
  (a, b) => a.end - b.end || b.bytes - a.bytes,
];
/** Beyond this many blocks one pass in order of time must do: the others compare all pairs. */
const MANY = 3000;

/** Offsets so that ranges that overlap in time do not overlap in memory. */
export function packRanges(ranges: readonly LiveRange[]): Packing {
  const lowerBound = largestLiveSet(ranges);
  const bound = largestLiveSet(ranges.map((r) => ({ ...r, bytes: alignUp(r.bytes) })));
  let best: { readonly offsets: readonly number[]; readonly bytes: number } | undefined;
  const candidates = ranges.length > MANY ? [() => sweep(ranges)] : [...ORDERS.map((order) => () => placeInOrder(ranges, order)), () => placeByBreadth(ranges)];
  for (const candidate of candidates) {
    const packing = candidate();
    if (best === undefined || packing.bytes < best.bytes) best = packing;
    if (best.bytes === bound) break;
  }
  return { offsets: best?.offsets ?? [], bytes: best?.bytes ?? 0, lowerBound };
}

export function largestLiveSet(ranges: readonly LiveRange[]): number {
  const changes = new Map<number, number>();
  const change = (time: number, bytes: number): void => void changes.set(time, (changes.get(time) ?? 0) + bytes);
  for (const r of ranges) {
    change(r.start, r.bytes);
    change(r.end + 1, -r.bytes);
  }
  let [live, most] = [0, 0];
  for (const time of [...changes.keys()].sort((a, b) => a - b)) {
    live += changes.get(time)!;
    most = Math.max(most, live);
  }
  return most;
}

interface Placed {
  readonly range: LiveRange;
  readonly offset: number;
}

/** The lowest gap that is free of everything placed that lives at the same time; the tightest of those that fit, if `tight`. */
function findOffset(range: LiveRange, placed: readonly Placed[]): number {
  const size = alignUp(range.bytes);
  let offset = 0;
  let best: { readonly offset: number; readonly gap: number } | undefined;
  for (const other of placed) {
    if (other.range.start > range.end || other.range.end < range.start) continue;
    const gap = other.offset - offset;
    if (gap >= size && (best === undefined || gap < best.gap)) best = { offset, gap };
    offset = Math.max(offset, other.offset + alignUp(other.range.bytes));
  }
  return best?.offset ?? offset;
}

function insertSorted(placed: Placed[], entry: Placed): void {
  let [low, high] = [0, placed.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (placed[middle]!.offset <= entry.offset) low = middle + 1;
    else high = middle;
  }
  placed.splice(low, 0, entry);
}

function placeAll(ranges: readonly LiveRange[], sequence: readonly number[]): { offsets: number[]; bytes: number } {
  const offsets = ranges.map(() => 0);
  const placed: Placed[] = [];
  let bytes = 0;
  for (const i of sequence) {
    const range = ranges[i]!;
    if (range.bytes === 0) continue;
    const offset = findOffset(range, placed);
    offsets[i] = offset;
    insertSorted(placed, { range, offset });
    bytes = Math.max(bytes, offset + alignUp(range.bytes));
  }
  return { offsets, bytes };
}

const placeInOrder = (ranges: readonly LiveRange[], order: Order): { offsets: number[]; bytes: number } =>
  placeAll(
    ranges,
    ranges.map((_, i) => i).sort((a, b) => order(ranges[a]!, ranges[b]!)),
  );

/** Calls where most is live come first, and at each the largest blocks (Pisarchyk and Lee 2020, "greedy by breadth"). */
function placeByBreadth(ranges: readonly LiveRange[]): { offsets: number[]; bytes: number } {
  const times = [...new Set(ranges.map((r) => r.start))];
  const breadth = new Map(times.map((time) => [time, 0]));
  for (const time of times) for (const r of ranges) if (r.start <= time && r.end >= time) breadth.set(time, breadth.get(time)! + r.bytes);
  times.sort((a, b) => breadth.get(b)! - breadth.get(a)!);
  const bySize = ranges.map((_, i) => i).sort((a, b) => ranges[b]!.bytes - ranges[a]!.bytes);
  const sequence = new Set<number>();
  for (const time of times) for (const i of bySize) if (ranges[i]!.start <= time && ranges[i]!.end >= time) sequence.add(i);
  return placeAll(ranges, [...sequence]);
}

/** One pass in order of time over only what is live. */
function sweep(ranges: readonly LiveRange[]): { offsets: number[]; bytes: number } {
  const offsets = ranges.map(() => 0);
  const sequence = ranges.map((_, i) => i).sort((a, b) => ranges[a]!.start - ranges[b]!.start || ranges[b]!.bytes - ranges[a]!.bytes);
  let live: Placed[] = [];
  let bytes = 0;
  for (const i of sequence) {
    const range = ranges[i]!;
    if (range.bytes === 0) continue;
    live = live.filter((p) => p.range.end >= range.start);
    offsets[i] = findOffset(range, live);
    insertSorted(live, { range, offset: offsets[i] });
    bytes = Math.max(bytes, offsets[i] + alignUp(range.bytes));
  }
  return { offsets, bytes };
}
