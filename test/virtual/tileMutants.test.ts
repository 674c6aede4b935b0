// Virtual chips of cores with scratchpads under mutation: of rendered kernels that are in order and break one rule, they name the rule.
import { describe, it } from 'vitest';
import type { Expr, Kernel, Pipe, Stmt } from '../../src/kernel/ir.ts';
import { stepPipe, storePipe } from '../../src/kernel/pipes.ts';
import { operandsOf } from '../../src/kernel/rewriteKernel.ts';
import type { PrimGraph } from '../../src/graph/builder.ts';
import { createAscendTarget } from '../../src/targets/ascend/target.ts';
import { createCambriconTarget } from '../../src/targets/cambricon/target.ts';
import { createKunlunTarget } from '../../src/targets/kunlun/target.ts';
import type { Target } from '../../src/runtime/device.ts';
import { constant, expectNamed, graph, softmax } from './judge.ts';
import { tileMutations } from './mutateTiles.ts';
import type { TileLanguageRules } from './mutateTiles.ts';

const problems = {
  elements: graph('f32', [301], (b, x) => [b.add(b.neg(b.abs(x)), b.scalar('f32', 1))]),
  halves: graph('f16', [3, 70], (b, x) => [b.mul(x, x)]),
  choices: graph('f32', [2, 130], (b, x) => [b.where(b.lt(x, b.scalar('f32', 0)), b.mul(x, x), b.floor(x))]),
  'whole numbers': graph('i32', [200], (b, x) => [b.cast(b.eq(x, b.scalar('i32', 3)), 'i32')]),
  'a quotient of rows': graph('f32', [2, 200], (b, x) => [b.div(x, b.reduce('sum', b.mul(x, x), [1]))]),
  'sums of columns': graph('f32', [5, 96], (b, x) => [b.reduce('sum', x, [0])]),
  'whole tiles': graph('f32', [2, 128], (b, x) => [b.sqrt(b.abs(b.mul(x, x)))]),
  'short rows': graph('f32', [9, 6], softmax),
  product: graph('f32', [3, 24], (b, x) => [b.max(b.matmul(x, constant(b, 3, [24, 80])), b.scalar('f32', 0))]),
  padded: graph('f32', [6, 9], (b, x) => [b.pad(b.transpose(x, [1, 0]), [1, 2], [2, 1], b.scalar('f32', 0))]),
  transposed: graph('f32', [12, 40], (b, x) => [b.transpose(x, [1, 0])]),
  'first of rows': graph('f32', [2, 30], (b, x) => b.topK(x, 1, 10, true)),
} satisfies Readonly<Record<string, PrimGraph>>;

/** Statements in the order in which they are printed. */
const flat = (body: readonly Stmt[]): Stmt[] => body.flatMap((s) => (s.kind === 'for' ? [s, ...flat(s.body)] : s.kind === 'if' ? [s, ...flat(s.then), ...flat(s.else)] : [s]));
const isInstruction = (s: Stmt): s is Extract<Stmt, { kind: 'store' }> => s.kind === 'store' && storePipe(s) === 'vector';

/** Numbers of the instructions, counted among all, whose result the very next statement, an instruction too, reads, where such a pair `counts`. */
const readAtOnce = ({ body }: Kernel, counts: (a: Expr, b: Expr) => boolean = () => true): number[] => {
  const list = flat(body);
  const numbers = new Map(list.filter(isInstruction).map((s, i) => [s as Stmt, i]));
  return list.flatMap((s, i) => {
    const next = list[i + 1];
    const isRead =
      isInstruction(s) &&
      next !== undefined &&
      isInstruction(next) &&
      operandsOf(next.value).some((e) => e.kind === 'load' && e.buffer === s.buffer) &&
      counts(s.value, next.value);
    return isRead ? [numbers.get(s)!] : [];
  });
};
const storesScalars = ({ params, body }: Kernel): boolean => flat(body).some((s) => s.kind === 'store' && params.some((p) => p.name === s.buffer));

