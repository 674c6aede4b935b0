// Runs kernels as they are written, one operation at a time: the definition of what kernel IR means. Slow; it needs no compiler, and it
// checks what a machine does not: bounds, division by zero and, on watched memory, reads of what was never written and races.
import { dtypes } from '../core/dtype.ts';
import { AnychipError, within } from '../core/error.ts';
import { elementWriter, bigintReader, createTensor, numberReader } from '../core/tensor.ts';
import { wordProduct } from '../core/words.ts';
import type { BinaryFn, Expr, ExprKind, Fragment, FragmentPlace, Kernel, KernelCall, KernelModule, MatrixStep, Pipe, Stmt, StmtKind } from './ir.ts';
import { SWIZZLE, multiplyFragments, roundedInput, shapeOf } from './matrix.ts';
import { View, watchedBlock } from './memory.ts';
import type { Block, Moment } from './memory.ts';
import { PipeWatch, stepPipe, storePipe } from './pipes.ts';
import type { ExprOf } from './rewriteKernel.ts';
import { binaryScalar, bitcastScalar, castScalar, compareScalar, constantScalar, fmaScalar, unaryScalar } from './scalar.ts';
import type { Scalar } from './scalar.ts';

/** One value a lane. */
type Value = readonly Scalar[];
type StmtOf = { readonly [K in StmtKind]: Extract<Stmt, { kind: K }> };

/** One thread of a grid step at work. */
interface Frame {
  readonly buffers: ReadonlyMap<string, View>;
  readonly params: ReadonlySet<string>;
  readonly locals: Map<string, Value>;
  now: Moment;
  /** What the thread's subgroup holds for matrix units, row by row; whether this thread is its first; and how many steps it took. */
  readonly fragments: Map<string, readonly number[]>;
  /** By its name, what stands for a fragment where pipes are watched. */
  readonly held: Map<string, object>;
  readonly leads: boolean;
  matrixSteps: number;
  /** What it fetched: groups that it has not awaited yet, and what is of no group yet. */
  readonly fetches: { groups: (readonly Landing[])[]; open: Landing[] };
  /** What was stored before this stamp is known to matrix units. */
  published: number;
  /** Groups of products under way: their sums, and what gives their factors back. */
  readonly products: { readonly sums: readonly string[]; readonly release: () => void }[];
}

/** Puts what was fetched where it belongs. */
type Landing = () => void;

/** What a thread gives to its subgroup, and waits for the others to give. */
interface Given {
  readonly shuffle: StmtOf['shuffle'];
  readonly value: Value;
}
/** Work that pauses at every barrier, and with a value at every shuffle, where it takes another thread's. */
type Work = Generator<Given | undefined, void, Value | undefined>;

const lanesOf = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

function bufferOf(frame: Frame, name: string): View {
  const view = frame.buffers.get(name);
  if (view === undefined) throw new AnychipError('internal', `there is no buffer ${name}`);
  return view;
}

/** The same moment, as another pipe sees it. */
const onPipe = ({ now }: Frame, pipe: Pipe): Moment => (now.pipes === undefined ? now : { ...now, pipe });

const mapLanes = (e: Expr, frame: Frame, f: (x: Scalar) => Scalar): Value => evaluate(e, frame).map(f);
function zip(a: Expr, b: Expr, frame: Frame, f: (x: Scalar, y: Scalar) => Scalar): Value {
  const right = evaluate(b, frame);
  return evaluate(a, frame).map((x, i) => f(x, right[i]!));
}

/** Halves with halves, until one is left: the order that the IR calls pairwise. What is left of an odd number waits for the next round. */
function foldAcross(items: Value, f: (a: Scalar, b: Scalar) => Scalar): Scalar {
  let left = items;
  while (left.length > 1) {
    const half = Math.ceil(left.length / 2);
    left = lanesOf(half).map((i) => (i + half < left.length ? f(left[i]!, left[i + half]!) : left[i]!));
  }
  return left[0]!;
}

