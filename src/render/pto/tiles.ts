// Tile statements in PTO. Each instruction names the rows of the unified buffer that it works on as tiles of its own, and is followed by
// the barrier that orders it with the next of its pipe.
import { invariant } from '../../core/error.ts';
import type { CompareFn, Expr, Handover, Pipe } from '../../kernel/ir.ts';
import type { ExprOf } from '../../kernel/rewriteKernel.ts';
import type { RowsText, TileInstruction, TileSyntax } from '../c/dialect.ts';
import type { Prelude } from '../c/prelude.ts';
import { ptoMatrix } from './matrix.ts';
import { isIn, isTile, tileOf } from '../c/tileOperands.ts';
import type { Tile } from '../c/tileOperands.ts';

/** Tiles begin and end at multiples of this. */
export const BLOCK_BYTES = 32;
/** The name of the block that instructions may work in. */
export const WORK = 'work_at';
/** Where the place to work in begins in the result of a reduction, and its elements. */
const FOLD_WORK = { at: 16, elements: 64 } as const;

export const addressOf = (buffer: string): string => `${buffer}_at`;
/** Elements of a row of `elements`, up to the end of a block. */
export const padded = (elements: number, bytes: number): number => (Math.ceil((elements * bytes) / BLOCK_BYTES) * BLOCK_BYTES) / bytes;

const PIPES: { readonly [P in Pipe]: string } = { scalar: 'PIPE_S', vector: 'PIPE_V', in: 'PIPE_MTE2', out: 'PIPE_MTE3', fill: 'PIPE_MTE1', matrix: 'PIPE_M', drain: 'PIPE_FIX' };
const flag = ({ from, to, flag: number }: Handover): string => `_flag(${PIPES[from]}, ${PIPES[to]}, EVENT_ID${number});`;

/** Rows of the unified buffer as a tile: the type, and where it begins. */
interface View {
  readonly type: string;
  readonly at: string;
}

const address = ({ buffer, at }: Tile): string => (at === '0' ? addressOf(buffer.name) : `${addressOf(buffer.name)} + (${at}) * ${buffer.storage.bytes}`);

/** `count` elements as numbers of a type, which may be another than that of the buffer. */
function rowOf(tile: Tile, count: number, type = tile.buffer.storage.c, bytes = tile.buffer.storage.bytes): View {
  const length = padded(count, bytes);
  return { type: `Row<${[type, length, ...(length === count ? [] : [count])].join(', ')}>`, at: address(tile) };
}

/** `text` with names for the views, `A`, `B` and so on, which no name of a kernel is. */
function withTiles(views: readonly View[], text: (...names: readonly string[]) => string): string {
  const names = views.map((_, i) => String.fromCharCode('A'.charCodeAt(0) + i));
  const declared = views.map(({ type, at }, i) => `${type} ${names[i]}; TASSIGN(${names[i]}, ${at});`);
  return `{ ${declared.join(' ')} ${text(...names)} }`;
}

/** An instruction on views and then scalars or words. */
const call = (name: string, views: readonly View[], ...rest: readonly string[]): string => withTiles(views, (...tiles) => `${name}(${[...tiles, ...rest].join(', ')});`);

/** A copy's rows have lengths that are known here. */
function constantOf(text: string): number {
  invariant(/^\d+$/.test(text), 'rows of a copy have a fixed number and length');
  return Number(text);
}

function copy(_: Prelude, to: RowsText, from: RowsText, rows: string, elements: string): string {
  const [global, local] = to.buffer.isGlobal ? [to, from] : [from, to];
  const [count, length] = [constantOf(rows), constantOf(elements)];
  const { c, bytes } = local.buffer.storage;
  const stride = count === 1 ? padded(length, bytes) : local.stride;
  const lines = `Lines<${c}, ${count}, ${count === 1 ? length : global.stride}, ${length}> lines(${global.buffer.name}${global.at === '0' ? '' : ` + ${global.at}`});`;
  const view: View = { type: `Rows<${c}, ${count}, ${stride}, ${length}>`, at: address(local) };
  return withTiles([view], (tile) => `${lines} ${to.buffer.isGlobal ? `TSTORE(lines, ${tile})` : `TLOAD(${tile}, lines)`};`);
}

const MODES: { readonly [F in CompareFn]: string } = { eq: 'EQ', ne: 'NE', lt: 'LT', le: 'LE', gt: 'GT', ge: 'GE' };
const UNARY = { abs: 'TABS', sqrt: 'TSQRT' } as const;
const BINARY = { add: 'TADD', sub: 'TSUB', mul: 'TMUL', div: 'TDIV', min: 'TMIN', max: 'TMAX', shl: 'TSHL', shr: 'TSHR' } as const;
const LOGIC = { and: 'TAND', or: 'TOR', not: 'TNOT', bitNot: 'TNOT' } as const;
const FOLDS = { add: 'TROWSUM', min: 'TROWMIN', max: 'TROWMAX' } as const;

/** Integers without sign are added and multiplied as those with. */
const signedType = ({ buffer }: Tile): string => (buffer.storage.c === 'unsigned' ? 'int' : buffer.storage.c);
/** One bit for each element, in bytes. */
const maskOf = (tile: Tile, count: number): View => rowOf(tile, count / 8, 'u8', 1);

