// Tile statements in Ascend C: element access, copies by DataCopyPad, vector instructions, flags. Each instruction of the vector pipe is
// followed by the barrier that orders it with the next.
import { invariant } from '../../core/error.ts';
import type { CompareFn, Expr, Handover, Pipe } from '../../kernel/ir.ts';
import type { BufferText, RowsText, TileInstruction, TileSyntax } from '../c/dialect.ts';
import type { Prelude } from '../c/prelude.ts';
import { isIn, isTile, tileOf } from '../c/tileOperands.ts';
import type { Tile } from '../c/tileOperands.ts';
import { ascendMatrix } from './matrix.ts';

const BLOCK_BYTES = 32;
/** Where the place to work in begins in the result of a reduction. */
const WORK_BYTES = 64;
const EVENTS: { readonly [P in Pipe]: string } = { scalar: 'S', vector: 'V', in: 'MTE2', out: 'MTE3', fill: 'MTE1', matrix: 'M', drain: 'FIX' };
const event = ({ from, to, flag }: Handover): string => `Flag<HardEvent::${EVENTS[from]}_${EVENTS[to]}>(EVENT_ID${flag});`;

const place = (buffer: BufferText, at: string): string => (at === '0' ? buffer.name : `${buffer.name}[${at}]`);
const floorDiv = (x: number): number => Math.ceil(x / BLOCK_BYTES);

/** The same bytes as another type. */
const as = (type: string, { buffer, at }: { readonly buffer: BufferText; readonly at: string }): string => `${place(buffer, at)}.ReinterpretCast<${type}>()`;
const plain = ({ buffer, at }: { readonly buffer: BufferText; readonly at: string }): string => place(buffer, at);

/** Bytes from the end of a row to the next, on the global side; blocks of 32 bytes on the other. */
function gaps(global: RowsText, local: RowsText, elements: string, rows: string): readonly [string, string] {
  if (rows === '1') return ['0', '0'];
  const { bytes } = global.buffer.storage;
  invariant(/^\d+$/.test(elements), 'rows of a copy have a fixed length');
  const length = Number(elements) * bytes;
  return [String(global.stride * bytes - length), String((local.stride * bytes) / BLOCK_BYTES - floorDiv(length))];
}

function copy(_: Prelude, to: RowsText, from: RowsText, rows: string, elements: string): string {
  const [global, local] = to.buffer.isGlobal ? [to, from] : [from, to];
  const [globalGap, localGap] = gaps(global, local, elements, rows);
  const length = `(uint32_t)(${elements} * ${global.buffer.storage.bytes})`;
  const places = `${place(to.buffer, to.at)}, ${place(from.buffer, from.at)}`;
  if (to.buffer.isGlobal) return `DataCopyPad(${places}, DataCopyExtParams((uint16_t)${rows}, ${length}, ${localGap}, ${globalGap}, 0));`;
  return `DataCopyPad(${places}, DataCopyExtParams((uint16_t)${rows}, ${length}, ${globalGap}, ${localGap}, 0), DataCopyPadExtParams<${to.buffer.storage.c}>());`;
}

const ROUNDINGS = { floor: 'CAST_FLOOR', ceil: 'CAST_CEIL', rint: 'CAST_RINT', trunc: 'CAST_TRUNC' } as const;
const MODES: { readonly [F in CompareFn]: string } = { eq: 'EQ', ne: 'NE', lt: 'LT', le: 'LE', gt: 'GT', ge: 'GE' };
const PLAIN = { add: 'Add', sub: 'Sub', mul: 'Mul', div: 'Div', min: 'Min', max: 'Max' } as const;
const FOLDS = { add: 'ReduceSum', min: 'ReduceMin', max: 'ReduceMax' } as const;

/** Integers without sign are added and multiplied as those with. */
const signed = (x: Tile): string => (x.buffer.storage.c === 'unsigned' ? as('int32_t', x) : plain(x));

/** Bits do not care whose they are: 16 at a time, or 16 elements of a mask. */
function bitwise(name: string, { value, to, count }: TileInstruction, operands: readonly Tile[]): string {
  const isMask = value.type.dtype === 'bool';
  const words = isMask ? count / 16 : (count * to.buffer.storage.bytes) / 2;
  return `${name}(${[to, ...operands].map((x) => as('uint16_t', x)).join(', ')}, ${words});`;
}

function convert(instruction: TileInstruction): string {
  const { to, operands, count } = instruction;
  const from = tileOf(operands[0]);
  const [a, b] = [from.buffer.storage, to.buffer.storage];
  if (a.c === b.c) return `DataCopy(${plain(to)}, ${plain(from)}, ${count});`;
  const isWider = b.bytes > a.bytes;
  const mode = isWider ? 'CAST_NONE' : b.dtype === 'f32' ? 'CAST_RINT' : 'CAST_TRUNC';
  const isWhole = a.dtype !== 'f32' && b.c === 'float' && a.bytes === b.bytes;
  return `Cast(${plain(to)}, ${plain(from)}, RoundMode::${isWhole ? 'CAST_RINT' : mode}, ${count});`;
}

function unary(e: Extract<Expr, { kind: 'unary' }>, instruction: TileInstruction): string {
  const { to, operands, count } = instruction;
  const x = tileOf(operands[0]);
  if (e.fn === 'not' || e.fn === 'bitNot') return bitwise('Not', instruction, [x]);
  if (isIn(ROUNDINGS, e.fn)) return `Cast(${plain(to)}, ${plain(x)}, RoundMode::${ROUNDINGS[e.fn]}, ${count});`;
  return `${e.fn === 'abs' ? 'Abs' : 'Sqrt'}(${plain(to)}, ${plain(x)}, ${count});`;
}

