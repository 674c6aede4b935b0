// Decides which values are kept in memory and which are computed where they are used. One walk from the results back: every value knows
// the kernels that ask for it and at which positions, so sharing, repetition and traffic can be told before anything is built.
import { ZERO, indexSymbol, linearIndex, substituteIndex, symbolsIn } from '../core/indexExpr.ts';
import type { IndexExpr } from '../core/indexExpr.ts';
import { elementCount, stridesOf } from '../core/shape.ts';
import { tensorBytes } from '../core/tensor.ts';
import type { Shape } from '../core/shape.ts';
import type { Operand, PrimGraph, PrimNode } from '../graph/builder.ts';
import { prims } from '../graph/prims.ts';
import type { PrimFacts } from '../graph/prims.ts';
import { Names } from './evaluate.ts';
import type { Family } from './family.ts';
import { findSplit, splitAxis } from './nest.ts';
import type { Axis } from './nest.ts';
import { inputPositions, invertLinear } from './positions.ts';
import type { Position, PositionScope } from './positions.ts';
import { costOf } from './emit/elementwise.ts';
import { needsStore } from './emit/compute.ts';
import { endsSums, narrowsSums } from './sumsBehind.ts';
import type { StridedView } from './views.ts';

/** A kernel to be: the value it stores and the space it walks. */
export interface Root {
  /** The primitive whose result is stored. */
  readonly node: PrimNode;
  /** Stores the value of this operand instead: one part of a concat. */
  readonly source: Operand | undefined;
  /** Computed once, at load. */
  readonly atLoad: boolean;
  /** Axes of the space that is walked; `at`: the element of the value computed at each point. */
  axes: readonly Axis[];
  at: Position;
  /** Where a part of a concat begins in the result, along each axis. */
  readonly begin: readonly number[];
  /** The axes whose points are rows: reductions in the kernel depend on no other. Undefined while there is none. */
  outer: ReadonlySet<string> | undefined;
  contraction: PrimNode | undefined;
  /** Values that each row computes once and keeps, because several stages need them. */
  readonly kept: Set<Operand>;
  /** Primitives in the kernel so far. */
  size: number;
}

export interface Fusion {
  /** In an order in which they can run. */
  readonly roots: readonly Root[];
  readonly views: ReadonlyMap<Operand, StridedView>;
  /** Operands that lie in memory. */
  readonly stored: ReadonlySet<Operand>;
  /** Operands that kernels need as strided views of memory. */
  readonly whole: ReadonlySet<Operand>;
  readonly producers: ReadonlyMap<Operand, PrimNode>;
}

/** One place where a value is asked for. `whole`: the kernel needs it in memory. */
interface Site {
  readonly root: Root;
  readonly at: Position;
  readonly whole: boolean;
}

const MAX_NODES = 64;
const MAX_SITES = 24;
/** Additions per element up to which work may be repeated rather than stored. */
const CHEAP = 4;
const MAX_REPEATS = 16;
/** Rows that make a fused reduction worth while even when each is long. */
const MANY_ROWS = 16;
const SMALL = 1 << 16;
const MAX_JOINED_PARTS = 4;
/** A border of more than one part in so many, read at least so often, is worth a padded copy. */
const PADDED_PART = 8;
const PADDED_READS = 3;
/** Reads of an element that a copy in another order takes less time than. */
const TURNED_READS = 16;

const kindOf = (node: PrimNode): PrimFacts['kind'] => prims[node.op].kind;

class Fuser {
  readonly #graph: PrimGraph;
  readonly #keptBytes: number;
  readonly #names = new Names('r');
  readonly #sites = new Map<Operand, Site[]>();
  readonly #outputs: ReadonlySet<Operand>;
  readonly #constant = new Set<Operand>();
  readonly #uses = new Map<Operand, number>();
  /** What a reduction reads. */
  readonly #reduced = new Set<Operand>();
  readonly #extents = new Map<string, number>();
  readonly #renamed = new Map<string, IndexExpr>();
  readonly roots: Root[] = [];
  readonly stored = new Set<Operand>();
  readonly whole = new Set<Operand>();
  readonly producers = new Map<Operand, PrimNode>();
  readonly views: ReadonlyMap<Operand, StridedView>;