const ascendC: TileLanguageRules = {
  hasSignals: true,
  hasCounts: (value) => value.kind === 'compare',
  alignsCopies: true,
  hasMatrix: true,
  texts: {
    'a barrier between instructions left out': { pattern: /PipeBarrier<PIPE_V>\(\);/g, rule: /missing order: .*no barrier between/, needed: (kernel) => readAtOnce(kernel) },
    'caches that are not written back': { pattern: /DataCacheCleanAndInvalid<[^;]*;/g, rule: /missing order: .*cache/, needed: (kernel) => (storesScalars(kernel) ? [0] : []) },
  },
};

const handOver = (from: Pipe, to: Pipe): Stmt[] => [
  { kind: 'signal', from, to, flag: 0 },
  { kind: 'wait', from, to, flag: 0 },
];
/** What one unit of an MLU core does, in order. */
const COMPUTE: readonly Pipe[] = ['vector', 'fill', 'matrix', 'drain'];
const fillsFilter = (s: Stmt): boolean => s.kind === 'matrix' && s.step.do === 'load' && s.step.fragment.role === 'b';

/** Waits in BANG C are the core's, for all that a unit was given; those for copies are for either way. A filter is filled when its step ends. */
const inBang = (kernel: Kernel): Kernel => {
  const inOrder = (s: Stmt): Stmt[] => {
    const pipe = isInstruction(s) ? 'vector' : s.kind === 'matrix' && s.step.do !== 'declare' ? stepPipe(s.step) : undefined;
    const others = pipe === undefined ? [] : COMPUTE.filter((other) => other !== pipe).flatMap((other) => handOver(pipe, other));
    return [s, ...others, ...(fillsFilter(s) ? COMPUTE.flatMap((from) => handOver(from, 'scalar')) : [])];
  };
  const waits = (s: Stmt): Stmt[] => {
    if (s.kind === 'signal') return [];
    if (s.kind === 'for') return [{ ...s, body: s.body.flatMap(waits) }];
    if (s.kind === 'if') return [{ ...s, then: s.then.flatMap(waits), else: s.else.flatMap(waits) }];
    if (s.kind !== 'wait') return inOrder(s);
    if (s.from === 'scalar' || (COMPUTE.includes(s.from) && COMPUTE.includes(s.to))) return [];
    return (COMPUTE.includes(s.from) ? COMPUTE : (['in', 'out'] as const)).flatMap((from) => handOver(from, 'scalar'));
  };
  return { ...kernel, body: kernel.body.flatMap(waits) };
};
const filtersOf = (kernel: Kernel): number[] =>
  flat(kernel.body)
    .filter(fillsFilter)
    .map((_, i) => i);
const productsOf = (kernel: Kernel): number[] =>
  flat(kernel.body)
    .flatMap((s) => (s.kind === 'matrix' && s.step.do === 'multiply' ? [s] : []))
    .map((_, i) => i);
const bangC: TileLanguageRules = {
  hasSignals: false,
  hasCounts: (value) => value.kind !== 'across',
  alignsCopies: false,
  hasMatrix: true,
  texts: {
    'a wait for a filter left out': { pattern: /__sync_move\(\);/g, rule: /missing order/, needed: filtersOf },
    'a wait before a filter is moved left out': { pattern: /(?<=; )__sync_compute\(\);(?= __memcpy_async)/g, rule: /missing order/, needed: filtersOf },
    'a filter that is not in the order of its memory': { pattern: /__bang_reshape_filter\([^;]*;/g, rule: /layout|never-written/, needed: filtersOf },
    'a filter at an odd place': { pattern: /wram \+ \w+(?=\), \w+_side)/g, by: (found) => `${found} + 4`, rule: /misaligned|never-written/, needed: productsOf },
    'a filter moved to an odd place': { pattern: /wram \+ \w+(?=\), (?!\w+_side))/g, by: (found) => `${found} + 4`, rule: /misaligned/, needed: filtersOf },
    'rows of a filter taken as longer': { pattern: /\w+_depth(?=, \d+\);)/g, by: (found) => `${found} + 32`, rule: /layout|out of bounds|never-written/, needed: productsOf },
    'a part of a filter moved': { pattern: /(?<=, )64(?= \* \w+ \* \d, NRAM2WRAM)/g, by: () => '32', rule: /layout|granularity/, needed: filtersOf },
  },
};

