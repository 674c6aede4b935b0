// The kernel IR: loops, locals and buffers, with scalar or vector expressions. It is what a schedule produces and a renderer prints.
// It knows nothing of graphs, operators or chips.
//
// Storage and compute types differ: a buffer may hold any dtype, an expression is one of the compute types. A load widens (i8 → i32,
// f16 → f32, bool → bool), a store narrows (integers wrap, floats round to nearest even). Arithmetic that must be exact in a narrow
// dtype is followed by `narrow`, which rounds or wraps within the compute type. Vectors have 32-bit lanes only (f32, i32, u32, bool);
// everything else is scalar.
import type { DType, NumericDType } from '../core/dtype.ts';
import type { WordParts } from '../core/words.ts';

/** `index` is the machine's address arithmetic: 64-bit native, 32-bit in wasm. Loop variables and buffer positions are of it. */
export type ComputeDType = 'f32' | 'f64' | 'i32' | 'u32' | 'i64' | 'u64' | 'bool' | 'index';

export interface ExprType {
  readonly dtype: ComputeDType;
  /** 1 for a scalar. */
  readonly lanes: number;
}

/** neg, abs: any number. floor…rint, sqrt: floats. not: bool. bitNot: integers. The rest is mathematics that `expandMath` may replace. */
export type UnaryFn =
  | 'neg'
  | 'abs'
  | 'floor'
  | 'ceil'
  | 'rint'
  | 'trunc'
  | 'sqrt'
  | 'not'
  | 'bitNot'
  | 'exp'
  | 'log'
  | 'sin'
  | 'cos'
  | 'tan'
  | 'asin'
  | 'acos'
  | 'atan'
  | 'sinh'
  | 'cosh'
  | 'tanh'
  | 'asinh'
  | 'acosh'
  | 'atanh'
  | 'erf';

/**
 * div: truncating on integers (the schedule guards zero divisors). rem: C's % on integers, fmod on floats. min, max: on floats `a < b ? a : b` and `a > b ? a : b` (no
 * NaN promise; the schedule adds it). and, or, xor: bool or integers. shl, shr: the count is below the width; shr is arithmetic on
 * signed types. pow: floats.
 */
export type BinaryFn = 'add' | 'sub' | 'mul' | 'div' | 'rem' | 'min' | 'max' | 'and' | 'or' | 'xor' | 'shl' | 'shr' | 'pow';
export type CompareFn = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge';

export type Expr =
  | { readonly kind: 'const'; readonly type: ExprType; readonly value: number | bigint }
  /** A loop variable, or a local declared by `let`. */
  | { readonly kind: 'var'; readonly type: ExprType; readonly name: string }
  /** `type.lanes` consecutive elements from `index` (in elements of the buffer's dtype). */
  | { readonly kind: 'load'; readonly type: ExprType; readonly buffer: string; readonly index: Expr }
  | { readonly kind: 'unary'; readonly type: ExprType; readonly fn: UnaryFn; readonly x: Expr }
  | { readonly kind: 'binary'; readonly type: ExprType; readonly fn: BinaryFn; readonly a: Expr; readonly b: Expr }
  /** Type bool, lanes of the operands. */
  | { readonly kind: 'compare'; readonly type: ExprType; readonly fn: CompareFn; readonly a: Expr; readonly b: Expr }
  | { readonly kind: 'select'; readonly type: ExprType; readonly condition: Expr; readonly a: Expr; readonly b: Expr }
  /** a·b + c, fused where the machine can, f32 or f64. */
  | { readonly kind: 'fma'; readonly type: ExprType; readonly a: Expr; readonly b: Expr; readonly c: Expr }
  /** c + Σ of the products of the parts of words a and b, all i32; the sum wraps. */
  | { readonly kind: 'dot'; readonly type: ExprType; readonly parts: WordParts; readonly a: Expr; readonly b: Expr; readonly c: Expr }
  /** Conversion by value. Float to integer truncates; NaN and out of range give any value, never a trap. */
  | { readonly kind: 'cast'; readonly type: ExprType; readonly x: Expr }
  /** The same bits, the same width. */
  | { readonly kind: 'bitcast'; readonly type: ExprType; readonly x: Expr }
  /** Rounds (f16, bf16) or wraps (i8, u8, i16, u16) to what storing and loading as `to` would give. */
  | { readonly kind: 'narrow'; readonly type: ExprType; readonly to: DType; readonly x: Expr }
  | { readonly kind: 'splat'; readonly type: ExprType; readonly x: Expr }
  /** A vector of scalars. */
  | { readonly kind: 'pack'; readonly type: ExprType; readonly items: readonly Expr[] }
  /** One lane as a scalar. */
  | { readonly kind: 'extract'; readonly type: ExprType; readonly x: Expr; readonly lane: number }
  /** The lanes of a vector combined into a scalar, pairwise. */
  | { readonly kind: 'across'; readonly type: ExprType; readonly fn: 'add' | 'mul' | 'min' | 'max' | 'and' | 'or'; readonly x: Expr };
