// Convolutions of 3×3 taps and stride 1 by Winograd's minimal filtering, F(2×2, 3×3) (Lavin & Gray 2015, arXiv:1509.09308): tiles of 4×4
// of the input and the filters are transformed, multiplied as 16 matrix products over the channels, and transformed back to 2×2 results:
// 16 multiplications where the plain way has 36. Its matrices hold 0, ±1 and ½ alone, so a result differs from the plain sum by a few
// more roundings, and no more where channels are many.
import { ZERO, addIndex, indexSymbol, linearIndex, scaleIndex } from '../../../core/indexExpr.ts';
import { elementCount, stridesOf } from '../../../core/shape.ts';
import { add, binary, constant, index, load, mul, pack, splat, store } from '../../../kernel/build.ts';
import type { Expr, Kernel } from '../../../kernel/ir.ts';
import { createSlot } from '../../storage.ts';
import type { MemorySlot, Storage } from '../../storage.ts';
import { Emitter } from '../../emit/emitter.ts';
import type { LoweredKernel } from '../../emit/emitter.ts';
import { hasVectors } from '../templates.ts';
import type { ContractionSite, ContractionTemplate } from '../templates.ts';
import { cheapest, depthChunk, partsFor, productCost, registerTiles } from './blocking.ts';
import type { RegisterTile } from './blocking.ts';
import { directCost } from './conv.ts';
import { createImage, fillImage, openBlock, tapOrigin } from './image.ts';
import { copiedColumns, panelPitch, rowsInPanels } from './panels.ts';
import type { PanelShape, Side } from './panels.ts';
import { lowerProduct, openGrid, storeColumns } from './product.ts';
import { at, least } from './tile.ts';
import { geometryOf, layoutOf } from './window.ts';
import type { ConvGeometry } from './window.ts';

/** Results and elements of the input along each axis of a tile. */
const [RESULTS, TILE, TAPS] = [2, 4, 3];
const POINTS = TILE * TILE;
type Matrix = readonly (readonly number[])[];
const INPUT: Matrix = [
  [1, 0, -1, 0],
  [0, 1, 1, 0],
  [0, -1, 1, 0],
  [0, 1, 0, -1],
];
const WEIGHTS: Matrix = [
  [1, 0, 0],
  [0.5, 0.5, 0.5],
  [0.5, -0.5, 0.5],
  [0, 0, 1],
];
const OUTPUT: Matrix = [
  [1, 1, 1, 0],
  [0, 1, -1, -1],
];

/** Multiply-adds that it costs to transform a vector of tiles, into or back: its loads, sums and stores. */
const TRANSFORM_COST = 96;
/** Transformed data may be as many second-level caches large: more would go to main memory and back. */
const MOST_CACHES = 16;
/** What it must save of the plain way's cost: its values pass through memory, which the counts leave out. */
const SAVED = 0.8;

/** Sizes of one layer. Tiles of an image are counted row by row. */
interface Plan {
  readonly site: ContractionSite;
  readonly geometry: ConvGeometry;
  /** The windows of tiles: 4×4, two apart. */
  readonly tiling: ConvGeometry;
  readonly tilesHigh: number;
  readonly tilesWide: number;
  readonly tiles: number;
  /** Elements between rows of transformed data. */
  readonly pitch: number;
  readonly tile: RegisterTile;
  readonly images: number;
}

/** matrix · rows, each row a list of values that are added and subtracted one by one. */
function transform(emitter: Emitter, matrix: Matrix, rows: readonly (readonly Expr[])[]): Expr[][] {
  return matrix.map((factors) => rows[0]!.map((_, column) => emitter.bind(combine(factors, (i) => rows[i]![column]!))));
}

function combine(factors: readonly number[], value: (i: number) => Expr): Expr {
  let sum: Expr | undefined;
  // A positive term first, so that nothing is negated.
  const order = factors.flatMap((factor, i) => (factor === 0 ? [] : [i])).sort((a, b) => factors[b]! - factors[a]!);
  for (const i of order) {
    const [factor, x] = [factors[i]!, value(i)];
    const size = Math.abs(factor);
    const term = size === 1 ? x : mul(x, splat(constant(x.type.dtype, size), x.type.lanes));
    sum = sum === undefined ? term : binary(factor < 0 ? 'sub' : 'add', sum, term);
  }
  return sum!;
}

const turned = <T>(rows: readonly (readonly T[])[]): T[][] => rows[0]!.map((_, i) => rows.map((row) => row[i]!));