function binary(e: Extract<Expr, { kind: 'binary' }>, instruction: TileInstruction): string {
  const { to, operands, count } = instruction;
  const [a, b] = [tileOf(operands[0]), operands[1]!];
  if (e.fn === 'and') return bitwise('And', instruction, [a, tileOf(b)]);
  if (e.fn === 'or') return bitwise('Or', instruction, [a, tileOf(b)]);
  if (e.fn === 'shl' || e.fn === 'shr') {
    invariant(!isTile(b), 'a shift by a scalar');
    return `${e.fn === 'shl' ? 'ShiftLeft' : 'ShiftRight'}(${plain(to)}, ${plain(a)}, (${to.buffer.storage.c})${b.scalar}, ${count});`;
  }
  invariant(isIn(PLAIN, e.fn), `${e.fn} as an instruction`);
  if (isTile(b)) return `${PLAIN[e.fn]}(${[to, a, b].map(signed).join(', ')}, ${count});`;
  const type = to.buffer.storage.c === 'unsigned' ? 'int' : to.buffer.storage.c;
  const scalar = e.fn === 'sub' ? `(${type})(-(${type})${b.scalar})` : `(${type})${b.scalar}`;
  return `${e.fn === 'sub' ? 'Adds' : `${PLAIN[e.fn]}s`}(${signed(to)}, ${signed(a)}, ${scalar}, ${count});`;
}

function compare(e: Extract<Expr, { kind: 'compare' }>, { to, operands, count }: TileInstruction): string {
  const [a, b] = [tileOf(operands[0]), operands[1]!];
  const mode = `CMPMODE::${MODES[e.fn]}, ${count}`;
  return isTile(b) ? `Compare(${plain(to)}, ${plain(a)}, ${plain(b)}, ${mode});` : `CompareScalar(${plain(to)}, ${plain(a)}, ${b.scalar}, ${mode});`;
}

/** Only floats are chosen between: others are, by their bits. */
function select(p: Prelude, e: Extract<Expr, { kind: 'select' }>, { to, operands, count }: TileInstruction): string {
  const [mask, a, b] = [tileOf(operands[0]), tileOf(operands[1]), operands[2]!];
  const text = (x: Tile): string => (e.type.dtype === 'f32' ? plain(x) : as('float', x));
  const head = `Select(${text(to)}, ${plain(mask)}, ${text(a)}`;
  if (isTile(b)) return `${head}, ${text(b)}, SELMODE::VSEL_TENSOR_TENSOR_MODE, ${count});`;
  const scalar = e.type.dtype === 'f32' ? b.scalar : p.dialect.bitcast(p, e.type.dtype, 'f32', b.scalar);
  return `${head}, ${scalar}, SELMODE::VSEL_TENSOR_SCALAR_MODE, ${count});`;
}

function fill(instruction: TileInstruction): string {
  const { to, operands, count } = instruction;
  const [x] = operands;
  invariant(x !== undefined && !isTile(x), 'a tile is filled with a scalar');
  const { c, bytes } = to.buffer.storage;
  if (bytes > 1) return `Duplicate(${plain(to)}, (${c})${x.scalar}, ${count});`;
  invariant(x.scalar === '0' || x.scalar === '0u', 'bytes are filled with 0 only');
  return `Duplicate(${as('uint16_t', to)}, (uint16_t)0, ${count / 2});`;
}

function fold(e: Extract<Expr, { kind: 'across' }>, { to, operands, count }: TileInstruction): string {
  invariant(isIn(FOLDS, e.fn), `${e.fn} across a tile`);
  const work = `${to.buffer.name}[${WORK_BYTES / to.buffer.storage.bytes}]`;
  return `${FOLDS[e.fn]}(${plain(to)}, ${plain(tileOf(operands[0]))}, ${work}, ${count});`;
}

function instruct(p: Prelude, instruction: TileInstruction): string {
  const { value, to, operands, count } = instruction;
  switch (value.kind) {
    case 'const':
    case 'splat':
      return fill(instruction);
    case 'load':
    case 'cast':
      return convert(instruction);
    case 'bitcast':
      return `DataCopy(${plain(to)}, ${as(to.buffer.storage.c, tileOf(operands[0]))}, ${count});`;
    case 'unary':
      return unary(value, instruction);
    case 'binary':
      return binary(value, instruction);
    case 'compare':
      return compare(value, instruction);
    case 'select':
      return select(p, value, instruction);
    case 'across':
      return fold(value, instruction);
    case 'fma':
    case 'dot':
    case 'narrow':
    case 'pack':
    case 'extract':
    case 'var':
      return invariant(false, `${value.kind} as an instruction`) ?? '';
  }
}

export const ascendTiles: TileSyntax = {
  element: ({ name, storage }, at) => (storage.c === 'bfloat16_t' ? `ToFloat(${name}.GetValue(${at}))` : `${name}.GetValue(${at})`),
  assign: ({ name, storage }, at, value) => {
    const stored = storage.c === 'bfloat16_t' ? `ToBfloat16(${value})` : storage.bytes < 4 ? `(${storage.c})${value}` : value;
    return `${name}.SetValue(${at}, ${stored});`;
  },
  rounded: ({ c }, value) => (c === 'bfloat16_t' ? `ToFloat(ToBfloat16(${value}))` : `((float)(${c})${value})`),
  copy,
  vector: (p, instruction) => `${instruct(p, instruction)} PipeBarrier<PIPE_V>();`,
  matrix: ascendMatrix,
  signal: (handover) => `Set${event(handover)}`,
  wait: (handover) => `Wait${event(handover)}`,
};