export type ExprKind = Expr['kind'];

export type Stmt =
  /** for (var = from; var < to; var += step); `from`, `to` are of type index, step a positive number. `unroll` asks the renderer to. */
  | { readonly kind: 'for'; readonly var: string; readonly from: Expr; readonly to: Expr; readonly step: number; readonly unroll?: boolean; readonly body: readonly Stmt[] }
  /** Declares a local, visible to the end of the enclosing block; `assign` may change it. */
  | { readonly kind: 'let'; readonly name: string; readonly value: Expr }
  | { readonly kind: 'assign'; readonly name: string; readonly value: Expr }
  | { readonly kind: 'store'; readonly buffer: string; readonly index: Expr; readonly value: Expr }
  | { readonly kind: 'if'; readonly condition: Expr; readonly then: readonly Stmt[]; readonly else: readonly Stmt[] }
  /**
   * Every thread of the block waits for the others, and sees what they stored. All of them reach it, equally often. `units`: so do matrix units
   * that read memory themselves.
   */
  | { readonly kind: 'barrier'; readonly units?: boolean }
  /**
   * Declares a local: the value of that thread of the same subgroup whose number differs in the bits of `mask`. The threads of a subgroup take
   * it together: all of them reach it, equally often.
   */
  | { readonly kind: 'shuffle'; readonly name: string; readonly value: Expr; readonly mask: number }
  /**
   * Brings `elements` elements of 4, 8 or 16 bytes together, as they lie in memory, from a parameter into memory of the block, or zeros where
   * `when` does not hold. It happens beside what follows: that memory is nobody's until the thread has awaited it. Both positions are
   * multiples of `elements`.
   */
  | { readonly kind: 'fetch'; readonly to: Place; readonly from: Place; readonly elements: number; readonly when?: Expr }
  /** Makes a group of what the thread has fetched since it last did. */
  | { readonly kind: 'commit' }
  /** Waits until all groups of the thread but the last `pending` are there. */
  | { readonly kind: 'await'; readonly pending: number }
  /**
   * Moves `rows` rows of `elements` elements each, as they lie in memory, from a parameter into scratch memory or back. Of tile kernels, as
   * the next two are.
   */
  | { readonly kind: 'copy'; readonly to: Rows; readonly from: Rows; readonly rows: Expr; readonly elements: Expr }
  /** What pipe `from` was given before the signal is done when pipe `to` begins what it is given after the wait that takes it. */
  | ({ readonly kind: 'signal' } & Handover)
  | ({ readonly kind: 'wait' } & Handover)
  /** A step of a matrix unit: a core's own, or one that the threads of a subgroup take together, so that all of them reach it, equally often. */
  | { readonly kind: 'matrix'; readonly step: MatrixStep };
export type StmtKind = Stmt['kind'];

/** Element `index` of the buffer. */
export interface Place {
  readonly buffer: string;
  readonly index: Expr;
}

/** Row r begins at element `index + r·stride` of the buffer. */
export interface Rows {
  readonly buffer: string;
  readonly index: Expr;
  readonly stride: number;
}

/**
 * The units of a core with a scratchpad, which work side by side, each in order. in, out: copies into scratch memory and back. vector:
 * stores of vectors, and of what `across` makes of one. fill, matrix, drain: a matrix unit's, as factors are filled, multiplied, and sums
 * written. scalar: everything else; it hands the others their work.
 */
export type Pipe = 'scalar' | 'vector' | 'in' | 'out' | 'fill' | 'matrix' | 'drain';