/** matrix · values · matrixᵀ. */
const transformBoth = (emitter: Emitter, matrix: Matrix, values: readonly (readonly Expr[])[]): Expr[][] =>
  turned(transform(emitter, matrix, turned(transform(emitter, matrix, values))));

/** Additions of `tiles` tiles, and the bytes of their points. */
const transformedCost = (tiles: number, matrix: Matrix): Kernel['cost'] => {
  const sums = matrix.flat().filter((factor) => factor !== 0).length - matrix.length;
  return { flops: tiles * sums * (TILE + matrix.length), bytes: tiles * POINTS * 4 };
};

const grid = (side: number): number[] => Array.from({ length: side }, (_, i) => i);

/** Filters of all groups at all points, transformed once at load, in the panels that the product's tiles read: [group][point][panel][channel][row]. */
function packWeights({ site, geometry: { groups, channels, filters }, tile }: Plan): MemorySlot {
  const source = site.operands[1];
  const panels = Math.ceil(filters / tile.rows);
  const strides = stridesOf([groups, POINTS, panels, channels, tile.rows]);
  const { slot } = site.pack(source, `winograd ${RESULTS}×${TAPS} panels of ${tile.rows}|${groups}|${filters}|${channels}`, 'f32', groups * strides[0]!, (emitter, from, to) => {
    const { position, grid: steps } = openGrid(emitter, [groups, panels, channels]);
    const [group, panel, channel] = [position[0]!, position[1]!, position[2]!];
    emitter.loop('row', index(0), index(tile.rows), 1, () => {
      const row = indexSymbol('row', 0, tile.rows - 1);
      // Past the last filter the last one is taken again.
      const filter = emitter.bind(least(emitter.index(addIndex(scaleIndex(panel, tile.rows), row)), index(filters - 1)));
      const base = emitter.bind(add(emitter.index(linearIndex([scaleIndex(group, filters), channel], from.strides, from.offset)), mul(filter, index(from.strides[0]!))));
      const read = (y: number, x: number): Expr => emitter.bind(load(emitter.buffer(from.slot, 'read'), at(base, y * from.strides[2]! + x * from.strides[3]!), 'f32'));
      const points = transformBoth(
        emitter,
        WEIGHTS,
        grid(TAPS).map((y) => grid(TAPS).map((x) => read(y, x))),
      );
      const target = emitter.bind(emitter.index(linearIndex([group, ZERO, panel, channel, row], strides)));
      points.flat().forEach((value, point) => emitter.push(store(emitter.buffer(to, 'write'), at(target, point * strides[1]!), value)));
    });
    return steps;
  });
  return slot;
}

/** Tiles of the input at all points: [image][group][point][channel][tile]. */
function transformInput({ site, geometry, tiling, tilesHigh, tilesWide, tiles, pitch, images }: Plan, target: MemorySlot): LoweredKernel {
  const emitter = new Emitter();
  const lanes = site.capabilities.simd.vectorLanes;
  const { groups, channels } = geometry;
  const { position, grid: steps } = openGrid(emitter, [images, groups, channels]);
  const [image, group, channel] = [position[0]!, position[1]!, position[2]!];
  const cut = { rows: tilesHigh, columns: tilesWide };
  const plane = createImage(emitter, site, tiling, cut, 1);
  fillImage(plane, openBlock(emitter, tiling, cut, [image, group], ZERO), channel, index(1), 1);
  const strides = stridesOf([images, groups, POINTS, channels, pitch]);
  const begin = linearIndex([image, group, ZERO, channel, ZERO], strides);
  const buffer = emitter.buffer(target, 'write');
  const [row, column] = [emitter.fresh('row'), emitter.fresh('col')];
  emitter.loop(row, index(0), index(tilesHigh), 1, () => {
    const r = indexSymbol(row, 0, tilesHigh - 1);
    const from = emitter.bind(emitter.index(tapOrigin(plane, ZERO, r, ZERO, ZERO)));
    const to = emitter.bind(emitter.index(addIndex(begin, scaleIndex(r, tilesWide))));
    emitter.loop(column, index(0), index(tilesWide), lanes, () => {
      const c = emitter.index(indexSymbol(column, 0, tilesWide - 1));
      const source = emitter.bind(add(from, c));
      const read = (y: number, x: number): Expr =>
        emitter.bind(load(plane.buffer, at(source, tapOrigin(plane, ZERO, ZERO, addIndex(ZERO, y), addIndex(ZERO, x)).constant), 'f32', lanes));
      const points = transformBoth(
        emitter,
        INPUT,
        grid(TILE).map((y) => grid(TILE).map((x) => read(y, x))),
      );
      const place = emitter.bind(add(to, c));
      // What a vector writes too much, the next row or nothing lies under.
      points.flat().forEach((value, point) => emitter.push(store(buffer, at(place, point * strides[2]!), value)));
    });
  });
  return emitter.finish('winogradInput', steps, transformedCost(images * groups * channels * tiles, INPUT));
}

