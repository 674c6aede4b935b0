// The memory plan: what lives at the same time never overlaps, and little is wasted.
import { array, assert, integer, property, tuple } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALIGNMENT, alignUp, largestLiveSet, packRanges } from '../../src/schedule/memoryPlan.ts';
import type { LiveRange } from '../../src/schedule/memoryPlan.ts';

const ranges = array(
  tuple(integer({ min: 0, max: 5000 }), integer({ min: 0, max: 30 }), integer({ min: 0, max: 8 })).map(([bytes, start, length]): LiveRange => ({
    bytes,
    start,
    end: start + length,
  })),
  { maxLength: 40 },
);

function expectDisjoint(list: readonly LiveRange[], offsets: readonly number[]): void {
  for (const [i, a] of list.entries()) {
    expect(offsets[i]! % ALIGNMENT).toBe(0);
    for (const [j, b] of list.entries()) {
      const meet = i < j && a.start <= b.end && b.start <= a.end && a.bytes > 0 && b.bytes > 0;
      if (meet) expect(offsets[i]! + a.bytes <= offsets[j]! || offsets[j]! + b.bytes <= offsets[i]!).toBe(true);
    }
  }
}

describe('memory plan', () => {
  it('never overlaps what lives at the same time, and never beats the bound', () => {
    assert(
      property(ranges, (list) => {
        const { offsets, bytes, lowerBound } = packRanges(list);
        expectDisjoint(list, offsets);
        for (const [i, r] of list.entries()) expect(offsets[i]! + r.bytes).toBeLessThanOrEqual(Math.max(bytes, r.bytes === 0 ? offsets[i]! : 0));
        expect(bytes).toBeGreaterThanOrEqual(lowerBound);
      }),
    );
  });

  it('reaches the bound for a chain, where two blocks live at a time', () => {
    const list = Array.from({ length: 50 }, (_, i): LiveRange => ({ bytes: 1000 + ((i * 37) % 13) * 640, start: i, end: i + 1 }));
    const { bytes } = packRanges(list);
    expect(bytes).toBe(largestLiveSet(list.map((r) => ({ ...r, bytes: alignUp(r.bytes) }))));
  });

  it('stays near the bound for blocks with branches', () => {
    // Residual blocks: the input of each lives across three inner results.
    const list = Array.from({ length: 16 }, (_, block) => {
      const size = 1 << (18 - Math.floor(block / 4));
      const at = block * 4;
      return [
        { bytes: size * 4, start: at, end: at + 4 },
        { bytes: size, start: at + 1, end: at + 2 },
        { bytes: size, start: at + 2, end: at + 3 },
      ];
    }).flat();
    const { bytes, lowerBound, offsets } = packRanges(list);
    expectDisjoint(list, offsets);
    expect(bytes).toBeLessThanOrEqual(lowerBound * 1.1);
  });

  it('plans tens of thousands of blocks in one pass', () => {
    const list = Array.from({ length: 20_000 }, (_, i): LiveRange => ({ bytes: 64 * (1 + (i % 7)), start: i, end: i + 1 + (i % 5) }));
    const { offsets, bytes, lowerBound } = packRanges(list);
    expect(offsets).toHaveLength(list.length);
    expect(bytes).toBeLessThanOrEqual(lowerBound * 2);
  });
});
