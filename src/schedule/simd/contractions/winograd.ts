// Convolutions of stride 1 by minimal filtering (filtering.ts), along one axis or both: F(4×4, 3×3) needs 36 multiplications where the plain
// way has 144, F(2×2, 5×5) 36 where it has 100, F(3, 7) along a row 9 where it has 21. A grid step takes a block of tiles through: their
// transformed input stays in the second-level cache, products over the channels follow point by point for a few vectors of filters at a time,
// and go back to results at once. Where there are few blocks, the input is transformed by a kernel of its own, so that steps for different
// filters share it.
//
// Vectors run along channels and filters, so both transforms are arithmetic of whole vectors. Where channels lie side by side in memory, no
// lanes change places at all.
import { range } from '../../../core/integers.ts';
import { ZERO, addIndex, constantIndex, indexSymbol, linearIndex, scaleIndex } from '../../../core/indexExpr.ts';
import type { IndexExpr } from '../../../core/indexExpr.ts';
import { elementCount, stridesOf } from '../../../core/shape.ts';
import { add, constant, fma, index, load, mul, splat, store } from '../../../kernel/build.ts';
import type { Expr } from '../../../kernel/ir.ts';
import { createSlot } from '../../storage.ts';
import type { MemorySlot } from '../../storage.ts';
import { Emitter } from '../../emit/emitter.ts';
import type { LoweredKernel } from '../../emit/emitter.ts';
import { guarded } from '../../emit/places.ts';
import { wholeSteps } from '../../emit/strips.ts';
import { hasVectors, isInputLast } from '../templates.ts';
import type { ContractionSite, ContractionTemplate } from '../templates.ts';
import { filteringsFor, rectangle, transformBoth, transformFlops } from './filtering.ts';
import { openBlock, within } from './image.ts';
import type { Block } from './image.ts';
import { openGrid } from './product.ts';
import { joinPhases } from './lanes.ts';
import { at, least, minus, nameIndex, writeTile } from './tile.ts';
import { geometryOf } from './window.ts';
import type { ConvGeometry } from './window.ts';
import { blocksOf, countPoints, lanesOf, planWinograd, reachOf, tileSize, tilesOf, turnsInput, turnsOutput, widthOf } from './winogradPlan.ts';
import type { WinogradPlan } from './winogradPlan.ts';
import { turnResults, writeResults } from './winogradResults.ts';
import type { Step } from './winogradResults.ts';

/** Strides of an operand along the two axes of the image. */
function innerStrides({ isTurned }: ConvGeometry, strides: readonly number[]): readonly [high: number, wide: number] {
  const [above, last] = strides.length === 3 ? [0, strides[2]!] : [strides[2]!, strides[3]!];
  return isTurned ? [last, above] : [above, last];
}

/** Filters at all points, transformed once at load, in the order in which tiles of registers read them: [group][panel][point][channel][filter]. */
function packWeights(plan: WinogradPlan): { readonly slot: MemorySlot; readonly strides: readonly number[] } {
  const { site, geometry } = plan;
  const { groups, channels, filters } = geometry;
  const [high, wide] = [plan.filtering.high, plan.filtering.wide];
  const source = site.operands[1];
  const width = widthOf(plan);
  const panels = Math.ceil(filters / width);
  const strides = stridesOf([groups, panels, countPoints(plan), channels, width]);
  const layout = `filtering ${high.side}×${wide.side} of ${geometry.high.taps}×${geometry.wide.taps} panels of ${width}|${groups}|${filters}|${channels}`;
  const [below, beside] = innerStrides(geometry, source.strides);
  const { slot } = site.pack(source, layout, 'f32', groups * strides[0]!, (emitter, from, to) => {
    const { position, grid } = openGrid(emitter, [groups, panels, channels]);
    const [group, panel, channel] = [position[0]!, position[1]!, position[2]!];
    emitter.loop('column', index(0), index(width), 1, () => {
      const column = indexSymbol('column', 0, width - 1);
      // Past the last filter the last one is taken again.
      const filter = emitter.bind(least(emitter.index(addIndex(scaleIndex(panel, width), column)), index(filters - 1)));
      const base = emitter.bind(add(emitter.index(linearIndex([scaleIndex(group, filters), channel], from.strides, from.offset)), mul(filter, index(from.strides[0]!))));
      const tap = (y: number, x: number): Expr => emitter.bind(load(emitter.buffer(from.slot, 'read'), at(base, y * below + x * beside), 'f32'));
      const taps = rectangle(geometry.high.taps, geometry.wide.taps, tap);
      const target = emitter.bind(emitter.index(linearIndex([group, panel, ZERO, channel, column], strides)));
      const points = transformBoth(emitter, high.weights, wide.weights, taps).flat();
      points.forEach((value, point) => emitter.push(store(emitter.buffer(to, 'write'), at(target, point * strides[2]!), value)));
    });
    return grid;
  });
  return { slot, strides };
}

