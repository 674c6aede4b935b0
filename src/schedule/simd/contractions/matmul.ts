// Matrix products, and convolutions that are matrix products (one tap, no padding, no stride), as blocked products. Vectors run along the
// axis of the result that is stored without gaps, or along the other where that one is too short.
import { ZERO, addIndex, delinearize, floorDiv, indexSymbol, linearIndex, modIndex, scaleIndex } from '../../../core/indexExpr.ts';
import type { IndexExpr } from '../../../core/indexExpr.ts';
import { elementCount } from '../../../core/shape.ts';
import type { Shape } from '../../../core/shape.ts';
import { axisIndex } from '../../nest.ts';
import type { Axis, Nest } from '../../nest.ts';
import { loadPoint } from '../../point.ts';
import type { Position } from '../../positions.ts';
import { contiguous, createSlot } from '../../storage.ts';
import type { LoweredKernel } from '../../emit/emitter.ts';
import { lowerNest } from '../lowerNest.ts';
import { hasVectors, isInputLast } from '../templates.ts';
import type { ContractionNode, ContractionSite, ContractionTemplate } from '../templates.ts';
import { cheapest, depthChunk, partsFor, productCost, registerTiles, streamedStep, streamedWork, streamingTiles } from './blocking.ts';
import type { RegisterTile } from './blocking.ts';
import { copiedColumns, mergeStrided, packedColumns, packedRows, stridedRows } from './panels.ts';
import type { PanelShape, Side } from './panels.ts';
import { derive, derivedColumns, streamedColumns } from './derived.ts';
import { isLongerThanWide, lowerProduct } from './product.ts';
import type { Columns, Depth } from './product.ts';
import { turnedCost } from './results.ts';

/** A matrix product for each batch: result (…batch, m, n) = Σ m-side · n-side. */
export interface MatrixProduct {
  readonly batch: readonly number[];
  readonly depth: number;
  readonly m: Side;
  readonly n: Side;
  position(batch: Position, m: IndexExpr, n: IndexExpr): Position;
}

/** Fewer products than this are not worth the frame of a blocked product. */
const SMALL = 1 << 9;
/** Rows from which copying a block of columns pays. */
const COPY_ROWS = 4;

type Rule<K extends ContractionNode['op']> = (site: ContractionSite, node: Extract<ContractionNode, { readonly op: K }>) => MatrixProduct | undefined;

/** Strides of an operand's leading axes along the batch axes of the result: 0 where it is broadcast. */
function alignBatch(batch: readonly number[], shape: readonly number[], strides: readonly number[]): number[] {
  const missing = batch.length - (shape.length - 2);
  return batch.map((_, i) => (i < missing || shape[i - missing] === 1 ? 0 : strides[i - missing]!));
}

const firstOf = (shape: Shape): Position => shape.map(() => ZERO);

const fromMatmul: Rule<'matmul'> = ({ operands, shape }, { inputs: [a, b] }) => {
  const [x, y] = operands;
  const [rows, columns, depth] = [shape.at(-2)!, shape.at(-1)!, a!.shape.at(-1)!];
  const batch = shape.slice(0, -2);
  const m: Side = {
    operand: 0,
    storage: x,
    extent: rows,
    stride: x.strides.at(-2)!,
    depth: mergeStrided([{ extent: depth, stride: x.strides.at(-1)! }]),
    batchStrides: alignBatch(batch, a!.shape, x.strides),
    at: (i, k) => [...firstOf(a!.shape.slice(0, -2)), i, k],
  };
  const n: Side = {
    operand: 1,
    storage: y,
    extent: columns,
    stride: y.strides.at(-1)!,
    depth: mergeStrided([{ extent: depth, stride: y.strides.at(-2)! }]),
    batchStrides: alignBatch(batch, b!.shape, y.strides),
    at: (j, k) => [...firstOf(b!.shape.slice(0, -2)), k, j],
  };
  return { batch, depth, m, n, position: (at, i, j) => [...at, i, j] };
};

