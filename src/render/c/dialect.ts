// What the languages of C's family spell differently, as data: types, constants, helper functions and vectors. The printer of
// expressions and statements asks a dialect; it decides nothing else.
import type { WordParts } from '../../core/words.ts';
import type { ColumnRange, ComputeDType, Expr, ExprType, Factors, Fragment, Handover } from '../../kernel/ir.ts';
import type { Prelude } from './prelude.ts';
import type { Storage } from './types.ts';

export type Real = 'f32' | 'f64';
export type RealFunction = 'fabs' | 'floor' | 'ceil' | 'rint' | 'trunc' | 'sqrt';

/** Vectors of 32-bit lanes; those of bools are masks, 0 or −1 in each lane. Operators work lane by lane in every dialect that has them. */
export interface VectorSyntax {
  /** The type's name, declared where the language does not know it. */
  type(p: Prelude, type: ExprType): string;
  pack(p: Prelude, type: ExprType, items: readonly string[]): string;
  splat(p: Prelude, type: ExprType, x: string): string;
  lane(x: string, lane: number): string;
  /** By value. */
  convert(p: Prelude, type: ExprType, x: string): string;
  bitcast(p: Prelude, type: ExprType, x: string): string;
  /** `a` in lanes where the mask is set, else `b`. */
  select(p: Prelude, type: ExprType, mask: string, a: string, b: string): string;
  /** Consecutive elements from `pointer`, as they lie in memory, as lanes of `type`. */
  load(p: Prelude, storage: Storage, type: ExprType, pointer: string): string;
  /** The statement that does the reverse. */
  store(p: Prelude, storage: Storage, type: ExprType, pointer: string, x: string): string;
  /** 1 where all lanes of the masks `x` are set (`and`) or any (`or`), else 0; `plain` is a function that does the same lane by lane. */
  lanesSet?(p: Prelude, type: ExprType, fn: 'and' | 'or', plain: string, x: string): string;
  /** The definition of a function of vectors from its `body` for scalars a, b, c. */
  lanewise(type: string, signature: string, lanes: number, body: string): string;
}

/** A buffer of the kernel at hand. */
export interface BufferText {
  readonly name: string;
  readonly storage: Storage;
  /** A parameter, in global memory, rather than scratch memory. */
  readonly isGlobal: boolean;
}

/** Rows of a copy; numbers of elements. */
export interface RowsText {
  readonly buffer: BufferText;
  readonly at: string;
  readonly stride: number;
}

/** An operand of a vector instruction: elements of scratch memory from `at` on, or one scalar for all. */
export type TileOperand = { readonly buffer: BufferText; readonly at: string } | { readonly scalar: string; readonly dtype: ComputeDType };

/** The one operation of a vector instruction. */
export interface TileInstruction {
  readonly value: Expr;
  readonly to: { readonly buffer: BufferText; readonly at: string };
  readonly operands: readonly TileOperand[];
  readonly count: number;
}

export interface TileSyntax {
  /** One element, as it lies in memory. */
  element(buffer: BufferText, at: string): string;
  /** The statement that stores one element, from the compute type of its storage. */
  assign(buffer: BufferText, at: string, value: string): string;
  /** `value` as a small float, and back as f32. */
  rounded(storage: Storage, value: string): string;
  copy(p: Prelude, to: RowsText, from: RowsText, rows: string, elements: string): string;
  vector(p: Prelude, instruction: TileInstruction): string;
  /** Steps of the core's matrix unit, where it has one. */
  readonly matrix?: TileMatrixSyntax;
  /** Nothing where the wait says it all. */
  signal(handover: Handover): string | undefined;
  wait(handover: Handover): string | undefined;
}

/** Statements of copies that a thread begins and awaits later; places are addresses. */
export interface FetchSyntax {
  fetch(p: Prelude, to: string, from: string, bytes: number, when: string | undefined): string;
  commit(p: Prelude): string;
  await(p: Prelude, pending: number): string;
}

/** Where a fragment is filled from or written to; numbers of elements, and as many lines and elements as there are. */
export interface FragmentText {
  readonly buffer: BufferText;
  readonly at: string;
  readonly stride: number;
  readonly lines: string;
  readonly elements: string;
}

