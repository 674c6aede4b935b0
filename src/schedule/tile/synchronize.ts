// Makes the pipes of a tile kernel wait for each other: a signal right after what one pipe does, and a wait right before what another
// does with the same memory, so that all else goes on meanwhile; from one step of a loop to the next as well. What has been waited for
// already is known from a walk through the kernel, loops twice, and is not waited for again.
import type { Handover, Pipe, Stmt } from '../../kernel/ir.ts';
import { invariant } from '../../core/error.ts';
import { PIPES } from '../../kernel/pipes.ts';
import { buildBlock, placesOf } from './places.ts';
import type { Block, Node, Place } from './places.ts';
import type { Use } from './uses.ts';

/** Signals that may be under way between the same two pipes; the first is for those that are taken at once. */
const FLAGS = 8;

/** For each pipe up to which moment of the walk its work is certainly done. */
type Knowledge = Readonly<Record<Pipe, number>>;
const NOTHING: Knowledge = { scalar: 0, vector: 0, in: 0, out: 0, fill: 0, matrix: 0, drain: 0 };
const combine = (a: Knowledge, b: Knowledge, f: (x: number, y: number) => number): Knowledge => ({
  scalar: f(a.scalar, b.scalar),
  vector: f(a.vector, b.vector),
  in: f(a.in, b.in),
  out: f(a.out, b.out),
  fill: f(a.fill, b.fill),
  matrix: f(a.matrix, b.matrix),
  drain: f(a.drain, b.drain),
});

/** Someone waits for someone else. */
interface Order extends Place {
  readonly from: Pipe;
  readonly to: Pipe;
}

interface Moment {
  readonly time: number;
  readonly node: Node;
}

/** What each pipe did last to a buffer. */
type Uses = Map<string, { readonly written?: Moment; readonly read?: Moment }>;

interface State {
  readonly known: Map<Pipe, Knowledge>;
  readonly uses: Uses;
}

const WALKS = 2;

class Walk {
  readonly orders: Order[] = [];
  /** Whether this walk found anything to wait for. */
  grows = false;
  #time = 0;
  #state: State = { known: new Map(), uses: new Map() };
  /** What each pipe knew since when. */
  readonly #history = new Map<Pipe, { readonly time: number; readonly known: Knowledge }[]>();
  readonly #begins = new Map<Node, number>();
  readonly #ends = new Map<Node, number>();

  constructor(orders: readonly Order[]) {
    this.orders.push(...orders);
  }

  block({ nodes }: Block): void {
    for (const node of nodes) this.#visit(node);
  }

  #visit(node: Node): void {
    for (const order of this.orders) if (order.second === node) this.#wait(order, this.#signalled(order));
    this.#begins.set(node, this.#time);
    this.#use(node);
    const [first, second] = node.blocks;
    if (node.statement.kind === 'for') this.#loop(node, first!);
    else if (node.statement.kind === 'if') this.#branch(first!, second!);
    this.#ends.set(node, this.#time);
  }

  #loop(node: Node, body: Block): void {
    const before = new Map(this.#state.known);
    for (let i = 0; i < WALKS; i++) this.block(body);
    // It may have no steps: then nobody learned anything.
    for (const pipe of PIPES) this.#learn(pipe, before.get(pipe) ?? NOTHING);
    for (const order of this.orders) if (order.carried === node) this.#wait(order, this.#begins.get(node)!);
  }

  #branch(then: Block, otherwise: Block): void {
    const before: State = { known: new Map(this.#state.known), uses: new Map(this.#state.uses) };
    this.block(then);
    const after = this.#state;
    this.#state = before;
    this.block(otherwise);
    for (const pipe of PIPES) this.#learn(pipe, combine(this.#known(pipe), after.known.get(pipe) ?? NOTHING, Math.min));
    const later = (a: Moment | undefined, b: Moment | undefined): Moment | undefined => (a === undefined || (b !== undefined && b.time > a.time) ? b : a);
    for (const [key, use] of after.uses) {
      const other = this.#state.uses.get(key);
      this.#state.uses.set(key, { written: later(use.written, other?.written)!, read: later(use.read, other?.read)! });
    }
  }

  #known(pipe: Pipe): Knowledge {
    return this.#state.known.get(pipe) ?? NOTHING;
  }

  #learn(pipe: Pipe, known: Knowledge): void {
    this.#state.known.set(pipe, known);
    let history = this.#history.get(pipe);
    if (history === undefined) this.#history.set(pipe, (history = []));
    history.push({ time: this.#time, known });
  }

  /** When the signal that a wait takes was given. */
  #signalled({ first, carried }: Order): number {
    const end = this.#ends.get(first) ?? 0;
    return carried === undefined ? end : Math.max(end, this.#begins.get(carried)!);
  }

  #wait({ from, to }: Order, time: number): void {
    // Later than all that was signalled so far.
    this.#time++;
    const then = this.#history.get(from)?.findLast((entry) => entry.time <= time)?.known ?? NOTHING;
    this.#learn(to, combine(combine(this.#known(to), then, Math.max), { ...NOTHING, [from]: time }, Math.max));
  }

  #use(node: Node): void {
    const { uses } = node;
    for (const pipe of new Set(uses.map((use) => use.pipe))) {
      // What the scalar pipe has waited for is done before it hands out the next.
      if (pipe !== 'scalar') this.#learn(pipe, combine(this.#known(pipe), this.#known('scalar'), Math.max));
      for (const from of PIPES) if (from !== pipe) this.#require(from, pipe, node, uses);
    }
    if (uses.length === 0) return;
    this.#time++;
    for (const { pipe, buffer, writes } of uses) {
      const key = `${pipe} ${buffer}`;
      this.#state.uses.set(key, { ...this.#state.uses.get(key), [writes ? 'written' : 'read']: { time: this.#time, node } });
    }
  }

  /** The latest of what `from` did that `pipe` needs done for the statement. */
  #require(from: Pipe, pipe: Pipe, node: Node, uses: readonly Use[]): void {
    let last: Moment | undefined;
    for (const use of uses) {
      if (use.pipe !== pipe) continue;
      const other = this.#state.uses.get(`${from} ${use.buffer}`);
      for (const moment of [other?.written, use.writes ? other?.read : undefined]) if (moment !== undefined && moment.time > (last?.time ?? 0)) last = moment;
    }
    if (last === undefined || last.time <= this.#known(pipe)[from]) return;
    const order: Order = { from, to: pipe, ...placesOf(last.node, node) };
    this.orders.push(order);
    this.grows = true;
    this.#wait(order, Math.max(last.time, this.#signalled(order)));
  }
}

