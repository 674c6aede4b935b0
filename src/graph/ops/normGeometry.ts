// Shapes of normalisations and losses: which axes are normalised together, what parameters must fit, and how losses pair scores with
// labels. Shared by the reference and the decompositions; knows shapes only, never data.
import { AnychipError } from '../../core/error.ts';
import { formatShape, normalizeAxis, sameShape } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';

const fail = (reason: string, hint = 'Check the shapes of the parameters against that of the input.'): never => {
  throw new AnychipError('shape', reason, { hint });
};

/** Axes from `axis` to the last. */
export function trailingAxes(axis: number, rank: number): number[] {
  const first = normalizeAxis(axis, rank);
  return Array.from({ length: rank - first }, (_, i) => first + i);
}

/** All axes after the channel axis. */
export const spatialAxes = (rank: number): number[] => Array.from({ length: Math.max(rank - 2, 0) }, (_, i) => i + 2);

/** Size of axis 1; a vector counts as one channel (specification of BatchNormalization). */
export const channelsOf = (x: Shape): number => (x.length < 2 ? 1 : x[1]!);

/** Checks that `shape` holds one value per channel. */
export function checkPerChannel(name: string, shape: Shape, channels: number): void {
  if (shape.length !== 1 || shape[0] !== channels) fail(`${name} has shape ${formatShape(shape)} for ${channels} channels`);
}

/** Checks that a parameter broadcasts to `x` without making it larger. */
export function checkFits(name: string, shape: Shape, x: Shape): void {
  const lead = x.length - shape.length;
  if (lead < 0 || shape.some((d, i) => d !== 1 && d !== x[lead + i])) fail(`${name} of shape ${formatShape(shape)} does not broadcast to ${formatShape(x)}`);
}

/** [N, C, d…] as [N, groups, C/groups, d…]. */
export function groupedShape(x: Shape, groups: number): number[] {
  if (x.length < 2 || groups < 1 || x[1]! % groups !== 0) fail(`an input of shape ${formatShape(x)} does not split into ${groups} groups of channels`);
  return [x[0]!, groups, x[1]! / groups, ...x.slice(2)];
}

/** Channels before and after the middle one that LRN sums over. */
export function lrnReach(size: number): readonly [low: number, high: number] {
  if (size < 1) fail(`a size of ${size}`, 'LRN needs a size of at least 1.');
  return [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
}

export type Reduction = 'none' | 'sum' | 'mean';
const reductions: readonly string[] = ['none', 'sum', 'mean'];
const isReduction = (name: string): name is Reduction => reductions.includes(name);

/** Checks scores [N, C, d…] against labels [N, d…] and weights [C]; the reduction by name. */
export function checkLoss(scores: Shape, labels: Shape, weights: Shape | undefined, reduction: string): Reduction {
  if (scores.length < 2 || !sameShape([scores[0]!, ...scores.slice(2)], labels)) fail(`labels of shape ${formatShape(labels)} for scores of shape ${formatShape(scores)}`);
  if (weights !== undefined) checkPerChannel('weights', weights, scores[1]!);
  return isReduction(reduction) ? reduction : fail(`the reduction '${reduction}'`, `Use one of ${reductions.join(', ')}.`);
}