const rules: { readonly [K in ExprKind]: (e: ExprOf[K], frame: Frame) => Value } = {
  const: (e) => lanesOf(e.type.lanes).map(() => constantScalar(e.type.dtype, e.value)),
  var: (e, frame) => {
    const value = frame.locals.get(e.name);
    if (value === undefined) throw new AnychipError('internal', `${e.name} is not known where it is used`);
    return value;
  },
  load: (e, frame) => {
    const view = bufferOf(frame, e.buffer);
    const at = scalarOf(e.index, frame);
    const now = e.type.lanes > 1 ? onPipe(frame, 'vector') : frame.now;
    return lanesOf(e.type.lanes).map((lane) => view.load(at + lane, now));
  },
  unary: (e, frame) => mapLanes(e.x, frame, (x) => unaryScalar(e.fn, e.type.dtype, x)),
  binary: (e, frame) => zip(e.a, e.b, frame, (a, b) => binaryScalar(e.fn, e.type.dtype, a, b)),
  compare: (e, frame) => zip(e.a, e.b, frame, (a, b) => compareScalar(e.fn, a, b)),
  select: (e, frame) => {
    const [a, b] = [evaluate(e.a, frame), evaluate(e.b, frame)];
    return evaluate(e.condition, frame).map((holds, i) => (holds === 0 ? b[i]! : a[i]!));
  },
  fma: (e, frame) => {
    const [b, c] = [evaluate(e.b, frame), evaluate(e.c, frame)];
    return mapLanes(e.a, frame, (a) => a).map((a, i) => fmaScalar(e.type.dtype, a, b[i]!, c[i]!));
  },
  dot: (e, frame) => {
    const [b, c] = [evaluate(e.b, frame), evaluate(e.c, frame)];
    return evaluate(e.a, frame).map((a, i) => (Number(c[i]!) + wordProduct(e.parts, Number(a), Number(b[i]!))) | 0);
  },
  cast: (e, frame) => mapLanes(e.x, frame, (x) => castScalar(e.x.type.dtype, e.type.dtype, x)),
  bitcast: (e, frame) => mapLanes(e.x, frame, (x) => bitcastScalar(e.x.type.dtype, e.type.dtype, x)),
  narrow: (e, frame) => {
    if (e.to === 'string') throw new AnychipError('internal', 'strings are not computed with');
    const cell = createTensor(e.to, [1]);
    const [write, read] = [elementWriter(cell), dtypes[e.to].held === 'bigint' ? bigintReader(cell) : numberReader(cell)];
    return mapLanes(e.x, frame, (x) => {
      write(0, x);
      return read(0);
    });
  },
  splat: (e, frame) => {
    const [x] = evaluate(e.x, frame);
    return lanesOf(e.type.lanes).map(() => x!);
  },
  pack: (e, frame) => e.items.map((x) => evaluate(x, frame)[0]!),
  extract: (e, frame) => [evaluate(e.x, frame)[e.lane]!],
  across: (e, frame) => [foldAcross(evaluate(e.x, frame), (a, b) => binaryScalar(e.fn satisfies BinaryFn, e.type.dtype, a, b))],
};

const dispatch = <K extends ExprKind>(e: ExprOf[K] & { readonly kind: K }, frame: Frame): Value => rules[e.kind](e, frame);
const evaluate = (e: Expr, frame: Frame): Value => dispatch(e, frame);
const scalarOf = (e: Expr, frame: Frame): number => Number(evaluate(e, frame)[0]!);