/** Where transformed input lies: `base`, then [point][tile of the block][channel]. */
interface Transformed {
  readonly buffer: string;
  readonly base: IndexExpr;
}

/** A vector of channels of the input that one row of tiles reads, with zeros around the image: [row][column][channel]. */
interface Lines {
  readonly emitter: Emitter;
  readonly plan: WinogradPlan;
  readonly buffer: string;
}

function openLines(emitter: Emitter, plan: WinogradPlan): Lines {
  const slot = createSlot('scratch', { dtype: 'f32', shape: [plan.filtering.high.side * reachOf(plan) * lanesOf(plan)] });
  return { emitter, plan, buffer: emitter.buffer(slot, 'write') };
}

/** Copies what the tiles of row `row` of a block read of the channels of vector number `vector`. */
function fillLines({ emitter, plan, buffer }: Lines, { batch, row: firstRow, column }: Block, row: IndexExpr, vector: IndexExpr): void {
  const { site, geometry, filtering } = plan;
  const { high, wide, channels } = geometry;
  const lanes = lanesOf(plan);
  const width = reachOf(plan);
  const storage = site.operands[0];
  const left = scaleIndex(column, filtering.wide.results);
  const line = emitter.fresh('line');
  const [low, end] = [wide.low, wide.input + wide.low].map((x) => within(emitter, x, left, width));
  const zeros = splat(constant('f32', 0), lanes);
  emitter.loop(line, index(0), index(filtering.high.side), 1, () => {
    const i = indexSymbol(line, 0, filtering.high.side - 1);
    const y = nameIndex(emitter, addIndex(addIndex(scaleIndex(addIndex(firstRow, row), filtering.high.results), i), -high.low));
    const to = scaleIndex(i, width * lanes);
    const each = (from: Expr, until: Expr, write: (x: IndexExpr, place: IndexExpr) => void): void => {
      const name = emitter.fresh('col');
      const x = indexSymbol(name, 0, width - 1);
      emitter.loop(name, from, until, 1, () => write(x, addIndex(to, scaleIndex(x, lanes))));
    };
    const clear = (from: Expr, until: Expr): void => each(from, until, (_, place) => emitter.push(store(buffer, emitter.index(place), zeros)));
    const source = (x: IndexExpr, lane: IndexExpr): Expr => {
      const channel = addIndex(addIndex(scaleIndex(batch[1]!, channels), scaleIndex(vector, lanes)), lane);
      const place = [batch[0]!, channel, y, addIndex(addIndex(left, x), -wide.low)];
      return emitter.index(linearIndex(place, [storage.strides[0]!, storage.strides[1]!, high.memoryStride, wide.memoryStride], storage.offset));
    };
    const read = emitter.buffer(storage.slot, 'read');
    const copyVectors = (): void => each(low!, end!, (x, place) => emitter.push(store(buffer, emitter.index(place), load(read, source(x, ZERO), 'f32', lanes))));
    const copyEach = (count: number, from: Expr): void => {
      const name = emitter.fresh('lane');
      const lane = indexSymbol(name, 0, lanes - 1);
      emitter.loop(name, index(0), index(count), 1, () =>
        each(from, end!, (x, place) => emitter.push(store(buffer, emitter.index(addIndex(place, lane)), load(read, source(x, lane), 'f32')))),
      );
    };
    const copyLanes = (count: number): void => {
      if (count < lanes) clear(low!, end!);
      copyEach(count, low!);
    };
    // Squares of channels and neighbours, turned around in registers.
    const copyTurned = (): void => {
      const until = wholeSteps(emitter, low!, end!, lanes);
      const name = emitter.fresh('col');
      const x = indexSymbol(name, 0, width - lanes);
      emitter.loop(name, low!, until, lanes, () => {
        const planes = range(lanes).map((i) => emitter.bind(load(read, source(x, constantIndex(i)), 'f32', lanes)));
        const place = emitter.bind(emitter.index(addIndex(to, scaleIndex(x, lanes))));
        joinPhases(emitter, planes).forEach((value, i) => emitter.push(store(buffer, at(place, i * lanes), value)));
      });
      copyEach(lanes, until);
    };
    const copy = (): void => (isInputLast(site) ? copyVectors() : turnsInput(plan) ? copyTurned() : copyLanes(lanes));
    const rest = channels % lanes;
    const inImage = (): void => {
      clear(index(0), low!);
      if (rest === 0) copy();
      else guarded(emitter, [{ value: vector, low: 0, high: Math.floor(channels / lanes) }], copy, () => copyLanes(rest));
      clear(end!, index(width));
    };
    guarded(emitter, [{ value: y, low: 0, high: high.input }], inImage, () => clear(index(0), index(width)));
  });
}

