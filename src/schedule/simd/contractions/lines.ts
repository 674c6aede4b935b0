// Lines of an image copied into scratch memory with zeros around them: what windows of some lines of a convolution's result read, so that
// no element is tested for padding. Channels lie side by side in the copy as they do in the image, or each is a plane of its own.
import { ZERO, addIndex, constantIndex, indexSymbol, linearIndex, scaleIndex, subIndex } from '../../../core/indexExpr.ts';
import type { IndexExpr } from '../../../core/indexExpr.ts';
import { add, cast, constant, index, load, mul, splat, store } from '../../../kernel/build.ts';
import type { Expr } from '../../../kernel/ir.ts';
import { computeType, typed } from '../../emit/compute.ts';
import type { Emitter } from '../../emit/emitter.ts';
import { guarded } from '../../emit/places.ts';
import { halvings } from '../../emit/strips.ts';
import { pixelPitch } from '../../layout.ts';
import type { Position } from '../../positions.ts';
import { createSlot } from '../../storage.ts';
import type { ContractionSite } from '../templates.ts';
import type { RegisterTile } from './blocking.ts';
import { depthOffset } from './panels.ts';
import type { Side } from './panels.ts';
import type { Rows } from './product.ts';
import { at, nameIndex } from './tile.ts';
import { reachOf } from './window.ts';
import type { ConvGeometry } from './window.ts';

/** Lines and pixels of the image that `lines` lines of the result read. */
export function linesOf({ high, wide }: ConvGeometry, lines: number): { readonly lines: number; readonly pixels: number } {
  return { lines: (lines - 1) * high.stride + reachOf(high) + 1, pixels: (wide.output - 1) * wide.stride + reachOf(wide) + 1 };
}

export interface LinesCopy {
  readonly geometry: ConvGeometry;
  /** Channels of one chunk of the depth. */
  readonly channels: number;
  /** Lines of the result in one grid step. */
  readonly lines: number;
  /** Elements from one pixel of the copy to the next. */
  readonly pitch: number;
  /** Elements from one channel to the next: 1 where channels lie side by side. */
  readonly apart: number;
}

/** How lines are copied of an image of this geometry: `lanes` apart from what caches would fold. */
export function linesCopy(geometry: ConvGeometry, channels: number, lines: number, isPlanar: boolean, lanes: number): LinesCopy {
  const { lines: above, pixels } = linesOf(geometry, lines);
  return isPlanar
    ? { geometry, channels, lines, pitch: 1, apart: pixelPitch(above * pixels, 4, lanes) }
    : { geometry, channels, lines, pitch: pixelPitch(channels, 4, lanes), apart: 1 };
}

const isPlanar = ({ apart }: LinesCopy): boolean => apart !== 1;
/** Channels of a pixel that lie side by side. */
const beside = (copy: LinesCopy): number => (isPlanar(copy) ? 1 : copy.channels);
const elementsOf = (copy: LinesCopy): number => {
  const { lines, pixels } = linesOf(copy.geometry, copy.lines);
  return isPlanar(copy) ? copy.channels * copy.apart : lines * pixels * copy.pitch;
};

interface Copier {
  readonly emitter: Emitter;
  readonly site: ContractionSite;
  readonly copy: LinesCopy;
  readonly buffer: string;
  readonly lanes: number;
}

/** Calls `write` for all of `count` elements: whole vectors, narrower ones where there are fewer elements, the last of which may reach back. */
function inVectors(emitter: Emitter, count: number, lanes: number, write: (from: IndexExpr, lanes: number) => void): void {
  const width = halvings(lanes).find((w) => w <= count) ?? 1;
  const end = Math.floor(count / width) * width;
  const name = emitter.fresh('c');
  emitter.loop(name, index(0), index(end), width, () => write(indexSymbol(name, 0, end - width), width));
  if (end < count) write(constantIndex(count - width), width);
}

function zero({ emitter, site, buffer, lanes }: Copier, to: IndexExpr, count: number): void {
  const type = computeType(site.node.outputs[0]!.dtype);
  if (count > 0) inVectors(emitter, count, lanes, (from, width) => emitter.push(store(buffer, emitter.index(addIndex(to, from)), splat(constant(type, typed(type, 0)), width))));
}