const steps: { readonly [K in StmtKind]: (s: StmtOf[K], frame: Frame) => void | Work } = {
  for: function* (s, frame) {
    const to = scalarOf(s.to, frame);
    for (let i = scalarOf(s.from, frame); i < to; i += s.step) {
      frame.locals.set(s.var, [i]);
      yield* runAll(s.body, frame);
    }
  },
  let: (s, frame) => void frame.locals.set(s.name, evaluate(s.value, frame)),
  assign: (s, frame) => void frame.locals.set(s.name, evaluate(s.value, frame)),
  store: (s, frame) => {
    const view = bufferOf(frame, s.buffer);
    const at = scalarOf(s.index, frame);
    const pipe = storePipe(s);
    frame.now.pipes?.give(pipe);
    const now = onPipe(frame, pipe);
    evaluate(s.value, frame).forEach((x, lane) => view.store(at + lane, x, now));
  },
  if: (s, frame) => runAll(scalarOf(s.condition, frame) === 0 ? s.else : s.then, frame),
  barrier: function* (s, frame) {
    yield undefined;
    if (s.units === true) frame.published = frame.now.phase;
  },
  shuffle: function* (s, frame): Work {
    const value = yield { shuffle: s, value: evaluate(s.value, frame) };
    if (value !== undefined) frame.locals.set(s.name, value);
  },
  fetch: (s, frame) => {
    const [to, from] = [bufferOf(frame, s.to.buffer), bufferOf(frame, s.from.buffer)];
    const [toStart, fromStart] = [scalarOf(s.to.index, frame), scalarOf(s.from.index, frame)];
    for (const start of [toStart, fromStart])
      if (start % s.elements !== 0) throw new AnychipError('internal', `a fetch of ${s.elements} elements at element ${start}, which is no multiple of it`);
    const isThere = s.when === undefined || scalarOf(s.when, frame) !== 0;
    const zero = dtypes[from.dtype].held === 'bigint' ? 0n : 0;
    const values = lanesOf(s.elements).map((i) => (isThere ? from.load(fromStart + i, frame.now) : zero));
    values.forEach((_, i) => to.begin(toStart + i, frame.now));
    frame.fetches.open.push(() => values.forEach((x, i) => to.land(toStart + i, x, frame.now)));
  },
  commit: (_, { fetches }) => {
    fetches.groups.push(fetches.open);
    fetches.open = [];
  },
  await: (s, { fetches }) => {
    while (fetches.groups.length > s.pending) fetches.groups.shift()!.forEach((land) => land());
  },
  copy: (s, frame) => {
    const [to, from] = [bufferOf(frame, s.to.buffer), bufferOf(frame, s.from.buffer)];
    const [toStart, fromStart, rows, elements] = [s.to.index, s.from.index, s.rows, s.elements].map((e) => scalarOf(e, frame));
    const pipe = frame.params.has(s.to.buffer) ? 'out' : 'in';
    frame.now.pipes?.give(pipe);
    const now = onPipe(frame, pipe);
    for (let r = 0; r < rows!; r++) {
      for (let i = 0; i < elements!; i++) to.store(toStart! + r * s.to.stride + i, from.load(fromStart! + r * s.from.stride + i, now), now);
    }
  },
  signal: (s, frame) => frame.now.pipes?.signal(s),
  wait: (s, frame) => frame.now.pipes?.wait(s),
  matrix: ({ step }, frame) => {
    frame.matrixSteps++;
    // The first thread of a subgroup works for all.
    if (frame.leads) matrixStep(step, frame);
  },
};

function matrixStep(step: MatrixStep, frame: Frame): void {
  const { fragments } = frame;
  if (step.do === 'declare') {
    const [rows, columns] = shapeOf(step.fragment);
    return void fragments.set(step.name, step.fragment.role === 'sum' ? Array.from({ length: rows * columns }, () => 0) : []);
  }
  const pipe = stepPipe(step);
  frame.now.pipes?.give(pipe);
  const now = onPipe(frame, pipe);
  const use = (name: string, access: 'read' | 'written'): void => {
    if (!frame.held.has(name)) frame.held.set(name, {});
    now.pipes?.use(frame.held.get(name)!, 1, 0, pipe, access, name);
  };
  switch (step.do) {
    case 'load': {
      const view = bufferOf(frame, step.from.buffer);
      const read = (at: number | undefined): number => (at === undefined ? 0 : roundedInput(step.fragment.unit, view.dtype, Number(view.load(at, now))));
      use(step.name, 'written');
      return void fragments.set(step.name, positionsOf(step.fragment, step.from, frame).map(read));
    }
    case 'multiply':
      [step.a, step.b, step.sum].forEach((name) => use(name, 'read'));
      use(step.sum, 'written');
      return void fragments.set(step.sum, multiplyFragments(step.fragments.a.unit, fragmentOf(frame, step.sum), fragmentOf(frame, step.a), fragmentOf(frame, step.b)));
    case 'begin':
      return beginProducts(step, frame);
    case 'settle':
      while (frame.products.length > step.pending) frame.products.shift()!.release();
      return;
    case 'store': {
      const view = bufferOf(frame, step.to.buffer);
      const values = fragmentOf(frame, step.name);
      use(step.name, 'read');
      const { n } = step.fragment.unit;
      const { from, count } = step.columns ?? { from: 0, count: n };
      const part: Fragment = { ...step.fragment, unit: { ...step.fragment.unit, n: count } };
      return positionsOf(part, step.to, frame).forEach((at, i) => (at === undefined ? undefined : view.store(at, values[Math.floor(i / count) * n + from + (i % count)]!, now)));
    }
  }
}