export interface Handover {
  readonly from: Pipe;
  readonly to: Pipe;
  /** Tells apart what is under way between the same two pipes: a signal must be taken before it is given again. */
  readonly flag: number;
}

/**
 * What a machine multiplies as whole matrices: [m, k] · [k, n] summed into [m, n], by the threads of a subgroup together, or by a core
 * beside its vector unit.
 */
export interface MatrixUnit {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** What the elements of both factors are when they are multiplied. tf32: f32 in memory, with the 10 bits of mantissa of f16 once read: rounded, or cut off where the unit reads swizzled memory. */
  readonly in: 'f16' | 'bf16' | 'tf32' | 'f32' | 'i8' | 'u8';
  readonly acc: 'f32' | 'i32';
  /**
   * What a factor is read from. strided: rows or columns that lie any distance apart. fractal: blocks in an order of the unit's own, in
   * memory that is there for nothing else (`ScratchBuffer.fragment`). lines: lines of the factor's own, one after the other and filled up
   * to whole sides; they are brought as blocks are, and turned and filled up in scratch memory. swizzled: swizzled memory of the block,
   * which the unit reads itself, beside what its threads do.
   */
  readonly layout: 'strided' | 'fractal' | 'lines' | 'swizzled';
  /** Threads that take its steps together, where they are not those of a subgroup of the machine. */
  readonly threads?: number;
}

/** A matrix that a matrix unit holds: a factor, a [m, k] or b [k, n], or the sum [m, n]. */
export interface Fragment {
  readonly unit: MatrixUnit;
  readonly role: 'a' | 'b' | 'sum';
  /** Whether its rows or its columns lie side by side in memory. */
  readonly order: 'rows' | 'columns';
}

/**
 * In memory that the block shares, or that the core can reach: line l (a row or a column, by the fragment's order) begins at element
 * `index + l·stride`. `lines` and `elements` say how much of a fragment is there, all of it where they are absent: factors are 0 beyond,
 * sums are not written.
 */
export interface FragmentPlace {
  readonly buffer: string;
  readonly index: Expr;
  readonly stride: number;
  readonly lines?: Expr;
  readonly elements?: Expr;
  /** Of swizzled memory: how many elements apart the parts of 128 bytes of a line lie. */
  readonly panel?: number;
}

/** sum += a·b, of factors in swizzled memory. */
export interface Product {
  readonly sum: string;
  readonly a: FragmentPlace;
  readonly b: FragmentPlace;
}
/** What the factors of a product are. */
export interface Factors {
  readonly a: Fragment;
  readonly b: Fragment;
}

export type MatrixStep =
  /** Declares a fragment, visible to the end of the enclosing block: a sum of zeros, or a factor that is loaded before it is used. */
  | { readonly do: 'declare'; readonly name: string; readonly fragment: Fragment }
  /** Fills a factor; rounds to what the unit multiplies. */
  | { readonly do: 'load'; readonly name: string; readonly fragment: Fragment; readonly from: FragmentPlace }
  /** sum += a·b. */
  | { readonly do: 'multiply'; readonly sum: string; readonly a: string; readonly b: string; readonly fragments: Factors }
  /** Begins a group of products, in order, beside what follows: until they are settled, sums and factors are the unit's. */
  | { readonly do: 'begin'; readonly products: readonly Product[]; readonly fragments: Factors }
  /** Waits until all groups of products but the last `pending` are done. */
  | { readonly do: 'settle'; readonly pending: number }
  /** Writes a sum, or as many of its columns. */
  | { readonly do: 'store'; readonly name: string; readonly fragment: Fragment; readonly to: FragmentPlace; readonly columns?: ColumnRange };

export interface ColumnRange {
  readonly from: number;
  readonly count: number;
}

export interface BufferParam {
  /** Unique in the kernel; made by the schedule (b0, b1, …), never from a model. */
  readonly name: string;
  readonly dtype: NumericDType;
  readonly access: 'read' | 'write' | 'readwrite';
  readonly elements: number;
}

