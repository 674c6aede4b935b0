// Convolutions of 3×3 taps and stride 1 by minimal filtering (filtering.ts): F(4×4) needs 36 multiplications where the plain way has 144,
// F(2×2) 16 where it has 36. A grid step takes a block of tiles through: their transformed input stays in the second-level cache, products
// over the channels follow point by point for a few filters at a time, and go back to results at once. Where there are few blocks, the
// input is transformed by a kernel of its own, so that steps for different filters share it.
//
// The points of F(4×4), 0, ±3/4, ±3/2 and infinity, are those with which its results are about as exact as a plain sum in f32: its
// matrices hold no factor above 6, and all are exact.
import { ZERO, addIndex, floorDiv, indexSymbol, linearIndex, modIndex, scaleIndex } from '../../../core/indexExpr.ts';
import type { IndexExpr } from '../../../core/indexExpr.ts';
import { elementCount, stridesOf } from '../../../core/shape.ts';
import { add, binary, constant, fma, index, load, mul, splat, store } from '../../../kernel/build.ts';
import type { Expr } from '../../../kernel/ir.ts';
import type { Position } from '../../positions.ts';
import { createSlot } from '../../storage.ts';
import type { MemorySlot } from '../../storage.ts';
import { Emitter } from '../../emit/emitter.ts';
import type { LoweredKernel } from '../../emit/emitter.ts';
import { hasVectors } from '../templates.ts';
import type { ContractionSite, ContractionTemplate } from '../templates.ts';
import { filteringAt, transformBoth, transformFlops } from './filtering.ts';
import { createImage, fillImage, openBlock, tapOrigin } from './image.ts';
import type { Block } from './image.ts';
import { joinPhases, splitPhases } from './lanes.ts';
import { openGrid, storeColumns } from './product.ts';
import { at, least, minus, nameIndex, writeTile } from './tile.ts';
import { geometryOf } from './window.ts';
import { TAPS, blocksOf, planWinograd } from './winogradPlan.ts';
import type { WinogradPlan } from './winogradPlan.ts';

/** F(2×2) and F(4×4). */
export const FILTERINGS = [filteringAt([0, 1, -1], TAPS), filteringAt([0, 0.75, -0.75, 1.5, -1.5], TAPS)];

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
/** A square of values, read one by one. */
const square = (side: number, read: (y: number, x: number) => Expr): Expr[][] => upTo(side).map((y) => upTo(side).map((x) => read(y, x)));
const pointsOf = ({ filtering: { side } }: WinogradPlan): number => side * side;

/** Filters at all points, transformed once at load, in the order in which tiles of registers read them: [group][panel][point][channel][row]. */
function packWeights(plan: WinogradPlan): { readonly slot: MemorySlot; readonly strides: readonly number[] } {
  const { site, filtering, tile } = plan;
  const { groups, channels, filters } = plan.geometry;
  const source = site.operands[1];
  const panels = Math.ceil(filters / tile.rows);
  const strides = stridesOf([groups, panels, pointsOf(plan), channels, tile.rows]);
  const layout = `filtering ${filtering.results}×${TAPS} panels of ${tile.rows}|${groups}|${filters}|${channels}`;
  const { slot } = site.pack(source, layout, 'f32', groups * strides[0]!, (emitter, from, to) => {
    const { position, grid } = openGrid(emitter, [groups, panels, channels]);
    const [group, panel, channel] = [position[0]!, position[1]!, position[2]!];
    emitter.loop('row', index(0), index(tile.rows), 1, () => {
      const row = indexSymbol('row', 0, tile.rows - 1);
      // Past the last filter the last one is taken again.
      const filter = emitter.bind(least(emitter.index(addIndex(scaleIndex(panel, tile.rows), row)), index(filters - 1)));
      const base = emitter.bind(add(emitter.index(linearIndex([scaleIndex(group, filters), channel], from.strides, from.offset)), mul(filter, index(from.strides[0]!))));
      const taps = square(TAPS, (y, x) => emitter.bind(load(emitter.buffer(from.slot, 'read'), at(base, y * from.strides[2]! + x * from.strides[3]!), 'f32')));
      const target = emitter.bind(emitter.index(linearIndex([group, panel, ZERO, channel, row], strides)));
      const points = transformBoth(emitter, filtering.weights, taps).flat();
      points.forEach((value, point) => emitter.push(store(emitter.buffer(to, 'write'), at(target, point * strides[2]!), value)));
    });
    return grid;
  });
  return { slot, strides };
}

/** Where transformed input lies: `base`, then [point][channel][tile of the block]. */
interface Transformed {
  readonly buffer: string;
  readonly base: IndexExpr;
}

