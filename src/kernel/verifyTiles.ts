// Verifies what the rules of a scratchpad ask of a tile kernel: capacity, alignment, the form of vector instructions and of copies.
// A vector instruction is a store of one operation on vectors that lie in scratch memory, with scalars splat over the lanes.
import { byteWidth } from '../core/dtype.ts';
import type { NumericDType } from '../core/dtype.ts';
import { gcd } from '../core/integers.ts';
import type { BufferParam, Expr, Kernel, Rows, ScratchBuffer, Stmt, StmtKind, TileRules } from './ir.ts';
import { inScratchpad, matrixBytes, placeOf } from './matrix.ts';
import { operandsOf } from './rewriteKernel.ts';
import { declaredIn } from './statements.ts';
import { matrixProblems } from './verifyMatrix.ts';

type StmtOf = { readonly [K in StmtKind]: Extract<Stmt, { kind: K }> };

/** Bytes of scratch memory that a kernel fills: its buffers, each rounded up, and what of a matrix unit's memory lies there. */
export function tileBytes({ scratch, body }: Pick<Kernel, 'scratch' | 'body'>, { alignBytes, matrix }: Pick<TileRules, 'alignBytes' | 'matrix'>): number {
  const buffers = scratch.reduce((sum, s) => (s.fragment === undefined ? sum + Math.ceil((s.elements * byteWidth(s.dtype)) / alignBytes) * alignBytes : sum), 0);
  if (matrix === undefined) return buffers;
  const fragments = declaredIn(body).map(([, fragment]) => fragment);
  const staged = scratch.flatMap((s) => s.fragment ?? []);
  return buffers + inScratchpad(matrixBytes(fragments, staged), matrix);
}

/** A number that divides every value of the index `e`, 0 where it is 0; `known` tells that of variables. */
function divisorOf(e: Expr, known: ReadonlyMap<string, number>): number {
  if (e.kind === 'const') return Math.abs(Number(e.value));
  if (e.kind === 'var') return known.get(e.name) ?? 1;
  if (e.kind !== 'binary') return 1;
  const [a, b] = [divisorOf(e.a, known), divisorOf(e.b, known)];
  if (e.fn === 'mul') return a * b;
  return e.fn === 'add' || e.fn === 'sub' || e.fn === 'min' || e.fn === 'max' || e.fn === 'rem' ? gcd(a, b) : 1;
}

class TileVerifier {
  readonly problems = new Set<string>();
  readonly #rules: TileRules;
  readonly #params: ReadonlyMap<string, BufferParam>;
  readonly #scratch: ReadonlyMap<string, ScratchBuffer>;
  readonly #divisors = new Map<string, number>();

  constructor(kernel: Kernel, rules: TileRules) {
    this.#rules = rules;
    this.#params = new Map(kernel.params.map((p) => [p.name, p]));
    this.#scratch = new Map(kernel.scratch.map((s) => [s.name, s]));
    const bytes = tileBytes(kernel, rules);
    if (bytes > rules.scratchBytes) this.#report(`${bytes} bytes of scratch memory, and a core has ${rules.scratchBytes}`);
    if (kernel.block !== undefined) this.#report('a tile kernel runs on cores, not on blocks of threads');
    kernel.body.forEach((s) => this.#statement(s));
    matrixProblems(kernel, rules).forEach((problem) => this.#report(problem));
  }

  #report(problem: string): void {
    this.problems.add(problem);
  }

  #statement<K extends StmtKind>(s: StmtOf[K] & { readonly kind: K }): void {
    this.#statements[s.kind](s);
  }