const fromConv: Rule<'conv'> = ({ operands: [x, w], shape }, { inputs, attrs }) => {
  const [input, weight] = [inputs[0]!, inputs[1]!];
  const { groups } = attrs;
  const spatial = shape.slice(2);
  const isPointwise = weight.shape.slice(2).every((k) => k === 1) && attrs.strides.every((s) => s === 1) && [...attrs.low, ...attrs.high].every((p) => p === 0);
  // All positions must be one axis in memory.
  const positions = mergeStrided(spatial.map((extent, i) => ({ extent, stride: x.strides[i + 2]! })));
  if (!isPointwise || positions.length > 1) return undefined;
  const [perGroup, filters] = [weight.shape[1]!, weight.shape[0]! / groups];
  const m: Side = {
    operand: 1,
    storage: w,
    extent: filters,
    stride: w.strides[0]!,
    depth: mergeStrided([{ extent: perGroup, stride: w.strides[1]! }]),
    batchStrides: [0, filters * w.strides[0]!],
    at: (filter, channel) => [filter, channel, ...firstOf(spatial)],
  };
  const n: Side = {
    operand: 0,
    storage: x,
    extent: elementCount(spatial),
    stride: positions[0]?.stride ?? 1,
    depth: mergeStrided([{ extent: perGroup, stride: x.strides[1]! }]),
    batchStrides: [x.strides[0]!, perGroup * x.strides[1]!],
  };
  const channel = ([, group]: Position, i: IndexExpr): IndexExpr => addIndex(scaleIndex(group!, filters), i);
  return { batch: [input.shape[0]!, groups], depth: perGroup, m, n, position: (at, i, j) => [at[0]!, channel(at, i), ...delinearize(j, spatial)] };
};

/** Batches whose columns are the same are more rows of one product, where their rows follow each other at one stride. */
function foldBatch(p: MatrixProduct): MatrixProduct {
  const last = p.batch.length - 1;
  const extent = p.batch[last];
  if (extent === undefined) return p;
  const rest = { batch: p.batch.slice(0, -1), depth: p.depth };
  const drop = (side: Side): Side => ({ ...side, batchStrides: side.batchStrides.slice(0, -1) });
  if (extent === 1) return foldBatch({ ...rest, m: drop(p.m), n: drop(p.n), position: (at, m, n) => p.position([...at, ZERO], m, n) });
  if (p.n.batchStrides[last] !== 0 || p.m.batchStrides[last] !== p.m.stride * p.m.extent) return p;
  const inner = p.m.extent;
  const { at: _, ...own } = drop(p.m);
  const m = { ...own, extent: extent * inner };
  return foldBatch({ ...rest, m, n: drop(p.n), position: (at, i, n) => p.position([...at, floorDiv(i, inner)], modIndex(i, inner), n) });
}

/** The same product with m and n exchanged. */
const transposed = (p: MatrixProduct): MatrixProduct => ({ ...p, m: p.n, n: p.m, position: (at, m, n) => p.position(at, n, m) });

/** Multiply-adds that it costs to store one result whose neighbours are not those in memory, or to copy one element of such columns. */
const STRIDED_COST = 3;
/** The same for a vector that is copied whole. */
const COPY_COST = 2;
/** What the product with its sides exchanged may cost of the plain one's, to be worth it: the counts are not exact. */
const EXCHANGED = 0.93;

/** Steps of the depth in one chunk: all of them where one tile of rows alone reads the columns, which stay in no cache then. */
function chunkFor(site: ContractionSite, p: MatrixProduct, tile: RegisterTile): number {
  const { simd } = site.capabilities;
  return site.isConstant(p.n.operand) && p.m.extent <= tile.rows ? p.depth : depthChunk(simd, p.depth, 1, tile.vectors * simd.vectorLanes, p.m.extent);
}

/** Multiply-adds in whose time a line of the cache comes near that the rows of a tile read at each step of the depth, where steps are far apart. */
const FAR_STEP = 12;

function tileCost(site: ContractionSite, p: MatrixProduct, tile: RegisterTile): number {
  const { simd } = site.capabilities;
  const chunk = chunkFor(site, p, tile);
  const far = !site.isConstant(p.m.operand) && isTurned(site, p) ? FAR_STEP : 0;
  const streamed = p.m.extent > tile.rows ? streamedStep(simd, chunk, tile) : 0;
  const shape = { rows: p.m.extent, blocks: [{ columns: p.n.extent, count: 1 }], depth: p.depth, chunks: Math.ceil(p.depth / chunk), leastStep: Math.max(far, streamed) };
  return productCost(shape, tile, simd.vectorLanes);
}