  constructor(graph: PrimGraph, keptBytes: number, views: ReadonlyMap<Operand, StridedView>) {
    this.#graph = graph;
    this.#keptBytes = keptBytes;
    this.#outputs = new Set(graph.outputs);
    this.views = views;
    for (const x of graph.inputs) this.stored.add(x);
    for (const x of graph.constants.keys()) {
      this.stored.add(x);
      this.#constant.add(x);
    }
    for (const x of [...graph.outputs, ...graph.nodes.flatMap((node) => [...new Set(node.inputs)])]) this.#uses.set(x, (this.#uses.get(x) ?? 0) + 1);
    for (const node of graph.nodes) {
      if (kindOf(node) === 'reduction') for (const x of node.inputs) this.#reduced.add(x);
      const constant = node.inputs.every((x) => this.#constant.has(x));
      for (const x of node.outputs) {
        this.producers.set(x, node);
        if (constant) this.#constant.add(x);
      }
    }
  }

  run(): void {
    for (const node of this.#graph.nodes.toReversed()) {
      const isOutput = node.outputs.some((x) => this.#outputs.has(x));
      const sites = distinct(
        node.outputs.flatMap((x) => this.#sites.get(x) ?? []),
        (at) => this.#current(at),
      );
      if (!isOutput && sites.length === 0) continue;
      if (isOutput || node.outputs.length > 1 || !this.#inline(node, sites)) this.#store(node, isOutput);
    }
    this.roots.reverse();
  }

  /** A position in terms of the axes the roots have now. */
  #current(at: Position): Position {
    return this.#renamed.size === 0 ? at : at.map((x) => substituteIndex(x, this.#renamed));
  }

  #symbol(extent: number): IndexExpr {
    return this.#axis(extent).value;
  }
  #axis(extent: number): { readonly axis: Axis; readonly value: IndexExpr } {
    const axis = { name: this.#names.next(), extent };
    this.#extents.set(axis.name, extent);
    return { axis, value: indexSymbol(axis.name, 0, extent - 1) };
  }

  #ask(x: Operand, site: Site): void {
    if (this.#graph.constants.has(x) || !this.producers.has(x)) return;
    const sites = this.#sites.get(x);
    if (sites === undefined) this.#sites.set(x, [site]);
    else sites.push(site);
  }

  /** The value lies in memory: a strided view asks for its base instead. */
  #askWhole(x: Operand, root: Root): void {
    this.whole.add(x);
    const view = this.#outputs.has(x) ? undefined : this.views.get(x);
    this.#ask(view?.base ?? x, { root, at: [], whole: true });
  }

  #store(node: PrimNode, isOutput: boolean): void {
    for (const x of node.outputs) this.stored.add(x);
    const out = node.outputs[0]!;
    if (node.op === 'concat') {
      // Each part is a kernel of its own, so what computes it can write its place in the result.
      let begin = 0;
      for (const x of node.inputs) {
        const root = this.#createRoot(node, isOutput, x.shape, { source: x, begin: out.shape.map((_, i) => (i === node.attrs.axis ? begin : 0)) });
        this.#ask(x, { root, at: root.at, whole: false });
        begin += x.shape[node.attrs.axis]!;
      }
      return;
    }
    const root = this.#createRoot(node, isOutput, out.shape, { source: undefined, begin: out.shape.map(() => 0) });
    if (kindOf(node) === 'reduction') root.outer = new Set(root.axes.filter((a) => a.extent > 1).map((a) => a.name));
    if (kindOf(node) === 'contraction') root.contraction = node;
    this.#askInputs(node, root, root.at);
  }

