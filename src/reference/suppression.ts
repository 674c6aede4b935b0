// NonMaxSuppression: of boxes that overlap, the one with the highest score stays.
import { AnychipError } from '../core/error.ts';
import { formatShape } from '../core/shape.ts';
import { toNumbers } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';

export interface SuppressionLimits {
  readonly perClass: number;
  readonly iou: number;
  readonly score: number;
}

/** Boxes side by side: what is compared many times is found once. */
interface Boxes {
  readonly top: Float64Array;
  readonly left: Float64Array;
  readonly bottom: Float64Array;
  readonly right: Float64Array;
  readonly area: Float64Array;
  /** Where the first and the last begin from the left, and how wide the widest is. */
  readonly first: number;
  readonly last: number;
  readonly widest: number;
}

/** Of `count` boxes from `first` on, each [y1, x1, y2, x2] of any two opposite corners, or [x, y, width, height] around a centre. */
function boxesOf(sides: readonly number[], first: number, count: number, isCentered: boolean): Boxes {
  const sidesOf = (): Float64Array => new Float64Array(count);
  const [top, left, bottom, right, area] = [sidesOf(), sidesOf(), sidesOf(), sidesOf(), sidesOf()];
  let [leftmost, rightmost, widest] = [Infinity, -Infinity, 0];
  for (let i = 0, at = first * 4; i < count; i++, at += 4) {
    const [a, b, c, d] = [sides[at]!, sides[at + 1]!, sides[at + 2]!, sides[at + 3]!];
    top[i] = isCentered ? b - d / 2 : Math.min(a, c);
    bottom[i] = isCentered ? b + d / 2 : Math.max(a, c);
    left[i] = isCentered ? a - c / 2 : Math.min(b, d);
    right[i] = isCentered ? a + c / 2 : Math.max(b, d);
    const width = right[i]! - left[i]!;
    area[i] = (bottom[i]! - top[i]!) * width;
    leftmost = Math.min(leftmost, left[i]!);
    rightmost = Math.max(rightmost, left[i]!);
    widest = Math.max(widest, width);
  }
  return { top, left, bottom, right, area, first: leftmost, last: rightmost, widest };
}

const MOST_STRIPES = 4096;
/** Boxes that stay, in stripes by their left sides: only those can share something with a box whose left sides are no further away than the widest is wide. */
class KeptBoxes {
  readonly #boxes: Boxes;
  readonly #limit: number;
  readonly #perStripe: number;
  /** The last box of each stripe, and for each box the one before it there; -1 where there is none. */
  readonly #last: Int32Array;
  readonly #before: Int32Array;
  count = 0;

  constructor(boxes: Boxes, limit: number) {
    const { left, first, last } = boxes;
    const stripes = Math.min(left.length, MOST_STRIPES);
    this.#boxes = boxes;
    this.#limit = limit;
    this.#perStripe = (last - first) / stripes;
    this.#last = new Int32Array(Math.max(stripes, 1)).fill(-1);
    this.#before = new Int32Array(left.length);
  }

  #stripeOf(x: number): number {
    const stripe = Math.floor((x - this.#boxes.first) / this.#perStripe);
    // Not a number where boxes reach to infinity or all begin at one place.
    return stripe > 0 ? Math.min(stripe, this.#last.length - 1) : 0;
  }

  add(i: number): void {
    const stripe = this.#stripeOf(this.#boxes.left[i]!);
    this.#before[i] = this.#last[stripe]!;
    this.#last[stripe] = i;
    this.count++;
  }

  /** Whether a box shares more than the limit of its union with one of these; one without an area shares nothing. */
  overlap(i: number): boolean {
    if (this.#limit < 0) return this.count > 0;
    const { top, left, bottom, right, area, widest } = this.#boxes;
    const [t, l, b, r, own] = [top[i]!, left[i]!, bottom[i]!, right[i]!, area[i]!];
    if (!(own > 0)) return false;
    // One more, for what rounding takes from a width.
    const [from, to] = [this.#stripeOf(l - widest) - 1, this.#stripeOf(r)];
    for (let stripe = Math.max(from, 0); stripe <= to; stripe++) {
      for (let j = this.#last[stripe]!; j >= 0; j = this.#before[j]!) {
        const height = Math.min(b, bottom[j]!) - Math.max(t, top[j]!);
        const width = Math.min(r, right[j]!) - Math.max(l, left[j]!);
        if (!(height > 0 && width > 0 && area[j]! > 0)) continue;
        const shared = height * width;
        if (shared / (own + area[j]! - shared) > this.#limit) return true;
      }
    }
    return false;
  }
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
    const all = boxesOf(sides, batch * count!, count!, isCentered);
    for (let c = 0; c < classes!; c++) {
      const start = (batch * classes! + c) * count!;
      const candidates = Int32Array.from({ length: count! }, (_, i) => i).filter((i) => values[start + i]! > limits.score);
      candidates.sort((i, j) => values[start + j]! - values[start + i]! || i - j);
      const kept = new KeptBoxes(all, limits.iou);
      for (const i of candidates) {
        if (kept.count >= limits.perClass) break;
        if (kept.overlap(i)) continue;
        kept.add(i);
        chosen.push([batch, c, i]);
      }
    }
  }
  return chosen;
}