/** Transforms what a block of tiles reads of the channels of vector number `vector`. */
function transformInput(lines: Lines, block: Block, vector: IndexExpr, { buffer, base }: Transformed): void {
  const { emitter, plan } = lines;
  const { filtering, cut, pitch } = plan;
  const { high, wide } = filtering;
  const lanes = lanesOf(plan);
  const [row, column] = [emitter.fresh('row'), emitter.fresh('col')];
  emitter.loop(row, index(0), index(cut.rows), 1, () => {
    const r = indexSymbol(row, 0, cut.rows - 1);
    fillLines(lines, block, r, vector);
    emitter.loop(column, index(0), index(cut.columns), 1, () => {
      const x = indexSymbol(column, 0, cut.columns - 1);
      const from = emitter.bind(emitter.index(scaleIndex(x, wide.results * lanes)));
      const tile = rectangle(high.side, wide.side, (y, k) => emitter.bind(load(lines.buffer, at(from, (y * reachOf(plan) + k) * lanes), 'f32', lanes)));
      const place = emitter.bind(emitter.index(linearIndex([r, x, vector], [cut.columns * pitch, pitch, lanes], 0)));
      const origin = emitter.bind(add(emitter.index(base), place));
      const points = transformBoth(emitter, high.input, wide.input, tile).flat();
      points.forEach((value, point) => emitter.push(store(buffer, at(origin, point * tilesOf(cut) * pitch), value)));
    });
  });
}

/** The products of one panel of filters at all points. */
function multiply({ emitter, plan, batch, sums }: Step, panel: IndexExpr, input: Transformed): void {
  const { geometry, tile, cut, pitch } = plan;
  const lanes = lanesOf(plan);
  const width = widthOf(plan);
  const tiles = tilesOf(cut);
  const { slot, strides } = packWeights(plan);
  const weights = emitter.buffer(slot, 'read');
  const point = emitter.fresh('point');
  emitter.loop(point, index(0), index(countPoints(plan)), 1, () => {
    const p = indexSymbol(point, 0, countPoints(plan) - 1);
    const columnsAt = linearIndex([batch[1]!, panel, p], strides);
    const multiplyRows = (number: IndexExpr, rows: number): void => {
      const rowsAt = addIndex(addIndex(input.base, scaleIndex(p, tiles * pitch)), scaleIndex(number, tile.rows * pitch));
      writeTile(emitter, {
        tile: { ...tile, rows },
        lanes,
        dtype: 'f32',
        depth: { steps: index(geometry.channels), most: geometry.channels },
        operands: {
          rows: (k) => {
            const base = emitter.bind(emitter.index(addIndex(rowsAt, k)));
            return range(rows).map((i) => load(input.buffer, at(base, i * pitch), 'f32'));
          },
          columns: (k) => {
            const base = emitter.bind(emitter.index(addIndex(columnsAt, scaleIndex(k, width))));
            return range(tile.vectors).map((v) => load(weights, at(base, v * lanes), 'f32', lanes));
          },
        },
        place: { buffer: sums, base: emitter.bind(emitter.index(scaleIndex(addIndex(scaleIndex(number, countPoints(plan)), p), tileSize(plan)))) },
        multiplyAdd: (row, column, sum) => fma(row, column, sum),
        resumes: undefined,
      });
    };
    const whole = Math.floor(tiles / tile.rows);
    const name = emitter.fresh('tile');
    if (whole > 0) emitter.loop(name, index(0), index(whole), 1, () => multiplyRows(indexSymbol(name, 0, whole - 1), tile.rows));
    if (tiles % tile.rows > 0) multiplyRows(addIndex(ZERO, whole), tiles % tile.rows);
  });
}

/** Products and results of the panels of filters of a grid step. */
function writePanels(step: Step, part: IndexExpr, input: Transformed): void {
  const { emitter, plan } = step;
  const { geometry, parts } = plan;
  const width = widthOf(plan);
  const panels = Math.ceil(geometry.filters / width);
  const perPart = Math.ceil(panels / parts);
  const from = emitter.bind(emitter.index(scaleIndex(part, perPart)));
  const name = emitter.fresh('panel');
  emitter.loop(name, from, least(at(from, perPart), index(panels)), 1, () => {
    const panel = indexSymbol(name, 0, panels - 1);
    multiply(step, panel, input);
    const left = minus(index(geometry.filters), emitter.index(scaleIndex(panel, width)));
    const count = geometry.filters % width === 0 ? index(width) : emitter.bind(least(left, index(width)));
    (turnsOutput(plan.site, geometry) ? turnResults : writeResults)(step, panel, count);
  });
}

