// Products of few rows with columns that lie along the sum, as weights [columns, depth] do: vectors run along the sum, and their lanes are
// added at the end. Such weights are read once, where they lie and in the order in which they lie, so nothing is copied at load.
import { addIndex, constantIndex, indexSymbol, linearIndex, scaleIndex } from '../../../core/indexExpr.ts';
import type { IndexExpr } from '../../../core/indexExpr.ts';
import { elementCount } from '../../../core/shape.ts';
import { add, assign, cast, index, load, store } from '../../../kernel/build.ts';
import type { Expr } from '../../../kernel/ir.ts';
import { computeType } from '../../emit/compute.ts';
import type { Emitter, LoweredKernel } from '../../emit/emitter.ts';
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
import { openGrid } from './product.ts';
import { storeRows } from './results.ts';
import { least, minus, multiplyAddOf } from './tile.ts';
import type { MultiplyAdd } from './tile.ts';

/** More rows use what is copied of columns often enough. */
const MOST_ROWS = 8;
/** Sums side by side, which hide how long an addition takes: those of all rows, each in so many parts. */
const SUMS = 8;
/** Vectors of the sum, below which adding up lanes costs more than it saves. */
const LEAST_VECTORS = 4;
/** Columns of a grid step at most: their sums wait in the first-level cache for what is fused behind them. */
const BLOCK_COLUMNS = 512;

/** Whether neighbours along the depth are neighbours in memory. */
const runsAlongDepth = ({ depth }: Side): boolean => depth.length === 1 && depth[0]!.stride === 1;

function findDots(site: ContractionSite): MatrixProduct | undefined {
  const { vectorLanes: lanes } = site.capabilities.simd;
  const product = matrixProducts(site)?.find(({ m, n }) => m.extent <= MOST_ROWS && [m, n].every(runsAlongDepth));
  if (product === undefined || product.depth < LEAST_VECTORS * lanes || site.node.attrs.words !== undefined) return undefined;
  const shape: PanelShape = { batch: product.batch, depth: product.depth, dtype: site.node.outputs[0]!.dtype };
  // Weights that are computed from smaller ones are not there to be read.
  return derive(site, product.n, shape) === undefined ? product : undefined;
}

/** Loads of one side at a row or column, as the type of the sums. */
function reader(site: ContractionSite, emitter: Emitter, side: Side, batch: readonly IndexExpr[]): (at: IndexExpr, depth: IndexExpr, lanes: number) => Expr {
  const { slot, offset } = side.storage;
  const buffer = emitter.buffer(slot, 'read');
  const [from, to] = [slot.dtype, site.node.outputs[0]!.dtype].map(computeType);
  const begin = linearIndex(batch, side.batchStrides, offset);
  return (at, depth, lanes) => cast(to!, load(buffer, emitter.index(addIndex(addIndex(begin, scaleIndex(at, side.stride)), depth)), from!, lanes));
}

function lowerDots(site: ContractionSite, p: MatrixProduct): LoweredKernel {
  const { vectorLanes: lanes } = site.capabilities.simd;
  const emitter = site.createEmitter();
  const { dtype } = site.node.outputs[0]!;
  const [rows, extent, batches] = [p.m.extent, p.n.extent, elementCount(p.batch)];
  const work = streamedWork({ batches, rows, columns: extent, depth: p.depth }, lanes);
  const width = Math.min(Math.ceil(extent / partsFor(work, batches, extent)), BLOCK_COLUMNS);
  const blocks = Math.ceil(extent / width);
  const { position, grid } = openGrid(emitter, [...p.batch, blocks]);
  const [batch, begin] = [position.slice(0, -1), scaleIndex(position.at(-1)!, width)];
  const count = extent % width === 0 ? index(width) : emitter.bind(least(minus(index(extent), emitter.index(begin)), index(width)));
  const [x, w] = [p.m, p.n].map((side) => reader(site, emitter, side, batch));
  const sums = emitter.buffer(createSlot('scratch', { dtype, shape: [rows * width] }), 'write');
  const column = emitter.fresh('column');
  emitter.loop(column, index(0), count, 1, () => {
    const c = indexSymbol(column, 0, width - 1);
    const at = addIndex(begin, c);
    // Only words have an order; elsewhere the row comes first.
    const multiplyAdd = multiplyAddOf(undefined);
    const found = writeDots(emitter, { rows, depth: p.depth, lanes, dtype, multiplyAdd, x: (r, k, n) => x!(r, k, n), w: (k, n) => w!(at, k, n) });
    found.forEach((sum, r) => emitter.push(store(sums, emitter.index(addIndex(c, r * width)), sum)));
  });
  storeRows(emitter, { buffer: sums, dtype, rows, columns: width, count }, lanes, (r, column, value) => site.store(emitter, p.position(batch, r, addIndex(begin, column)), value));
  return site.finish(emitter, 'dots', grid);
}

interface DotWork {
  readonly rows: number;
  readonly depth: number;
  readonly lanes: number;
  readonly dtype: ContractionSite['node']['outputs'][number]['dtype'];
  readonly multiplyAdd: MultiplyAdd;
  readonly x: (row: IndexExpr, depth: IndexExpr, lanes: number) => Expr;
  readonly w: (depth: IndexExpr, lanes: number) => Expr;
}

/** The sums of all rows with one column: stretches of several vectors first, then single ones, and what is left one by one. */
function writeDots(emitter: Emitter, { rows, depth, lanes, dtype, multiplyAdd, x, w }: DotWork): Expr[] {
  const parts = Math.max(Math.floor(SUMS / rows), 1);
  const each = Array.from({ length: rows }, (_, r) => constantIndex(r));
  /** Sums of `width` lanes over [from, to), `side` of them for each row. */
  const walk = (from: number, to: number, width: number, side: number): Expr[][] => {
    const sums = each.map(() => Array.from({ length: side }, () => declareAccumulator(emitter, identity('sum', dtype, width))));
    const name = emitter.fresh('depth');
    emitter.loop(name, index(from), index(to), width * side, () => {
      for (let i = 0; i < side; i++) {
        const k = addIndex(indexSymbol(name, from, to - width * side), i * width);
        const right = emitter.bind(w(k, width));
        each.forEach((r, row) => emitter.push(assign(nameOf(sums[row]![i]!), multiplyAdd(x(r, k, width), right, sums[row]![i]!))));
      }
    });
    return sums;
  };
  const sumOf = (terms: readonly Expr[]): Expr => terms.reduce((a, b) => emitter.bind(add(a, b)));
  const stretch = lanes * parts;
  const [long, whole] = [Math.floor(depth / stretch) * stretch, Math.floor(depth / lanes) * lanes];
  const inVectors = long === 0 ? [] : [walk(0, long, lanes, parts)];
  if (long < whole) inVectors.push(walk(long, whole, lanes, 1));
  const single = whole === depth ? [] : [walk(whole, depth, 1, 1)];
  return each.map((_, row) => {
    const vector = sumOf(inVectors.flatMap((sums) => sums[row]!));
    const across: Expr = emitter.bind({ kind: 'across', type: { dtype: vector.type.dtype, lanes: 1 }, fn: 'add', x: vector });
    return sumOf([across, ...single.flatMap((sums) => sums[row]!)]);
  });
}

export const dotsTemplate: ContractionTemplate = {
  name: 'dots',
  plan(site) {
    const product = hasVectors(site) ? findDots(site) : undefined;
    return product === undefined ? undefined : () => [lowerDots(site, product)];
  },
};
