// Kernels with one rule broken each: a barrier left out, a shuffle that some threads miss, an access past the end, a buffer at an odd address, too much of what a chip has
// little of. What a mutant must be caught for is known from how it was made, or from the interpreter of kernels.
import { byteWidth } from '../../src/core/dtype.ts';
import { add, assign, compare, declare, index, variable } from '../../src/kernel/build.ts';
import type { Expr, Kernel, Stmt } from '../../src/kernel/ir.ts';
import { mapOperands } from '../../src/kernel/rewriteKernel.ts';

/** What must be wrong: said by the mutation itself, or left to the interpreter to find out. */
export type Verdict = 'sure' | 'ask';

export interface Mutant {
  readonly title: string;
  readonly kernel: Kernel;
  readonly verdict: Verdict;
  /** Words, one of which the message must have. */
  readonly rule: RegExp;
  /** Bytes that each buffer begins late. */
  readonly offsetBytes?: readonly number[];
  /** Threads of a block in the launch, where they are not those that the kernel was compiled for. */
  readonly threads?: number;
  /** A change of the kernel's text, where the rule is the language's and not the IR's. */
  readonly text?: (text: string) => string;
  /** The chip refuses it before it runs, and would refuse what is loaded with it. */
  readonly isLoadedAlone?: boolean;
}

type Edit = (s: Stmt) => readonly Stmt[] | undefined;

/** The kernel once for each statement that `edit` changes, changed there alone. */
export function editEach(kernel: Kernel, edit: Edit): Kernel[] {
  const found: Kernel[] = [];
  const visit = (list: readonly Stmt[], rebuild: (list: readonly Stmt[]) => Kernel): void => {
    list.forEach((s, i) => {
      const put = (...items: readonly Stmt[]): Kernel => rebuild([...list.slice(0, i), ...items, ...list.slice(i + 1)]);
      const edited = edit(s);
      if (edited !== undefined) found.push(put(...edited));
      if (s.kind === 'for') visit(s.body, (body) => put({ ...s, body }));
      if (s.kind === 'if') {
        visit(s.then, (then) => put({ ...s, then }));
        visit(s.else, (otherwise) => put({ ...s, else: otherwise }));
      }
    });
  };
  visit(kernel.body, (body) => ({ ...kernel, body }));
  return found;
}

/** The expression with the first load in it reading `elements` further on; undefined where it has none. */
function shiftFirstLoad(e: Expr, elementsOf: (buffer: string) => number): Expr | undefined {
  let done = false;
  const visit = (x: Expr): Expr => {
    if (done) return x;
    if (x.kind === 'load') {
      done = true;
      return { ...x, index: add(x.index, index(elementsOf(x.buffer))) };
    }
    return x.kind === 'const' || x.kind === 'var' ? x : mapOperands(x, visit);
  };
  const shifted = visit(e);
  return done ? shifted : undefined;
}

const bounds = /out of bounds/;
const order = /race|never-written memory/;

export type Mutation = (kernel: Kernel) => readonly Mutant[];

const elementsIn = (kernel: Kernel) => {
  const sizes = new Map([...kernel.params, ...kernel.scratch.filter((s) => s.shared === true)].map((b) => [b.name, b.elements]));
  return (buffer: string): number => sizes.get(buffer) ?? 0;
};
/** Scratch memory of one thread is the compiler's business: no chip watches it. */
const isWatched = (kernel: Kernel, s: Stmt): boolean => s.kind === 'store' && !kernel.scratch.some((b) => b.name === s.buffer && b.shared !== true);

