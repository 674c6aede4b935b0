// Tile statements in XPU C++. An instruction is a loop over local memory: of registers of 16 lanes where the SIMD unit has the operation,
// else of scalar code, which stands on a core's own memory too. A fence after each lets the next see what it made.
import { invariant } from '../../core/error.ts';
import { variable } from '../../kernel/build.ts';
import type { Expr, Pipe } from '../../kernel/ir.ts';
import { mapOperands } from '../../kernel/rewriteKernel.ts';
import type { BufferText, RowsText, TileInstruction, TileSyntax } from '../c/dialect.ts';
import { exprText } from '../c/expression.ts';
import { binaryText } from '../c/functions.ts';
import type { Prelude } from '../c/prelude.ts';
import type { Storage } from '../c/types.ts';
import { isIn, isTile } from '../c/tileOperands.ts';
import type { Tile } from '../c/tileOperands.ts';

const LANES = 16;
const REGISTER = 'float32x16';

/** The loop variable of an instruction. */
const EACH = 'each';
const sum = (...terms: readonly string[]): string => terms.filter((term) => term !== '0').join(' + ') || '0';

/** Functions between small floats and f32, by the name of their type; to the nearest, ties to even. */
const SMALL_FLOATS = {
  half: { wide: '__half2float', narrow: '__float2half_rn' },
  bfloat16_t: { wide: '__bfloat162float', narrow: '__float2bfloat16_rn' },
} as const;
const widened = ({ c }: Storage, x: string): string => (isIn(SMALL_FLOATS, c) ? `${SMALL_FLOATS[c].wide}(${x})` : x);
const narrowed = ({ c, bytes }: Storage, x: string): string => (isIn(SMALL_FLOATS, c) ? `${SMALL_FLOATS[c].narrow}(${x})` : bytes < 4 ? `(${c})${x}` : x);

/** An element as it lies in memory. */
const plain = ({ name, isGlobal }: BufferText, at: string): string => (isGlobal ? `gm_read(${sum(name, at)})` : `${name}[${at}]`);
const put = ({ name, isGlobal }: BufferText, at: string, stored: string): string => (isGlobal ? `gm_write(${sum(name, at)}, ${stored});` : `${name}[${at}] = ${stored};`);
const element = (buffer: BufferText, at: string): string => widened(buffer.storage, plain(buffer, at));
const assign = (buffer: BufferText, at: string, value: string): string => {
  const { storage, isGlobal } = buffer;
  return put(buffer, at, isGlobal && storage.bytes >= 4 ? `(${storage.c})${value}` : narrowed(storage, value));
};

function copy(to: RowsText, from: RowsText, rows: string, elements: string): string {
  const place = ({ buffer, at, stride }: RowsText): string => sum(buffer.name, at, rows === '1' ? '0' : `${EACH} * ${stride}`);
  const text = `${to.buffer.isGlobal ? 'LM2GM' : 'GM2LM'}_ASYNC(${place(from)}, ${place(to)}, ${elements} * ${to.buffer.storage.bytes});`;
  return rows === '1' ? text : `for (int ${EACH} = 0; ${EACH} < ${rows}; ${EACH}++) ${text}`;
}

const registerAt = ({ buffer, at }: Tile): string => `vload_lm_${REGISTER}(${sum(buffer.name, at, EACH)})`;

/** Functions of the SIMD unit on two registers, and on a scalar and a register. */
const VECTORS = { add: 'vvadd', sub: 'vvsub', mul: 'vvmul', min: 'vvmin', max: 'vvmax' } as const;
const SCALARS = { add: 'svadd', mul: 'svmul' } as const;

/** What one register becomes; undefined where the SIMD unit has no such function. */
function registerText({ value, to, operands }: TileInstruction): string | undefined {
  const [a, b] = operands;
  if (!isTile(a)) return undefined;
  const isMove = value.kind === 'load' || value.kind === 'bitcast';
  if (isMove && a.buffer.storage.bytes === 4 && to.buffer.storage.bytes === 4) return registerAt(a);
  if (value.kind !== 'binary' || value.type.dtype !== 'f32') return undefined;
  if (isTile(b)) return isIn(VECTORS, value.fn) ? `${VECTORS[value.fn]}_${REGISTER}(${registerAt(a)}, ${registerAt(b)})` : undefined;
  return b !== undefined && isIn(SCALARS, value.fn) ? `${SCALARS[value.fn]}_${REGISTER}(${b.scalar}, ${registerAt(a)})` : undefined;
}

