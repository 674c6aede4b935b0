// Where the rows and columns of a blocked product come from: copied once at load into the order in which tiles read them, read where
// they lie, or copied block by block into scratch memory. It knows strided operands, not what they mean.
import { addIndex, delinearize, indexSymbol, linearIndex, scaleIndex } from '../../../core/indexExpr.ts';
import type { IndexExpr } from '../../../core/indexExpr.ts';
import type { NumericDType } from '../../../core/dtype.ts';
import { elementCount, stridesOf } from '../../../core/shape.ts';
import { add, cast, constant, index, load, mul, splat, store, variable } from '../../../kernel/build.ts';
import type { Expr, Kernel } from '../../../kernel/ir.ts';
import type { Position } from '../../positions.ts';
import { createSlot } from '../../storage.ts';
import type { MemorySlot, Storage } from '../../storage.ts';
import { computeType, typed } from '../../emit/compute.ts';
import type { Emitter } from '../../emit/emitter.ts';
import { GRID_VAR } from '../lowerNest.ts';
import type { ContractionSite } from '../templates.ts';
import type { RegisterTile } from './blocking.ts';
import { at, least, minus, nameIndex, quotient, quotientUp } from './tile.ts';
import type { Columns, Depth, DepthChunk, Rows } from './product.ts';

/** An axis in memory. */
export interface StridedAxis {
  readonly extent: number;
  readonly stride: number;
}

/** As few axes as have the same elements in the same order. */
export function mergeStrided(axes: readonly StridedAxis[]): StridedAxis[] {
  const merged: StridedAxis[] = [];
  for (const axis of axes) {
    const before = merged.at(-1);
    if (axis.extent === 1) continue;
    if (before !== undefined && before.stride === axis.stride * axis.extent) merged.splice(-1, 1, { extent: before.extent * axis.extent, stride: axis.stride });
    else merged.push(axis);
  }
  return merged;
}

/** One operand as a matrix for each batch: element (i, k) of batch b is offset + Σ b·batchStrides + i·stride + the place of k. */
export interface Side {
  readonly operand: 0 | 1;
  readonly storage: Storage;
  readonly extent: number;
  readonly stride: number;
  /** Lines of so many elements, one after the other, where they do not follow each other at one stride. */
  readonly lines?: StridedAxis;
  /** The axes that the depth counts through, the last fastest, as few as can be. */
  readonly depth: readonly StridedAxis[];
  readonly batchStrides: readonly number[];
  /** Where (i, k) stands in the operand, for the first of every batch. */
  at?(i: IndexExpr, k: IndexExpr): Position;
}

/** Whether the depth is one axis in memory: what only a packed copy can do without. */
export const isStraight = (side: Side): boolean => side.depth.length <= 1;

export const depthOffset = ({ depth }: Side, k: IndexExpr): IndexExpr => {
  const at =
    depth.length === 1
      ? [k]
      : delinearize(
          k,
          depth.map((a) => a.extent),
        );
  return linearIndex(
    at,
    depth.map((a) => a.stride),
  );
};

export interface PanelShape {
  readonly batch: readonly number[];
  readonly depth: number;
  readonly dtype: NumericDType;
}

/** Elements of `side` in panels of `width`, each panel [depth][width], copied once at load; a panel is padded with its side's last element. */
function packPanels(site: ContractionSite, side: Side, shape: PanelShape, width: number): { readonly slot: MemorySlot; readonly batchStrides: readonly number[] } {
  const own = shape.batch.map((extent, i) => (side.batchStrides[i] === 0 ? 1 : extent));
  const panels = Math.ceil(side.extent / width);
  const size = panels * shape.depth * width;
  const elements = elementCount(own) * size;
  const write = (emitter: Emitter, source: Storage, target: MemorySlot): Kernel['grid'] => {
    const grid = elementCount(own) * panels;
    emitter.define('g', variable(GRID_VAR));
    const flat = indexSymbol('g', 0, grid - 1);
    const coordinates = delinearize(flat, [...own, panels]).map((x) => nameIndex(emitter, x));
    const panel = coordinates.at(-1)!;
    const begin = linearIndex(coordinates.slice(0, -1), side.batchStrides, side.storage.offset);
    emitter.loop('i', index(0), index(width), 1, () => {
      const element = emitter.bind(least(emitter.index(addIndex(scaleIndex(panel, width), indexSymbol('i', 0, width - 1))), index(side.extent - 1)));
      const from = emitter.bind(add(emitter.index(begin), mul(element, index(side.stride))));
      const to = emitter.bind(emitter.index(addIndex(scaleIndex(flat, shape.depth * width), indexSymbol('i', 0, width - 1))));
      emitter.loop('k', index(0), index(shape.depth), 1, () => {
        const k = indexSymbol('k', 0, shape.depth - 1);
        const value = load(emitter.buffer(source.slot, 'read'), add(from, emitter.index(depthOffset(side, k))), computeType(source.slot.dtype));
        emitter.push(store(emitter.buffer(target, 'write'), add(to, emitter.index(scaleIndex(k, width))), cast(computeType(shape.dtype), value)));
      });
    });
    return { var: GRID_VAR, extent: grid };
  };
  const layout = `panels of ${width}|${side.extent}|${shape.depth}|${side.stride}|${side.depth.map((a) => `${a.extent}:${a.stride}`).join()}|${side.batchStrides.join()}|${own.join()}`;
  const { slot } = site.pack(side.storage, layout, shape.dtype, elements, write);
  const strides = stridesOf(own);
  return { slot, batchStrides: own.map((extent, i) => (extent === 1 ? 0 : strides[i]! * size)) };
}

