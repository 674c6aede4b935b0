// Convolutions of few channels and filters in each group, first of all depthwise ones: too little to multiply for a matrix product. Each
// grid step copies the padded input of a block of one group; vectors run along the rows of the result, and taps are written out.
import { ZERO, addIndex, constantIndex, delinearize, indexSymbol, scaleIndex } from '../../../core/indexExpr.ts';
import type { IndexExpr } from '../../../core/indexExpr.ts';
import { elementCount } from '../../../core/shape.ts';
import { add, assign, cast, constant, declare, index, load, splat, store, variable } from '../../../kernel/build.ts';
import type { Expr } from '../../../kernel/ir.ts';
import type { Position } from '../../positions.ts';
import { createSlot } from '../../storage.ts';
import { computeType, typed } from '../../emit/compute.ts';
import type { Emitter, LoweredKernel } from '../../emit/emitter.ts';
import { hasVectors } from '../templates.ts';
import type { ContractionSite, ContractionTemplate } from '../templates.ts';
import { createImage, fillImage, openBlock, positionIn, resultsOf, tapOrigin } from './image.ts';
import type { Block, Image } from './image.ts';
import { openGrid } from './product.ts';
import { storeColumns } from './results.ts';
import { at, multiplyAddOf } from './tile.ts';
import { columnBlocks, geometryOf, innerPosition, layoutOf, positionsOf, rowBlocks, tapsOf } from './window.ts';
import type { ConvGeometry, ImageCut } from './window.ts';

/** More taps than this are not written out; more filters share enough for a matrix product. */
const MAX_TAPS = 32;
const MAX_FILTERS = 2;
/** Share of the first-level cache for the input and the sums of a block. */
const BLOCK_SHARE = 2 / 3;

/** Blocks of as many whole rows as the first-level cache holds, or of parts of one row. */
function cutOf(site: ContractionSite, g: ConvGeometry): ImageCut {
  const { simd } = site.capabilities;
  const planes = g.channels * elementCount(g.lead.map((a) => a.taps));
  const bytes = (cut: ImageCut): number => {
    const { rows, phases, width } = layoutOf(g, cut);
    return 4 * (planes * rows * phases * width + cut.rows * cut.columns);
  };
  const fits = (cut: ImageCut): boolean => bytes(cut) <= simd.l1Bytes * BLOCK_SHARE;
  let columns = g.wide.output;
  while (columns > 2 * simd.vectorLanes && !fits({ rows: 1, columns })) columns = Math.ceil(columns / 2 / simd.vectorLanes) * simd.vectorLanes;
  if (columns < g.wide.output) return { rows: 1, columns };
  let rows = g.high.output;
  while (rows > 1 && !fits({ rows, columns })) rows = Math.ceil(rows / 2);
  return { rows, columns };
}

/** The weights of one filter, tap by tap, as vectors of equal lanes. */
function readWeights({ emitter, site, geometry, lanes, dtype }: Image, filter: IndexExpr): Expr[] {
  const { slot, offset, strides } = site.operands[1];
  const shape = site.node.inputs[1]!.shape.slice(1);
  const buffer = emitter.buffer(slot, 'read');
  const base = emitter.bind(emitter.index(addIndex(scaleIndex(filter, strides[0]!), offset)));
  return Array.from({ length: geometry.channels * tapsOf(geometry) }, (_, k) => {
    const place = delinearize(constantIndex(k), shape).reduce((sum, x, i) => sum + x.constant * strides[i + 1]!, 0);
    return emitter.bind(splat(cast(computeType(dtype), load(buffer, at(base, place), computeType(slot.dtype))), lanes));
  });
}

/** Sums of one filter for all results of a block, row after row; what a vector writes too much, the next row or nothing lies under. */
function writeSums(image: Image, block: Block, weights: readonly Expr[], sums: string): void {
  const { emitter, geometry, cut, lanes, dtype, buffer } = image;
  const { high, wide } = geometry;
  const type = computeType(dtype);
  const [row, column] = [emitter.fresh('row'), emitter.fresh('col')];
  const multiplyAdd = multiplyAddOf(image.site.node.attrs.words);
  const taps = [geometry.channels * elementCount(geometry.lead.map((a) => a.taps)), high.taps, wide.taps];
  emitter.loop(row, index(0), block.rows, 1, () => {
    const r = indexSymbol(row, 0, cut.rows - 1);
    const from = emitter.bind(emitter.index(tapOrigin(image, ZERO, r, ZERO, ZERO)));
    const to = emitter.bind(emitter.index(scaleIndex(r, cut.columns)));
    emitter.loop(column, index(0), index(cut.columns), lanes, () => {
      const c = emitter.index(indexSymbol(column, 0, cut.columns - 1));
      const source = emitter.bind(add(from, c));
      const sum = emitter.fresh('a');
      emitter.push(declare(sum, splat(constant(type, typed(type, 0)), lanes)));
      for (const [k, weight] of weights.entries()) {
        const [plane, ky, kx] = delinearize(constantIndex(k), taps);
        const value = load(buffer, at(source, tapOrigin(image, plane!, ZERO, ky!, kx!).constant), type, lanes);
        emitter.push(assign(sum, multiplyAdd(value, weight, variable(sum, type, lanes))));
      }
      emitter.push(store(sums, add(to, c), variable(sum, type, lanes)));
    });
  });
}

function lowerDepthwise(site: ContractionSite, g: ConvGeometry): LoweredKernel {
  const { dtype } = site.node.outputs[0]!;
  const lanes = site.capabilities.simd.vectorLanes;
  const cut = cutOf(site, g);
  const emitter: Emitter = site.createEmitter();
  const { position, grid } = openGrid(emitter, [site.shape[0]!, g.groups, ...g.lead.map((a) => a.output), rowBlocks(g, cut) * columnBlocks(g, cut)]);
  const [batch, number] = [position.slice(0, -1), position.at(-1)!];
  const planes = g.channels * elementCount(g.lead.map((a) => a.taps));
  const image = createImage(emitter, site, g, cut, planes);
  const size = cut.rows * cut.columns;
  const sums = emitter.buffer(createSlot('scratch', { dtype, shape: [size + lanes] }), 'write');
  const block = openBlock(emitter, g, cut, batch, number);
  fillImage(image, block, ZERO, index(planes), planes);
  const count = resultsOf(emitter, g, cut, block);
  const filter = emitter.fresh('filter');
  emitter.loop(filter, index(0), index(g.filters), 1, () => {
    const channel = addIndex(scaleIndex(batch[1]!, g.filters), indexSymbol(filter, 0, g.filters - 1));
    writeSums(image, block, readWeights(image, channel), sums);
    storeColumns(emitter, count, size, lanes, (first, width, lane) => {
      const inner = positionIn(g, cut, number, addIndex(first, lane));
      const place: Position = [batch[0]!, channel, ...batch.slice(2), ...innerPosition(g, site.shape.length - 2, inner)];
      site.store(emitter, place, load(sums, emitter.index(first), computeType(dtype), width));
    });
  });
  return site.finish(emitter, 'depthwise', grid);
}

export const depthwiseTemplate: ContractionTemplate = {
  name: 'depthwise',
  plan(site) {
    const { node } = site;
    if (node.op !== 'conv' || !hasVectors(site) || site.shape.length < 3) return undefined;
    const g = geometryOf(site, node);
    const fits = g.filters <= MAX_FILTERS && g.channels * tapsOf(g) <= MAX_TAPS && g.wide.output * 4 >= site.capabilities.simd.vectorLanes;
    return fits && positionsOf(g) > 1 ? () => [lowerDepthwise(site, g)] : undefined;
  },
};