/** They are computed at once; until they are settled nobody may touch what they use. */
function beginProducts({ products, fragments }: Extract<MatrixStep, { do: 'begin' }>, frame: Frame): void {
  const held: (() => void)[] = [];
  const read = (fragment: Fragment, place: FragmentPlace): number[] => {
    const view = bufferOf(frame, place.buffer);
    return positionsOf(fragment, place, frame).map((at) => {
      if (at === undefined) return 0;
      held.push(view.hold(at));
      return roundedInput(fragment.unit, view.dtype, Number(view.loadByUnit(at, frame.now, frame.published)));
    });
  };
  for (const { sum, a, b } of products) {
    const before = frame.fragments.get(sum);
    if (before === undefined) throw new AnychipError('internal', `the fragment ${sum} is used before it is declared`);
    frame.fragments.set(sum, multiplyFragments(fragments.a.unit, before, read(fragments.a, a), read(fragments.b, b)));
  }
  frame.products.push({ sums: products.map(({ sum }) => sum), release: () => held.forEach((release) => release()) });
}

function fragmentOf(frame: Frame, name: string): readonly number[] {
  if (frame.products.some(({ sums }) => sums.includes(name))) throw new AnychipError('internal', `the fragment ${name} is used before its products are settled`);
  const values = frame.fragments.get(name);
  if (values === undefined || values.length === 0) throw new AnychipError('internal', `the fragment ${name} is used before it is filled`);
  return values;
}

/** Where the elements of a fragment lie, row by row; undefined for those that are not there. */
function positionsOf(fragment: Fragment, { buffer, index, stride, panel, lines, elements }: FragmentPlace, frame: Frame): (number | undefined)[] {
  const start = scalarOf(index, frame);
  const [most, length] = [lines, elements].map((e) => (e === undefined ? Infinity : scalarOf(e, frame)));
  const [rows, columns] = shapeOf(fragment);
  if (fragment.unit.layout === 'swizzled') {
    // A line holds points of the sum, of which a product takes some, or of the factor's own axes, of which it takes all.
    const inPeriod = (start * dtypes[bufferOf(frame, buffer).dtype].bytes) % SWIZZLE.periodBytes;
    if (panel === undefined ? inPeriod >= SWIZZLE.lineBytes : inPeriod !== 0)
      throw new AnychipError('internal', `a factor of a matrix unit begins inside the lines of ${buffer} that belong together`);
  }
  return lanesOf(rows * columns).map((i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const [line, at] = fragment.order === 'rows' ? [row, column] : [column, row];
    if (line >= most! || at >= length!) return undefined;
    return panel === undefined ? start + line * stride + at : start + line * stride + Math.floor(at / stride) * panel + (at % stride);
  });
}

const perform = <K extends StmtKind>(s: StmtOf[K] & { readonly kind: K }, frame: Frame): void | Work => steps[s.kind](s, frame);

function* runAll(body: readonly Stmt[], frame: Frame): Work {
  for (const s of body) {
    const work = perform(s, frame);
    if (work !== undefined) yield* work;
  }
}

/** The order of a kernel's grid steps; results must not depend on it. */
export type GridOrder = 'forward' | 'backward';

/** Runs calls of a module over the same memory, one after the other. */
export class Interpreter {
  readonly #module: KernelModule;
  readonly #order: GridOrder;
  #stamp = 0;

  constructor(module: KernelModule, order: GridOrder = 'forward') {
    this.#module = module;
    this.#order = order;
  }

