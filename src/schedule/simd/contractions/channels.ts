// Convolutions of any rank, stride, dilation, padding and group as blocked products: positions of the result times filters, with vectors
// along the filters, for results that lie with channels last or with positions side by side. Positions are read where they lie, or, where a
// window may leave the image, from a padded copy of the lines that a grid step needs.
import { ZERO, addIndex, indexSymbol, scaleIndex } from '../../../core/indexExpr.ts';
import { elementCount } from '../../../core/shape.ts';
import type { LoweredKernel } from '../../emit/emitter.ts';
import { hasVectors, isInputLast, isOutputLast } from '../templates.ts';
import type { ContractionSite, ContractionTemplate } from '../templates.ts';
import { cheapest, dealtCost, depthChunk, productCost, registerTiles } from './blocking.ts';
import type { RegisterTile } from './blocking.ts';
import { directCost } from './conv.ts';
import { linesCopy, linesOf, paddedRows } from './lines.ts';
import type { LinesCopy } from './lines.ts';
import { mergeStrided, packedColumns, stridedRows } from './panels.ts';
import type { PanelShape, Side, StridedAxis } from './panels.ts';
import { lowerProduct, meetInLines } from './product.ts';
import { turnedCost } from './results.ts';
import type { Depth, Rows } from './product.ts';
import { geometryOf, innerPosition, leavesImage, positionsOf, tapsOf } from './window.ts';
import type { ConvGeometry } from './window.ts';

/** How the work is cut into grid steps: lines of the result, and tiles of filters. */
interface Cut {
  readonly lines: number;
  readonly tiles: number;
}

interface Plan {
  readonly tile: RegisterTile;
  readonly cut: Cut;
  /** Channels of one chunk of the depth: they divide those of a group. */
  readonly channels: number;
  readonly isCopied: boolean;
  /** Whether each channel is a plane, in the image and in copies of its lines: rows are read one by one, so that lines are copied as they lie. */
  readonly isPlanar: boolean;
  /** Multiply-adds in whose time all of it is done. */
  readonly cost: number;
}

/** Multiply-adds that it costs to copy a vector of the input, and to bring a vector of weights near. */
const COPY_COST = 2;
const STREAM_COST = 8;
/** A chunk of the depth is no shorter than this part of what the caches would hold. */
const LEAST_PART = 3;

/** The most channels, up to `most`, of which whole chunks make `channels`. */
function divisorOf(channels: number, most: number): number {
  for (let by = Math.ceil(channels / most); by <= channels && channels / by >= most / LEAST_PART; by++) if (channels % by === 0) return channels / by;
  return channels;
}

const batchOf = (site: ContractionSite, g: ConvGeometry): readonly number[] => [site.shape[0]!, g.groups, ...g.lead.map((a) => a.output)];

function planFor(site: ContractionSite, g: ConvGeometry): Plan {
  const { simd } = site.capabilities;
  const lanes = simd.vectorLanes;
  const depth = g.channels * tapsOf(g);
  const images = elementCount(batchOf(site, g));
  const rowsIn = ({ rows }: RegisterTile): number => Math.ceil(g.wide.output / rows) * rows * g.high.output;
  const workOf = (tile: RegisterTile): number => productCost({ rows: rowsIn(tile), blocks: [{ columns: g.filters, count: 1 }], depth }, tile, lanes) * images;
  const tile = cheapest(registerTiles(simd).flat(), workOf);
  const isPlanar = !isInputLast(site) && g.wide.memoryStride === 1;
  const isTurned = !isOutputLast(site);
  const isCopied = leavesImage(g) || !(isInputLast(site) || isPlanar);
  const columnTiles = Math.ceil(g.filters / (tile.vectors * lanes));
  // Results are turned around as a whole.
  const channelsFor = (lines: number): number =>
    isTurned ? g.channels : divisorOf(g.channels, depthChunk(simd, g.channels, tapsOf(g), tile.vectors * lanes, lines * g.wide.output));
  const copied = (lines: number): number => (isCopied ? linesOf(g, lines).pixels * linesOf(g, lines).lines * g.channels : 0);
  const fits = (lines: number): boolean => copied(lines) * (channelsFor(lines) / g.channels) * 4 * 2 <= simd.l2Bytes;
  const options = Array.from({ length: g.high.output }, (_, i) => Math.ceil(g.high.output / (i + 1))).flatMap((lines, i, all) =>
    lines === all[i - 1] || (lines > 1 && !fits(lines)) ? [] : Array.from({ length: columnTiles }, (__, t): Cut => ({ lines, tiles: Math.ceil(columnTiles / (t + 1)) })),
  );
  const work = workOf(tile);
  // Threads do not part groups whose results meet in lines of caches.
  const dealt = !isTurned && meetInLines(g.filters, site.node.outputs[0]!.dtype) ? images / g.groups : images;
  const turns = isTurned ? positionsOf(g) * g.filters * turnedCost(lanes) : 0;
  const costOf = ({ lines, tiles }: Cut): number => {
    const [above, beside] = [Math.ceil(g.high.output / lines), Math.ceil(columnTiles / tiles)];
    const share = ((above * lines) / g.high.output) * ((beside * tiles) / columnTiles);
    const streams = (depth * g.filters * STREAM_COST * above) / lanes;
    const copies = copied(lines) * above * beside * COPY_COST * (isInputLast(site) || isPlanar ? 1 / lanes : 1);
    return dealtCost(work * share + (streams + copies + turns) * images, dealt * above * beside);
  };
  const cut = cheapest(options, costOf);
  return { tile, cut, channels: channelsFor(cut.lines), isCopied, isPlanar, cost: costOf(cut) };
}

