// Convolutions of any rank, stride, dilation, padding and group as blocked products: filters times positions of the result.
import { addIndex, scaleIndex } from '../../../core/indexExpr.ts';
import { elementCount } from '../../../core/shape.ts';
import { invariant } from '../../../core/error.ts';
import type { LoweredKernel } from '../../emit/emitter.ts';
import { hasVectors } from '../templates.ts';
import type { ContractionSite, ContractionTemplate } from '../templates.ts';
import { dealtCost, depthChunk, productCost, registerTiles } from './blocking.ts';
import type { ProductShape, RegisterTile } from './blocking.ts';
import { imageColumns } from './image.ts';
import { isStraight, mergeStrided, packedRows, stridedRows } from './panels.ts';
import type { PanelShape, Side } from './panels.ts';
import { lowerProduct } from './product.ts';
import { columnBlocks, geometryOf, innerPosition, layoutOf, positionsOf, rowBlocks, tapsOf } from './window.ts';
import type { ConvGeometry, ImageCut } from './window.ts';

interface Plan {
  readonly tile: RegisterTile;
  readonly cut: ImageCut;
  /** Parts of the filters, each in grid steps of its own. */
  readonly parts: number;
  /** Multiply-adds in whose time all of it is done. */
  readonly cost: number;
}

/** All ways to cut an image into blocks whose panel stays in half of the second-level cache, the largest first. */
function cutsFor({ capabilities: { simd } }: ContractionSite, g: ConvGeometry, tile: RegisterTile): ImageCut[] {
  const width = tile.vectors * simd.vectorLanes;
  const taps = tapsOf(g);
  const chunk = depthChunk(simd, g.channels, taps, width, g.filters) * taps;
  const most = Math.max(Math.floor(simd.l2Bytes / 2 / (chunk * 4) / width), 1) * width;
  if (g.wide.output > most) return [{ rows: 1, columns: most }];
  const rows = Math.min(Math.max(Math.floor(most / g.wide.output), 1), g.high.output);
  return Array.from({ length: rows }, (_, i) => ({ rows: rows - i, columns: g.wide.output }));
}

function shapeOf(g: ConvGeometry, cut: ImageCut): ProductShape {
  const parts = (extent: number, by: number): [number, number][] => [[by, Math.floor(extent / by)], ...(extent % by === 0 ? [] : [[extent % by, 1] satisfies [number, number]])];
  const blocks = parts(g.high.output, cut.rows).flatMap(([rows, above]) =>
    parts(g.wide.output, cut.columns).map(([columns, beside]) => ({ columns: rows * columns, count: above * beside })),
  );
  return { rows: g.filters, blocks, depth: g.channels * tapsOf(g) };
}

/** Multiply-adds that it costs to begin a row of the copy of the input, and to copy a vector. */
const ROW_COST = 8;
const COPY_COST = 2;

/** Multiply-adds that it costs to copy what a block reads: rows of the input, and from there once for each tap. */
function copyCost(g: ConvGeometry, cut: ImageCut, lanes: number): number {
  const { rows, phases, width } = layoutOf(g, cut);
  const planes = g.channels * elementCount(g.lead.map((a) => a.taps));
  const row = phases * (ROW_COST + (g.wide.stride * g.wide.memoryStride <= 2 ? Math.ceil(width / lanes) : width) * COPY_COST);
  return planes * rows * row + g.channels * tapsOf(g) * cut.rows * Math.ceil(cut.columns / lanes) * COPY_COST;
}

/** More parts of the rows would copy the same block again too often. */
const MAX_PARTS = 8;

function planFor(site: ContractionSite, g: ConvGeometry): Plan {
  const { simd } = site.capabilities;
  const images = site.shape[0]! * g.groups * elementCount(g.lead.map((a) => a.output));
  let best: Plan | undefined;
  for (const tiles of registerTiles(simd)) {
    for (const cut of cutsFor(site, g, tiles[0]!)) {
      const shape = shapeOf(g, cut);
      const blocks = images * rowBlocks(g, cut) * columnBlocks(g, cut);
      const copies = copyCost(g, cut, simd.vectorLanes) * blocks;
      for (const tile of tiles) {
        const cost = productCost(shape, tile, simd.vectorLanes) * images;
        const rowTiles = Math.ceil(g.filters / tile.rows);
        for (let parts = 1; parts <= Math.min(rowTiles, MAX_PARTS) && (best === undefined || cost + copies * parts < best.cost); parts++) {
          const share = (Math.ceil(rowTiles / parts) * parts) / rowTiles;
          const dealt = dealtCost(cost * share + copies * parts, blocks * parts);
          if (best === undefined || dealt < best.cost) best = { tile, cut, parts, cost: dealt };
        }
      }
    }
  }
  invariant(best !== undefined, 'no tile fits the registers');
  return best;
}

/** Multiply-adds in whose time the convolution is done here. */
export const directCost = (site: ContractionSite, g: ConvGeometry): number => planFor(site, g).cost;

function lowerConv(site: ContractionSite, g: ConvGeometry, weights: Side): LoweredKernel {
  const { simd } = site.capabilities;
  const { tile, cut, parts } = planFor(site, g);
  const unit = tapsOf(g);
  const depth = { units: g.channels, unit, chunk: depthChunk(simd, g.channels, unit, tile.vectors * simd.vectorLanes, g.filters) };
  const batch = [site.shape[0]!, g.groups, ...g.lead.map((a) => a.output)];
  const shape: PanelShape = { batch, depth: depth.units * unit, dtype: site.node.outputs[0]!.dtype };
  const rank = site.shape.length - 2;
  return lowerProduct(site, {
    name: 'conv',
    batch,
    rows: site.isConstant(1) ? packedRows(site, weights, shape, tile) : stridedRows(weights, shape, tile),
    columns: imageColumns(site, g, cut, tile, depth),
    depth,
    tile,
    parts,
    position: ([image, group, ...outer], row, inner) => [image!, addIndex(scaleIndex(group!, g.filters), row.at), ...outer, ...innerPosition(g, rank, inner)],
  });
}

/** The filters of a group as rows, their channels and taps as the depth. */
function weightsOf(site: ContractionSite, g: ConvGeometry): Side {
  const storage = site.operands[1];
  const { shape } = site.node.inputs[1]!;
  const stride = storage.strides[0]!;
  const depth = mergeStrided(shape.map((extent, i) => ({ extent, stride: storage.strides[i]! })).slice(1));
  return { operand: 1, storage, extent: g.filters, stride, depth, batchStrides: [0, g.filters * stride, ...g.lead.map(() => 0)] };
}

/** Fewer multiply-adds than this are not worth a blocked product. */
const SMALL = 1 << 10;

export const convTemplate: ContractionTemplate = {
  name: 'conv',
  plan(site) {
    const { node } = site;
    if (node.op !== 'conv' || !hasVectors(site) || site.shape.length < 3) return undefined;
    const g = geometryOf(site, node);
    const weights = weightsOf(site, g);
    if (!(site.isConstant(1) || isStraight(weights)) || positionsOf(g) * g.filters * g.channels * tapsOf(g) < SMALL) return undefined;
    return () => [lowerConv(site, g, weights)];
  },
};
