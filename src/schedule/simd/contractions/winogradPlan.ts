// How a convolution by minimal filtering with vectors along channels is cut: which filtering, tiles of a grid step, registers, filters
// of a step. By counted cost.
import { ZERO, indexSymbol } from '../../../core/indexExpr.ts';
import { elementCount } from '../../../core/shape.ts';
import { isInputLast, isOutputLast } from '../templates.ts';
import type { ContractionSite } from '../templates.ts';
import { cheapest, dealtCost, productCost, registerTiles } from './blocking.ts';
import type { RegisterTile } from './blocking.ts';
import { channelsCost } from './channels.ts';
import { directCost } from './conv.ts';
import { passesOf, pointsOf } from './filtering.ts';
import type { PlaneFiltering } from './filtering.ts';
import { turnedCost } from './results.ts';
import { columnBlocks, innerPosition, rowBlocks } from './window.ts';
import type { ConvGeometry, ImageCut } from './window.ts';

export interface WinogradPlan {
  readonly site: ContractionSite;
  readonly geometry: ConvGeometry;
  readonly filtering: PlaneFiltering;
  readonly images: number;
  /** The result counted in tiles, and the tiles of a grid step. */
  readonly tiling: ConvGeometry;
  readonly cut: ImageCut;
  /** Rows are tiles, columns are filters. */
  readonly tile: RegisterTile;
  /** Elements between tiles of transformed input: its channels, in whole vectors. */
  readonly pitch: number;
  /** Grid steps that share a block of tiles, each with its part of the filters. */
  readonly parts: number;
  /** Whether a kernel of its own transforms the input for all of them. */
  readonly sharesInput: boolean;
}

/** Multiply-adds that it costs to bring a vector of a tile from memory and to it, and to transform it along one axis: into, and back. */
const MOVE_COST = 2;
const INPUT_COST = 3;
const OUTPUT_COST = 2;
/** The same to store a vector of results, or to copy one of the input; and for each lane where they do not lie side by side. */
const STORE_COST = 4;
const COPY_COST = 2;
const STRIDED_COST = 3;
/** Multiply-adds in whose time a vector of weights comes from main memory, and from a cache that cores share. */
const MEMORY_COST = 14;
const SHARED_CACHE_COST = 4;
/** Most of the second-level cache that the transformed input of a step may take. */
const INPUT_SHARE = 5 / 8;
/** What a cache that cores share holds, in second-level caches. */
const MOST_CACHES = 16;
/** What it must save of the plain way's cost. */
const SAVED = 0.85;
const MAX_PARTS = 16;
/** Tiles at distances that are multiples of this lie in the same few sets of a cache. */
const SET_BYTES = 1024;

/** Whether neighbours of a line lie side by side where results are stored, and filters do not. */
export function turnsOutput(site: ContractionSite, geometry: ConvGeometry): boolean {
  const along = innerPosition(geometry, site.shape.length - 2, [ZERO, indexSymbol('along', 0, Math.max(geometry.wide.output - 1, 0))]);
  return !isOutputLast(site) && site.storeStep([ZERO, ZERO, ...along], 'along') === 1;
}
/** Whether neighbours of a line lie side by side in the input, in more than a vector of them, and channels do not. */
export const turnsInput = ({ site, geometry, cut, filtering }: Pick<WinogradPlan, 'site' | 'geometry' | 'cut' | 'filtering'>): boolean =>
  !isInputLast(site) && geometry.wide.memoryStride === 1 && reachOf({ cut, filtering }) >= site.capabilities.simd.vectorLanes;

/** Elements along a row of the input that a row of tiles reads. */
export const reachOf = ({ cut, filtering }: Pick<WinogradPlan, 'cut' | 'filtering'>): number => (cut.columns - 1) * filtering.wide.results + filtering.wide.side;

export const countPoints = ({ filtering }: WinogradPlan): number => pointsOf(filtering);
export const lanesOf = ({ site }: WinogradPlan): number => site.capabilities.simd.vectorLanes;
/** Filters of one panel. */
export const widthOf = (plan: WinogradPlan): number => plan.tile.vectors * lanesOf(plan);
export const tileSize = (plan: WinogradPlan): number => plan.tile.rows * widthOf(plan);
export const tilesOf = ({ rows, columns }: ImageCut): number => rows * columns;
export const blocksOf = (tiling: ConvGeometry, cut: ImageCut): number => rowBlocks(tiling, cut) * columnBlocks(tiling, cut);

/** Blocks of whole rows of tiles, or of part of one row, as large as the cache allows, and all of the image. */
function cutsFor({ high, wide }: ConvGeometry, mostTiles: number): ImageCut[] {
  const least = Math.max(mostTiles, 1);
  if (wide.output > least)
    return [
      { rows: 1, columns: Math.ceil(wide.output / Math.ceil(wide.output / least)) },
      { rows: high.output, columns: wide.output },
    ];
  const rows = Math.min(Math.floor(least / wide.output), high.output);
  return [...Array.from({ length: rows }, (_, i) => i + 1), ...(rows < high.output ? [high.output] : [])].map((count) => ({ rows: count, columns: wide.output }));
}