/** Pixels [low, high) of one line; `from`: the first pixel's first channel in the image. */
function copyPixels({ emitter, site, copy, buffer, lanes }: Copier, from: IndexExpr, to: IndexExpr, low: number, high: number): void {
  const { slot, strides } = site.operands[0];
  const { pitch, geometry } = copy;
  const channels = beside(copy);
  const [apart, step] = [channels === 1 ? 1 : strides[1]!, geometry.wide.memoryStride];
  const put = (source: IndexExpr, target: IndexExpr, width: number): void => {
    const value = load(emitter.buffer(slot, 'read'), emitter.index(source), computeType(slot.dtype), width);
    emitter.push(store(buffer, emitter.index(target), cast(computeType(site.node.outputs[0]!.dtype), value)));
  };
  const first = addIndex(to, low * pitch);
  if (apart === 1 && step === pitch && pitch === channels) {
    return inVectors(emitter, (high - low) * channels, lanes, (c, width) => put(addIndex(from, c), addIndex(first, c), width));
  }
  const [pixel, channel] = [emitter.fresh('pixel'), emitter.fresh('c')];
  const p = indexSymbol(pixel, 0, high - low - 1);
  const overPixels = (write: () => void): void => emitter.loop(pixel, index(0), index(high - low), 1, write);
  const source = addIndex(from, scaleIndex(p, step));
  const target = addIndex(first, scaleIndex(p, pitch));
  if (apart === 1) return overPixels(() => inVectors(emitter, channels, lanes, (c, width) => put(addIndex(source, c), addIndex(target, c), width)));
  const c = indexSymbol(channel, 0, channels - 1);
  emitter.loop(channel, index(0), index(channels), 1, () => overPixels(() => put(addIndex(source, scaleIndex(c, apart)), addIndex(target, c), 1)));
}

/** Copies what `count` lines of the result from `first` on read of the channels from `channel` on. */
function copyLines(copier: Copier, batch: Position, first: IndexExpr, count: Expr, channel: IndexExpr): void {
  const { emitter, site, copy } = copier;
  const { geometry: g } = copy;
  const { strides, offset } = site.operands[0];
  const origin = linearIndex([batch[0]!, addIndex(scaleIndex(batch[1]!, g.channels), channel)], strides, offset);
  const lines = emitter.bind(at(mul(count, index(g.high.stride)), reachOf(g.high) + 1 - g.high.stride));
  if (!isPlanar(copy)) return copyPlane(copier, origin, ZERO, first, lines);
  const name = emitter.fresh('plane');
  const plane = indexSymbol(name, 0, copy.channels - 1);
  emitter.loop(name, index(0), index(copy.channels), 1, () =>
    copyPlane(copier, addIndex(origin, scaleIndex(plane, strides[1]!)), nameIndex(emitter, scaleIndex(plane, copy.apart)), first, lines),
  );
}

/** Copies lines from place `origin` of the image to `target`. */
function copyPlane(copier: Copier, origin: IndexExpr, target: IndexExpr, first: IndexExpr, count: Expr): void {
  const { emitter, copy } = copier;
  const { geometry: g, pitch } = copy;
  const { high, wide } = g;
  const { lines, pixels } = linesOf(g, copy.lines);
  const [low, end] = [Math.min(Math.max(wide.low, 0), pixels), Math.min(Math.max(wide.low + wide.input, 0), pixels)];
  const name = emitter.fresh('line');
  emitter.loop(name, index(0), count, 1, () => {
    const line = indexSymbol(name, 0, lines - 1);
    const y = nameIndex(emitter, addIndex(addIndex(scaleIndex(first, high.stride), line), -high.low));
    const to = nameIndex(emitter, addIndex(target, scaleIndex(line, pixels * pitch)));
    const inside = (): void => {
      zero(copier, to, low * pitch);
      const from = addIndex(addIndex(origin, scaleIndex(y, high.memoryStride)), (low - wide.low) * wide.memoryStride);
      if (low < end) copyPixels(copier, nameIndex(emitter, from), to, low, end);
      zero(copier, addIndex(to, end * pitch), (pixels - end) * pitch);
    };
    guarded(emitter, [{ value: y, low: 0, high: high.input }], inside, () => zero(copier, to, pixels * pitch));
  });
}

/** Positions of a convolution's result as rows, read from such copies; `side` says where they lie there. */
export function paddedRows(site: ContractionSite, copy: LinesCopy, side: Side, tile: RegisterTile): Rows {
  const { dtype } = site.node.outputs[0]!;
  const elements = elementsOf(copy);
  const slot = createSlot('scratch', { dtype, shape: [elements] });
  const perLine = side.lines!;
  return {
    operand: 0,
    lines: perLine.extent,
    extent: side.extent,
    reachesBack: side.extent >= tile.rows,
    preparedBytes: elements * 4,
    prepare(emitter, batch, { first, count }, chunk) {
      const buffer = emitter.buffer(slot, 'write');
      copyLines({ emitter, site, copy, buffer, lanes: site.capabilities.simd.vectorLanes }, batch, first, count, scaleIndex(chunk.first, copy.channels));
    },
    open(emitter, _batch, _number, row) {
      const begin = addIndex(scaleIndex(subIndex(row.line, row.from), perLine.stride), scaleIndex(row.at, side.stride));
      const buffer = emitter.buffer(slot, 'read');
      return (depth) => {
        const base = emitter.bind(add(emitter.index(begin), emitter.index(depthOffset(side, depth))));
        return Array.from({ length: tile.rows }, (_, i) => load(buffer, at(base, Math.min(i, side.extent - 1) * side.stride), computeType(dtype)));
      };
    },
  };
}