/** Bits do not care whose they are: 16 at a time, or 16 elements of a mask. */
function bitwise(name: string, { value, to, count }: TileInstruction, operands: readonly Tile[]): string {
  const words = value.type.dtype === 'bool' ? count / 16 : (count * to.buffer.storage.bytes) / 2;
  return call(
    name,
    [to, ...operands].map((x) => rowOf(x, words, 'u16', 2)),
  );
}

function convert(_: Expr, { to, operands, count }: TileInstruction): string {
  const from = tileOf(operands[0]);
  const views = [rowOf(to, count), rowOf(from, count)];
  if (from.buffer.storage.c === to.buffer.storage.c) return call('TMOV', views);
  return call('TCVT', views, `RoundMode::${to.buffer.storage.dtype === 'f32' ? 'CAST_RINT' : 'CAST_TRUNC'}`);
}

function unary(e: ExprOf['unary'], instruction: TileInstruction): string {
  const { to, operands, count } = instruction;
  const x = tileOf(operands[0]);
  if (isIn(LOGIC, e.fn)) return bitwise(LOGIC[e.fn], instruction, [x]);
  invariant(isIn(UNARY, e.fn), `${e.fn} as an instruction`);
  return call(UNARY[e.fn], [rowOf(to, count), rowOf(x, count)]);
}

function binary(e: ExprOf['binary'], instruction: TileInstruction): string {
  const { to, operands, count } = instruction;
  const [a, b] = [tileOf(operands[0]), operands[1]!];
  if (isIn(LOGIC, e.fn)) return bitwise(LOGIC[e.fn], instruction, [a, tileOf(b)]);
  invariant(isIn(BINARY, e.fn), `${e.fn} as an instruction`);
  // Shifts of integers without sign let zeros in.
  const view = (x: Tile): View => rowOf(x, count, e.fn === 'shl' || e.fn === 'shr' ? undefined : signedType(x));
  return isTile(b) ? call(BINARY[e.fn], [to, a, b].map(view)) : call(`${BINARY[e.fn]}S`, [to, a].map(view), `(${signedType(to)})${b.scalar}`);
}

function compare(e: ExprOf['compare'], { to, operands, count }: TileInstruction): string {
  const [a, b] = [tileOf(operands[0]), operands[1]!];
  const views = [maskOf(to, count), rowOf(a, count)];
  const mode = `CmpMode::${MODES[e.fn]}`;
  return isTile(b) ? call('TCMP', [...views, rowOf(b, count)], mode) : call('TCMPS', views, `(${a.buffer.storage.c})${b.scalar}`, mode);
}

function select(_: Expr, { to, operands, count }: TileInstruction): string {
  const [mask, a, b] = [tileOf(operands[0]), tileOf(operands[1]), operands[2]!];
  const work: View = { type: `Row<u8, ${BLOCK_BYTES}>`, at: WORK };
  const views = [rowOf(to, count), maskOf(mask, count), rowOf(a, count)];
  return isTile(b) ? call('TSEL', [...views, rowOf(b, count), work]) : call('TSELS', [...views, work], `(${to.buffer.storage.c})${b.scalar}`);
}

function fold({ fn }: ExprOf['across'], { to, operands, count }: TileInstruction): string {
  invariant(isIn(FOLDS, fn), `${fn} across a tile`);
  const work = rowOf({ buffer: to.buffer, at: String(FOLD_WORK.at) }, FOLD_WORK.elements);
  return call(FOLDS[fn], [rowOf(to, 1), rowOf(tileOf(operands[0]), count), work]);
}

function fill(_: Expr, { to, operands: [x], count }: TileInstruction): string {
  invariant(x !== undefined && !isTile(x), 'a tile is filled with a scalar');
  return call('TEXPANDS', [rowOf(to, count)], `(${to.buffer.storage.c})${x.scalar}`);
}

/** The same bits as the type of the result. */
const move = (_: Expr, { to, operands, count }: TileInstruction): string => call('TMOV', [rowOf(to, count), rowOf(tileOf(operands[0]), count, to.buffer.storage.c)]);

const rules: { readonly [K in Expr['kind']]?: (e: ExprOf[K], instruction: TileInstruction) => string } = {
  const: fill,
  splat: fill,
  load: convert,
  cast: convert,
  bitcast: move,
  unary,
  binary,
  compare,
  select,
  across: fold,
};
function instruct<K extends Expr['kind']>(e: ExprOf[K] & { readonly kind: K }, instruction: TileInstruction): string {
  const rule = rules[e.kind];
  invariant(rule !== undefined, `${e.kind} as an instruction`);
  return `${rule(e, instruction)} pipe_barrier(PIPE_V);`;
}

export const ptoTiles: TileSyntax = {
  matrix: ptoMatrix,
  element: ({ name, isGlobal }, at) => (isGlobal ? `${name}[${at}]` : `${name}.GetValue(${at})`),
  assign: ({ name, storage, isGlobal }, at, value) => {
    const stored = storage.bytes < 4 ? `(${storage.c})${value}` : value;
    return isGlobal ? `${name}[${at}] = ${stored};` : `${name}.SetValue(${at}, ${stored});`;
  },
  rounded: ({ c }, value) => `((float)(${c})${value})`,
  copy,
  vector: (_, instruction) => instruct(instruction.value, instruction),
  signal: (handover) => `set${flag(handover)}`,
  wait: (handover) => `wait${flag(handover)}`,
};
