// Columns of a convolution as a matrix product: each grid step copies the part of the input that its block of results needs, padded and
// sorted by the phase of the stride, and deals it out from there, tap by tap, in whole vectors. No element is tested for padding.
import { guarded } from '../../emit/places.ts';
import { ZERO, addIndex, delinearize, floorDiv, indexSymbol, linearIndex, modIndex, scaleIndex } from '../../../core/indexExpr.ts';
import type { IndexExpr } from '../../../core/indexExpr.ts';
import type { NumericDType } from '../../../core/dtype.ts';
import { elementCount } from '../../../core/shape.ts';
import { add, binary, cast, constant, extract, index, load, mul, pack, splat, store } from '../../../kernel/build.ts';
import type { ComputeDType, Expr } from '../../../kernel/ir.ts';
import type { Condition } from '../../point.ts';
import type { Position } from '../../positions.ts';
import { createSlot } from '../../storage.ts';
import { computeType, typed } from '../../emit/compute.ts';
import type { Emitter } from '../../emit/emitter.ts';
import type { ContractionSite } from '../templates.ts';
import type { RegisterTile } from './blocking.ts';
import { createPanel, padPanel, readPanel } from './panels.ts';
import type { ScratchPanel } from './panels.ts';
import type { Columns, Depth, DepthChunk } from './product.ts';
import { least, minus, nameIndex } from './tile.ts';
import { columnBlocks, layoutOf, rowBlocks } from './window.ts';
import type { ConvGeometry, ImageCut, ImageLayout } from './window.ts';

/** Vectors narrower than this are not made for short rows. */
const LEAST_LANES = 4;

export interface Image {
  readonly emitter: Emitter;
  readonly site: ContractionSite;
  readonly geometry: ConvGeometry;
  readonly cut: ImageCut;
  readonly layout: ImageLayout;
  readonly lanes: number;
  /** Of the copy. */
  readonly dtype: NumericDType;
  /** The copy: planes of `layout.rows` rows of phases. */
  readonly buffer: string;
}

/** The block at hand: its first row and column in the result, and how many it has. */
export interface Block {
  readonly batch: Position;
  readonly row: IndexExpr;
  readonly column: IndexExpr;
  readonly rows: Expr;
}

export function createImage(emitter: Emitter, site: ContractionSite, geometry: ConvGeometry, cut: ImageCut, planes: number): Image {
  const { dtype } = site.node.outputs[0]!;
  const layout = layoutOf(geometry, cut);
  const lanes = site.capabilities.simd.vectorLanes;
  const slot = createSlot('scratch', { dtype, shape: [planes * layout.rows * layout.phases * layout.width + lanes] });
  return { emitter, site, geometry, cut, layout, lanes, dtype, buffer: emitter.buffer(slot, 'write') };
}

/** The place of a block in the result. */
export function openBlock(emitter: Emitter, geometry: ConvGeometry, cut: ImageCut, batch: Position, block: IndexExpr): Block {
  const across = columnBlocks(geometry, cut);
  const row = nameIndex(emitter, scaleIndex(floorDiv(block, across), cut.rows));
  const column = nameIndex(emitter, scaleIndex(modIndex(block, across), cut.columns));
  const isWhole = geometry.high.output % cut.rows === 0;
  const rows = isWhole ? index(cut.rows) : emitter.bind(least(minus(index(geometry.high.output), emitter.index(row)), index(cut.rows)));
  return { batch, row, column, rows };
}

/** How many results a block has. */
export function resultsOf(emitter: Emitter, { wide }: ConvGeometry, cut: ImageCut, { rows, column }: Block): Expr {
  if (cut.columns === wide.output) return rows.kind === 'const' ? index(Number(rows.value) * wide.output) : emitter.bind(mul(rows, index(wide.output)));
  return wide.output % cut.columns === 0 ? index(cut.columns) : emitter.bind(least(minus(index(wide.output), emitter.index(column)), index(cut.columns)));
}