/** The operation on element `each` of the operands. */
function elementText(p: Prelude, { value, operands }: TileInstruction): string {
  const texts = operands.map((x) => (isTile(x) ? element(x.buffer, sum(x.at, EACH)) : x.scalar));
  if (value.kind === 'load' || value.kind === 'splat' || value.kind === 'const') return texts[0]!;
  let i = 0;
  const scalar: Expr = { ...mapOperands(value, (x) => variable(texts[i++]!, x.type.dtype)), type: { dtype: value.type.dtype, lanes: 1 } };
  return exprText(scalar, { prelude: p, buffers: new Map() });
}

/** Registers are folded lane by lane, then their lanes and what fills no register one by one. */
function foldText(p: Prelude, e: Extract<Expr, { kind: 'across' }>, { to, operands, count }: TileInstruction): string {
  const [x] = operands;
  invariant(isTile(x) && isIn(VECTORS, e.fn), `${e.fn} across a tile`);
  const { c } = x.buffer.storage;
  const fold = (item: string): string => `folded = ${binaryText(p, e.fn, { dtype: e.type.dtype, lanes: 1 }, 'folded', item)};`;
  const one = (from: number): string => `for (int ${EACH} = ${from}; ${EACH} < ${count}; ${EACH}++) ${fold(element(x.buffer, sum(x.at, EACH)))}`;
  const done = `${to.buffer.name}[${to.at}] = folded;`;
  if (e.type.dtype !== 'f32' || count < 2 * LANES) return `{ ${c} folded = ${element(x.buffer, x.at)}; ${one(1)} ${done} }`;
  const whole = count - (count % LANES);
  return [
    `{ ${REGISTER}_t lanes = vload_lm_${REGISTER}(${sum(x.buffer.name, x.at)});`,
    `for (int ${EACH} = ${LANES}; ${EACH} < ${whole}; ${EACH} += ${LANES}) lanes = ${VECTORS[e.fn]}_${REGISTER}(lanes, ${registerAt(x)});`,
    `float folded = vextract_${REGISTER}(lanes, 1);`,
    `for (int ${EACH} = 1; ${EACH} < ${LANES}; ${EACH}++) ${fold(`vextract_${REGISTER}(lanes, 1 << ${EACH})`)}`,
    ...(whole < count ? [one(whole)] : []),
    `${done} }`,
  ].join(' ');
}

function instruct(p: Prelude, instruction: TileInstruction): string {
  const { value, to, count } = instruction;
  if (value.kind === 'across') return foldText(p, value, instruction);
  const [x] = instruction.operands;
  const isMove = value.kind === 'load' && isTile(x) && x.buffer.storage.c === to.buffer.storage.c;
  const register = registerText(instruction);
  if (register === undefined && isMove) return `for (int ${EACH} = 0; ${EACH} < ${count}; ${EACH}++) ${put(to.buffer, sum(to.at, EACH), plain(x.buffer, sum(x.at, EACH)))}`;
  if (register === undefined) return `for (int ${EACH} = 0; ${EACH} < ${count}; ${EACH}++) ${assign(to.buffer, sum(to.at, EACH), elementText(p, instruction))}`;
  return `for (int ${EACH} = 0; ${EACH} < ${count}; ${EACH} += ${LANES}) vstore_lm_${REGISTER}(${sum(to.buffer.name, to.at, EACH)}, ${register});`;
}

/** A fence holds back everything that comes after it; what vector instructions made is fenced already. */
const WAITS: { readonly [P in Exclude<Pipe, 'fill' | 'matrix' | 'drain'>]: string | undefined } = { scalar: 'mfence();', vector: undefined, in: 'mfence();', out: 'mfence();' };

export const xpuTiles: TileSyntax = {
  element,
  assign,
  rounded: (storage, x) => widened(storage, narrowed(storage, x)),
  copy: (_, to, from, rows, elements) => copy(to, from, rows, elements),
  vector: (p, instruction) => `${instruct(p, instruction)} mfence_lm();`,
  signal: () => undefined,
  wait: ({ from }) => (isIn(WAITS, from) ? WAITS[from] : undefined),
};