/** Transforms what a block of tiles reads of the `count` channels from `first` on. */
function transformInput(emitter: Emitter, plan: WinogradPlan, block: Block, first: IndexExpr, count: number, { buffer, base }: Transformed): void {
  const { site, geometry, filtering, cut, pitch, inputLanes: lanes } = plan;
  const { results, side } = filtering;
  const vectors = Math.ceil(cut.columns / lanes);
  // The block's part of the input, as if the plain way computed its results: rows as long as vectors of tiles reach.
  const plane = createImage(emitter, site, geometry, { rows: cut.rows * results, columns: vectors * lanes * results }, 1);
  const [channel, row, column] = [emitter.fresh('channel'), emitter.fresh('row'), emitter.fresh('col')];
  const origin: Block = { ...block, row: scaleIndex(block.row, results), column: scaleIndex(block.column, results) };
  const pointStride = geometry.channels * pitch;
  emitter.loop(channel, index(0), index(count), 1, () => {
    const c = addIndex(first, indexSymbol(channel, 0, count - 1));
    fillImage(plane, origin, c, index(1), 1);
    emitter.loop(row, index(0), index(cut.rows), 1, () => {
      const r = indexSymbol(row, 0, cut.rows - 1);
      emitter.loop(column, index(0), index(vectors * lanes), lanes, () => {
        const x = indexSymbol(column, 0, (vectors - 1) * lanes);
        const from = emitter.bind(emitter.index(addIndex(tapOrigin(plane, ZERO, scaleIndex(r, results), ZERO, ZERO), scaleIndex(x, results))));
        const tiles = upTo(side).map((y) => {
          // Elements of a row for each tap: those of one tile, then those that it shares with the next.
          const line = (shift: number): Expr[] =>
            splitPhases(
              emitter,
              upTo(results).map((v) =>
                emitter.bind(load(plane.buffer, at(from, tapOrigin(plane, ZERO, ZERO, addIndex(ZERO, y), ZERO).constant + shift + v * lanes), 'f32', lanes)),
              ),
            );
          return [...line(0), ...line(results)].slice(0, side);
        });
        const place = emitter.bind(emitter.index(addIndex(base, addIndex(addIndex(scaleIndex(c, pitch), scaleIndex(r, cut.columns)), x))));
        // What a vector writes too much, the next row or nothing lies under.
        const points = transformBoth(emitter, filtering.input, tiles).flat();
        points.forEach((value, point) => emitter.push(store(buffer, at(place, point * pointStride), value)));
      });
    });
    clearRest(emitter, plan, c, { buffer, base });
  });
}

/** Zeros behind a channel's tiles, where tiles of registers read on. */
function clearRest(emitter: Emitter, plan: WinogradPlan, channel: IndexExpr, { buffer, base }: Transformed): void {
  const { site, geometry, cut, pitch, inputLanes } = plan;
  const lanes = site.capabilities.simd.vectorLanes;
  const written = (cut.rows - 1) * cut.columns + Math.ceil(cut.columns / inputLanes) * inputLanes;
  if (written >= pitch) return;
  const point = emitter.fresh('point');
  const zeros = splat(constant('f32', 0), inputLanes);
  emitter.loop(point, index(0), index(pointsOf(plan)), 1, () => {
    const p = indexSymbol(point, 0, pointsOf(plan) - 1);
    const begin = emitter.bind(emitter.index(addIndex(base, addIndex(scaleIndex(p, geometry.channels * pitch), scaleIndex(channel, pitch)))));
    // The first of these vectors may reach back over tiles: it must not.
    const from = Math.min(Math.ceil(written / lanes) * lanes, pitch);
    for (let tile = written; tile < from; tile++) emitter.push(store(buffer, at(begin, tile), constant('f32', 0)));
    for (let tile = from; tile < pitch; tile += inputLanes) emitter.push(store(buffer, at(begin, tile), zeros));
  });
}

interface Step {
  readonly emitter: Emitter;
  readonly plan: WinogradPlan;
  readonly batch: Position;
  readonly block: Block;
  /** Sums of one panel of filters: [point][tile of registers], each row by row. */
  readonly sums: string;
  /** The results of one filter, in the order of the image: a plane for each row of a tile. */
  readonly results: string;
}

const tileSize = ({ site, tile }: WinogradPlan): number => tile.rows * tile.vectors * site.capabilities.simd.vectorLanes;