const inType = (x: Expr, dtype: NumericDType): Expr => cast(computeType(dtype), x);

export function packedRows(site: ContractionSite, side: Side, shape: PanelShape, tile: RegisterTile): Rows {
  const { slot, batchStrides } = packPanels(site, side, shape, tile.rows);
  return rowsInPanels(side.operand, slot, batchStrides, side.extent, shape, tile);
}

/** Rows that lie in panels already: [depth][rows of a tile] each. */
export function rowsInPanels(operand: 0 | 1, slot: MemorySlot, batchStrides: readonly number[], extent: number, shape: PanelShape, tile: RegisterTile): Rows {
  return {
    operand,
    lines: 1,
    extent,
    reachesBack: false,
    open(emitter, batch, number) {
      const begin = addIndex(linearIndex(batch, batchStrides), scaleIndex(number, shape.depth * tile.rows));
      const buffer = emitter.buffer(slot, 'read');
      return (depth) => {
        const base = emitter.bind(emitter.index(addIndex(begin, scaleIndex(depth, tile.rows))));
        return Array.from({ length: tile.rows }, (_, i) => load(buffer, at(base, i), computeType(shape.dtype)));
      };
    },
  };
}

/** Rows read where they lie. Where there are fewer than a tile has, the last one is read again. */
export function stridedRows(side: Side, shape: PanelShape, tile: RegisterTile): Rows {
  const { slot, offset } = side.storage;
  const type = computeType(slot.dtype);
  return {
    operand: side.operand,
    lines: side.lines?.extent ?? 1,
    extent: side.extent,
    reachesBack: side.extent >= tile.rows,
    open(emitter, batch, _number, first) {
      const begin = linearIndex([...batch, first.line, first.at], [...side.batchStrides, side.lines?.stride ?? 0, side.stride], offset);
      const buffer = emitter.buffer(slot, 'read');
      return (depth) => {
        const base = emitter.bind(emitter.index(addIndex(begin, depthOffset(side, depth))));
        return Array.from({ length: tile.rows }, (_, i) => inType(load(buffer, at(base, Math.min(i, side.extent - 1) * side.stride), type), shape.dtype));
      };
    },
  };
}

/** How columns are cut into blocks: `tiles` tiles of registers each. */
export interface ColumnBlocks {
  readonly extent: number;
  readonly width: number;
  readonly tiles: number;
}

export const blockFrame = ({ extent, width, tiles }: ColumnBlocks) => {
  const blockColumns = Math.min(width * tiles, extent);
  const blocks = Math.ceil(extent / (width * tiles));
  return {
    blocks,
    blockColumns: blocks === 1 ? extent : blockColumns,
    count: (emitter: Emitter, block: IndexExpr): Expr =>
      extent % blockColumns === 0 ? index(blockColumns) : emitter.bind(least(minus(index(extent), emitter.index(scaleIndex(block, blockColumns))), index(blockColumns))),
    position: (block: IndexExpr, column: IndexExpr): Position => [addIndex(scaleIndex(block, blockColumns), column)],
  };
};

const vectorsAt = (buffer: string, base: Expr, tile: RegisterTile, lanes: number, dtype: NumericDType): Expr[] =>
  Array.from({ length: tile.vectors }, (_, v) => load(buffer, at(base, v * lanes), computeType(dtype), lanes));

export function packedColumns(site: ContractionSite, side: Side, shape: PanelShape, tile: RegisterTile, depth: Depth, tiles: number): Columns {
  const lanes = site.capabilities.simd.vectorLanes;
  const width = tile.vectors * lanes;
  const { slot, batchStrides } = packPanels(site, side, shape, width);
  return {
    ...blockFrame({ extent: side.extent, width, tiles }),
    copied: false,
    open(emitter, batch, block, chunk) {
      const buffer = emitter.buffer(slot, 'read');
      const begin = addIndex(linearIndex(batch, batchStrides), scaleIndex(chunk.first, depth.unit * width));
      return (number) => {
        const panel = addIndex(begin, scaleIndex(addIndex(scaleIndex(block, tiles), number), shape.depth * width));
        return (k) => vectorsAt(buffer, emitter.bind(emitter.index(addIndex(panel, scaleIndex(k, width)))), tile, lanes, shape.dtype);
      };
    },
  };
}

/** Elements between rows of a scratch panel: whole vectors and one to spare, and never a multiple of a page, which caches would fold. */
export const panelPitch = (columns: number, lanes: number): number => {
  const vectors = Math.ceil(columns / lanes) + 1;
  return (vectors | 1) * lanes;
};

