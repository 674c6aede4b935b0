// How a convolution by minimal filtering is cut: which filtering, tiles of a grid step, registers, filters of a step. By counted cost.
import { elementCount } from '../../../core/shape.ts';
import type { ContractionSite } from '../templates.ts';
import { cheapest, dealtCost, productCost, registerTiles } from './blocking.ts';
import type { RegisterTile } from './blocking.ts';
import { directCost } from './conv.ts';
import type { Filtering } from './filtering.ts';
import { columnBlocks, rowBlocks } from './window.ts';
import type { ConvGeometry, ImageCut } from './window.ts';

export const TAPS = 3;

export interface WinogradPlan {
  readonly site: ContractionSite;
  readonly geometry: ConvGeometry;
  readonly filtering: Filtering;
  readonly images: number;
  /** The result counted in tiles, and the tiles of a grid step. */
  readonly tiling: ConvGeometry;
  readonly cut: ImageCut;
  /** Lanes of the vectors of tiles that are transformed: one row of tiles at a time. */
  readonly inputLanes: number;
  readonly tile: RegisterTile;
  /** Tiles of registers along the tiles of a step, and elements between channels of transformed input. */
  readonly columnTiles: number;
  readonly pitch: number;
  /** Grid steps that share a block of tiles, each with its part of the filters. */
  readonly parts: number;
  /** Whether a kernel of its own transforms the input for all of them. */
  readonly sharesInput: boolean;
}

/** Multiply-adds that it costs to transform a vector, for each of its points: into, with lanes that change places, and back. */
const INPUT_COST = 10;
const OUTPUT_COST = 6;
/** The same to store a vector of results. */
const STORE_COST = 6;
/** Multiply-adds that it costs to read a vector of weights: they come from far away, once for each block. */
const WEIGHTS_COST = 3;
/** Most of the second-level cache that the transformed input of a step may take. */
const INPUT_SHARE = 5 / 8;
/** Transformed input that steps share may be as many second-level caches large: more would go to main memory and back. */
const MOST_CACHES = 16;
/** What it must save of the plain way's cost. */
const SAVED = 0.85;
const MAX_PARTS = 16;
/** Vectors narrower than this are not made for short rows of tiles. */
const LEAST_LANES = 4;

export const blocksOf = (tiling: ConvGeometry, cut: ImageCut): number => rowBlocks(tiling, cut) * columnBlocks(tiling, cut);

function lanesFor(columns: number, lanes: number): number {
  let width = lanes;
  while (width / 2 >= Math.max(columns, LEAST_LANES)) width /= 2;
  return width;
}

/** Blocks of whole rows of tiles, or of part of one row, as large as the cache allows: at least a vector of tiles. */
function cutsFor({ high, wide }: ConvGeometry, lanes: number, mostTiles: number): ImageCut[] {
  const cuts: ImageCut[] = [];
  for (let columns = lanes; columns < wide.output && columns <= Math.max(mostTiles, lanes); columns += lanes) cuts.push({ rows: 1, columns });
  for (let rows = 1; rows <= high.output && (rows === 1 || rows * wide.output <= Math.max(mostTiles, lanes)); rows++) cuts.push({ rows, columns: wide.output });
  return cuts;
}

interface Costed {
  readonly plan: WinogradPlan;
  readonly cost: number;
}

/** The cheapest ways to share out one cut among threads. */
function plansFor(base: Pick<WinogradPlan, 'site' | 'geometry' | 'filtering' | 'images' | 'tiling'>, cut: ImageCut): Costed[] {
  const { site, geometry, filtering, images, tiling } = base;
  const { simd } = site.capabilities;
  const { channels, filters, groups } = geometry;
  const { results, side } = filtering;
  const lanes = simd.vectorLanes;
  const points = side * side;
  const tiles = cut.rows * cut.columns;
  const productOf = (tile: RegisterTile): number => points * productCost({ rows: filters, blocks: [{ columns: tiles, count: 1 }], depth: channels }, tile, lanes);
  const tile = cheapest(registerTiles(simd).flat(), productOf);
  const inputLanes = lanesFor(cut.columns, lanes);
  const columnTiles = Math.ceil(tiles / (tile.vectors * lanes));
  const written = (cut.rows - 1) * cut.columns + Math.ceil(cut.columns / inputLanes) * inputLanes;
  const pitch = Math.ceil(Math.max(columnTiles * tile.vectors * lanes, written) / inputLanes) * inputLanes;
  const input = channels * cut.rows * Math.ceil(cut.columns / inputLanes) * points * INPUT_COST;
  const vectors = Math.ceil(tiles / lanes);
  const stores = cut.rows * results * Math.ceil((cut.columns * results) / lanes) * STORE_COST;
  const output = filters * (vectors * points * OUTPUT_COST + stores) + ((points * channels * filters) / lanes) * WEIGHTS_COST;
  const blocks = images * groups * blocksOf(tiling, cut);
  const bytes = blocks * points * channels * pitch * 4;
  const most = Math.min(Math.ceil(filters / tile.rows), MAX_PARTS);
  const fits = points * channels * pitch * 4 <= simd.l2Bytes * INPUT_SHARE;
  return Array.from({ length: most }, (_, i) => i + 1).flatMap((parts) => {
    const panels = Math.ceil(filters / tile.rows);
    const isEven = parts === 1 || Math.ceil(panels / Math.ceil(panels / parts)) === parts;
    if (!isEven) return [];
    const share = (parts * Math.ceil(panels / parts)) / panels;
    const products = blocks * (productOf(tile) + output) * share;
    const made = { ...base, cut, tile, inputLanes, columnTiles, pitch, parts };
    const own: Costed = { plan: { ...made, sharesInput: false }, cost: dealtCost(products + blocks * input * parts, blocks * parts) };
    const shared: Costed = { plan: { ...made, sharesInput: true }, cost: dealtCost(products, blocks * parts) + dealtCost(blocks * input, blocks * channels) };
    return [...(fits ? [own] : []), ...(bytes <= MOST_CACHES * simd.l2Bytes ? [shared] : [])];
  });
}

export function planWinograd(site: ContractionSite, geometry: ConvGeometry, filterings: readonly Filtering[]): WinogradPlan | undefined {
  const { simd } = site.capabilities;
  const images = site.shape[0]!;
  const options = filterings.flatMap((filtering) => {
    const inTiles = (axis: ConvGeometry['high']): ConvGeometry['high'] => ({ ...axis, output: Math.ceil(axis.output / filtering.results) });
    const tiling: ConvGeometry = { ...geometry, high: inTiles(geometry.high), wide: inTiles(geometry.wide) };
    if (elementCount([tiling.high.output, tiling.wide.output]) * 2 < simd.vectorLanes) return [];
    const mostTiles = Math.floor((simd.l2Bytes * INPUT_SHARE) / (filtering.side ** 2 * geometry.channels * 4));
    return cutsFor(tiling, simd.vectorLanes, mostTiles).flatMap((cut) => plansFor({ site, geometry, filtering, images, tiling }, cut));
  });
  if (options.length === 0) return undefined;
  const { plan, cost } = cheapest(options, (option) => option.cost);
  return cost <= SAVED * directCost(site, geometry) ? plan : undefined;
}