/** The products of one panel of filters at all points. */
function multiply({ emitter, plan, batch, sums }: Step, panel: IndexExpr, input: Transformed): void {
  const { site, geometry, tile, columnTiles, pitch } = plan;
  const lanes = site.capabilities.simd.vectorLanes;
  const { slot, strides } = packWeights(plan);
  const weights = emitter.buffer(slot, 'read');
  const [point, column] = [emitter.fresh('point'), emitter.fresh('tile')];
  emitter.loop(point, index(0), index(pointsOf(plan)), 1, () => {
    const p = indexSymbol(point, 0, pointsOf(plan) - 1);
    const rowsAt = linearIndex([batch[1]!, panel, p], strides);
    emitter.loop(column, index(0), index(columnTiles), 1, () => {
      const j = indexSymbol(column, 0, columnTiles - 1);
      const columnsAt = addIndex(addIndex(input.base, scaleIndex(p, geometry.channels * pitch)), scaleIndex(j, tile.vectors * lanes));
      writeTile(emitter, {
        tile,
        lanes,
        dtype: 'f32',
        depth: { steps: index(geometry.channels), most: geometry.channels },
        operands: {
          rows: (k) => {
            const base = emitter.bind(emitter.index(addIndex(rowsAt, scaleIndex(k, tile.rows))));
            return upTo(tile.rows).map((i) => load(weights, at(base, i), 'f32'));
          },
          columns: (k) => {
            const base = emitter.bind(emitter.index(addIndex(columnsAt, scaleIndex(k, pitch))));
            return upTo(tile.vectors).map((v) => load(input.buffer, at(base, v * lanes), 'f32', lanes));
          },
        },
        place: { buffer: sums, base: emitter.bind(emitter.index(scaleIndex(addIndex(scaleIndex(p, columnTiles), j), tileSize(plan)))) },
        multiplyAdd: (row, column, sum) => fma(row, column, sum),
        resumes: undefined,
      });
    });
  });
}

/** Elements of the plane of one row of all tiles of a block. */
const planeSize = ({ site, cut, filtering }: WinogradPlan): number => {
  const lanes = site.capabilities.simd.vectorLanes;
  return Math.ceil((cut.rows * cut.columns) / lanes) * lanes * filtering.results;
};

/** Back to results: all tiles of one filter, in the order of the image. */
function transformOutput({ emitter, plan, sums, results }: Step, row: IndexExpr): void {
  const { site, filtering, tile, columnTiles, cut } = plan;
  const lanes = site.capabilities.simd.vectorLanes;
  const vectors = Math.ceil((cut.rows * cut.columns) / lanes);
  const name = emitter.fresh('vec');
  emitter.loop(name, index(0), index(vectors), 1, () => {
    const q = indexSymbol(name, 0, vectors - 1);
    const inTile = addIndex(scaleIndex(addIndex(scaleIndex(row, tile.vectors), modIndex(q, tile.vectors)), lanes), scaleIndex(floorDiv(q, tile.vectors), tileSize(plan)));
    const from = emitter.bind(emitter.index(inTile));
    const points = square(filtering.side, (y, x) => emitter.bind(load(sums, at(from, (y * filtering.side + x) * columnTiles * tileSize(plan)), 'f32', lanes)));
    const to = emitter.bind(emitter.index(scaleIndex(q, lanes * filtering.results)));
    transformBoth(emitter, filtering.output, points).forEach((line, y) =>
      joinPhases(emitter, line).forEach((value, v) => emitter.push(store(results, at(to, y * planeSize(plan) + v * lanes), value))),
    );
  });
}

/** Stores the results of one filter, with what is fused behind them. */
function storeResults({ emitter, plan, batch, block, results }: Step, filter: IndexExpr): void {
  const { site, geometry, filtering, cut } = plan;
  const { high, wide } = geometry;
  const size = filtering.results;
  const left = (extent: number, first: IndexExpr, most: number): Expr =>
    extent % most === 0 ? index(most) : emitter.bind(least(minus(index(extent), emitter.index(first)), index(most)));
  const [top, side] = [scaleIndex(block.row, size), scaleIndex(block.column, size)];
  const row = emitter.fresh('row');
  const channel = addIndex(scaleIndex(batch[1]!, geometry.filters), filter);
  const count = cut.columns * size >= wide.output ? index(wide.output) : left(wide.output, side, cut.columns * size);
  emitter.loop(row, index(0), left(high.output, top, cut.rows * size), 1, () => {
    const y = indexSymbol(row, 0, cut.rows * size - 1);
    const at = emitter.index(y);
    const place = add(mul(binary('div', at, index(size)), index(cut.columns * size)), mul(binary('rem', at, index(size)), index(planeSize(plan))));
    const from = emitter.bind(place);
    storeColumns(emitter, count, cut.columns * size, site.capabilities.simd.vectorLanes, (first, lanes, lane) => {
      const value = load(results, add(from, emitter.index(first)), 'f32', lanes);
      site.store(emitter, [batch[0]!, channel, addIndex(top, y), addIndex(side, addIndex(first, lane))], value);
    });
  });
}

