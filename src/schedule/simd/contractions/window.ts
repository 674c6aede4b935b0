// The geometry of a convolution on its input, axis by axis, and how the positions of its result are cut into blocks.
import { elementCount } from '../../../core/shape.ts';
import type { Position } from '../../positions.ts';
import type { ContractionNode, ContractionSite } from '../templates.ts';

/** One spatial axis: result o reads o·stride + tap·dilation − low of the input, zero outside [0, input). */
export interface WindowAxis {
  readonly input: number;
  readonly output: number;
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  readonly low: number;
  /** Elements between neighbours in the input's memory. */
  readonly memoryStride: number;
}

export interface ConvGeometry {
  readonly groups: number;
  /** Input channels and filters of one group. */
  readonly channels: number;
  readonly filters: number;
  /** Outer spatial axes, which are walked one by one. */
  readonly lead: readonly WindowAxis[];
  /** The two inner spatial axes: rows, and the elements of a row. */
  readonly high: WindowAxis;
  readonly wide: WindowAxis;
  /** Whether `high` is the last axis: rows are columns where each row has but one element. */
  readonly isTurned: boolean;
}

const SINGLE: WindowAxis = { input: 1, output: 1, taps: 1, stride: 1, dilation: 1, low: 0, memoryStride: 0 };

export function geometryOf(site: ContractionSite, node: Extract<ContractionNode, { readonly op: 'conv' }>): ConvGeometry {
  const [x, w] = [node.inputs[0]!, node.inputs[1]!];
  const { attrs } = node;
  const axes = x.shape.slice(2).map((input, i): WindowAxis => ({
    input,
    output: site.shape[i + 2]!,
    taps: w.shape[i + 2]!,
    stride: attrs.strides[i]!,
    dilation: attrs.dilations[i]!,
    low: attrs.low[i]!,
    memoryStride: site.operands[0].strides[i + 2]!,
  }));
  const [above, last] = [axes.at(-2) ?? SINGLE, axes.at(-1) ?? SINGLE];
  const isTurned = last.input === 1 && last.output === 1 && last.taps === 1 && above.output > 1;
  const [high, wide] = isTurned ? [last, above] : [above, last];
  return { groups: attrs.groups, channels: w.shape[1]!, filters: w.shape[0]! / attrs.groups, lead: axes.slice(0, -2), high, wide, isTurned };
}

/** The last coordinates of a result of `rank` spatial axes, from its row and column. */
export function innerPosition({ isTurned }: ConvGeometry, rank: number, [row, column]: Position): Position {
  if (rank === 1) return [column!];
  return isTurned ? [column!, row!] : [row!, column!];
}

/** Positions of the result, and taps of one channel. */
export const positionsOf = ({ lead, high, wide }: ConvGeometry): number => elementCount([...lead, high, wide].map((a) => a.output));
export const tapsOf = ({ lead, high, wide }: ConvGeometry): number => elementCount([...lead, high, wide].map((a) => a.taps));

/** Elements from the first tap of an axis to its last. */
export const reachOf = ({ taps, dilation }: WindowAxis): number => (taps - 1) * dilation;

/** Whether a window reaches beyond the image. */
export const leavesImage = ({ lead, high, wide }: ConvGeometry): boolean =>
  [...lead, high, wide].some((a) => a.low > 0 || (a.output - 1) * a.stride + reachOf(a) - a.low >= a.input);

/** Blocks of `rows` rows of the result, or of a part of one row. */
export interface ImageCut {
  readonly rows: number;
  readonly columns: number;
}

export const rowBlocks = ({ high }: ConvGeometry, cut: ImageCut): number => Math.ceil(high.output / cut.rows);
export const columnBlocks = ({ wide }: ConvGeometry, cut: ImageCut): number => Math.ceil(wide.output / cut.columns);

/** Where the elements that a block of the result needs lie in its padded copy of the input: rows of phases, phase p holding every stride-th element from p on. */
export interface ImageLayout {
  /** Input rows of a block, and how far apart they are: with one tap, rows between those that are read are left out. */
  readonly rows: number;
  readonly rowStep: number;
  readonly phases: number;
  /** Elements of one phase of a row. */
  readonly width: number;
}

export function layoutOf({ high, wide }: ConvGeometry, cut: ImageCut): ImageLayout {
  const reach = reachOf(wide);
  const rowStep = high.taps === 1 ? high.stride : 1;
  return {
    rows: ((cut.rows - 1) * high.stride) / rowStep + reachOf(high) + 1,
    rowStep,
    phases: Math.min(wide.stride, reach + 1),
    width: cut.columns + Math.floor(reach / wide.stride),
  };
}