const bestTile = (site: ContractionSite, p: MatrixProduct): RegisterTile => cheapest(registerTiles(site.capabilities.simd).flat(), (tile) => tileCost(site, p, tile));

/** Elements between results that are neighbours along m, or along n. */
function stepAlong(site: ContractionSite, p: MatrixProduct, side: 'm' | 'n'): number | undefined {
  const symbol = indexSymbol(side, 0, Math.max(p[side].extent - 1, 0));
  return site.storeStep(
    p.position(
      p.batch.map(() => ZERO),
      side === 'm' ? symbol : ZERO,
      side === 'n' ? symbol : ZERO,
    ),
    side,
  );
}

/** Whether results are turned around before they are stored. */
const isTurned = (site: ContractionSite, p: MatrixProduct): boolean => site.isConstant(p.n.operand) && stepAlong(site, p, 'n') !== 1 && stepAlong(site, p, 'm') === 1;

/** Multiply-adds that the product costs with vectors along n. */
function costOf(site: ContractionSite, p: MatrixProduct): number {
  const copies = site.isConstant(p.n.operand) ? 0 : p.n.extent * p.depth * (p.n.stride === 1 ? COPY_COST / site.capabilities.simd.vectorLanes : STRIDED_COST);
  const perResult = stepAlong(site, p, 'n') === 1 ? 0 : isTurned(site, p) ? turnedCost(site.capabilities.simd.vectorLanes) : STRIDED_COST;
  return tileCost(site, p, bestTile(site, p)) + copies + p.m.extent * p.n.extent * perResult;
}

/** How a product takes its columns: the tile that suits them, and how far a chunk of the depth goes. */
interface ColumnPlan {
  readonly tile: RegisterTile;
  readonly chunk: number;
  /** Whether grid steps copy them, or compute them from what they are derived from. */
  readonly isCopied: boolean;
  columns(depth: Depth, tiles: number): Columns;
}

function planColumns(site: ContractionSite, p: MatrixProduct, shape: PanelShape): ColumnPlan {
  const { simd } = site.capabilities;
  const tile = bestTile(site, p);
  const derivation = derive(site, p.n, shape);
  if (derivation === undefined) {
    const isPacked = site.isConstant(p.n.operand);
    const columns = isPacked ? packedColumns : copiedColumns;
    return { tile, chunk: chunkFor(site, p, tile), isCopied: !isPacked, columns: (depth, tiles) => columns(site, p.n, shape, tile, depth, tiles) };
  }
  const { step } = derivation;
  const few = cheapest(streamingTiles(simd, step), (t) => tileCost(site, p, t));
  if (p.m.extent <= few.rows) return { tile: few, chunk: p.depth, isCopied: false, columns: (_, tiles) => streamedColumns(site, p.n, shape, few, tiles, derivation) };
  const chunk = Math.ceil(chunkFor(site, p, tile) / step) * step;
  return { tile, chunk, isCopied: true, columns: (depth, tiles) => derivedColumns(site, p.n, shape, tile, depth, tiles, derivation) };
}

function lowerMatrices(site: ContractionSite, p: MatrixProduct): LoweredKernel {
  const shape: PanelShape = { batch: p.batch, depth: p.depth, dtype: site.node.outputs[0]!.dtype };
  const plan = planColumns(site, p, shape);
  const { tile, chunk, columns } = plan;
  const depth: Depth = { units: p.depth, unit: 1, chunk };
  return lowerProduct(site, {
    name: site.node.op,
    batch: p.batch,
    rows: site.isConstant(p.m.operand) ? packedRows(site, p.m, shape, tile) : stridedRows(p.m, shape, tile),
    columns: columns(depth, tilesPerBlock(site, p, plan)),
    depth,
    tile,
    position: (batch, row, [column]) => p.position(batch, row.at, column!),
  });
}

