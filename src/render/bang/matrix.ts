// The matrix unit of an MLU core in BANG C: factors come into neural memory (NRAM), where they are turned and filled up with zeros; the
// filter goes on into weight memory (WRAM), in the order that __bang_reshape_filter makes. Names, operands and sizes that must be multiples
// from Cambricon's open operators (mlu-ops: kernels/fft, kernels/kernel.h).
import { invariant } from '../../core/error.ts';
import type { Fragment, Kernel } from '../../kernel/ir.ts';
import { fragmentDType, hasOwnLines, matrixBytes, shapeOf } from '../../kernel/matrix.ts';
import { declaredIn } from '../../kernel/statements.ts';
import type { BufferText, TileMatrixSyntax } from '../c/dialect.ts';
import { storageOf } from '../c/types.ts';

/** WRAM lies in so many parts, which the rows of a filter take in turn; places in it count within one part. */
const PARTS = 64;
/** A row of a filter takes a multiple of this many bytes. */
const ROW_BYTES = 64;
/** Operands in NRAM begin at a multiple of this. */
const ALIGN_BYTES = 128;

const element = (fragment: Fragment): string => storageOf(fragmentDType(fragment)).c;
const bytesOf = (fragment: Fragment): number => storageOf(fragmentDType(fragment)).bytes;

/** A number of elements as text, and the next multiple of `by`. */
const roundUp = (x: string, by: number): string => (/^\d+$/.test(x) ? String(Math.ceil(Number(x) / by) * by) : `((${x} + ${by - 1}) / ${by} * ${by})`);
const less = (x: string, y: string): string => (x === y ? '0' : /^\d+$/.test(x) && /^\d+$/.test(y) ? String(Number(x) - Number(y)) : `${x} - ${y}`);

/** Memory of all fragments of a kernel, and what it works in beside; none where it uses no matrix unit. */
export function matrixMemory({ body }: Kernel): string[] {
  const fragments = declaredIn(body);
  if (fragments.length === 0) return [];
  let part = 0;
  const lines = fragments.map(([name, fragment]) => {
    const [rows, columns] = shapeOf(fragment);
    const c = element(fragment);
    if (fragment.role !== 'b') return `__nram__ __attribute__((aligned(${ALIGN_BYTES}))) ${c} ${name}[${rows * columns}];`;
    const line = `const int ${name} = ${part};`;
    part += (rows * columns * bytesOf(fragment)) / PARTS;
    return line;
  });
  const bytes = matrixBytes(
    fragments.map(([, fragment]) => fragment),
    [],
  );
  return [...lines, `__nram__ __attribute__((aligned(${ALIGN_BYTES}))) char beside[${bytes.beside}];`, `__wram__ __attribute__((aligned(${ROW_BYTES}))) char wram[${bytes.b}];`];
}

/** Statements that bring a factor from where it was copied to into lines of its own, filled up: between two places, and which of them it ends in. */
function fillUp(
  fragment: Fragment,
  buffer: BufferText,
  lines: string,
  elements: string,
  whole: string,
  end: string | undefined,
): { readonly text: string; readonly at: string; readonly free: string } {
  const c = element(fragment);
  const beside = `(${c} *)beside`;
  const [side, depth] = hasOwnLines(fragment) ? [lines, elements] : [elements, lines];
  const [own, turned] = hasOwnLines(fragment) ? [buffer.name, ''] : [beside, `__bang_transpose(${beside}, ${buffer.name}, ${lines}, ${elements}); `];
  const free = own === beside ? buffer.name : beside;
  const at = end ?? free;
  const beyond = fragment.role === 'b' ? less(String(fragment.unit.n), side) : '0';
  return { text: `${turned}__bang_pad(${at}, ${own}, 1, ${side}, ${depth}, 0, ${beyond}, 0, ${less(whole, depth)});`, at, free: own };
}

export const bangMatrix: TileMatrixSyntax = {
  declare: (_, name, { role, unit }) => (role === 'sum' ? `bool ${name}_new = true;` : role === 'a' ? `int ${name}_side = ${unit.m}, ${name}_depth = ${unit.k};` : ''),
  // Lines one right after the other.
  copy: (_, to, _fragment, from, rows, elements) => {
    const { bytes } = to.storage;
    return `__memcpy_async(${to.name}, ${from.at === '0' ? from.buffer.name : `${from.buffer.name} + ${from.at}`}, ${elements} * ${bytes}, GDRAM2NRAM, ${elements} * ${bytes}, ${from.stride * bytes}, ${rows} - 1);`;
  },
  load: (_, name, fragment, { buffer, lines, elements }) => {
    const [side, depth] = hasOwnLines(fragment) ? [lines, elements] : [elements, lines];
    const whole = roundUp(depth, ROW_BYTES / bytesOf(fragment));
    if (fragment.role === 'a') return `${name}_side = ${side}; ${name}_depth = ${whole}; ${fillUp(fragment, buffer, lines, elements, whole, name).text}`;
    const { text, at, free } = fillUp(fragment, buffer, lines, elements, whole, undefined);
    const { n } = fragment.unit;
    const moved = `__memcpy_async((${element(fragment)} *)(wram + ${name}), ${free}, ${n} * ${whole} * ${bytesOf(fragment)}, NRAM2WRAM);`;
    return `${text} __bang_reshape_filter(${free}, ${at}, ${n}, 1, 1, ${whole}); __sync_compute(); ${moved} __sync_move();`;
  },
  multiply: (_, sum, a, b, { b: filter }) => {
    const { n } = filter.unit;
    const product = `__bang_matmul(${sum}_new ? ${sum} : (float *)beside, ${a}, (${element(filter)} *)(wram + ${b}), ${a}_side, ${a}_depth, ${n});`;
    return `${product} if (!${sum}_new) __bang_add(${sum}, ${sum}, (float *)beside, ${a}_side * ${n}); ${sum}_new = false;`;
  },
  store: (_, name, { unit }, { buffer, at, stride, lines }) => {
    invariant(stride === unit.n, 'a sum is stored as whole lines');
    return `__bang_move(${at === '0' ? buffer.name : `${buffer.name} + ${at}`}, ${name}, ${lines} * ${unit.n} * ${buffer.storage.bytes});`;
  },
};
