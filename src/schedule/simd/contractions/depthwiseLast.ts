// Convolutions of one channel and one filter in each group, where channels lie side by side in memory: vectors run along channels, and a few
// neighbours of a row are summed together, so that they share what they read. Nothing is copied: taps outside the image are left out, row by
// row, and results beside its ends, whose taps may be outside, are summed one by one.
import { ZERO, addIndex, constantIndex, indexSymbol, linearIndex, scaleIndex } from '../../../core/indexExpr.ts';
import type { IndexExpr } from '../../../core/indexExpr.ts';
import { elementCount } from '../../../core/shape.ts';
import { add, assign, cast, compare, constant, declare, index, load, select, splat, store, variable } from '../../../kernel/build.ts';
import type { ComputeDType, Expr } from '../../../kernel/ir.ts';
import { axisIndex } from '../../nest.ts';
import type { Axis } from '../../nest.ts';
import type { Condition } from '../../point.ts';
import type { Position } from '../../positions.ts';
import type { MemorySlot } from '../../storage.ts';
import { computeType, typed } from '../../emit/compute.ts';
import type { Emitter, LoweredKernel } from '../../emit/emitter.ts';
import { guarded } from '../../emit/places.ts';
import { halvings, writeStrips } from '../../emit/strips.ts';
import { GRID_VAR, chunkOf, loopFlat, stepBounds } from '../lowerNest.ts';
import { hasVectors, isChannelsLast } from '../templates.ts';
import type { ContractionSite, ContractionTemplate } from '../templates.ts';
import { cheapest } from './blocking.ts';
import { openGrid } from './product.ts';
import { at, multiplyAddOf } from './tile.ts';
import { geometryOf, innerPosition, reachOf, tapsOf } from './window.ts';
import type { ConvGeometry, WindowAxis } from './window.ts';

/** More taps than this are not written out. */
const MAX_TAPS = 64;
/** Most neighbours that are summed together. */
const MAX_TOGETHER = 8;

/** Results of a row all of whose taps are in the row: [from, to). */
function insideOf(wide: WindowAxis): { readonly from: number; readonly to: number } {
  const from = Math.min(Math.ceil(wide.low / wide.stride), wide.output);
  const to = Math.floor((wide.input - 1 - reachOf(wide) + wide.low) / wide.stride) + 1;
  return { from, to: Math.max(Math.min(to, wide.output), from) };
}

/** How many neighbours to sum together: what is left over costs its own loads of everything. */
function togetherOf({ high, wide }: ConvGeometry, registers: number): number {
  const inside = insideOf(wide);
  const count = inside.to - inside.from;
  const most = Math.max(Math.min(MAX_TOGETHER, Math.floor(registers / 2) - 2, count), 1);
  const costOf = (n: number): number => {
    const loads = (n - 1) * wide.stride + reachOf(wide) + 1 + wide.taps;
    const block = high.taps * (loads + n * wide.taps) + n;
    return Math.floor(count / n) * block + (count % n) * (3 * high.taps * wide.taps + 1);
  };
  return cheapest(
    Array.from({ length: most }, (_, i) => i + 1),
    costOf,
  );
}

/** Weights as [tap][channel]. */
function packWeights(site: ContractionSite, g: ConvGeometry): MemorySlot {
  const taps = [g.high.taps, g.wide.taps];
  const source = site.operands[1];
  const { dtype } = site.node.outputs[0]!;
  return site.pack(source, `taps of ${g.groups}|${taps.join()}`, dtype, elementCount(taps) * g.groups, (emitter, from, to) => {
    const { position, grid } = openGrid(emitter, [...taps, g.groups]);
    const [y, x, channel] = [position[0]!, position[1]!, position[2]!];
    const inner = innerPosition(g, from.strides.length - 2, [y, x]);
    const value = load(emitter.buffer(from.slot, 'read'), emitter.index(linearIndex([channel, ZERO, ...inner], from.strides, from.offset)), computeType(from.slot.dtype));
    emitter.push(store(emitter.buffer(to, 'write'), emitter.index(linearIndex([y, x, channel], [g.wide.taps * g.groups, g.groups, 1])), cast(computeType(dtype), value)));
    return grid;
  }).slot;
}

/** A vector of channels of the results of one row. */
interface Strip {
  readonly emitter: Emitter;
  readonly site: ContractionSite;
  readonly geometry: ConvGeometry;
  readonly weights: MemorySlot;
  readonly image: IndexExpr;
  /** In the result. */
  readonly row: IndexExpr;
  /** The channels, lane by lane, and the first of them. */
  readonly channel: IndexExpr;
  readonly first: IndexExpr;
  readonly lanes: number;
  readonly type: ComputeDType;
}

