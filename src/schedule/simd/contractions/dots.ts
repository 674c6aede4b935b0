// Products of few rows with columns that lie along the sum, as weights [columns, depth] do: vectors run along the sum, several columns side
// by side, and their lanes are added at the end. Such weights are read once, where they lie, so nothing is copied at load.
import { ZERO, addIndex, indexSymbol, linearIndex, scaleIndex } from '../../../core/indexExpr.ts';
import type { IndexExpr } from '../../../core/indexExpr.ts';
import { elementCount } from '../../../core/shape.ts';
import { add, assign, cast, index, load, store } from '../../../kernel/build.ts';
import type { Expr } from '../../../kernel/ir.ts';
import { computeType } from '../../emit/compute.ts';
import type { Emitter, LoweredKernel } from '../../emit/emitter.ts';
import { clamped } from '../../emit/places.ts';
import { identity } from '../../emit/stages.ts';
import { declareAccumulator, nameOf } from '../../emit/walk.ts';
import { createSlot } from '../../storage.ts';
import { hasVectors } from '../templates.ts';
import type { ContractionSite, ContractionTemplate } from '../templates.ts';
import { partsFor, streamedWork } from './blocking.ts';
import { derive } from './derived.ts';
import { matrixProducts } from './matmul.ts';
import type { MatrixProduct } from './matmul.ts';
import type { PanelShape, Side } from './panels.ts';
import { openGrid, storeColumns } from './product.ts';
import { least, minus, multiplyAddOf } from './tile.ts';
import type { MultiplyAdd } from './tile.ts';

/** More rows use what is copied of columns often enough. */
const MOST_ROWS = 8;
/** Columns side by side at most: streams of memory that are read at a time. */
const MOST_COLUMNS = 8;
const LEAST_COLUMNS = 2;
/** Vectors of the sum, below which adding up lanes costs more than it saves. */
const LEAST_VECTORS = 4;
/** Columns of a grid step at most: their sums wait in the first-level cache for what is fused behind them. */
const BLOCK_COLUMNS = 512;

/** Whether neighbours along the depth are neighbours in memory. */
const runsAlongDepth = ({ depth }: Side): boolean => depth.length === 1 && depth[0]!.stride === 1;

interface Dots {
  readonly product: MatrixProduct;
  /** Columns side by side. */
  readonly columns: number;
}

function findDots(site: ContractionSite): Dots | undefined {
  const { vectorLanes: lanes, vectorRegisters } = site.capabilities.simd;
  const product = matrixProducts(site)?.find(({ m, n }) => m.extent <= MOST_ROWS && [m, n].every(runsAlongDepth));
  if (product === undefined || product.depth < LEAST_VECTORS * lanes || site.node.attrs.words !== undefined) return undefined;
  const shape: PanelShape = { batch: product.batch, depth: product.depth, dtype: site.node.outputs[0]!.dtype };
  // Weights that are computed from smaller ones are not there to be read.
  if (derive(site, product.n, shape) !== undefined) return undefined;
  const rows = product.m.extent;
  const columns = Math.min(Math.floor((vectorRegisters - 1 - rows) / rows), MOST_COLUMNS, product.n.extent);
  return columns < LEAST_COLUMNS ? undefined : { product, columns };
}

/** Loads of one side at a row or column, as the type of the sums. */
function reader(site: ContractionSite, emitter: Emitter, side: Side, batch: readonly IndexExpr[]): (at: IndexExpr, depth: IndexExpr, lanes: number) => Expr {
  const { slot, offset } = side.storage;
  const buffer = emitter.buffer(slot, 'read');
  const [from, to] = [slot.dtype, site.node.outputs[0]!.dtype].map(computeType);
  const begin = linearIndex(batch, side.batchStrides, offset);
  return (at, depth, lanes) => cast(to!, load(buffer, emitter.index(addIndex(addIndex(begin, scaleIndex(at, side.stride)), depth)), from!, lanes));
}