/** Multiply-adds in whose time the convolution is done here. */
export const channelsCost = (site: ContractionSite, g: ConvGeometry): number => planFor(site, g).cost;

/** Taps, the outermost axis first, with what one step of each is in memory. */
const tapAxes = ({ lead, high, wide }: ConvGeometry, strides: readonly number[]): StridedAxis[] =>
  [...lead, high, wide].map((axis, i): StridedAxis => ({ extent: axis.taps, stride: axis.dilation * strides[i]! }));

/** The depth within a chunk of channels: what lies side by side is walked last. */
const innerAxes = (isPlanar: boolean, taps: readonly StridedAxis[], channels: StridedAxis): StridedAxis[] => (isPlanar ? [channels, ...taps] : [...taps, channels]);

/** Positions of the result as rows: lines of them, and as the depth the chunks, taps and channels. */
function positionsSide(site: ContractionSite, g: ConvGeometry, { channels, cut, isCopied, isPlanar }: Plan): { readonly side: Side; readonly copy: LinesCopy | undefined } {
  const storage = site.operands[0];
  const copy = isCopied ? linesCopy(g, channels, cut.lines, isPlanar, site.capabilities.simd.vectorLanes) : undefined;
  const [line, pixel, apart] =
    copy === undefined ? [g.high.memoryStride, g.wide.memoryStride, storage.strides[1]!] : [linesOf(g, cut.lines).pixels * copy.pitch, copy.pitch, copy.apart];
  const taps = tapAxes(g, [...g.lead.map((a) => a.memoryStride), line, pixel]);
  const inner = mergeStrided(innerAxes(isPlanar, taps, { extent: channels, stride: apart }));
  const side: Side = {
    operand: 0,
    storage,
    extent: g.wide.output,
    stride: g.wide.stride * pixel,
    lines: { extent: g.high.output, stride: g.high.stride * line },
    depth: [{ extent: g.channels / channels, stride: isCopied ? 0 : channels * apart }, ...inner],
    batchStrides: [storage.strides[0]!, g.channels * storage.strides[1]!, ...g.lead.map((a) => a.stride * a.memoryStride)],
  };
  return { side, copy };
}

/** Filters as columns, with the depth in the same order. */
function filtersSide(site: ContractionSite, g: ConvGeometry, { channels, isPlanar }: Plan): Side {
  const storage = site.operands[1];
  const [filter, channel, ...taps] = storage.strides;
  const shape = site.node.inputs[1]!.shape;
  const axes = taps.map((stride, i): StridedAxis => ({ extent: shape[i + 2]!, stride }));
  return {
    operand: 1,
    storage,
    extent: g.filters,
    stride: filter!,
    depth: mergeStrided([{ extent: g.channels / channels, stride: channels * channel! }, ...innerAxes(isPlanar, axes, { extent: channels, stride: channel! })]),
    batchStrides: [0, g.filters * filter!, ...g.lead.map(() => 0)],
  };
}

function lowerChannels(site: ContractionSite, g: ConvGeometry): LoweredKernel {
  const plan = planFor(site, g);
  const { tile, cut, channels } = plan;
  const unit = tapsOf(g) * channels;
  const { side, copy } = positionsSide(site, g, plan);
  const axes = side.depth.slice(1).map((a) => a.extent);
  const depth: Depth = { units: g.channels / channels, unit, chunk: 1, axes };
  const batch = batchOf(site, g);
  const shape: PanelShape = { batch, depth: depth.units * unit, dtype: site.node.outputs[0]!.dtype };
  const rows: Rows = copy === undefined ? stridedRows(side, shape, tile) : paddedRows(site, copy, side, tile);
  return lowerProduct(site, {
    name: 'conv',
    batch,
    rows,
    columns: packedColumns(site, filtersSide(site, g, plan), shape, tile, depth, cut.tiles),
    depth,
    tile,
    parts: Math.ceil(g.high.output / cut.lines),
    position: ([image, group, ...outer], { line, at }, [column]) => [
      image!,
      addIndex(scaleIndex(group!, g.filters), column!),
      ...outer,
      ...innerPosition(g, site.shape.length - 2, [line, at]),
    ],
  });
}

/** Whether filters lie side by side where results are stored, or the positions of a line do. */
function storesWell(site: ContractionSite, g: ConvGeometry): boolean {
  if (isOutputLast(site)) return true;
  const inner = innerPosition(g, site.shape.length - 2, [indexSymbol('line', 0, g.high.output - 1), indexSymbol('row', 0, g.wide.output - 1)]);
  const place = [ZERO, ZERO, ...g.lead.map(() => ZERO), ...inner];
  return site.storeStep(place, 'row') === 1 && (g.high.output === 1 || site.storeStep(place, 'line') === g.wide.output);
}

/** Fewer multiply-adds than this are not worth a blocked product. */
const SMALL = 1 << 10;

export const channelsTemplate: ContractionTemplate = {
  name: 'channels',
  plan(site) {
    const { node } = site;
    if (node.op !== 'conv' || !hasVectors(site) || site.shape.length < 3 || !site.isConstant(1)) return undefined;
    const g = geometryOf(site, node);
    if (g.filters * 2 < site.capabilities.simd.vectorLanes || positionsOf(g) * g.filters * g.channels * tapsOf(g) < SMALL) return undefined;
    if (!storesWell(site, g) || (g.lead.length > 0 && planFor(site, g).isCopied)) return undefined;
    if (!isOutputLast(site) && channelsCost(site, g) > directCost(site, g)) return undefined;
    return () => [lowerChannels(site, g)];
  },
};
