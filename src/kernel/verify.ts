// Verifies kernels: types of every expression, names, buffers, and positions that are known to lie outside them. A schedule that passes
// here may still compute the wrong thing; what interpret.ts is for.
import { dtypes } from '../core/dtype.ts';
import type { BufferParam, ColumnRange, Expr, Fragment, FragmentPlace, Kernel, Place, Rows, ScratchBuffer, Stmt, StmtKind } from './ir.ts';
import { computeType } from './computeType.ts';
import { fragmentsOf, holdsFragment, linesOf } from './matrix.ts';
import { operandsOf } from './rewriteKernel.ts';
import { assignedIn } from './statements.ts';
import { rangeOfIndex, variableRange } from './indexRange.ts';
import type { IndexRange } from './indexRange.ts';
import { typeProblem } from './typeRules.ts';
import { tileProblems } from './verifyTiles.ts';

export interface KernelFindings {
  readonly problems: readonly string[];
  /** Loads and stores whose positions are proven to lie inside their buffers, and all of them. */
  readonly proven: number;
  readonly accesses: number;
}

type AnyBuffer = BufferParam | ScratchBuffer;
type StmtOf = { readonly [K in StmtKind]: Extract<Stmt, { kind: K }> };

interface Local {
  readonly type: Expr['type'];
  readonly kind: 'loop' | 'let';
  /** Whether it may differ between threads of a block. */
  readonly varies: boolean;
  /** What is known of a scalar index. */
  readonly range: IndexRange | undefined;
}

/** How much a fetch may bring. */
const FETCHED_BYTES = [4, 8, 16];

/** What is known at one place of a kernel. */
interface Scope {
  readonly locals: ReadonlyMap<string, Local>;
  /** Matrices that subgroups hold. */
  readonly fragments: ReadonlyMap<string, Fragment>;
  /** Whether some grid step certainly gets here. */
  readonly certain: boolean;
  /** Whether all threads of a block get here, equally often. */
  readonly together: boolean;
}

class KernelVerifier {
  readonly problems: string[] = [];
  proven = 0;
  accesses = 0;
  readonly #buffers = new Map<string, AnyBuffer>();
  readonly #assigned: ReadonlySet<string>;
  readonly #isTiles: boolean;
  readonly #subgroup: number | undefined;

  constructor(kernel: Kernel) {
    this.#assigned = assignedIn(kernel.body);
    this.#isTiles = kernel.tiles !== undefined;
    this.#subgroup = kernel.block?.subgroup;
    for (const buffer of [...kernel.params, ...kernel.scratch]) {
      if (this.#buffers.has(buffer.name)) this.#report(`two buffers are called ${buffer.name}`);
      if (!Number.isInteger(buffer.elements) || buffer.elements < 0) this.#report(`buffer ${buffer.name} has ${buffer.elements} elements`);
      this.#buffers.set(buffer.name, buffer);
    }
    const { var: name, extent } = kernel.grid;
    if (!Number.isInteger(extent) || extent < 0) this.#report(`a grid of ${extent} steps`);
    if (this.#buffers.has(name)) this.#report(`the grid variable ${name} is also a buffer`);
    const grid: Local = { type: INDEX, kind: 'loop', varies: false, range: variableRange(name, 0, extent - 1) };
    let scope: Scope = { locals: new Map([[name, grid]]), fragments: new Map(), certain: extent > 0, together: true };
    if (kernel.block !== undefined) {
      const { var: thread, threads } = kernel.block;
      if (!Number.isInteger(threads) || threads < 1) this.#report(`a block of ${threads} threads`);
      if (threads % (kernel.block.subgroup ?? 1) !== 0) this.#report(`a block of ${threads} threads in subgroups of ${kernel.block.subgroup}`);
      scope = this.#declare(thread, { type: INDEX, kind: 'loop', varies: true, range: variableRange(thread, 0, threads - 1) }, scope);
    }
    this.#block(kernel.body, scope);
    tileProblems(kernel).forEach((problem) => this.#report(problem));
  }

  #report(problem: string): void {
    if (!this.problems.includes(problem)) this.problems.push(problem);
  }

  #block(body: readonly Stmt[], outer: Scope): void {
    let scope = outer;
    for (const s of body) scope = this.#statement(s, scope);
  }

  /** The scope of the statements after `s`. */
  #statement<K extends StmtKind>(s: StmtOf[K] & { readonly kind: K }, scope: Scope): Scope {
    return this.#statements[s.kind](s, scope);
  }