/** Products and results of the panels of filters of a grid step. */
function writePanels(step: Step, part: IndexExpr, input: Transformed): void {
  const { emitter, plan } = step;
  const { tile, geometry, parts } = plan;
  const panels = Math.ceil(geometry.filters / tile.rows);
  const perPart = Math.ceil(panels / parts);
  const from = emitter.bind(emitter.index(scaleIndex(part, perPart)));
  const panelName = emitter.fresh('panel');
  emitter.loop(panelName, from, least(at(from, perPart), index(panels)), 1, () => {
    const panel = indexSymbol(panelName, 0, panels - 1);
    multiply(step, panel, input);
    const first = scaleIndex(panel, tile.rows);
    const rows = geometry.filters % tile.rows === 0 ? index(tile.rows) : emitter.bind(least(minus(index(geometry.filters), emitter.index(first)), index(tile.rows)));
    const row = emitter.fresh('filter');
    emitter.loop(row, index(0), rows, 1, () => {
      const r = indexSymbol(row, 0, tile.rows - 1);
      transformOutput(step, r);
      storeResults(step, nameIndex(emitter, addIndex(first, r)));
    });
  });
}

const inputSize = (plan: WinogradPlan): number => pointsOf(plan) * plan.geometry.channels * plan.pitch;

function inputKernel(plan: WinogradPlan, target: MemorySlot): LoweredKernel {
  const { geometry, images, tiling, cut, filtering } = plan;
  const emitter = new Emitter();
  const blocks = blocksOf(tiling, cut);
  const { position, grid } = openGrid(emitter, [images, geometry.groups, blocks, geometry.channels]);
  const batch = position.slice(0, 2);
  const base = scaleIndex(linearIndex(position.slice(0, 3), stridesOf([images, geometry.groups, blocks])), inputSize(plan));
  transformInput(emitter, plan, openBlock(emitter, tiling, cut, batch, position[2]!), position[3]!, 1, { buffer: emitter.buffer(target, 'write'), base });
  const tiles = images * geometry.groups * geometry.channels * tiling.high.output * tiling.wide.output;
  return emitter.finish('winogradInput', grid, { flops: tiles * transformFlops(filtering.input), bytes: tiles * pointsOf(plan) * 4 });
}

function lowerWinograd(plan: WinogradPlan): readonly LoweredKernel[] {
  const { site, geometry, images, tiling, cut, columnTiles, parts } = plan;
  const blocks = blocksOf(tiling, cut);
  const shared = plan.sharesInput ? createSlot('value', { dtype: 'f32', shape: [images, geometry.groups, blocks, inputSize(plan)] }) : undefined;
  const emitter = site.createEmitter();
  const { position, grid } = openGrid(emitter, [images, geometry.groups, blocks, parts]);
  const batch = position.slice(0, 2);
  const scratch = (elements: number): string => emitter.buffer(createSlot('scratch', { dtype: 'f32', shape: [elements] }), 'write');
  const step: Step = {
    emitter,
    plan,
    batch,
    block: openBlock(emitter, tiling, cut, batch, position[2]!),
    sums: scratch(pointsOf(plan) * columnTiles * tileSize(plan)),
    results: scratch(planeSize(plan) * plan.filtering.results),
  };
  let input: Transformed;
  if (shared === undefined) {
    input = { buffer: scratch(inputSize(plan)), base: ZERO };
    transformInput(emitter, plan, step.block, ZERO, geometry.channels, input);
  } else {
    const base = scaleIndex(linearIndex(position.slice(0, 3), stridesOf([images, geometry.groups, blocks])), inputSize(plan));
    input = { buffer: emitter.buffer(shared, 'read'), base: nameIndex(emitter, base) };
  }
  writePanels(step, position[3]!, input);
  const products = 2 * pointsOf(plan) * elementCount([images, geometry.groups, geometry.channels, geometry.filters, tiling.high.output, tiling.wide.output]);
  const kernel = site.finish(emitter, 'winograd', grid, { flops: products, bytes: 0 });
  return shared === undefined ? [kernel] : [inputKernel(plan, shared), kernel];
}

export const winogradTemplate: ContractionTemplate = {
  name: 'winograd',
  plan(site: ContractionSite) {
    const { node } = site;
    if (node.op !== 'conv' || site.shape.length !== 4 || !hasVectors(site) || !site.isConstant(1)) return undefined;
    if ([...node.inputs, ...node.outputs].some((x) => x.dtype !== 'f32')) return undefined;
    const geometry = geometryOf(site, node);
    const fits = [geometry.high, geometry.wide].every((axis) => axis.taps === TAPS && axis.stride === 1 && axis.dilation === 1);
    const plan = fits ? planWinograd(site, geometry, FILTERINGS) : undefined;
    return plan === undefined ? undefined : () => lowerWinograd(plan);
  },
};
