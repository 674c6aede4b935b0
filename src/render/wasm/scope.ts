// What a name means while a kernel is written: types of values, where buffers begin, locals and constants in sight.
import { invariant } from '../../core/error.ts';
import type { NumericDType } from '../../core/dtype.ts';
import type { ComputeDType, ExprType } from '../../kernel/ir.ts';
import type { Code, ValueType } from './code.ts';

/** Lanes of a vector: all vectors are of 128 bits. */
export const LANES = 4;

/** What engines may lack. */
export interface WasmFeatures {
  /** Relaxed SIMD: fused multiply-add and conversions that leave cases open. */
  readonly relaxed: boolean;
}

const scalarTypes = { f32: 'f32', f64: 'f64', i32: 'i32', u32: 'i32', i64: 'i64', u64: 'i64', bool: 'i32', index: 'i32' } as const satisfies Record<ComputeDType, ValueType>;
const laneDTypes: ReadonlySet<ComputeDType> = new Set(['f32', 'i32', 'u32', 'bool']);

/** The type that instructions on a scalar of this dtype are named after. */
export const scalarType = (dtype: ComputeDType): 'i32' | 'i64' | 'f32' | 'f64' => scalarTypes[dtype];

/** A vector of bools is a vector of masks, 0 or −1; a scalar bool is 0 or 1. */
export function valueType({ dtype, lanes }: ExprType): ValueType {
  if (lanes === 1) return scalarTypes[dtype];
  invariant(lanes === LANES && laneDTypes.has(dtype), `there are no vectors of ${lanes} ${dtype}`);
  return 'v128';
}

/** Where a buffer begins: a local that holds an address, and bytes after it. */
export interface BufferPlace {
  readonly local: number;
  readonly offset: number;
  readonly dtype: NumericDType;
}

/** The value of a name: what a local holds, and a constant beside it (0 for anything but indices). */
export interface Binding {
  /** Undefined for a constant. */
  readonly local: number | undefined;
  readonly plus: number;
  /** How many loops are around its definition. */
  readonly depth: number;
  /** What the local holds is known to be at least 0, as an index. */
  readonly isNatural: boolean;
  /** It keeps its value as long as it is in sight. */
  readonly isFixed: boolean;
}

export class Scope {
  readonly code: Code;
  readonly features: WasmFeatures;
  /** Loops around what is written. */
  depth = 0;
  readonly #buffers: ReadonlyMap<string, BufferPlace>;
  #names = new Map<string, Binding>();
  /** Locals that hold sums of others. */
  #sums = new Map<string, number>();
  #owned: number[] = [];

  constructor(code: Code, features: WasmFeatures, buffers: ReadonlyMap<string, BufferPlace>) {
    this.code = code;
    this.features = features;
    this.#buffers = buffers;
  }

  buffer(name: string): BufferPlace {
    const place = this.#buffers.get(name);
    invariant(place !== undefined, `the kernel has no buffer ${name}`);
    return place;
  }

  binding(name: string): Binding {
    const binding = this.#names.get(name);
    invariant(binding !== undefined, `the kernel has no variable ${name} here`);
    return binding;
  }

  bind(name: string, binding: Binding): void {
    this.#names.set(name, binding);
  }

  knownSum(key: string): number | undefined {
    return this.#sums.get(key);
  }

  /** The local must be owned by the block at hand. */
  rememberSum(key: string, local: number): void {
    this.#sums.set(key, local);
  }

  /** A local until the end of the block at hand. */
  own(type: ValueType): number {
    const local = this.code.local(type);
    this.#owned.push(local);
    return local;
  }

  /** What `write` binds is forgotten after it. */
  block(write: () => void): void {
    const [names, sums, owned] = [this.#names, this.#sums, this.#owned];
    this.#names = new Map(names);
    this.#sums = new Map(sums);
    this.#owned = [];
    write();
    for (const local of this.#owned) this.code.release(local);
    this.#names = names;
    this.#sums = sums;
    this.#owned = owned;
  }

  /** Locals for one expression. */
  withLocals(types: readonly ValueType[], write: (...locals: readonly number[]) => void): void {
    const locals = types.map((type) => this.code.local(type));
    write(...locals);
    for (const local of locals) this.code.release(local);
  }
}