/** Where a signal may be under way, in the order of the text. */
function spanOf({ first, second, carried }: Order): readonly [number, number] {
  return carried === undefined ? [first.end, second.begin] : [carried.begin, carried.end];
}

/** A handover for each order: orders of the same pipes that are never under way together share a flag. Where none is left, a signal is taken as soon as it is given. */
function giveFlags(orders: readonly Order[]): Map<Order, Handover> {
  const taken = new Map<string, (readonly [number, number])[]>();
  const isFree = (key: string, [begin, end]: readonly [number, number]): boolean => (taken.get(key) ?? []).every(([b, e]) => e <= begin || end <= b);
  const flagFor = ({ from, to }: Order, span: readonly [number, number]): number => {
    for (let flag = 1; flag < FLAGS; flag++) {
      const key = `${from} ${to} ${flag}`;
      if (!isFree(key, span)) continue;
      taken.set(key, [...(taken.get(key) ?? []), span]);
      return flag;
    }
    return 0;
  };
  return new Map(orders.map((order) => [order, { from: order.from, to: order.to, flag: flagFor(order, spanOf(order)) }]));
}

function print({ nodes }: Block, orders: ReadonlyMap<Order, Handover>): Stmt[] {
  const all = [...orders];
  const signals = (is: (order: Order) => boolean): Stmt[] => all.flatMap(([order, handover]) => (handover.flag > 0 && is(order) ? [{ kind: 'signal', ...handover }] : []));
  return nodes.flatMap((node) => {
    const before = all.flatMap(([order, handover]): Stmt[] => {
      if (order.second !== node) return [];
      const wait: Stmt = { kind: 'wait', ...handover };
      return handover.flag > 0 ? [wait] : [{ kind: 'signal', ...handover }, wait];
    });
    const taken = all.flatMap(([order, handover]): Stmt[] => (order.carried === node && handover.flag > 0 ? [{ kind: 'wait', ...handover }] : []));
    const [first, second] = node.blocks.map((block) => print(block, orders));
    const { statement } = node;
    const inside: Stmt = statement.kind === 'for' ? { ...statement, body: first! } : statement.kind === 'if' ? { ...statement, then: first!, else: second! } : statement;
    return [...before, ...signals((order) => order.carried === node), inside, ...taken, ...signals((order) => order.first === node)];
  });
}

/** `body` with signals and waits wherever one pipe must come after another; `params` are in global memory. */
export function synchronize(body: readonly Stmt[], params: ReadonlySet<string>): readonly Stmt[] {
  const root = buildBlock(body, params);
  let orders: readonly Order[] = [];
  for (let round = 0; ; round++) {
    invariant(round < 100, 'there is always something more to wait for');
    const walk = new Walk(orders);
    walk.block(root);
    orders = walk.orders;
    if (!walk.grows) return print(root, giveFlags(withoutNeedless(orders, root)));
  }
}

/** What others made needless that were found later. */
function withoutNeedless(orders: readonly Order[], root: Block): readonly Order[] {
  return orders.reduce((left, order) => {
    const others = left.filter((other) => other !== order);
    const walk = new Walk(others);
    walk.block(root);
    return walk.grows ? left : others;
  }, orders);
}