/** The row and column in the result of result `at` of a block, counted row by row. */
export function positionIn(geometry: ConvGeometry, cut: ImageCut, block: IndexExpr, at: IndexExpr): Position {
  const { high, wide } = geometry;
  const across = columnBlocks(geometry, cut);
  const row = scaleIndex(floorDiv(block, across), cut.rows);
  if (across > 1) return [row, addIndex(scaleIndex(modIndex(block, across), cut.columns), at)];
  return high.output === 1 ? [ZERO, at] : [addIndex(row, floorDiv(at, wide.output)), modIndex(at, wide.output)];
}

/** Copies `planes` planes, channels from `first` on, each with all its outer taps. */
export function fillImage(image: Image, { batch, row, column }: Block, first: IndexExpr, planes: Expr, mostPlanes: number): void {
  const { emitter, geometry, layout } = image;
  const { lead, high } = geometry;
  const taps = lead.map((a) => a.taps);
  const storage = image.site.operands[0];
  const [planeName, rowName] = [emitter.fresh('plane'), emitter.fresh('row')];
  // Vectors read a little past the last row.
  zero(image, addIndex(ZERO, mostPlanes * layout.rows * layout.phases * layout.width), index(0), 1);
  emitter.loop(planeName, index(0), planes, 1, () => {
    const plane = indexSymbol(planeName, 0, mostPlanes - 1);
    const outer = elementCount(taps);
    const channel = addIndex(addIndex(scaleIndex(batch[1]!, geometry.channels), first), floorDiv(plane, outer));
    const tap = delinearize(modIndex(plane, outer), taps);
    const places = lead.map((axis, i) => nameIndex(emitter, addIndex(addIndex(scaleIndex(batch[i + 2]!, axis.stride), scaleIndex(tap[i]!, axis.dilation)), -axis.low)));
    const origin = linearIndex([batch[0]!, channel, ...places], storage.strides, storage.offset);
    emitter.loop(rowName, index(0), index(layout.rows), 1, () => {
      const i = indexSymbol(rowName, 0, layout.rows - 1);
      const y = nameIndex(emitter, addIndex(addIndex(scaleIndex(row, high.stride), scaleIndex(i, layout.rowStep)), -high.low));
      const to = nameIndex(emitter, scaleIndex(addIndex(scaleIndex(plane, layout.rows), i), layout.phases * layout.width));
      const conditions = [...lead, high].map((axis, a): Condition => ({ value: [...places, y][a]!, low: 0, high: axis.input }));
      guarded(
        emitter,
        conditions,
        () => copyRow(image, addIndex(origin, scaleIndex(y, high.memoryStride)), to, column),
        () => zero(image, to, index(0), layout.phases * layout.width),
      );
    });
  });
}

/** One row of the input, phase by phase; zeros may run over into what is written next. */
function copyRow(image: Image, from: IndexExpr, to: IndexExpr, column: IndexExpr): void {
  const { emitter, geometry, layout } = image;
  const { wide } = geometry;
  for (let phase = 0; phase < layout.phases; phase++) {
    const start = addIndex(to, phase * layout.width);
    // Elements u of the phase with 0 ≤ (column + u)·stride + phase − low < input.
    const begin = Math.ceil((wide.low - phase) / wide.stride);
    const end = Math.ceil((wide.input + wide.low - phase) / wide.stride);
    const source = addIndex(from, scaleIndex(addIndex(scaleIndex(column, wide.stride), phase - wide.low), wide.memoryStride));
    const [low, high] = [begin, end].map((x) => within(emitter, x, column, layout.width));
    if (!isZero(low!)) zero(image, start, index(0), low!);
    copySpan(image, source, start, low!, high!);
    if (!(high!.kind === 'const' && high!.value === layout.width)) zero(image, start, high!, layout.width);
  }
}