/** Statements of a core's matrix unit. `copy` is into memory that a factor is filled from. */
export interface TileMatrixSyntax {
  declare(p: Prelude, name: string, fragment: Fragment): string;
  copy(p: Prelude, to: BufferText, fragment: Fragment, from: RowsText, rows: string, elements: string): string;
  load(p: Prelude, name: string, fragment: Fragment, from: FragmentText): string;
  multiply(p: Prelude, sum: string, a: string, b: string, fragments: { readonly a: Fragment; readonly b: Fragment }): string;
  store(p: Prelude, name: string, fragment: Fragment, to: FragmentText): string;
}

/** Statements of matrix units; memory is given by the address of a fragment's first element and the distance of its lines. */
export interface MatrixSyntax {
  declare(p: Prelude, name: string, fragment: Fragment): string;
  load(p: Prelude, name: string, fragment: Fragment, pointer: string, stride: number): string;
  multiply(p: Prelude, sum: string, a: string, b: string, fragments: { readonly a: Fragment; readonly b: Fragment }): string;
  store(p: Prelude, name: string, fragment: Fragment, pointer: string, stride: number, columns?: ColumnRange): string;
  /** Of units that read memory themselves, beside other work: lines that begin a group of products, and a statement that awaits groups. */
  begin?(p: Prelude, products: readonly ProductText[], fragments: Factors): readonly string[];
  settle?(p: Prelude, pending: number): string;
  /** What stands before a barrier after which they know what threads stored. */
  publish?(p: Prelude): string;
}

/** A factor's address, and the elements between parts of its lines. */
export interface FactorText {
  readonly pointer: string;
  readonly panel?: number;
}
export interface ProductText {
  readonly sum: string;
  readonly a: FactorText;
  readonly b: FactorText;
}

/** A small float that a language converts from and to f32 itself, to the nearest, ties to even: elements of buffers and values, of any number of lanes. */
export interface FloatSyntax {
  /** The type of an element in memory. */
  readonly c: string;
  load(p: Prelude, lanes: number, buffer: string, at: string): string;
  /** The statement that stores `x`. */
  store(p: Prelude, lanes: number, buffer: string, at: string, x: string): string;
  /** `x` as f32 after it was one. */
  round(p: Prelude, lanes: number, x: string): string;
}

/** Small floats by dtype; of those that are not there, bits are computed with (kernel/smallFloats.ts). */
export type FloatSyntaxes = { readonly [D in 'f16' | 'bf16']?: FloatSyntax };

export interface Dialect {
  /** Declarations at the head of every unit. */
  readonly head: string;
  /** The type of address arithmetic. */
  readonly index: string;
  /** The suffix of 64-bit literals. */
  readonly wideSuffix: 'l' | 'll';
  /** What stands before a helper function. */
  readonly helper: string;
  /** The line that asks for the loop after it to be unrolled. */
  readonly unroll: string;
  /** The statement at which a block's threads wait for each other; empty where a block is one thread. */
  readonly barrier: string;
  /** The value that `x` has in the thread whose number in the subgroup differs in the bits of `mask`. Of languages that can say so. */
  shuffle?(x: string, mask: number): string;
  nan(dtype: Real): string;
  infinity(dtype: Real): string;
  /** The language's own function. */
  real(fn: RealFunction, dtype: Real): string;
  /** The name of a·b + c, one instruction where the machine has it. */
  fma(p: Prelude, dtype: Real): string;
  /** The name of a function that adds the products of the parts of words a and b to c, where the language reaches an instruction for it; `plain` says the same lane by lane. */
  dot?(p: Prelude, parts: WordParts, type: ExprType, plain: string): string;
  /** The name of a function for the least or greatest of two vectors, where there is a better one than `plain`, which says so for scalars a and b, lane by lane. */
  extreme?(p: Prelude, fn: 'min' | 'max', type: ExprType, plain: string): string;
  /** The same bits as another scalar type. */
  bitcast(p: Prelude, from: ComputeDType, to: ComputeDType, x: string): string;
  readonly vectors: VectorSyntax;
  readonly floats?: FloatSyntaxes;
  /** Of languages for machines with a scratchpad. */
  readonly tiles?: TileSyntax;
  /** Of languages for machines that copy beside other work. */
  readonly fetch?: FetchSyntax;
  /** Of languages for machines whose subgroups have matrix units. */
  readonly matrix?: MatrixSyntax;
}