export const mutations: Readonly<Record<string, Mutation>> = {
  'a barrier left out': (kernel) =>
    editEach(kernel, (s) => (s.kind === 'barrier' ? [] : undefined)).map((changed, i) => ({ title: `barrier ${i} left out`, kernel: changed, verdict: 'ask', rule: order })),
  'a barrier for some threads': ({ ...kernel }) =>
    kernel.block === undefined || kernel.block.threads < 2
      ? []
      : editEach(kernel, (s) => (s.kind === 'barrier' ? [{ kind: 'if', condition: compare('lt', variable(kernel.block!.var), index(1)), then: [s], else: [] }] : undefined)).map(
          (changed, i) => ({ title: `barrier ${i} for one thread`, kernel: changed, verdict: 'sure', rule: /barrier|race|never-written memory/ }),
        ),
  'a shuffle for some threads': (kernel) =>
    editEach(kernel, (s) => {
      if (s.kind !== 'shuffle') return undefined;
      const taken = variable(`${s.name}_`, s.value.type.dtype);
      const condition = compare('ne', variable(kernel.block!.var), index(1));
      return [declare(s.name, s.value), { kind: 'if', condition, then: [{ ...s, name: `${s.name}_` }, assign(s.name, taken)], else: [] }];
    }).map((changed, i) => ({ title: `shuffle ${i} without thread 1`, kernel: changed, verdict: 'sure', rule: /subgroup/ })),
  'a load past the end': (kernel) =>
    editEach(kernel, (s) => {
      if (s.kind !== 'let' && s.kind !== 'assign' && s.kind !== 'store') return undefined;
      const value = shiftFirstLoad(s.value, elementsIn(kernel));
      return value === undefined ? undefined : [{ ...s, value }];
    }).map((changed, i) => ({ title: `load ${i} past the end`, kernel: changed, verdict: 'ask', rule: bounds })),
  'a store past the end': (kernel) =>
    editEach(kernel, (s) => (s.kind === 'store' && isWatched(kernel, s) ? [{ ...s, index: add(s.index, index(elementsIn(kernel)(s.buffer))) }] : undefined)).map((changed, i) => ({
      title: `store ${i} past the end`,
      kernel: changed,
      verdict: 'ask',
      rule: bounds,
    })),
  'a store left out': (kernel) =>
    editEach(kernel, (s) => (s.kind === 'store' && isWatched(kernel, s) ? [] : undefined)).map((changed, i) => ({
      title: `store ${i} left out`,
      kernel: changed,
      verdict: 'ask',
      rule: /never-written memory/,
    })),
  'a bound not checked': (kernel) =>
    editEach(kernel, (s) => (s.kind === 'if' && s.else.length === 0 ? s.then : undefined)).map((changed, i) => ({
      title: `condition ${i} left out`,
      kernel: changed,
      verdict: 'ask',
      rule: /out of bounds|race|never-written memory|barrier/,
    })),
  'a turn too many': (kernel) =>
    editEach(kernel, (s) => (s.kind === 'for' ? [{ ...s, to: add(s.to, index(s.step)) }] : undefined)).map((changed, i) => ({
      title: `loop ${i} a turn longer`,
      kernel: changed,
      verdict: 'ask',
      rule: /out of bounds|never-written memory|race/,
    })),
  'a block too many': (kernel) => [
    { title: 'a block more', kernel: { ...kernel, grid: { ...kernel.grid, extent: kernel.grid.extent + 1 } }, verdict: 'ask', rule: /out of bounds|never-written memory/ },
  ],
  'a buffer at an odd address': (kernel) =>
    kernel.params.flatMap((p, i) =>
      byteWidth(p.dtype) < 2
        ? []
        : [
            {
              title: `${p.name} at an odd address`,
              kernel,
              verdict: 'sure' as const,
              rule: /misaligned/,
              offsetBytes: kernel.params.map((_, j) => (i === j ? byteWidth(p.dtype) / 2 : 0)),
            },
          ],
    ),
  'too much shared memory': (kernel) =>
    kernel.scratch.flatMap((s, i) => {
      const scratch = kernel.scratch.map((other, j) => (i === j ? { ...other, elements: 1 << 20 } : other));
      return s.shared === true
        ? [{ title: `${s.name} too large`, kernel: { ...kernel, scratch }, verdict: 'sure' as const, rule: /limit of the chip.*shared memory/, isLoadedAlone: true }]
        : [];
    }),
  'too many threads': (kernel) => [
    { title: '2048 threads', kernel, verdict: 'sure', rule: /limit of the chip.*threads/, threads: 2048 },
    ...((kernel.block?.threads ?? 1) < 512
      ? [{ title: 'more threads than it was compiled for', kernel, verdict: 'sure' as const, rule: /limit of the chip.*threads/, threads: 2 * (kernel.block?.threads ?? 1) }]
      : []),
  ],
};