  #createRoot(node: PrimNode, isOutput: boolean, shape: Shape, part: Pick<Root, 'source' | 'begin'>): Root {
    const axes = shape.map((extent) => this.#axis(extent));
    const atLoad = !isOutput && this.#constant.has(node.outputs[0]!);
    const root: Root = { ...part, node, atLoad, axes: axes.map((a) => a.axis), at: axes.map((a) => a.value), outer: undefined, contraction: undefined, kept: new Set(), size: 1 };
    this.roots.push(root);
    return root;
  }

  /** Whether the kernel reads the operands of `node` whole rather than at positions. */
  #readsWhole(node: PrimNode): boolean {
    return kindOf(node) === 'contraction' || node.op === 'scatter' || node.op === 'topK' || (node.op === 'bitcast' && needsStoreToBitcast(node));
  }

  #askInputs(node: PrimNode, root: Root, at: Position): void {
    if (this.#readsWhole(node)) {
      for (const x of node.inputs) this.#askWhole(x, root);
      return;
    }
    const scope: PositionScope = { reduced: (extent) => this.#symbol(extent), dynamic: (data, _input, _at, size) => this.#dynamic(data, size) };
    inputPositions(node.op, node, at, scope).forEach((p, i) => {
      if (p === undefined) this.#askWhole(node.inputs[i]!, root);
      else this.#ask(node.inputs[i]!, { root, at: p, whole: false });
    });
  }

  /** A coordinate that is data: it counts as running over the whole of what gathers. */
  #dynamic(node: PrimNode, size: number): IndexExpr {
    const name = this.#names.next();
    this.#extents.set(name, elementCount(node.outputs[0]!.shape));
    return size === 1 ? ZERO : indexSymbol(name, 0, size - 1);
  }

  /** Computes `node` where it is used, if that is the better choice. */
  #inline(node: PrimNode, sites: readonly Site[]): boolean {
    const out = node.outputs[0]!;
    if (sites.some((s) => s.whole) || sites.length > MAX_SITES || needsStore(out.dtype)) return false;
    if (sites.some((s) => s.root.size >= MAX_NODES)) return false;
    if (this.#isLoadTime(node) && sites.some((s) => !s.root.atLoad)) return false;
    if (!this.#constant.has(out) && narrowsSums(node, this.producers) && !sites.every((s) => this.#couldJoin(s.root, out.shape))) return false;
    if (!this.#worthInlining(node, sites)) return false;
    const kept = sites[0]!.root.kept.has(out);
    for (const { root, at } of kept ? sites.slice(0, 1) : sites) {
      root.size++;
      this.#askInputs(node, root, at);
    }
    return true;
  }

  /** Work on constants, which is done once at load: not views of them, and not what is as cheap to compute as to read. */
  #isLoadTime(node: PrimNode): boolean {
    if (!this.#constant.has(node.outputs[0]!)) return false;
    return kindOf(node) !== 'source' && !(kindOf(node) === 'view' && this.views.has(node.outputs[0]!));
  }

  #worthInlining(node: PrimNode, sites: readonly Site[]): boolean {
    const only = sites.length === 1 ? sites[0]! : undefined;
    switch (kindOf(node)) {
      case 'source':
        return true;
      case 'view':
        if (node.op === 'pad' && this.#worthPadding(node, sites)) return false;
        if (node.op === 'transpose' && this.#worthTurning(node, sites)) return false;
        return node.op !== 'concat' || (only !== undefined && node.inputs.length <= MAX_JOINED_PARTS && this.#repeats(node, only) <= 1);
      case 'elementwise':
        return this.#worthRepeating(node, sites);
      case 'indexing':
        return node.op === 'gather' && only !== undefined && this.#repeats(node, only) <= 1;
      case 'reduction':
        return only !== undefined && this.#joinRow(node, only);
      case 'contraction':
        return only !== undefined && this.#joinContraction(node, only);
      case 'ordering':
        return false;
    }
  }

  /** Whether a contraction of this shape might still become part of the kernel. */
  #couldJoin(root: Root, shape: Shape): boolean {
    return root.contraction === undefined && root.outer === undefined && isPointwise(root) && root.axes.reduce((n, a) => n * a.extent, 1) === elementCount(shape);
  }

  /** How often each element is computed at a site, on average. */
  #repeats(node: PrimNode, site: Site): number {
    const symbols = new Set<string>();
    for (const x of this.#current(site.at)) symbolsIn(x, symbols);
    const evaluations = [...symbols].reduce((n, name) => n * (this.#extents.get(name) ?? 1), 1);
    return evaluations / Math.max(elementCount(node.outputs[0]!.shape), 1);
  }

  /** Whether a padded copy pays: every element is read often, along rows so short that much of a row is near its border. */
  #worthPadding(node: Extract<PrimNode, { op: 'pad' }>, sites: readonly Site[]): boolean {
    const { shape } = node.outputs[0]!;
    const row = shape.findLastIndex((extent) => extent > 1);
    const border = row < 0 ? 0 : node.attrs.low[row]! + node.attrs.high[row]!;
    return border * PADDED_PART > shape[row]! && sites.some((s) => this.#repeats(node, s) >= PADDED_READS);
  }

  /** Whether a copy with its axes in another order pays: it is read often enough that the order in which it lies counts for more. */
  #worthTurning(node: Extract<PrimNode, { op: 'transpose' }>, sites: readonly Site[]): boolean {
    return node.attrs.perm.at(-1) !== node.attrs.perm.length - 1 && sites.some((s) => this.#repeats(node, s) >= TURNED_READS);
  }

  #worthRepeating(node: PrimNode, sites: readonly Site[]): boolean {
    const cost = isElementwise(node) ? costOf(node) : 1;
    const repeats = sites.reduce((most, s) => Math.max(most, this.#repeats(node, s)), 0);
    if (repeats > (cost <= CHEAP ? MAX_REPEATS : 1)) return false;
    // The contraction stores something in any case.
    if (repeats > 1 && endsSums(node, this.producers, this.#uses)) return false;
    if (sites.length === 1) return true;
    const sameRoot = sites.every((s) => s.root === sites[0]!.root);
    if (sameRoot && this.#keepsRow(node, sites[0]!.root, cost)) return true;
    if (cost > CHEAP) return false;
    if (sameRoot) return true;
    const out = node.outputs[0]!;
    const wide = node.inputs.filter((x) => elementCount(x.shape) * 4 > elementCount(out.shape) && elementCount(x.shape) > 1);
    return sites.length <= 3 && wide.length <= 1 && wide.every((x) => !this.producers.has(x) || this.#reduced.has(x));
  }

  /** Expensive work that several stages of a row kernel need is done once and kept for the row. */
  #keepsRow(node: PrimNode, root: Root, cost: number): boolean {
    if (cost < CHEAP || root.outer === undefined) return false;
    const rows = root.axes.reduce((n, a) => (root.outer!.has(a.name) ? n * a.extent : n), 1);
    const out = node.outputs[0]!;
    const bytes = [...root.kept, out].reduce((sum, x) => sum + tensorBytes(x.dtype, x.shape), 0);
    if (bytes / rows > this.#keptBytes) return false;
    root.kept.add(out);
    return true;
  }

  /** Splits axes of `root` until no position divides one of them. */
  #splitFor(root: Root, exprs: () => readonly IndexExpr[]): void {
    for (let round = 0; round < 8; round++) {
      const found = findSplit(exprs(), new Map(root.axes.map((a) => [a.name, a.extent])));
      if (found === undefined) return;
      const split = splitAxis(
        root.axes.find((a) => a.name === found.name)!,
        found.by,
        this.#names.next,
      );
      for (const axis of split.axes) this.#extents.set(axis.name, axis.extent);
      const one = new Map([[found.name, split.value]]);
      for (const [name, value] of this.#renamed) this.#renamed.set(name, substituteIndex(value, one));
      this.#renamed.set(found.name, split.value);
      root.axes = root.axes.flatMap((a) => (a.name === found.name ? split.axes : [a]));
      root.at = root.at.map((x) => substituteIndex(x, one));
    }
  }

  /** Fuses a reduction into the kernel of its only user: its result must belong to a row of that kernel's space. */
  #joinRow(node: PrimNode, { root, at }: Site): boolean {
    if (root.contraction !== undefined || !isPointwise(root)) return false;
    this.#splitFor(root, () => this.#current(at));
    const symbols = new Set<string>();
    for (const x of this.#current(at)) symbolsIn(x, symbols);
    const extents = new Map(root.axes.map((a) => [a.name, a.extent]));
    if (![...symbols].every((name) => extents.has(name))) return false;
    const rows = [...symbols].reduce((n, name) => n * extents.get(name)!, 1);
    const out = node.outputs[0]!;
    if (rows !== elementCount(out.shape)) return false;
    if (root.outer !== undefined) {
      if (root.outer.size !== symbols.size || ![...symbols].every((name) => root.outer!.has(name))) return false;
      return true;
    }
    const whole = root.axes.reduce((n, a) => n * a.extent, 1);
    const isEpilogue = rows === whole;
    if (!isEpilogue && rows < MANY_ROWS && Math.max(elementCount(node.inputs[0]!.shape), whole) > SMALL) return false;
    root.outer = symbols;
    return true;
  }

  /** Fuses a contraction with the elementwise work on its result, if that walks exactly the elements of the result. */
  #joinContraction(node: PrimNode, { root, at }: Site): boolean {
    const { shape } = node.outputs[0]!;
    if (!this.#couldJoin(root, shape)) return false;
    const flat = (): IndexExpr => linearIndex(this.#current(at), stridesOf(shape));
    this.#splitFor(root, () => [flat()]);
    const invert = invertLinear(
      flat(),
      root.axes.filter((a) => a.extent > 1),
    );
    if (invert === undefined) return false;
    const axes = shape.map((extent) => this.#axis(extent));
    const position = axes.map((a) => a.value);
    const bindings = invert(linearIndex(position, stridesOf(shape)));
    root.axes = axes.map((a) => a.axis);
    root.at = root.at.map((x) => substituteIndex(x, bindings));
    root.contraction = node;
    return true;
  }
}

const isElementwise = (node: PrimNode): node is Extract<PrimNode, { op: 'unary' | 'binary' | 'compare' | 'where' | 'cast' | 'bitcast' }> => kindOf(node) === 'elementwise';
/** Roots whose kernel is a nest over the elements they store. */
const isPointwise = ({ node }: Root): boolean => node.op !== 'scan' && node.op !== 'scatter' && node.op !== 'topK';
const needsStoreToBitcast = (node: PrimNode): boolean => [node.inputs[0]!, node.outputs[0]!].some((x) => x.dtype === 'f16' || x.dtype === 'bf16' || needsStore(x.dtype));

/** Sites that differ in kernel or position. */
function distinct(sites: readonly Site[], current: (at: Position) => Position): Site[] {
  if (sites.length < 2) return [...sites];
  const seen = new Map<Root, Set<string>>();
  return sites.filter((site) => {
    const key = `${site.whole}${current(site.at)
      .map((x) => x.key)
      .join()}`;
    let keys = seen.get(site.root);
    if (keys === undefined) seen.set(site.root, (keys = new Set()));
    if (keys.has(key)) return false;
    keys.add(key);
    return true;
  });
}

/** `limits`: what kernels of the machine's family can hold. `views`: operands that need not be kept, since others are. */
export function fuse(graph: PrimGraph, limits: Pick<Family, 'keptBytes'>, views: ReadonlyMap<Operand, StridedView>): Fusion {
  const fuser = new Fuser(graph, limits.keptBytes, views);
  fuser.run();
  return fuser;
}
