// NonMaxSuppression: of boxes that overlap, the one with the highest score stays.
import { AnychipError } from '../core/error.ts';
import { formatShape } from '../core/shape.ts';
import { toNumbers } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';

interface Box {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

export interface SuppressionLimits {
  readonly perClass: number;
  readonly iou: number;
  readonly score: number;
}

/** [y1, x1, y2, x2] of any two opposite corners, or [x, y, width, height] around a centre. */
const boxOf = ([a, b, c, d]: readonly number[], isCentered: boolean): Box =>
  isCentered
    ? { left: a! - c! / 2, right: a! + c! / 2, top: b! - d! / 2, bottom: b! + d! / 2 }
    : { top: Math.min(a!, c!), bottom: Math.max(a!, c!), left: Math.min(b!, d!), right: Math.max(b!, d!) };

const areaOf = (box: Box): number => (box.bottom - box.top) * (box.right - box.left);

/** Intersection over union; 0 where a box has no area. */
function overlapOf(a: Box, b: Box): number {
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  if (!(height > 0 && width > 0) || !(areaOf(a) > 0) || !(areaOf(b) > 0)) return 0;
  const shared = height * width;
  return shared / (areaOf(a) + areaOf(b) - shared);
}

/** boxes [B, N, 4], scores [B, C, N] → chosen (batch, class, box), best first within each class. */
export function selectBoxes(boxes: NumericTensor, scores: NumericTensor, limits: SuppressionLimits, isCentered: boolean): (readonly [number, number, number])[] {
  const [batches, classes, count] = scores.shape;
  if (boxes.shape.length !== 3 || scores.shape.length !== 3 || boxes.shape[0] !== batches || boxes.shape[1] !== count || boxes.shape[2] !== 4) {
    throw new AnychipError('shape', `boxes of shape ${formatShape(boxes.shape)} with scores of ${formatShape(scores.shape)}`, {
      hint: 'Boxes are [batch, boxes, 4], scores [batch, classes, boxes].',
    });
  }
  const [sides, values] = [toNumbers(boxes), toNumbers(scores)];
  const chosen: (readonly [number, number, number])[] = [];
  for (let batch = 0; batch < batches!; batch++) {
    const all = Array.from({ length: count! }, (_, i) => boxOf(sides.slice((batch * count! + i) * 4, (batch * count! + i) * 4 + 4), isCentered));
    for (let c = 0; c < classes!; c++) {
      const start = (batch * classes! + c) * count!;
      const candidates = all.flatMap((_, i) => (values[start + i]! > limits.score ? [i] : [])).sort((i, j) => values[start + j]! - values[start + i]! || i - j);
      const kept: number[] = [];
      for (const i of candidates) {
        if (kept.length >= limits.perClass) break;
        if (kept.every((j) => overlapOf(all[i]!, all[j]!) <= limits.iou)) kept.push(i);
      }
      for (const i of kept) chosen.push([batch, c, i]);
    }
  }
  return chosen;
}