const isZero = (x: Expr): boolean => x.kind === 'const' && x.value === 0;

/** x − column, brought into [0, most]. */
export function within(emitter: Emitter, x: number, column: IndexExpr, most: number): Expr {
  if (column.terms.length === 0) return index(Math.min(Math.max(x - column.constant, 0), most));
  return emitter.bind(binary('max', binary('min', minus(index(x), emitter.index(column)), index(most)), index(0)));
}

/** Zeros from `from` to `to` and a little further, in whole vectors. */
function zero({ emitter, buffer, lanes, dtype, layout }: Image, start: IndexExpr, from: Expr, to: Expr | number): void {
  const name = emitter.fresh('pad');
  const type = computeType(dtype);
  const end = typeof to === 'number' ? index(to) : to;
  emitter.loop(name, from, end, lanes, () =>
    emitter.push(store(buffer, emitter.index(addIndex(start, indexSymbol(name, 0, layout.phases * layout.width))), splat(constant(type, typed(type, 0)), lanes))),
  );
}

/** Elements [low, high) of a phase. The last vector reaches back over what is copied already, so that nothing past the row is read. */
function copySpan({ emitter, buffer, geometry, site, lanes, layout, dtype }: Image, source: IndexExpr, start: IndexExpr, low: Expr, high: Expr): void {
  const { slot } = site.operands[0];
  const step = geometry.wide.stride * geometry.wide.memoryStride;
  const type = computeType(slot.dtype);
  const put = (u: IndexExpr, count: number): void => {
    const at = addIndex(source, scaleIndex(u, step));
    const read = (from: IndexExpr, lanes: number): Expr => load(emitter.buffer(slot, 'read'), emitter.index(from), type, lanes);
    const value = step === 2 && count > 1 ? everySecond(emitter, at, type, count, read) : read(at, count);
    emitter.push(store(buffer, emitter.index(addIndex(start, u)), cast(computeType(dtype), value)));
  };
  const [vector, single] = [emitter.fresh('col'), emitter.fresh('col')];
  const one = (from: Expr): void => emitter.loop(single, from, high, 1, () => put(indexSymbol(single, 0, layout.width - 1), 1));
  if (step > 2) return one(low);
  if (low.kind === 'const' && high.kind === 'const') {
    const [from, to] = [Number(low.value), Number(high.value)];
    let width = lanes;
    while (width > to - from && width >= LEAST_LANES) width /= 2;
    if (width < LEAST_LANES) return one(low);
    const end = from + Math.floor((to - from) / width) * width;
    emitter.loop(vector, low, index(end), width, () => put(indexSymbol(vector, 0, layout.width - 1), width));
    if (end < to) put(addIndex(ZERO, to - width), width);
    return;
  }
  const end = emitter.bind(add(low, mul(binary('div', binary('max', minus(high, low), index(0)), index(lanes)), index(lanes))));
  emitter.loop(vector, low, end, lanes, () => put(indexSymbol(vector, 0, layout.width - 1), lanes));
  one(end);
}

/** Every second element from `first` on: two vectors that end with the last one needed, and the even lanes of both. */
function everySecond(emitter: Emitter, first: IndexExpr, dtype: ComputeDType, lanes: number, read: (at: IndexExpr, lanes: number) => Expr): Expr {
  const halves = [first, addIndex(first, lanes - 1)].map((at) => emitter.bind(read(at, lanes)));
  const item = (i: number): Expr => {
    const [x, lane] = 2 * i < lanes ? [halves[0]!, 2 * i] : [halves[1]!, 2 * i - lanes + 1];
    return extract(x, lane);
  };
  return pack(Array.from({ length: lanes }, (_, i) => item(i)));
}

