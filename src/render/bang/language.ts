// BANG C: kernels of the cores of MLU chips, with variables in their neural memory (NRAM), copies beside computation, and waits for either.
// Names from the BANG C developer's guide and from Cambricon's open operators (mlu-ops).
import { invariant } from '../../core/error.ts';
import type { Expr, Pipe } from '../../kernel/ir.ts';
import type { BufferText, RowsText, TileInstruction, TileOperand, TileSyntax } from '../c/dialect.ts';
import type { LaunchedLanguage } from '../c/launched.ts';
import { scalarDialect, scalarLibrary } from '../c/scalars.ts';
import { isIn, tileOf } from '../c/tileOperands.ts';
import { bangMatrix, matrixMemory } from './matrix.ts';

const HELPER = '__mlu_func__ inline';
const HEAD = `#include <bang.h>
typedef signed char i8;
typedef unsigned char u8;
typedef unsigned short u16;
typedef long long i64;
typedef unsigned long long u64;
${scalarLibrary(HELPER)}`;

/** What computes begins at a multiple of this. */
const ALIGN_BYTES = 128;

const place = (buffer: BufferText, at: string): string => (at === '0' ? buffer.name : `${buffer.name} + ${at}`);

function copy(to: RowsText, from: RowsText, rows: string, elements: string): string {
  const { bytes } = to.buffer.storage;
  const places = `${place(to.buffer, to.at)}, ${place(from.buffer, from.at)}, ${elements} * ${bytes}, ${to.buffer.isGlobal ? 'NRAM2GDRAM' : 'GDRAM2NRAM'}`;
  return rows === '1' ? `__memcpy_async(${places});` : `__memcpy_async(${places}, ${to.stride * bytes}, ${from.stride * bytes}, ${rows} - 1);`;
}

const tile = (x: TileOperand | undefined): string => place(tileOf(x).buffer, tileOf(x).at);

const BINARY = { add: '__bang_add', sub: '__bang_sub', mul: '__bang_mul', min: '__bang_minequal', max: '__bang_maxequal' } as const;
const SCALAR = { add: '__bang_add_scalar', sub: '__bang_sub_scalar', mul: '__bang_mul_scalar', min: '__bang_mineq_scalar', max: '__bang_maxeq_scalar' } as const;
const UNARY = { abs: '__bang_abs', sqrt: '__bang_sqrt', floor: '__bang_floor', ceil: '__bang_ceil', rint: '__bang_rint', trunc: '__bang_trunc' } as const;
const CONVERSIONS: Readonly<Record<string, string>> = { 'half float': '__bang_half2float', 'float half': '__bang_float2half_rn' };
/** Of integers, with the position of a point as the last operand. */
const FIXED_CONVERSIONS: Readonly<Record<string, string>> = { 'i8 float': '__bang_int82float', 'int float': '__bang_int322float', 'float int': '__bang_float2int32_tz' };

function binary(e: Extract<Expr, { kind: 'binary' }>, { to, operands, count }: TileInstruction): string {
  const [a, b] = operands;
  if (b !== undefined && 'scalar' in b) {
    invariant(isIn(SCALAR, e.fn), `${e.fn} by a scalar`);
    return `${SCALAR[e.fn]}(${place(to.buffer, to.at)}, ${tile(a)}, (${to.buffer.storage.c})${b.scalar}, ${count});`;
  }
  invariant(isIn(BINARY, e.fn), `${e.fn} as an instruction`);
  return `${BINARY[e.fn]}(${place(to.buffer, to.at)}, ${tile(a)}, ${tile(b)}, ${count});`;
}

function instruct({ value, to, operands, count }: TileInstruction): string {
  const target = place(to.buffer, to.at);
  const [x] = operands;
  if ((value.kind === 'splat' || value.kind === 'const') && x !== undefined && 'scalar' in x)
    return `__bang_write_value(${target}, ${count}, (${to.buffer.storage.c})${x.scalar});`;
  if (value.kind === 'binary') return binary(value, { value, to, operands, count });
  if (value.kind === 'unary' && isIn(UNARY, value.fn)) return `${UNARY[value.fn]}(${target}, ${tile(x)}, ${count});`;
  invariant(value.kind === 'load' || value.kind === 'cast' || value.kind === 'bitcast', `${value.kind} as an instruction`);
  const from = tileOf(x).buffer.storage;
  const bits = from.bytes === to.buffer.storage.bytes && (value.kind === 'bitcast' || from.c === to.buffer.storage.c);
  if (bits) return `__bang_move(${target}, ${tile(x)}, ${count * from.bytes});`;
  const pair = `${from.c} ${to.buffer.storage.c}`;
  const fixed = FIXED_CONVERSIONS[pair];
  if (fixed !== undefined) return `${fixed}(${target}, ${tile(x)}, ${count}, 0);`;
  const name = CONVERSIONS[pair];
  invariant(name !== undefined, `no conversion of ${from.c} to ${to.buffer.storage.c}`);
  return `${name}(${target}, ${tile(x)}, ${count});`;
}

const COMPUTE = '__sync_compute();';
const WAITS: { readonly [P in Pipe]: string } = { scalar: '__sync();', vector: COMPUTE, in: '__sync_io();', out: '__sync_io();', fill: COMPUTE, matrix: COMPUTE, drain: COMPUTE };
/** What computes does so in order. */
const computes = (pipe: Pipe): boolean => WAITS[pipe] === COMPUTE;

const tiles: TileSyntax = {
  element: ({ name }, at) => `${name}[${at}]`,
  assign: ({ name, storage }, at, value) => `${name}[${at}] = ${storage.bytes < 4 ? `(${storage.c})${value}` : value};`,
  rounded: ({ c }, value) => `((float)(${c})${value})`,
  copy: (_, to, from, rows, elements) => copy(to, from, rows, elements),
  vector: (_, instruction) => instruct(instruction),
  // Whoever waits waits for all that a unit was given.
  signal: () => undefined,
  wait: ({ from, to }) => (computes(from) && computes(to) ? undefined : WAITS[from]),
  matrix: bangMatrix,
};

export const bangLanguage: LaunchedLanguage = {
  name: 'bang-c',
  lacksDoubles: true,
  dialect: () => scalarDialect(HEAD, HELPER, tiles),
  head: (symbol) => `extern "C" __mlu_global__ void ${symbol}`,
  param: ({ name, access }, element) => ({ declaration: `${access === 'read' ? 'const ' : ''}${element} *${name}` }),
  scratch: ({ name, elements }, element) => [`__nram__ __attribute__((aligned(${ALIGN_BYTES}))) ${element} ${name}[${elements}];`],
  enter: matrixMemory,
  block: 'taskId',
  thread: '0',
};
