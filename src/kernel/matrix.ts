// Matrix units in kernels: how large fragments are, what a step reads and writes, what is wrong with one, and what it computes.
import { decodeFloat } from '../core/float.ts';
import { byteWidth } from '../core/dtype.ts';
import type { NumericDType } from '../core/dtype.ts';
import type { Expr, Fragment, FragmentPlace, MatrixMemory, MatrixRules, MatrixStep, MatrixUnit } from './ir.ts';

/** dtypes of memory that a factor may be read from: its own, or the integer that holds its bits. */
const stored: { readonly [I in MatrixUnit['in']]: readonly NumericDType[] } = {
  f16: ['f16', 'u16'],
  bf16: ['bf16', 'u16'],
  tf32: ['f32'],
  f32: ['f32'],
  i8: ['i8'],
  u8: ['u8'],
};

/** Small floats that sums of f32 may be rounded to as they are written, where the unit works from blocks. */
const rounded: readonly NumericDType[] = ['f16', 'bf16'];

/** Whether memory of this dtype holds what the fragment is filled from or written to. */
export function holdsFragment(dtype: NumericDType, { unit, role }: Fragment): boolean {
  if (role !== 'sum') return stored[unit.in].includes(dtype);
  return dtype === unit.acc || (unit.layout === 'fractal' && unit.acc === 'f32' && rounded.includes(dtype));
}

/** The place that a step reads or writes. */
export const placeOf = (step: MatrixStep): FragmentPlace | undefined => (step.do === 'load' ? step.from : step.do === 'store' ? step.to : undefined);

/** The fragments a step uses, in which role, and as what. */
export function fragmentsOf(step: Exclude<MatrixStep, { do: 'declare' }>): readonly (readonly [name: string, role: Fragment['role'], fragment: Fragment | undefined])[] {
  if (step.do === 'settle') return [];
  if (step.do === 'begin') return step.products.map(({ sum }) => [sum, 'sum', undefined] as const);
  if (step.do !== 'multiply') return [[step.name, step.fragment.role, step.fragment]];
  return [
    [step.sum, 'sum', undefined],
    [step.a, 'a', step.fragments.a],
    [step.b, 'b', step.fragments.b],
  ];
}

/** Rows and columns. */
export function shapeOf({ unit: { m, n, k }, role }: Fragment): readonly [rows: number, columns: number] {
  return role === 'a' ? [m, k] : role === 'b' ? [k, n] : [m, n];
}

/** Lines in memory, and how many elements each has. */
export function linesOf(fragment: Fragment): readonly [lines: number, elements: number] {
  const [rows, columns] = shapeOf(fragment);
  return fragment.order === 'rows' ? [rows, columns] : [columns, rows];
}

/** Whether lines of a factor are its own, rather than the sum's. */
export const hasOwnLines = ({ role, order }: Fragment): boolean => (order === 'rows') === (role === 'a');

/** The place with what is computed in it replaced. */
export const mapPlaceExprs = (place: FragmentPlace, f: (e: Expr) => Expr): FragmentPlace => ({
  ...place,
  index: f(place.index),
  ...(place.lines === undefined ? {} : { lines: f(place.lines) }),
  ...(place.elements === undefined ? {} : { elements: f(place.elements) }),
});

/**
 * Bytes of a line of swizzled memory, of its parts, which change places, and of the lines after which places are the same again: where a part
 * lies is its own number and that of its line, combined bit by bit (xor).
 */
export const SWIZZLE = { lineBytes: 128, partBytes: 16, periodBytes: 1024 } as const;

/** The step with its places in memory replaced. */
export function mapPlace(step: MatrixStep, f: (place: FragmentPlace) => FragmentPlace): MatrixStep {
  if (step.do === 'begin') return { ...step, products: step.products.map(({ sum, a, b }) => ({ sum, a: f(a), b: f(b) })) };
  if (step.do === 'load') return { ...step, from: f(step.from) };
  return step.do === 'store' ? { ...step, to: f(step.to) } : step;
}

/** dtype of a fragment's elements. */
export const fragmentDType = ({ unit, role }: Fragment): NumericDType => (role === 'sum' ? unit.acc : stored[unit.in][0]!);

const fragmentBytes = (fragment: Fragment): number => shapeOf(fragment).reduce((bytes, side) => bytes * side, byteWidth(fragmentDType(fragment)));

/**
 * Bytes of each memory that fragments and what they are filled from take, and of scratch memory beside: where lines are turned and filled
 * up there, and products lie until they are added, as much as the largest fragment.
 */
export function matrixBytes(fragments: Iterable<Fragment>, staged: Iterable<Fragment>): Record<MatrixMemory | 'beside', number> {
  const bytes = { staging: 0, a: 0, b: 0, sum: 0, beside: 0 };
  for (const fragment of staged) bytes.staging += fragmentBytes(fragment);
  for (const fragment of fragments) {
    bytes[fragment.role] += fragmentBytes(fragment);
    if (fragment.unit.layout === 'lines') bytes.beside = Math.max(bytes.beside, fragmentBytes(fragment));
  }
  return bytes;
}

export const MATRIX_MEMORIES = ['staging', 'a', 'b', 'sum'] as const satisfies readonly MatrixMemory[];

/** How much of it is in the scratchpad. */
export const inScratchpad = (bytes: Readonly<Record<MatrixMemory | 'beside', number>>, rules: MatrixRules): number =>
  MATRIX_MEMORIES.reduce((sum, memory) => (rules.bytes[memory] === undefined ? sum + bytes[memory] : sum), bytes.beside);

/** f32 with the mantissa of f16: the nearest, ties away from zero, where half a unit of its last place is added; toward zero where nothing is. */
function roundToTf32(x: number, half: number): number {
  const cell = new DataView(new ArrayBuffer(4));
  cell.setFloat32(0, x);
  const bits = cell.getUint32(0);
  if ((bits & 0x7f800000) === 0x7f800000) return x;
  cell.setUint32(0, (bits + half) & 0xffffe000);
  return cell.getFloat32(0);
}

/** What the unit multiplies, from what memory of `dtype` holds. */
export function roundedInput({ in: input, layout }: MatrixUnit, dtype: NumericDType, x: number): number {
  // What a unit reads itself nobody rounds before.
  if (input === 'tf32') return roundToTf32(x, layout === 'swizzled' ? 0 : 0x1000);
  return dtype === 'u16' && (input === 'f16' || input === 'bf16') ? decodeFloat(input, x) : x;
}

/** sum + a·b, row by row: products of a sum's element are added exactly, then to it, then rounded. */
export function multiplyFragments({ m, n, k, acc }: MatrixUnit, sum: readonly number[], a: readonly number[], b: readonly number[]): number[] {
  return Array.from({ length: m * n }, (_, at) => {
    const [row, column, before] = [Math.floor(at / n), at % n, sum[at]!];
    let total = before;
    for (let i = 0; i < k; i++) total += a[row * k + i]! * b[i * n + column]!;
    return acc === 'f32' ? Math.fround(total) : total | 0;
  });
}