  /** All `run` calls, or one `init` call, with `bases` as the table of blocks. Throws an 'internal' error that names kernel and buffer. */
  execute(entry: 'run' | { readonly init: number }, bases: readonly Block[]): void {
    for (const call of entry === 'run' ? this.#module.run : [this.#module.init[entry.init]!]) this.#call(call, bases);
  }

  /** Says that the caller filled a block, so that reading it is no mistake. */
  markWritten({ watch }: Block): void {
    watch?.written.fill(++this.#stamp);
  }

  #call(call: KernelCall, bases: readonly Block[]): void {
    const kernel = this.#module.kernels[call.kernel]!;
    const params = kernel.params.map((p, i) => {
      const { base, offsetBytes } = call.args[i]!;
      const block = bases[base];
      if (block === undefined) throw new AnychipError('internal', `block ${base} is not bound`, { path: [kernel.name, p.name] });
      return new View(p.name, p.dtype, p.elements, block, offsetBytes);
    });
    const first = this.#stamp + 1;
    const { extent } = kernel.grid;
    for (let i = 0; i < extent; i++) within(kernel.name, () => this.#step(kernel, params, this.#order === 'forward' ? i : extent - 1 - i, first));
  }

  /** One grid step: its threads take turns, each up to the next barrier. */
  #step(kernel: Kernel, params: readonly View[], position: number, call: number): void {
    const step = this.#stamp + 1;
    const { var: name, threads } = kernel.block ?? { var: '', threads: 1 };
    const together = kernel.block?.subgroup ?? 1;
    const shared = scratchOf(kernel, true);
    const frames = lanesOf(threads).map((thread): Frame => {
      const locals = new Map<string, Value>([[kernel.grid.var, [position]]]);
      if (name !== '') locals.set(name, [thread]);
      const buffers = new Map([...params, ...shared, ...scratchOf(kernel, false)].map((view) => [view.name, view]));
      const leads = thread % together === 0;
      return {
        buffers,
        params: new Set(params.map((view) => view.name)),
        locals,
        now: { stamp: 0, call, step, phase: 0 },
        fragments: new Map(),
        held: new Map(),
        leads,
        matrixSteps: 0,
        fetches: { groups: [], open: [] },
        published: 0,
        products: [],
      };
    });
    const core = kernel.tiles === undefined ? {} : { pipes: new PipeWatch(), pipe: 'scalar' as const, lineBytes: kernel.tiles.lineBytes };
    const running = frames.map((frame) => runAll(kernel.body, frame));
    for (let ended = 0; ended === 0;) {
      const phase = this.#stamp + 1;
      for (const frame of frames) frame.now = { stamp: ++this.#stamp, call, step, phase, ...core };
      for (let first = 0; first < threads; first += together) ended += advance(running.slice(first, first + together), first);
      checkTogether(kernel, frames);
      if (ended > 0 && ended < threads) throw new AnychipError('internal', `${threads - ended} of ${threads} threads wait at a barrier that the others do not reach`);
    }
    core.pipes?.finish();
  }
}

/** Lets the threads of a subgroup, numbered from `first`, run to the next barrier, with their shuffles on the way; says how many ended. */
function advance(threads: readonly Work[], first: number): number {
  let taken: readonly (Value | undefined)[] = [];
  for (;;) {
    const paused = threads.map((work, i) => work.next(taken[i]));
    const given = paused.map((p) => (p.done === true ? undefined : p.value));
    const shuffle = given.find((x) => x !== undefined)?.shuffle;
    if (shuffle === undefined) return paused.filter((p) => p.done === true).length;
    const missing = given.findIndex((x) => x?.shuffle !== shuffle);
    if (missing >= 0) throw new AnychipError('internal', `thread ${first + missing} does not reach the shuffle of ${shuffle.name} that its subgroup waits at`);
    taken = given.map((_, i) => given[i ^ shuffle.mask]?.value);
  }
}

/** Steps of a matrix unit are taken by all threads of a subgroup, or by none. */
function checkTogether({ block }: Kernel, frames: readonly Frame[]): void {
  const together = block?.subgroup ?? 1;
  frames.forEach((frame, thread) => {
    const first = frames[thread - (thread % together)]!;
    if (frame.matrixSteps !== first.matrixSteps)
      throw new AnychipError('internal', `thread ${thread} takes ${frame.matrixSteps} steps of the matrix unit, and its subgroup ${first.matrixSteps}`);
  });
}

/** Fresh scratch memory of one thread, or of the threads of a grid step together. */
const scratchOf = (kernel: Kernel, shared: boolean): View[] =>
  kernel.scratch.filter((s) => (s.shared ?? false) === shared).map((s) => new View(s.name, s.dtype, s.elements, watchedBlock(s.elements * dtypes[s.dtype].bytes), 0));