  readonly #statements: { readonly [K in StmtKind]: (s: StmtOf[K], scope: Scope) => Scope } = {
    for: (s, scope) => {
      for (const bound of [s.from, s.to]) this.#expectType(bound, scope, 'index', `a bound of loop ${s.var}`);
      if (!Number.isInteger(s.step) || s.step <= 0) this.#report(`loop ${s.var} has step ${s.step}`);
      const [from, to] = [this.#range(s.from, scope), this.#range(s.to, scope)];
      const isEntered = from.max < to.min;
      const varies = this.#varies(s.from, scope) || this.#varies(s.to, scope);
      const local: Local = { type: INDEX, kind: 'loop', varies, range: loopRange(s, from, to) };
      if (from.min < to.max) this.#block(s.body, this.#declare(s.var, local, { ...scope, certain: scope.certain && isEntered, together: scope.together && !varies }));
      return scope;
    },
    let: (s, scope) => {
      this.#expression(s.value, scope);
      const isIndex = s.value.type.dtype === 'index' && !this.#assigned.has(s.name);
      const varies = this.#assigned.has(s.name) || this.#varies(s.value, scope);
      return this.#declare(s.name, { type: s.value.type, kind: 'let', varies, range: isIndex ? this.#range(s.value, scope) : undefined }, scope);
    },
    assign: (s, scope) => {
      this.#expression(s.value, scope);
      const local = scope.locals.get(s.name);
      if (local?.kind !== 'let') this.#report(`${s.name} is assigned to, and is no local`);
      else if (!sameType(local.type, s.value.type)) this.#report(`${s.name} is ${typeText(local.type)} and is assigned ${typeText(s.value.type)}`);
      return scope;
    },
    store: (s, scope) => {
      this.#expression(s.value, scope);
      const buffer = this.#access(s.buffer, s.index, s.value.type, scope);
      if (buffer !== undefined && 'access' in buffer && buffer.access === 'read') this.#report(`a store into ${s.buffer}, which is only read`);
      return scope;
    },
    if: (s, scope) => {
      this.#expectType(s.condition, scope, 'bool', 'a condition');
      const together = scope.together && !this.#varies(s.condition, scope);
      for (const body of [s.then, s.else]) this.#block(body, { ...scope, certain: false, together });
      return scope;
    },
    barrier: (_, scope) => scope,
    shuffle: (s, scope) => {
      this.#expression(s.value, scope);
      const threads = this.#subgroup;
      if (threads === undefined) this.#report(`a shuffle of ${s.name} in a kernel that has no subgroups`);
      else if (!Number.isInteger(s.mask) || s.mask < 1 || s.mask >= threads || !Number.isInteger(Math.log2(threads)))
        this.#report(`a shuffle of ${s.name} by ${s.mask} in subgroups of ${threads} threads`);
      if (!scope.together) this.#report(`a shuffle of ${s.name} where only some of the threads may get`);
      if (s.value.type.lanes !== 1) this.#report(`a shuffle of ${s.name}, a vector`);
      return this.#declare(s.name, { type: s.value.type, kind: 'let', varies: true, range: undefined }, scope);
    },
    fetch: (s, scope) => {
      if (s.when !== undefined) this.#expectType(s.when, scope, 'bool', 'the condition of a fetch');
      const guarded = { ...scope, certain: scope.certain && s.when === undefined };
      const [to, from] = [this.#buffers.get(s.to.buffer), this.#buffers.get(s.from.buffer)];
      for (const [place, at] of [
        [s.to, scope],
        [s.from, guarded],
      ] as const)
        this.#fetched(place, s.elements, at);
      if (to === undefined || from === undefined) return scope;
      if (!('shared' in to) || to.shared !== true || !('access' in from)) this.#report(`a fetch from ${from.name} to ${to.name}, not from a parameter into memory of the block`);
      else if (from.access === 'write') this.#report(`a fetch from ${from.name}, which is only written`);
      if (to.dtype !== from.dtype) this.#report(`a fetch of ${from.dtype} as ${to.dtype}`);
      if (!FETCHED_BYTES.includes(s.elements * dtypes[from.dtype].bytes)) this.#report(`a fetch of ${s.elements} elements of ${from.dtype}`);
      return scope;
    },
    commit: (_, scope) => scope,
    await: (s, scope) => {
      if (!Number.isInteger(s.pending) || s.pending < 0) this.#report(`all fetches but the last ${s.pending} are awaited`);
      return scope;
    },
    copy: (s, scope) => {
      if (!this.#isTiles) this.#report('a copy in a kernel that has no scratchpad');
      for (const count of [s.rows, s.elements]) this.#expectType(count, scope, 'index', 'a size of a copy');
      const [rows, elements] = [this.#range(s.rows, scope), this.#range(s.elements, scope)];
      for (const [place, access] of [
        [s.from, 'read'],
        [s.to, 'write'],
      ] as const) {
        this.#expectType(place.index, scope, 'index', `a position in ${place.buffer}`);
        const buffer = this.#buffers.get(place.buffer);
        if (buffer === undefined) this.#report(`there is no buffer ${place.buffer}`);
        else this.#copied(buffer, place, access, { rows: rows.max, elements: elements.max }, scope);
      }
      return scope;
    },
    signal: (s, scope) => this.#handover(s, scope),
    wait: (s, scope) => this.#handover(s, scope),
    matrix: ({ step }, scope) => {
      if (this.#subgroup === undefined && !this.#isTiles) this.#report('a matrix unit in a kernel that has no subgroups');
      if (step.do === 'declare') {
        const known = scope.fragments.has(step.name) || scope.locals.has(step.name) || this.#buffers.has(step.name);
        if (known) this.#report(`${step.name} is declared where it is known already`);
        return { ...scope, fragments: new Map([...scope.fragments, [step.name, step.fragment]]) };
      }
      for (const [name, role, fragment] of fragmentsOf(step)) {
        const declared = scope.fragments.get(name);
        if (declared === undefined) this.#report(`${name} is no fragment that is known where it is used`);
        else if (declared.role !== role || (fragment !== undefined && !sameFragment(declared, fragment))) this.#report(`the fragment ${name} is used as another than was declared`);
      }
      if (step.do === 'load') this.#fragmentPlace(step.fragment, step.from, 'read', scope);
      if (step.do === 'store') this.#fragmentPlace(step.fragment, step.to, 'write', scope, step.columns);
      if (step.do === 'begin') this.#products(step, scope);
      if (step.do === 'settle' && (!Number.isInteger(step.pending) || step.pending < 0)) this.#report(`all products but the last ${step.pending} are settled`);
      return scope;
    },
  };

  #products({ products, fragments }: Extract<StmtOf['matrix']['step'], { do: 'begin' }>, scope: Scope): void {
    if (fragments.a.unit.layout !== 'swizzled') this.#report('products are begun by a matrix unit that reads no memory itself');
    for (const { a, b } of products) {
      this.#fragmentPlace(fragments.a, a, 'read', scope);
      this.#fragmentPlace(fragments.b, b, 'read', scope);
    }
  }

  /** Memory that a fragment is read from or written to. */
  #fragmentPlace(fragment: Fragment, place: FragmentPlace, access: 'read' | 'write', scope: Scope, columns?: ColumnRange): void {
    const { buffer: name, index } = place;
    this.#expectType(index, scope, 'index', `a position in ${name}`);
    for (const size of [place.lines, place.elements]) if (size !== undefined) this.#expectType(size, scope, 'index', 'a size of a fragment');
    const buffer = this.#buffers.get(name);
    if (buffer === undefined) return this.#report(`there is no buffer ${name}`);
    const isShared = 'shared' in buffer && buffer.shared === true;
    if (!this.#isTiles && !isShared) this.#report(`a fragment in ${name}, which the block does not share`);
    if (!holdsFragment(buffer.dtype, fragment)) this.#report(`${name} holds ${buffer.dtype}, which is not what the matrix unit takes`);
    if ('access' in buffer && buffer.access !== access && buffer.access !== 'readwrite') this.#report(`a fragment would ${access} ${name}, which allows ${buffer.access} only`);
    const { unit, role } = fragment;
    if (('swizzled' in buffer && buffer.swizzled === true) !== (unit.layout === 'swizzled' && role !== 'sum')) this.#report(`a fragment in ${name}, whose elements lie otherwise`);
    if (columns !== undefined && (columns.from < 0 || columns.from + columns.count > unit.n))
      this.#report(`columns ${columns.from} to ${columns.from + columns.count - 1} of a sum`);
    const whole = linesOf(columns === undefined ? fragment : { ...fragment, unit: { ...unit, n: columns.count } });
    const [lines, elements] = [place.lines, place.elements].map((size, i) => (size === undefined ? whole[i]! : Math.min(whole[i]!, this.#range(size, scope).max)));
    this.#placed(buffer, place, [lines!, elements!], scope);
  }

  #placed(buffer: AnyBuffer, { buffer: name, index, stride, panel, lines: some }: FragmentPlace, [lines, elements]: readonly [number, number], scope: Scope): void {
    if (panel === undefined && stride < elements) this.#report(`lines of ${elements} elements of a fragment are ${stride} apart in ${name}`);
    const reach = panel === undefined ? elements : (Math.ceil(elements / stride) - 1) * panel + stride;
    this.accesses++;
    const range = this.#range(index, scope);
    const limit = buffer.elements - ((lines - 1) * stride + reach);
    if (range.min >= 0 && range.max <= limit) this.proven++;
    else if (some === undefined && scope.certain && ((range.exact && range.max !== Infinity) || range.min > limit || range.max < 0))
      this.#report(`a fragment at elements ${range.min} to ${range.max} of ${name}, which has ${buffer.elements}`);
  }

  /** One end of a fetch. */
  #fetched({ buffer: name, index }: Place, elements: number, scope: Scope): void {
    this.#expectType(index, scope, 'index', `a position in ${name}`);
    const buffer = this.#buffers.get(name);
    if (buffer === undefined) return this.#report(`there is no buffer ${name}`);
    this.accesses++;
    const range = this.#range(index, scope);
    const limit = buffer.elements - elements;
    if (range.min >= 0 && range.max <= limit) this.proven++;
    else if (scope.certain && ((range.exact && range.max !== Infinity) || range.min > limit || range.max < 0))
      this.#report(`a fetch of elements ${range.min} to ${range.max + elements - 1} of ${name}, which has ${buffer.elements}`);
  }

  #handover({ kind, from, to, flag }: StmtOf['signal' | 'wait'], scope: Scope): Scope {
    if (!this.#isTiles || from === to) this.#report(`a ${kind} from ${from} to ${to}`);
    if (!Number.isInteger(flag) || flag < 0) this.#report(`a ${kind} of flag ${flag}`);
    return scope;
  }

  #copied(buffer: AnyBuffer, { index, stride, buffer: name }: Rows, access: 'read' | 'write', most: { readonly rows: number; readonly elements: number }, scope: Scope): void {
    if ('access' in buffer && buffer.access !== access && buffer.access !== 'readwrite') this.#report(`a copy would ${access} ${name}, which allows ${buffer.access} only`);
    this.accesses++;
    const range = this.#range(index, scope);
    const last = range.max + (most.rows - 1) * stride + most.elements - 1;
    if (range.min >= 0 && last < buffer.elements) this.proven++;
    else if (scope.certain && (range.min < 0 || range.min >= buffer.elements)) this.#report(`a copy at element ${range.min} of ${name}, which has ${buffer.elements}`);
  }

  #declare(name: string, local: Local, scope: Scope): Scope {
    if (scope.locals.has(name) || this.#buffers.has(name)) this.#report(`${name} is declared where it is known already`);
    return { ...scope, locals: new Map([...scope.locals, [name, local]]) };
  }

  #expectType(e: Expr, scope: Scope, dtype: 'index' | 'bool', what: string): void {
    this.#expression(e, scope);
    if (e.type.dtype !== dtype || e.type.lanes !== 1) this.#report(`${what} is ${typeText(e.type)}, not ${dtype}`);
  }

  #expression(e: Expr, scope: Scope): void {
    const operands = operandsOf(e);
    // The position of a load is looked at with its buffer.
    if (e.kind !== 'load') for (const x of operands) this.#expression(x, scope);
    const problem = typeProblem(e);
    if (problem !== undefined) this.#report(`${e.kind}${'fn' in e ? ` ${e.fn}` : ''} of ${operands.map((x) => typeText(x.type)).join(', ')} as ${typeText(e.type)}: ${problem}`);
    if (e.kind === 'var') {
      const local = scope.locals.get(e.name);
      if (local === undefined) this.#report(`${e.name} is not known where it is used`);
      else if (!sameType(local.type, e.type)) this.#report(`${e.name} is ${typeText(local.type)} and is used as ${typeText(e.type)}`);
    }
    if (e.kind !== 'load') return;
    const buffer = this.#access(e.buffer, e.index, e.type, scope);
    if (buffer !== undefined && 'access' in buffer && buffer.access === 'write') this.#report(`a load from ${e.buffer}, which is only written`);
  }

  /** Checks a load from or a store into a buffer. */
  #access(name: string, at: Expr, type: Expr['type'], scope: Scope): AnyBuffer | undefined {
    this.#expectType(at, scope, 'index', `a position in ${name}`);
    const buffer = this.#buffers.get(name);
    if (buffer === undefined) {
      this.#report(`there is no buffer ${name}`);
      return undefined;
    }
    if (computeType(buffer.dtype) !== type.dtype) this.#report(`${name} holds ${buffer.dtype} and is used as ${type.dtype}`);
    this.accesses++;
    const range = this.#range(at, scope);
    const limit = buffer.elements - type.lanes;
    if (range.min >= 0 && range.max <= limit) this.proven++;
    else if (scope.certain && ((range.exact && range.max !== Infinity) || range.min > limit || range.max < 0))
      this.#report(`elements ${range.min} to ${range.max + type.lanes - 1} of ${name}, which has ${buffer.elements}`);
    return buffer;
  }