/** A product for each image, group and point: filters times tiles, over the channels. */
function multiply(plan: Plan, weights: MemorySlot, input: MemorySlot, target: Storage): LoweredKernel {
  const { site, geometry, tile, tiles, pitch, images } = plan;
  const { groups, channels, filters } = geometry;
  const { simd } = site.capabilities;
  const width = tile.vectors * simd.vectorLanes;
  const batch = [images, groups, POINTS];
  const shape: PanelShape = { batch, depth: channels, dtype: 'f32' };
  const side: Side = {
    operand: 0,
    storage: { slot: input, offset: 0, strides: [] },
    extent: tiles,
    stride: 1,
    depth: [{ extent: channels, stride: pitch }],
    batchStrides: stridesOf([...batch, channels * pitch]).slice(0, -1),
  };
  const panels = Math.ceil(filters / tile.rows);
  const [perGroup, perPoint] = stridesOf([groups, POINTS, panels * channels * tile.rows]);
  const depth = { units: channels, unit: 1, chunk: depthChunk(simd, channels, 1, width, filters) };
  const work = (elementCount(batch) * filters * tiles * channels) / simd.vectorLanes;
  const blocks = Math.max(partsFor(work, elementCount(batch), Math.ceil(tiles / width)), Math.ceil((depth.chunk * tiles * 4 * 2) / simd.l2Bytes));
  const inner: ContractionSite = {
    ...site,
    createEmitter: () => new Emitter(),
    store: (emitter, position, sum) => emitter.store(target.slot, linearIndex(position, target.strides), sum),
    finish: (emitter, name, steps) => emitter.finish(name, steps, { flops: 2 * elementCount(batch) * filters * tiles * channels, bytes: 0 }),
  };
  return lowerProduct(inner, {
    name: 'winogradProduct',
    batch,
    rows: rowsInPanels(1, weights, [0, perGroup!, perPoint!], filters, shape, tile),
    columns: copiedColumns(inner, side, shape, tile, depth, Math.ceil(Math.ceil(tiles / width) / blocks)),
    depth,
    tile,
    position: (at3, row, [column]) => [...at3, row, column!],
  });
}

/** Back to results: all tiles of a filter into scratch memory, in the order of the image, and from there what is fused behind. */
function transformOutput(plan: Plan, source: Storage): LoweredKernel {
  const { site, geometry, tiles, tilesWide, images } = plan;
  const { groups, filters, high, wide } = geometry;
  const lanes = site.capabilities.simd.vectorLanes;
  const emitter = site.createEmitter();
  const { position, grid: steps } = openGrid(emitter, [images, groups, filters]);
  const begin = emitter.bind(emitter.index(linearIndex([position[0]!, position[1]!, ZERO, position[2]!, ZERO], source.strides)));
  const buffer = emitter.buffer(source.slot, 'read');
  const parity = tiles * RESULTS;
  const results = emitter.buffer(createSlot('scratch', { dtype: 'f32', shape: [RESULTS * parity] }), 'write');
  const name = emitter.fresh('tile');
  emitter.loop(name, index(0), index(tiles), lanes, () => {
    // The last vector reaches back over tiles that are done already.
    const first = emitter.bind(tiles % lanes === 0 ? emitter.index(indexSymbol(name, 0, tiles - 1)) : least(emitter.index(indexSymbol(name, 0, tiles - 1)), index(tiles - lanes)));
    const place = emitter.bind(add(begin, first));
    const read = (point: number): Expr => emitter.bind(load(buffer, at(place, point * source.strides[2]!), 'f32', lanes));
    const made = transformBoth(
      emitter,
      OUTPUT,
      grid(TILE).map((y) => grid(TILE).map((x) => read(y * TILE + x))),
    );
    const to = emitter.bind(mul(first, index(RESULTS)));
    made.forEach((row, y) => interleave(row, lanes).forEach((value, v) => emitter.push(store(results, at(to, y * parity + v * lanes), value))));
  });
  const channel = addIndex(scaleIndex(position[1]!, filters), position[2]!);
  const row = emitter.fresh('row');
  emitter.loop(row, index(0), index(high.output), 1, () => {
    const y = indexSymbol(row, 0, high.output - 1);
    const [r, half] = [binary('div', emitter.index(y), index(RESULTS)), binary('rem', emitter.index(y), index(RESULTS))];
    const from = emitter.bind(add(mul(r, index(tilesWide * RESULTS)), mul(half, index(parity))));
    storeColumns(emitter, index(wide.output), wide.output, lanes, (first, count, lane) => {
      const value = load(results, add(from, emitter.index(first)), 'f32', count);
      site.store(emitter, [position[0]!, channel, y, addIndex(first, lane)], value);
    });
  });
  return site.finish(emitter, 'winogradOutput', steps, transformedCost(images * groups * filters * tiles, OUTPUT));
}