/** Fences in XPU C++ are the core's: after each instruction for what the core does itself, and for everything where there is a wait for more. */
const inXpu = (kernel: Kernel): Kernel => {
  const fence = (...pipes: readonly Pipe[]): Stmt[] =>
    pipes.flatMap((pipe) => {
      const pairs = pipe === 'scalar' ? (['vector', 'in', 'out'] as const).map((to) => [pipe, to] as const) : [[pipe, 'scalar'] as const];
      return pairs.flatMap(([from, to]): Stmt[] => [
        { kind: 'signal', from, to, flag: 0 },
        { kind: 'wait', from, to, flag: 0 },
      ]);
    });
  const fences = (s: Stmt): Stmt[] => {
    if (s.kind === 'signal') return [];
    if (s.kind === 'for') return [{ ...s, body: s.body.flatMap(fences) }];
    if (s.kind === 'if') return [{ ...s, then: s.then.flatMap(fences), else: s.else.flatMap(fences) }];
    if (s.kind === 'wait') return s.from === 'vector' ? [] : fence('vector', 'in', 'out', 'scalar');
    return isInstruction(s) ? [s, ...fence('vector', 'scalar')] : [s];
  };
  return { ...kernel, body: kernel.body.flatMap(fences) };
};
const REGISTERS: ReadonlySet<string> = new Set(['add', 'sub', 'mul', 'min', 'max']);
/** Of the SIMD unit; others are loops of scalar code, which needs no fence for what it made itself. */
const isRegisters = (value: Expr): boolean =>
  value.kind === 'binary' && value.type.dtype === 'f32' && REGISTERS.has(value.fn) && value.a.kind === 'load' && value.b.kind === 'load';
const xpu: TileLanguageRules = {
  hasSignals: false,
  alignsCopies: false,
  hasMatrix: false,
  aligns: isRegisters,
  texts: {
    'a fence between instructions left out': {
      pattern: / mfence_lm\(\);/g,
      rule: /missing order/,
      needed: (kernel) => readAtOnce(kernel, (a, b) => isRegisters(a) || isRegisters(b)),
    },
  },
};

/** For matrix units. */
const products: readonly PrimGraph[] = [
  graph('f16', [40, 100], (b, x) => [b.matmul(x, b.transpose(x, [1, 0]), 'f32')]),
  graph('i8', [90, 72], (b, x) => [b.matmul(b.transpose(x, [1, 0]), x, 'i32')]),
];

/** For units that take f32, and do what follows the sum: wide for one core, of a tail in every direction. */
const filters: readonly PrimGraph[] = [
  graph('f32', [70, 200], (b, x) => [b.max(b.matmul(x, constant(b, 3, [200, 130])), b.scalar('f32', 0))]),
  graph('f16', [70, 150], (b, x) => [b.matmul(x, b.transpose(x, [1, 0]), 'f32')]),
];

interface Bench {
  readonly target: Target;
  readonly rules: TileLanguageRules;
  readonly meaning?: (kernel: Kernel) => Kernel;
  /** Where each mutant is compiled by itself, fewer have to do: of these problems, of whose mutants at least so many break a rule. */
  readonly only?: readonly (keyof typeof problems)[];
  readonly least?: number;
  readonly more?: readonly PrimGraph[];
}
const chips: Readonly<Record<string, Bench>> = {
  Ascend: { target: createAscendTarget().virtual!.open('910b4', 'ascend:virtual')!, rules: ascendC, more: products },
  Cambricon: { target: createCambriconTarget().virtual!.open('mlu370', 'cambricon:virtual')!, rules: bangC, meaning: inBang, more: filters },
  Kunlunxin: {
    target: createKunlunTarget().virtual!.open('r200', 'kunlun:virtual')!,
    rules: xpu,
    meaning: inXpu,
    only: ['elements', 'product', 'padded', 'first of rows'],
    least: 100,
  },
};

describe.each(Object.entries(chips))('mutants of tile kernels on a virtual chip of %s', (_, { target, rules, only, least = 200, more = [], ...rest }) => {
  it('have the broken rule named', async ({ skip }) => {
    if (!(await target.probe()).ok) skip();
    const own = only === undefined ? Object.values(problems) : only.map((name) => problems[name]);
    await expectNamed({ target, mutations: tileMutations(rules), every: 1, ...rest }, [...own, ...more], least);
  }, 600_000);
});