function pitchOf(channels: number, lanes: number): number {
  const vectors = Math.ceil(channels / lanes) * lanes;
  return (vectors * 4) % SET_BYTES === 0 ? vectors + lanes : vectors;
}

/** Multiply-adds of the products of `tiles` tiles at one point: whole tiles of registers, and one with the rows that are left. */
function pointCost({ channels, filters }: ConvGeometry, tiles: number, tile: RegisterTile, lanes: number): number {
  const cost = (rows: number, by: number): number =>
    rows === 0 ? 0 : productCost({ rows, blocks: [{ columns: filters, count: 1 }], depth: channels }, { ...tile, rows: by }, lanes);
  const rest = tiles % tile.rows;
  return cost(tiles - rest, tile.rows) + cost(rest, rest);
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
  const { high, wide } = filtering;
  const lanes = simd.vectorLanes;
  const points = pointsOf(filtering);
  const passes = passesOf(filtering);
  const tiles = tilesOf(cut);
  const tile = cheapest(registerTiles(simd).flat(), (option) => pointCost(geometry, tiles, option, lanes));
  const pitch = pitchOf(channels, lanes);
  const inputBytes = points * tiles * pitch * 4;
  const panels = Math.ceil(filters / (tile.vectors * lanes));
  const blocks = images * groups * blocksOf(tiling, cut);
  const copied = cut.rows * high.side * reachOf({ cut, filtering });
  const strided = (cost: number, isTurned: boolean): number => (isTurned ? cost + turnedCost(lanes) * lanes : STRIDED_COST * lanes);
  const copyCost = isInputLast(site) ? COPY_COST : strided(COPY_COST, turnsInput({ ...base, cut }));
  const storeCost = isOutputLast(site) ? STORE_COST : strided(STORE_COST, turnsOutput(site, geometry));
  const input = (pitch / lanes) * (tiles * points * (MOVE_COST + passes * INPUT_COST) + copied * copyCost);
  const stored = high.results * wide.results * storeCost;
  const output = tiles * Math.ceil(filters / lanes) * (points * (MOVE_COST + passes * OUTPUT_COST) + stored);
  const weights = points * channels * panels * tile.vectors;
  const again = weights * lanes * 4 <= MOST_CACHES * simd.l2Bytes ? SHARED_CACHE_COST : MEMORY_COST;
  const streams = weights * (groups * MEMORY_COST + (blocks - groups) * again);
  const work = blocks * (points * pointCost(geometry, tiles, tile, lanes) + output) + streams;
  const fits = inputBytes <= simd.l2Bytes * INPUT_SHARE;
  const most = Math.min(panels, MAX_PARTS);
  return Array.from({ length: most }, (_, i) => i + 1).flatMap((parts) => {
    const perPart = Math.ceil(panels / parts);
    if (Math.ceil(panels / perPart) !== parts) return [];
    const products = (work * parts * perPart) / panels;
    const made = { ...base, cut, tile, pitch, parts };
    const own: Costed = { plan: { ...made, sharesInput: false }, cost: dealtCost(products + blocks * input * parts, blocks * parts) };
    const shared: Costed = { plan: { ...made, sharesInput: true }, cost: dealtCost(products, blocks * parts) + dealtCost(blocks * input, blocks * (pitch / lanes)) };
    return [...(fits ? [own] : []), ...(blocks * inputBytes <= MOST_CACHES * simd.l2Bytes ? [shared] : [])];
  });
}

export function planWinograd(site: ContractionSite, geometry: ConvGeometry, filterings: readonly PlaneFiltering[]): WinogradPlan | undefined {
  const { simd } = site.capabilities;
  const images = site.shape[0]!;
  const options = filterings.flatMap((filtering) => {
    const inTiles = (axis: 'high' | 'wide'): ConvGeometry['high'] => ({ ...geometry[axis], output: Math.ceil(geometry[axis].output / filtering[axis].results) });
    const tiling: ConvGeometry = { ...geometry, high: inTiles('high'), wide: inTiles('wide') };
    const mostTiles = Math.floor((simd.l2Bytes * INPUT_SHARE) / (pointsOf(filtering) * pitchOf(geometry.channels, simd.vectorLanes) * 4));
    return cutsFor(tiling, mostTiles).flatMap((cut) => plansFor({ site, geometry, filtering, images, tiling }, cut));
  });
  if (options.length === 0 || elementCount([geometry.channels, geometry.filters]) < simd.vectorLanes ** 2) return undefined;
  const { plan, cost } = cheapest(options, (option) => option.cost);
  const plainCost = isOutputLast(site) ? channelsCost : directCost;
  return cost <= SAVED * plainCost(site, geometry) ? plan : undefined;
}