/** Vectors that hold one lane of each of `rows` in turn. */
function interleave(rows: readonly Expr[], lanes: number): Expr[] {
  const item = (i: number): Expr => ({ kind: 'extract', type: { dtype: 'f32', lanes: 1 }, x: rows[i % rows.length]!, lane: Math.floor(i / rows.length) });
  return rows.map((_, v) => pack(Array.from({ length: lanes }, (__, i) => item(v * lanes + i))));
}

function planFor(site: ContractionSite, geometry: ConvGeometry): Plan | undefined {
  const { simd } = site.capabilities;
  const { groups, channels, filters, high, wide } = geometry;
  const [tilesHigh, tilesWide] = [high, wide].map((axis) => Math.ceil(axis.output / RESULTS));
  const tiles = tilesHigh! * tilesWide!;
  const vectors = Math.ceil(tiles / simd.vectorLanes);
  const axis = (of: ConvGeometry['high'], output: number): ConvGeometry['high'] => ({ ...of, output, taps: TILE, stride: RESULTS });
  const tiling: ConvGeometry = { ...geometry, high: axis(high, tilesHigh!), wide: axis(wide, tilesWide!) };
  const { rows, phases, width } = layoutOf(tiling, { rows: tilesHigh!, columns: tilesWide! });
  if (tiles < simd.vectorLanes || rows * phases * width * 4 > simd.l2Bytes / 2) return undefined;
  const transformedBytes = POINTS * (channels + filters) * groups * site.shape[0]! * tiles * 4;
  if (transformedBytes > MOST_CACHES * simd.l2Bytes) return undefined;
  const productOf = (tile: RegisterTile): number => POINTS * productCost({ rows: filters, blocks: [{ columns: tiles, count: 1 }], depth: channels }, tile, simd.vectorLanes);
  const tile = cheapest(registerTiles(simd).flat(), productOf);
  const cost = groups * (productOf(tile) + (channels + filters) * vectors * TRANSFORM_COST);
  if (cost > SAVED * groups * directCost(site, geometry)) return undefined;
  return { site, geometry, tiling, tilesHigh: tilesHigh!, tilesWide: tilesWide!, tiles, pitch: panelPitch(tiles, simd.vectorLanes), tile, images: site.shape[0]! };
}

function lowerWinograd(plan: Plan): readonly LoweredKernel[] {
  const { geometry, pitch, images } = plan;
  const { groups, channels, filters } = geometry;
  const slotOf = (rows: number): MemorySlot => createSlot('value', { dtype: 'f32', shape: [images, groups, POINTS, rows, pitch] });
  const [input, output] = [slotOf(channels), slotOf(filters)];
  const products: Storage = { slot: output, offset: 0, strides: stridesOf([images, groups, POINTS, filters, pitch]) };
  return [transformInput(plan, input), multiply(plan, packWeights(plan), input, products), transformOutput(plan, products)];
}

export const winogradTemplate: ContractionTemplate = {
  name: 'winograd',
  plan(site) {
    const { node } = site;
    if (node.op !== 'conv' || site.shape.length !== 4 || !hasVectors(site) || !site.isConstant(1)) return undefined;
    if ([...node.inputs, ...node.outputs].some((x) => x.dtype !== 'f32')) return undefined;
    const geometry = geometryOf(site, node);
    const fits = [geometry.high, geometry.wide].every((axis) => axis.taps === TAPS && axis.stride === 1 && axis.dilation === 1);
    const plan = fits ? planFor(site, geometry) : undefined;
    return plan === undefined ? undefined : () => lowerWinograd(plan);
  },
};