/** Tiles of columns in one block: what stays in half of the second-level cache, in as many blocks as threads want. */
function tilesPerBlock(site: ContractionSite, p: MatrixProduct, { tile, chunk, isCopied }: ColumnPlan): number {
  const { simd } = site.capabilities;
  const width = tile.vectors * simd.vectorLanes;
  const all = Math.ceil(p.n.extent / width);
  const cached = Math.max(Math.floor(simd.l2Bytes / 2 / (chunk * width * 4)), 1);
  const batches = elementCount(p.batch);
  const work = streamedWork({ batches, rows: p.m.extent, columns: p.n.extent, depth: p.depth }, simd.vectorLanes);
  const isSplit = isCopied || !isLongerThanWide(p.m.extent, p.n.extent);
  const parts = Math.max(isSplit ? partsFor(work, batches, all) : 1, Math.ceil(all / cached));
  return Math.ceil(all / parts);
}

const rules: { readonly [K in ContractionNode['op']]: Rule<K> } = { matmul: fromMatmul, conv: fromConv };
const productOf = <K extends ContractionNode['op']>(op: K, site: ContractionSite, node: Extract<ContractionNode, { readonly op: K }>): MatrixProduct | undefined =>
  rules[op](site, node);

/** The contraction as a product of matrices, and the same with its sides exchanged. */
export function matrixProducts(site: ContractionSite): readonly [MatrixProduct, MatrixProduct] | undefined {
  const { node } = site;
  const found = node.op === 'matmul' ? productOf(node.op, site, node) : productOf(node.op, site, node);
  if (found === undefined) return undefined;
  const plain = foldBatch(found);
  return [plain, transposed(plain)];
}

/** Fewer filters than this do not pay for a copy of what they read. */
const THINNED_FILTERS = 8;

/** A convolution of one tap and a stride, as one without a stride on a copy of what it reads. */
function thinned(
  site: ContractionSite,
  node: Extract<ContractionNode, { readonly op: 'conv' }>,
): { readonly site: ContractionSite; readonly copy: () => LoweredKernel } | undefined {
  const { attrs, inputs } = node;
  const [x, w] = [inputs[0]!, inputs[1]!];
  const hasOneTap = w.shape.slice(2).every((k) => k === 1) && [...attrs.low, ...attrs.high].every((p) => p === 0);
  if (site.isConstant(0) || isInputLast(site) || !hasOneTap || attrs.strides.every((s) => s === 1) || w.shape[0]! / attrs.groups < THINNED_FILTERS) return undefined;
  const shape = [...x.shape.slice(0, 2), ...site.shape.slice(2)];
  const target = contiguous(createSlot('value', { dtype: x.dtype, shape }), shape);
  const [source] = site.operands;
  const outer = shape.map((extent, i): Axis => ({ name: `t${i}`, extent }));
  const position = outer.map(axisIndex);
  const from = position.map((at, i) => scaleIndex(at, i < 2 ? 1 : attrs.strides[i - 2]!));
  const value = loadPoint(source.slot, linearIndex(from, source.strides, source.offset));
  const nest: Nest = { outer, stages: [{ kind: 'store', axes: [], slot: target.slot, offset: linearIndex(position, target.strides), value }], dynamic: new Map() };
  const strides = attrs.strides.map(() => 1);
  return {
    site: { ...site, node: { ...node, attrs: { ...attrs, strides } }, operands: [target, site.operands[1]] },
    copy: () => lowerNest('thin', nest, site.capabilities.simd, 0),
  };
}

export const matmulTemplate: ContractionTemplate = {
  name: 'matmul',
  plan(given) {
    if (!hasVectors(given)) return undefined;
    const thin = given.node.op === 'conv' ? thinned(given, given.node) : undefined;
    const site = thin?.site ?? given;
    const found = matrixProducts(site);
    if (found === undefined) return undefined;
    const [plain, exchanged] = found;
    const p = costOf(site, exchanged) < EXCHANGED * costOf(site, plain) ? exchanged : plain;
    if (elementCount(p.batch) * p.m.extent * p.n.extent * p.depth < SMALL) return undefined;
    if (p.n.extent * 2 < site.capabilities.simd.vectorLanes || (!site.isConstant(p.n.operand) && p.m.extent < COPY_ROWS)) return undefined;
    return () => [...(thin === undefined ? [] : [thin.copy()]), lowerMatrices(site, p)];
  },
};