/** Where, in the copy, tap (ky, kx) of the results of row `row` of a block begins; `plane` counts channels and outer taps. */
export function tapOrigin({ geometry: { high, wide }, layout }: Image, plane: IndexExpr, row: IndexExpr, ky: IndexExpr, kx: IndexExpr): IndexExpr {
  const y = addIndex(scaleIndex(row, high.stride / layout.rowStep), scaleIndex(ky, high.dilation));
  const x = scaleIndex(kx, wide.dilation);
  const line = addIndex(scaleIndex(addIndex(scaleIndex(plane, layout.rows), y), layout.phases), modIndex(x, wide.stride));
  return addIndex(scaleIndex(line, layout.width), floorDiv(x, wide.stride));
}

/** Deals the copy out: row k of the panel holds what tap k of each result of the block reads. */
function dealTaps(image: Image, block: Block, planes: Expr, mostPlanes: number, panel: ScratchPanel, count: Expr): void {
  const { emitter, geometry, cut, lanes, dtype, buffer } = image;
  const { high, wide } = geometry;
  const type = computeType(dtype);
  const [plane, ky, kx, row, column] = ['plane', 'tap', 'tap', 'row', 'col'].map((prefix) => emitter.fresh(prefix));
  emitter.loop(plane!, index(0), planes, 1, () =>
    emitter.loop(ky!, index(0), index(high.taps), 1, () =>
      emitter.loop(kx!, index(0), index(wide.taps), 1, () => {
        const p = indexSymbol(plane!, 0, mostPlanes - 1);
        const [y, x] = [indexSymbol(ky!, 0, high.taps - 1), indexSymbol(kx!, 0, wide.taps - 1)];
        const k = addIndex(scaleIndex(addIndex(scaleIndex(p, high.taps), y), wide.taps), x);
        emitter.loop(row!, index(0), block.rows, 1, () => {
          const r = indexSymbol(row!, 0, cut.rows - 1);
          const from = tapOrigin(image, p, r, y, x);
          const to = addIndex(scaleIndex(k, panel.pitch), scaleIndex(r, cut.columns));
          // What a vector writes too much, the next row or nothing lies under.
          emitter.loop(column!, index(0), index(cut.columns), lanes, () => {
            const c = indexSymbol(column!, 0, cut.columns - 1);
            emitter.push(store(panel.buffer, emitter.index(addIndex(to, c)), load(buffer, emitter.index(addIndex(from, c)), type, lanes)));
          });
        });
        padPanel(emitter, panel, k, count);
      }),
    ),
  );
}

/** The columns of a convolution: one for each spatial position of the result, in blocks of rows; the depth counts channels, then taps. */
export function imageColumns(site: ContractionSite, geometry: ConvGeometry, cut: ImageCut, tile: RegisterTile, depth: Depth): Columns {
  const across = columnBlocks(geometry, cut);
  const outer = elementCount(geometry.lead.map((a) => a.taps));
  const lanes = site.capabilities.simd.vectorLanes;
  const { dtype } = site.node.outputs[0]!;
  const mostPlanes = depth.chunk * outer;
  return {
    blocks: rowBlocks(geometry, cut) * across,
    blockColumns: cut.rows * cut.columns,
    copied: true,
    count: (emitter, block) => resultsOf(emitter, geometry, cut, openBlock(emitter, geometry, cut, [], block)),
    open(emitter, batch, number, chunk: DepthChunk) {
      const image = createImage(emitter, site, geometry, cut, mostPlanes);
      const panel = createPanel(emitter, dtype, depth.chunk * depth.unit, cut.rows * cut.columns, tile, lanes);
      const block = openBlock(emitter, geometry, cut, batch, number);
      const planes = emitter.bind(mul(chunk.units, index(outer)));
      fillImage(image, block, chunk.first, planes, mostPlanes);
      dealTaps(image, block, planes, mostPlanes, panel, resultsOf(emitter, geometry, cut, block));
      return readPanel(emitter, panel, tile, lanes, dtype);
    },
    position: (block, column) => positionIn(geometry, cut, block, column),
  };
}