function lowerDots(site: ContractionSite, { product: p, columns }: Dots): LoweredKernel {
  const { vectorLanes: lanes } = site.capabilities.simd;
  const emitter = site.createEmitter();
  const { dtype } = site.node.outputs[0]!;
  const [rows, extent, batches] = [p.m.extent, p.n.extent, elementCount(p.batch)];
  const work = streamedWork({ batches, rows, columns: extent, depth: p.depth }, lanes);
  const tiles = Math.ceil(extent / columns);
  const width = Math.min(Math.ceil(tiles / partsFor(work, batches, tiles)) * columns, BLOCK_COLUMNS);
  const blocks = Math.ceil(extent / width);
  const { position, grid } = openGrid(emitter, [...p.batch, blocks]);
  const [batch, begin] = [position.slice(0, -1), scaleIndex(position.at(-1)!, width)];
  const count = extent % width === 0 ? index(width) : emitter.bind(least(minus(index(extent), emitter.index(begin)), index(width)));
  const [x, w] = [p.m, p.n].map((side) => reader(site, emitter, side, batch));
  // The last columns of all begin earlier, where there are not enough of them: their sums may lie before those of the block.
  const pitch = columns + width;
  const sums = emitter.buffer(createSlot('scratch', { dtype, shape: [rows * pitch] }), 'write');
  const tile = emitter.fresh('tile');
  emitter.loop(tile, index(0), count, columns, () => {
    const first = clamped(emitter, addIndex(begin, indexSymbol(tile, 0, width - columns)), extent - columns + 1);
    const place = emitter.bind(add(minus(emitter.index(first), emitter.index(begin)), index(columns)));
    // Only words have an order; elsewhere the row comes first.
    const multiplyAdd = multiplyAddOf(undefined);
    const found = writeDots(emitter, { rows, columns, depth: p.depth, lanes, dtype, multiplyAdd, x: (r, k, n) => x!(r, k, n), w: (c, k, n) => w!(addIndex(first, c), k, n) });
    found.forEach((sum, i) => emitter.push(store(sums, add(place, index(Math.floor(i / columns) * pitch + (i % columns))), sum)));
  });
  const row = emitter.fresh('row');
  emitter.loop(row, index(0), index(rows), 1, () => {
    const r = indexSymbol(row, 0, rows - 1);
    const base = emitter.bind(add(emitter.index(scaleIndex(r, pitch)), index(columns)));
    storeColumns(emitter, count, width, lanes, (v, some, lane) =>
      site.store(emitter, p.position(batch, r, addIndex(begin, addIndex(v, lane))), load(sums, add(base, emitter.index(v)), computeType(dtype), some)),
    );
  });
  return site.finish(emitter, 'dots', grid);
}

interface DotWork {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly lanes: number;
  readonly dtype: ContractionSite['node']['outputs'][number]['dtype'];
  readonly multiplyAdd: MultiplyAdd;
  readonly x: (row: IndexExpr, depth: IndexExpr, lanes: number) => Expr;
  readonly w: (column: IndexExpr, depth: IndexExpr, lanes: number) => Expr;
}

/** The sums of `rows` times `columns`, row by row: whole vectors of the depth first, what is left of it one by one. */
function writeDots(emitter: Emitter, { rows, columns, depth, lanes, dtype, multiplyAdd, x, w }: DotWork): Expr[] {
  const constants = (n: number): IndexExpr[] => Array.from({ length: n }, (_, i) => addIndex(ZERO, i));
  const walk = (from: number, to: number, width: number): Expr[] => {
    const sums = constants(rows * columns).map(() => declareAccumulator(emitter, identity('sum', dtype, width)));
    const name = emitter.fresh('depth');
    emitter.loop(name, index(from), index(to), width, () => {
      const k = indexSymbol(name, from, to - width);
      const right = constants(columns).map((c) => emitter.bind(w(c, k, width)));
      constants(rows).forEach((r, i) => {
        const left = emitter.bind(x(r, k, width));
        right.forEach((column, j) => {
          const sum = sums[i * columns + j]!;
          emitter.push(assign(nameOf(sum), multiplyAdd(left, column, sum)));
        });
      });
    });
    return sums;
  };
  const whole = Math.floor(depth / lanes) * lanes;
  const vectors = walk(0, whole, lanes).map((sum): Expr => emitter.bind({ kind: 'across', type: { dtype: sum.type.dtype, lanes: 1 }, fn: 'add', x: sum }));
  return whole === depth ? vectors : walk(whole, depth, 1).map((rest, i) => emitter.bind(add(vectors[i]!, rest)));
}

export const dotsTemplate: ContractionTemplate = {
  name: 'dots',
  plan(site) {
    const dots = hasVectors(site) ? findDots(site) : undefined;
    return dots === undefined ? undefined : () => [lowerDots(site, dots)];
  },
};