  /** Whether the value may differ between threads of a block: what is read from memory may. */
  #varies(e: Expr, scope: Scope): boolean {
    if (e.kind === 'var') return scope.locals.get(e.name)?.varies !== false;
    return e.kind === 'load' || operandsOf(e).some((x) => this.#varies(x, scope));
  }

  #range(e: Expr, scope: Scope): IndexRange {
    return rangeOfIndex(e, (name) => scope.locals.get(name)?.range);
  }
}

const sameFragment = (x: Fragment, y: Fragment): boolean => x.role === y.role && x.order === y.order && x.unit === y.unit;

const INDEX: Expr['type'] = { dtype: 'index', lanes: 1 };
const sameType = (a: Expr['type'], b: Expr['type']): boolean => a.dtype === b.dtype && a.lanes === b.lanes;
const typeText = (type: Expr['type']): string => (type.lanes === 1 ? type.dtype : `${type.dtype}x${type.lanes}`);

/** Every value from `from` on that lies below `to`. */
function loopRange(s: StmtOf['for'], from: IndexRange, to: IndexRange): IndexRange {
  const isFixed = from.min === from.max && to.min === to.max;
  const last = isFixed ? from.min + Math.floor((to.max - 1 - from.min) / s.step) * s.step : to.max - 1;
  return isFixed ? variableRange(s.var, from.min, last) : { min: from.min, max: last, exact: false, symbols: new Set([s.var]) };
}

export function verifyKernel(kernel: Kernel): KernelFindings {
  const { problems, proven, accesses } = new KernelVerifier(kernel);
  return { problems, proven, accesses };
}
