// NonMaxSuppression looks at boxes near each other alone: held to comparing each with all.
import { expect, it } from 'vitest';
import { tensorFrom } from '../../src/core/tensor.ts';
import { selectBoxes } from '../../src/reference/suppression.ts';
import { createSource } from './rules.ts';

type Box = readonly [number, number, number, number];

function overlapOf(a: Box, b: Box): number {
  const [h, w] = [Math.min(a[2], b[2]) - Math.max(a[0], b[0]), Math.min(a[3], b[3]) - Math.max(a[1], b[1])];
  const [areaA, areaB] = [a, b].map(([top, left, bottom, right]) => (bottom! - top!) * (right! - left!));
  return h > 0 && w > 0 && areaA! > 0 && areaB! > 0 ? (h * w) / (areaA! + areaB! - h * w) : 0;
}

function plainly(boxes: readonly Box[], scores: readonly number[], limit: number, most: number): number[] {
  const kept: number[] = [];
  const order = boxes.map((_, i) => i).sort((i, j) => scores[j]! - scores[i]! || i - j);
  for (const i of order) if (kept.length < most && !kept.some((j) => overlapOf(boxes[i]!, boxes[j]!) > limit)) kept.push(i);
  return kept;
}

const near = (random: () => number): Box => {
  const [y, x] = [random() * 20, random() * 20];
  return [y, x, y + random() * 6, x + random() * 6];
};
const strange: readonly Box[] = [
  [3, 4, 3, 9],
  [3, 4, 9, 4],
  [-Infinity, 0, 2, 2],
  [0, 0, Infinity, Infinity],
  [NaN, 0, 2, 2],
];
const sets: Readonly<Record<string, (random: () => number, i: number) => Box>> = {
  'in one place': near,
  'in places far apart, as those of classes are': (random, i) => {
    const [top, left, bottom, right] = near(random);
    const apart = (i % 7) * 1000;
    return [top + apart, left + apart, bottom + apart, right + apart];
  },
  'of very different sizes': (random, i) => (i % 10 === 0 ? [0, 0, 5000 * random(), 5000 * random()] : near(random)),
  'without width, without height, or to infinity': (random, i) => (i % 7 < 5 ? strange[i % 7]! : near(random)),
  'all at one left side': (random) => [random(), 5, 1 + random() * 3, 6 + random()],
};

it('of any two boxes where no overlap is allowed', () => {
  const chosen = selectBoxes(
    tensorFrom('f64', [1, 3, 4], [0, 0, 1, 1, 5, 5, 6, 6, 9, 9, 9, 9]),
    tensorFrom('f32', [1, 1, 3], [1, 3, 2]),
    { perClass: 3, iou: -1, score: 0 },
    false,
  );
  expect(chosen).toEqual([[0, 0, 1]]);
});

it.each(Object.keys(sets))('of boxes %s', (name) => {
  const numbers = createSource(3)('f64', [10_000], 0, 1).data.values();
  const random = (): number => Number(numbers.next().value);
  const boxes = Array.from({ length: 300 }, (_, i) => sets[name]!(random, i));
  const scores = boxes.map(() => Math.fround(random()));
  for (const limit of [0, 0.2, 0.5, 1]) {
    for (const perClass of [Infinity, 5]) {
      const chosen = selectBoxes(tensorFrom('f64', [1, 300, 4], boxes.flat()), tensorFrom('f32', [1, 1, 300], scores), { perClass, iou: limit, score: -Infinity }, false);
      expect(chosen.map(([, , box]) => box)).toEqual(plainly(boxes, scores, limit, perClass));
    }
  }
});