  readonly #statements: { readonly [K in StmtKind]: (s: StmtOf[K]) => void } = {
    for: (s) => {
      this.#scalars(s.from, s.to);
      this.#divisors.set(s.var, gcd(divisorOf(s.from, this.#divisors), s.step));
      s.body.forEach((x) => this.#statement(x));
    },
    let: (s) => {
      this.#scalars(s.value);
      if (s.value.type.dtype === 'index') this.#divisors.set(s.name, divisorOf(s.value, this.#divisors));
    },
    assign: (s) => {
      this.#scalars(s.value);
      this.#divisors.set(s.name, 1);
    },
    if: (s) => {
      this.#scalars(s.condition);
      [...s.then, ...s.else].forEach((x) => this.#statement(x));
    },
    store: (s) => this.#store(s),
    barrier: () => this.#report('a barrier between threads in a tile kernel'),
    fetch: () => this.#report('a fetch of a thread in a tile kernel'),
    commit: () => this.#report('a fetch of a thread in a tile kernel'),
    await: () => this.#report('a fetch of a thread in a tile kernel'),
    shuffle: () => this.#report('a shuffle between threads in a tile kernel'),
    copy: (s) => {
      this.#scalars(s.to.index, s.from.index, s.rows, s.elements);
      const [to, from] = [s.to, s.from].map(({ buffer }) => this.#params.get(buffer) ?? this.#scratch.get(buffer));
      if (to === undefined || from === undefined) return;
      if (!sameBytes(to.dtype, from.dtype)) this.#report(`a copy of ${from.dtype} as ${to.dtype}`);
      const inside = [s.to, s.from].filter(({ buffer }) => this.#scratch.has(buffer));
      if (inside.length !== 1) return this.#report(`a copy from ${s.from.buffer} to ${s.to.buffer} does not cross between global and scratch memory`);
      if (this.#scratch.get(inside[0]!.buffer)!.fragment !== undefined) return;
      this.#alignedRows(inside[0]!, s.rows);
    },
    signal: () => undefined,
    wait: () => undefined,
    matrix: ({ step }) => {
      const place = placeOf(step);
      if (place !== undefined) this.#scalars(place.index, ...[place.lines, place.elements].flatMap((e) => e ?? []));
    },
  };

  /** Everything outside vector instructions is scalar. */
  #scalars(...list: readonly Expr[]): void {
    for (const e of list) {
      if (e.type.lanes > 1 || e.kind === 'across') this.#report(`${e.kind} of vectors outside a vector instruction`);
      this.#scalars(...operandsOf(e));
    }
  }

  #store(s: StmtOf['store']): void {
    this.#scalars(s.index);
    const isVector = s.value.type.lanes > 1;
    if (!isVector && s.value.kind !== 'across') return this.#scalars(s.value);
    const lanes = isVector ? s.value.type.lanes : operandsOf(s.value)[0]!.type.lanes;
    if (isVector && lanes % this.#rules.countMultiple !== 0) this.#report(`a vector instruction on ${lanes} elements, which is no multiple of ${this.#rules.countMultiple}`);
    this.#operand(s.buffer, s.index);
    if (s.value.kind === 'load') return this.#vectorOperand(s.value);
    if (s.value.kind === 'splat') return this.#scalars(s.value.x);
    operandsOf(s.value).forEach((x) => this.#vectorOperand(x));
  }

  #vectorOperand(e: Expr): void {
    if (e.kind === 'const') return;
    if (e.kind === 'splat') return this.#scalars(e.x);
    if (e.kind !== 'load') return this.#report(`${e.kind} within a vector instruction: it has one operation`);
    this.#scalars(e.index);
    this.#operand(e.buffer, e.index);
  }

  /** A place in scratch memory where a vector begins. */
  #operand(buffer: string, at: Expr): void {
    const place = this.#scratch.get(buffer);
    if (place === undefined || place.fragment !== undefined) return this.#report(`a vector instruction on ${buffer}, which is no scratch memory`);
    this.#aligned(place, divisorOf(at, this.#divisors));
  }

  #alignedRows(place: Rows, rows: Expr): void {
    const buffer = this.#scratch.get(place.buffer)!;
    this.#aligned(buffer, divisorOf(place.index, this.#divisors));
    if (rows.kind !== 'const' || Number(rows.value) > 1) this.#aligned(buffer, place.stride);
  }

  #aligned(buffer: ScratchBuffer, divisor: number): void {
    const { alignBytes } = this.#rules;
    if ((divisor * byteWidth(buffer.dtype)) % alignBytes !== 0) this.#report(`a place in ${buffer.name} is not known to be a multiple of ${alignBytes} bytes`);
  }
}

/** Bytes of 0 and 1 may be moved as numbers. */
const sameBytes = (a: NumericDType, b: NumericDType): boolean => a === b || [a, b].every((dtype) => dtype === 'bool' || dtype === 'u8');

/** What breaks the rules of the kernel's scratchpad, one sentence each. */
export const tileProblems = (kernel: Kernel): readonly string[] => (kernel.tiles === undefined ? [] : [...new TileVerifier(kernel, kernel.tiles).problems]);