const inputSize = (plan: WinogradPlan): number => countPoints(plan) * tilesOf(plan.cut) * plan.pitch;
const vectorsOf = (plan: WinogradPlan): number => Math.ceil(plan.geometry.channels / lanesOf(plan));

function inputKernel(plan: WinogradPlan, target: MemorySlot): LoweredKernel {
  const { geometry, images, tiling, cut, filtering } = plan;
  const emitter = new Emitter();
  const outer = [images, geometry.groups, blocksOf(tiling, cut)];
  const { position, grid } = openGrid(emitter, [...outer, vectorsOf(plan)]);
  const base = nameIndex(emitter, scaleIndex(linearIndex(position.slice(0, 3), stridesOf(outer)), inputSize(plan)));
  const block = openBlock(emitter, tiling, cut, position.slice(0, 2), position[2]!);
  transformInput(openLines(emitter, plan), block, position[3]!, { buffer: emitter.buffer(target, 'write'), base });
  const tiles = elementCount([images, geometry.groups, geometry.channels, tiling.high.output, tiling.wide.output]);
  return emitter.finish('winogradInput', grid, { flops: tiles * transformFlops(filtering.high.input, filtering.wide.input), bytes: tiles * countPoints(plan) * 4 });
}

function lowerWinograd(plan: WinogradPlan): readonly LoweredKernel[] {
  const { site, geometry, images, tiling, cut, tile, parts, filtering } = plan;
  const outer = [images, geometry.groups, blocksOf(tiling, cut)];
  const shared = plan.sharesInput ? createSlot('value', { dtype: 'f32', shape: [...outer, inputSize(plan)] }) : undefined;
  const emitter = site.createEmitter();
  const { position, grid } = openGrid(emitter, [...outer, parts]);
  const batch = position.slice(0, 2);
  const scratch = (elements: number): string => emitter.buffer(createSlot('scratch', { dtype: 'f32', shape: [elements] }), 'write');
  const step: Step = {
    emitter,
    plan,
    batch,
    block: openBlock(emitter, tiling, cut, batch, position[2]!),
    sums: scratch(Math.ceil(tilesOf(cut) / tile.rows) * countPoints(plan) * tileSize(plan)),
    results: scratch(filtering.high.results * (turnsOutput(site, geometry) ? cut.columns : 1) * filtering.wide.results * widthOf(plan)),
  };
  let input: Transformed;
  if (shared === undefined) {
    const made = { buffer: scratch(inputSize(plan)), base: ZERO };
    const lines = openLines(emitter, plan);
    const name = emitter.fresh('vec');
    emitter.loop(name, index(0), index(vectorsOf(plan)), 1, () => transformInput(lines, step.block, indexSymbol(name, 0, vectorsOf(plan) - 1), made));
    input = made;
  } else {
    const base = scaleIndex(linearIndex(position.slice(0, 3), stridesOf(outer)), inputSize(plan));
    input = { buffer: emitter.buffer(shared, 'read'), base: nameIndex(emitter, base) };
  }
  writePanels(step, position[3]!, input);
  const products = 2 * countPoints(plan) * elementCount([images, geometry.groups, geometry.channels, geometry.filters, tiling.high.output, tiling.wide.output]);
  const kernel = site.finish(emitter, 'winograd', grid, { flops: products, bytes: 0 });
  return shared === undefined ? [kernel] : [inputKernel(plan, shared), kernel];
}

export const winogradTemplate: ContractionTemplate = {
  name: 'winograd',
  plan(site: ContractionSite) {
    const { node } = site;
    if (node.op !== 'conv' || site.shape.length < 3 || site.shape.length > 4 || !hasVectors(site) || !site.isConstant(1)) return undefined;
    if ([...node.inputs, ...node.outputs].some((x) => x.dtype !== 'f32')) return undefined;
    const geometry = geometryOf(site, node);
    const fits = [geometry.high, geometry.wide].every(({ taps, stride, dilation }) => stride === 1 && (taps === 1 || dilation === 1));
    const plan = fits ? planWinograd(site, geometry, filteringsFor(geometry.high.taps, geometry.wide.taps)) : undefined;
    return plan === undefined ? undefined : () => lowerWinograd(plan);
  },
};