export interface ScratchBuffer {
  readonly name: string;
  readonly dtype: NumericDType;
  readonly elements: number;
  /** Common to the threads of a block rather than private to each. */
  readonly shared?: boolean;
  /**
   * Memory that this factor of a matrix unit is filled from, in blocks or lines as the unit has them: copied into line by line, as if the
   * lines lay one after the other, and read by nothing else.
   */
  readonly fragment?: Fragment;
  /**
   * Where matrix units read it themselves: each 16 bytes of a line of 128 change places with others, which are told by the number of the
   * line (SWIZZLE in kernel/matrix.ts). Positions are those before.
   */
  readonly swizzled?: boolean;
}

/** What a machine with scratchpads asks of a kernel. */
export interface TileRules {
  /** A core's scratch memory: all buffers together, each rounded up to `alignBytes`. */
  readonly scratchBytes: number;
  /** Operands of vector instructions and rows of copies begin at a multiple of this in scratch memory. */
  readonly alignBytes: number;
  /** Scalar stores of different cores never meet in a line of this many bytes, a power of two, of global memory. */
  readonly lineBytes: number;
  /** Elements of a vector instruction, other than `across`, are a multiple of this. */
  readonly countMultiple: number;
  /** Small floats that the machine converts itself, in vectors and scalars: they stay as they are. */
  readonly floats: readonly ('f16' | 'bf16')[];
  readonly matrix?: MatrixRules;
}

/** What a core's matrix unit asks of a kernel. */
export interface MatrixRules {
  /** A core of its own, without a vector unit and its scratch memory: a kernel has steps of the one or instructions of the other. */
  readonly isApart: boolean;
  /** Fragments have a multiple of the sides of one of these. */
  readonly units: readonly MatrixUnit[];
  /** Memory of what factors are filled from, and of all fragments of each role; what is absent lies in the scratchpad. */
  readonly bytes: Readonly<Partial<Record<MatrixMemory, number>>>;
  /** Where sums are stored. */
  readonly sumsTo: 'global' | 'scratch';
}
export type MatrixMemory = 'staging' | Fragment['role'];

/** A function over buffers. Its body runs once for each value of `grid.var` in [0, extent), in any order, on any thread or block of threads. */
export interface Kernel {
  readonly name: string;
  readonly params: readonly BufferParam[];
  /** Private to a thread or common to a block, contents undefined at the start of each grid step. 64-byte aligned. */
  readonly scratch: readonly ScratchBuffer[];
  readonly grid: { readonly var: string; readonly extent: number };
  /** Each grid step is run by this many threads together, numbered by `var`. Absent: by one thread, for which a barrier is nothing. */
  readonly block?: {
    readonly var: string;
    readonly threads: number;
    /** Threads 0 to subgroup − 1, and so on, run in step, see each other's values and share the fragments of matrix units. */
    readonly subgroup?: number;
    /** Blocks that a unit of the machine should have room for at a time: threads take no more registers than that leaves. */
    readonly together?: number;
  };
  readonly body: readonly Stmt[];
  /** The rules of the scratchpad that the kernel keeps: then it is a tile kernel, a grid step is a core's, and pipes work side by side. */
  readonly tiles?: TileRules;
  /** For profiles and `explain`. */
  readonly cost: { readonly flops: number; readonly bytes: number };
}

/** A position in one of the memory blocks a program is called with. */
export interface BufferRef {
  /** Index in the table of base pointers: 0 arena, 1 weights, then the buffers bound to this call. */
  readonly base: number;
  readonly offsetBytes: number;
}

export interface KernelCall {
  /** Index in `KernelModule.kernels`. */
  readonly kernel: number;
  readonly args: readonly BufferRef[];
}

/**
 * All kernels of a plan and the order they run in. `run` is executed as a whole (each call ends before the next begins); `init` calls
 * are executed one at a time at load, each with its own buffers bound.
 */
export interface KernelModule {
  readonly kernels: readonly Kernel[];
  readonly init: readonly KernelCall[];
  readonly run: readonly KernelCall[];
}

export const ARENA_BASE = 0;
export const WEIGHTS_BASE = 1;
/** The first base index of inputs, then outputs (in `run`), or of staged constants (in `init`). */
export const BOUND_BASE = 2;

/** Bytes of its own that one thread needs for the kernel, each buffer aligned to 64. */
export function scratchBytes(kernel: Kernel, bytesOf: (dtype: NumericDType) => number): number {
  return kernel.scratch.reduce((sum, s) => (s.shared === true ? sum : sum + Math.ceil((s.elements * bytesOf(s.dtype)) / 64) * 64), 0);
}