/** Adds what tap row `ky` of `count` neighbours from `column` on gives; `guards`: whether the tap of each column of the input must be asked for. */
function addRow(strip: Strip, ky: number, column: IndexExpr, sums: readonly string[], guards: boolean): void {
  const { emitter, site, geometry, first, lanes, type } = strip;
  const { high, wide, groups } = geometry;
  const storage = site.operands[0];
  const y = addIndex(scaleIndex(strip.row, high.stride), ky * high.dilation - high.low);
  const x = addIndex(scaleIndex(column, wide.stride), -wide.low);
  const multiplyAdd = multiplyAddOf(undefined);
  const read = emitter.buffer(storage.slot, 'read');
  const weights = emitter.buffer(strip.weights, 'read');
  const inside: Condition = { value: y, low: 0, high: high.input };
  guarded(emitter, [inside], () => {
    const origin = linearIndex([strip.image, first], storage.strides.slice(0, 2), storage.offset);
    const from = emitter.bind(emitter.index(addIndex(addIndex(origin, scaleIndex(y, high.memoryStride)), scaleIndex(x, wide.memoryStride))));
    const weightsAt = emitter.bind(emitter.index(first));
    const taps = Array.from({ length: wide.taps }, (_, kx) => kx);
    const weightOf = (kx: number): Expr => emitter.bind(load(weights, at(weightsAt, (ky * wide.taps + kx) * groups), type, lanes));
    const valueAt = (u: number): Expr => emitter.bind(cast(type, load(read, at(from, u * wide.memoryStride), computeType(storage.slot.dtype), lanes)));
    const addTap = (i: number, value: Expr, weight: Expr): void => emitter.push(assign(sums[i]!, multiplyAdd(value, weight, variable(sums[i]!, type, lanes))));
    if (guards) {
      for (const kx of taps) guarded(emitter, [{ value: addIndex(x, kx * wide.dilation), low: 0, high: wide.input }], () => addTap(0, valueAt(kx * wide.dilation), weightOf(kx)));
      return;
    }
    const known = taps.map(weightOf);
    const last = (sums.length - 1) * wide.stride + reachOf(wide);
    for (let u = 0; u <= last; u++) {
      const users = sums.flatMap((_, i) => taps.filter((kx) => i * wide.stride + kx * wide.dilation === u).map((kx) => [i, kx] as const));
      if (users.length === 0) continue;
      const value = valueAt(u);
      for (const [i, kx] of users) addTap(i, value, known[kx]!);
    }
  });
}

/** Sums and stores `count` neighbours from `column` on. */
function writeTogether(strip: Strip, column: IndexExpr, count: number, guards: boolean): void {
  const { emitter, site, geometry, lanes, type } = strip;
  const sums = Array.from({ length: count }, () => emitter.fresh('a'));
  for (const name of sums) emitter.push(declare(name, splat(constant(type, typed(type, 0)), lanes)));
  for (let ky = 0; ky < geometry.high.taps; ky++) addRow(strip, ky, column, sums, guards);
  sums.forEach((name, i) => {
    const inner = innerPosition(geometry, site.shape.length - 2, [strip.row, addIndex(column, i)]);
    site.store(emitter, [strip.image, strip.channel, ...inner], variable(name, type, lanes));
  });
}

/** One row of the result: blocks of neighbours in its middle, and one by one what is left beside them. */
function writeRow(site: ContractionSite, emitter: Emitter, geometry: ConvGeometry, weights: MemorySlot, [image, row]: Position): void {
  const { wide, groups } = geometry;
  const { simd } = site.capabilities;
  const together = togetherOf(geometry, simd.vectorRegisters);
  const { from, to } = insideOf(wide);
  const end = from + Math.floor((to - from) / together) * together;
  const alongChannels = (column: IndexExpr, count: number, guards: boolean): void => {
    const axis: Axis = { name: emitter.fresh('c'), extent: groups };
    writeStrips(emitter, {
      axis,
      widths: halvings(simd.vectorLanes),
      values: [],
      write: (substitution, lanes) => {
        const channel = substitution.index(axisIndex(axis));
        const first = lanes === 1 ? channel : emitter.atLane(channel, 0);
        const strip: Strip = { emitter, site, geometry, weights, image: image!, row: row!, channel, first, lanes, type: computeType(site.node.outputs[0]!.dtype) };
        emitter.scoped(() => writeTogether(strip, column, count, guards));
      },
    });
  };
  const block = emitter.fresh('col');
  emitter.loop(block, index(from), index(end), together, () => alongChannels(indexSymbol(block, from, Math.max(end - together, from)), together, false));
  const beside = wide.output - (end - from);
  const [single, column] = [emitter.fresh('col'), emitter.fresh('col')];
  emitter.loop(single, index(0), index(beside), 1, () => {
    const at = emitter.index(indexSymbol(single, 0, beside - 1));
    emitter.define(column, emitter.bind(end === from ? at : select(compare('lt', at, index(from)), at, add(at, index(end - from)))));
    alongChannels(indexSymbol(column, 0, wide.output - 1), 1, true);
  });
}

function lowerDepthwise(site: ContractionSite, g: ConvGeometry): LoweredKernel {
  const weights = packWeights(site, g);
  const emitter = site.createEmitter();
  const axes: Axis[] = [
    { name: 'image', extent: site.shape[0]! },
    { name: 'row', extent: g.high.output },
  ];
  const rows = elementCount(axes.map((a) => a.extent));
  const chunk = chunkOf(rows, (g.wide.output * g.groups * tapsOf(g)) / site.capabilities.simd.vectorLanes);
  const { from, to } = stepBounds(emitter, rows, chunk.size, chunk.steps);
  loopFlat(emitter, axes, from, to, (bindings) =>
    emitter.scoped(() =>
      writeRow(
        site,
        emitter,
        g,
        weights,
        axes.map((a) => bindings.get(a.name) ?? constantIndex(0)),
      ),
    ),
  );
  return site.finish(emitter, 'depthwise', { var: GRID_VAR, extent: chunk.steps });
}

export const depthwiseLastTemplate: ContractionTemplate = {
  name: 'depthwise',
  plan(site) {
    const { node } = site;
    if (node.op !== 'conv' || site.shape.length < 3 || !hasVectors(site) || !site.isConstant(1) || !isChannelsLast(site)) return undefined;
    const g = geometryOf(site, node);
    const fits = g.lead.length === 0 && g.channels === 1 && g.filters === 1 && node.attrs.words === undefined && tapsOf(g) <= MAX_TAPS;
    return fits ? () => [lowerDepthwise(site, g)] : undefined;
  },
};