export interface ScratchPanel {
  readonly buffer: string;
  readonly pitch: number;
  /** Of the tiles that read it. */
  readonly width: number;
  readonly lanes: number;
  readonly dtype: NumericDType;
}

export function createPanel(emitter: Emitter, dtype: NumericDType, depth: number, columns: number, tile: RegisterTile, lanes: number): ScratchPanel {
  const width = tile.vectors * lanes;
  const pitch = panelPitch(Math.ceil(columns / width) * width, lanes);
  return { buffer: emitter.buffer(createSlot('scratch', { dtype, shape: [depth * pitch] }), 'write'), pitch, width, lanes, dtype };
}

export const readPanel = (emitter: Emitter, panel: ScratchPanel, tile: RegisterTile, lanes: number, dtype: NumericDType) => (number: IndexExpr) => (k: IndexExpr) =>
  vectorsAt(panel.buffer, emitter.bind(emitter.index(addIndex(scaleIndex(k, panel.pitch), scaleIndex(number, tile.vectors * lanes)))), tile, lanes, dtype);

/** Zeros behind the `count` columns of row `k`, to the end of the last tile that has any of them. */
export function padPanel(emitter: Emitter, { buffer, pitch, width, lanes, dtype }: ScratchPanel, k: IndexExpr, count: Expr): void {
  const end = roundUp(emitter, count, width);
  const name = emitter.fresh('pad');
  const type = computeType(dtype);
  const zeros = splat(constant(type, typed(type, 0)), lanes);
  emitter.loop(name, count, end, lanes, () => emitter.push(store(buffer, emitter.index(addIndex(scaleIndex(k, pitch), indexSymbol(name, 0, pitch - 1))), zeros)));
}

/** The columns of `count` that whole vectors hold. */
export const wholeVectors = (emitter: Emitter, count: Expr, lanes: number): Expr => times(emitter, quotient(emitter, count, lanes), lanes);

/** The least multiple of `by` that is not below `x`. */
const roundUp = (emitter: Emitter, x: Expr, by: number): Expr => times(emitter, quotientUp(emitter, x, by), by);
const times = (emitter: Emitter, x: Expr, by: number): Expr => (x.kind === 'const' ? index(Number(x.value) * by) : emitter.bind(mul(x, index(by))));

/** Columns copied chunk by chunk of the depth, so that tiles read whole, aligned vectors. */
export function copiedColumns(site: ContractionSite, side: Side, shape: PanelShape, tile: RegisterTile, depth: Depth, tiles: number): Columns {
  const lanes = site.capabilities.simd.vectorLanes;
  const frame = blockFrame({ extent: side.extent, width: tile.vectors * lanes, tiles });
  const { slot, offset } = side.storage;
  return {
    ...frame,
    copied: true,
    open(emitter, batch, block, chunk) {
      const panel = createPanel(emitter, shape.dtype, depth.chunk * depth.unit, frame.blockColumns, tile, lanes);
      const source = emitter.buffer(slot, 'read');
      const begin = addIndex(linearIndex(batch, side.batchStrides, offset), scaleIndex(block, frame.blockColumns * side.stride));
      const origin = addIndex(begin, depthOffset(side, scaleIndex(chunk.first, depth.unit)));
      copyPanel(emitter, { chunk, depth, side, source, origin, panel, lanes, dtype: shape.dtype, count: frame.count(emitter, block) });
      return readPanel(emitter, panel, tile, lanes, shape.dtype);
    },
  };
}

interface PanelCopy {
  readonly chunk: DepthChunk;
  readonly depth: Depth;
  readonly side: Side;
  readonly source: string;
  /** Element of the source that becomes the panel's first. */
  readonly origin: IndexExpr;
  readonly panel: ScratchPanel;
  readonly lanes: number;
  readonly dtype: NumericDType;
  readonly count: Expr;
}

function copyPanel(emitter: Emitter, { chunk, depth, side, source, origin, panel, lanes, dtype, count }: PanelCopy): void {
  const [depthName, name] = [emitter.fresh('depth'), emitter.fresh('column')];
  const type = computeType(side.storage.slot.dtype);
  const copy = (x: IndexExpr, k: IndexExpr, width: number): void => {
    const from = emitter.index(addIndex(addIndex(origin, depthOffset(side, k)), scaleIndex(x, side.stride)));
    const to = emitter.index(addIndex(scaleIndex(k, panel.pitch), x));
    emitter.push(store(panel.buffer, to, inType(load(source, from, type, width), dtype)));
  };
  const most = Math.max(side.extent - 1, 0);
  emitter.loop(depthName, index(0), emitter.bind(mul(chunk.units, index(depth.unit))), 1, () => {
    const k = indexSymbol(depthName, 0, depth.chunk * depth.unit - 1);
    const inVectors = side.stride === 1;
    const end = inVectors ? wholeVectors(emitter, count, lanes) : index(0);
    if (inVectors) emitter.loop(name, index(0), end, lanes, () => copy(indexSymbol(name, 0, most), k, lanes));
    const single = emitter.fresh('column');
    emitter.loop(single, end, count, 1, () => copy(indexSymbol(single, 0, most), k, 1));
    padPanel(emitter, panel, k, count);
  });
}
