// A primitive graph as a schedule: what is fused, the kernels, where every byte lies, and what it costs.
import { byteWidth } from '../core/dtype.ts';
import { AnychipError, invariant } from '../core/error.ts';
import { elementCount } from '../core/shape.ts';
import type { WordParts } from '../core/words.ts';
import { bigintReader, numberReader, tensorBytes } from '../core/tensor.ts';
import type { Operand, PrimGraph, PrimNode } from '../graph/builder.ts';
import type { Constant } from '../graph/graph.ts';
import { scratchBytes } from '../kernel/ir.ts';
import { kernelKey } from '../kernel/sizes.ts';
import type { Kernel, KernelCall } from '../kernel/ir.ts';
import type { Capabilities } from '../runtime/device.ts';
import { Evaluator } from './evaluate.ts';
import type { Values } from './evaluate.ts';
import { allowedCapabilities } from './allowed.ts';
import type { Allowance } from '../core/allowance.ts';
import { decideByModel } from './decide.ts';
import type { Decide } from './decide.ts';
import { joinChains } from './chains.ts';
import { createFamily } from './families.ts';
import type { Family } from './family.ts';
import { fuse } from './fuse.ts';
import type { Fusion } from './fuse.ts';
import { workInPlace } from './inPlace.ts';
import { chooseLayouts, reachOf, wishedLayouts } from './layout.ts';
import type { Layouts } from './layout.ts';
import { Origins } from './origins.ts';
import { lowerCopy, lowerRoot } from './lowerRoot.ts';
import type { LoweredRoot, RootContext } from './lowerRoot.ts';
import { placeSlots } from './place.ts';
import type { CallReport, MemoryPlan, Schedule } from './schedule.ts';
import type { LoweredKernel } from './emit/emitter.ts';
import type { PointExpr } from './point.ts';
import type { Position } from './positions.ts';
import { contiguous, createSlot, ownerOf, wordsOf } from './storage.ts';
import type { MemorySlot, Storage } from './storage.ts';
import { findViews, viewStorage } from './views.ts';

interface Call {
  readonly kernel: LoweredKernel;
  readonly nodes: readonly PrimNode[];
}

/** Hands out the storage of operands and the values of small constants, as the fusion decided. */
class Storages implements Values {
  readonly #graph: PrimGraph;
  readonly #fusion: Fusion;
  readonly #layouts: ReadonlyMap<Operand, readonly number[]>;
  readonly #known = new Map<Operand, Storage>();
  readonly #words = new Map<MemorySlot, MemorySlot>();
  readonly #reaches = new Map<Operand, ReturnType<typeof reachOfTable>>();
  readonly #literals = new Map<Operand, number | bigint | undefined>();

  constructor(graph: PrimGraph, fusion: Fusion, layouts: ReadonlyMap<Operand, readonly number[]>) {
    this.#graph = graph;
    this.#fusion = fusion;
    this.#layouts = layouts;
    graph.inputs.forEach((x, port) => this.#known.set(x, contiguous(createSlot('input', x, { port }), x.shape)));
    graph.outputs.forEach((x, port) => {
      if (fusion.producers.has(x) && !this.#known.has(x)) this.#known.set(x, contiguous(createSlot('output', x, { port }), x.shape));
    });
  }

  producerOf(x: Operand): PrimNode | undefined {
    return this.#fusion.producers.get(x);
  }

  storageOf(x: Operand): Storage | undefined {
    let storage = this.#known.get(x);
    if (storage !== undefined) return storage;
    const view = this.#fusion.views.get(x);
    if (this.#fusion.stored.has(x)) {
      const slot = this.#graph.constants.has(x) ? createSlot('constant', x, { constant: x }) : createSlot('value', x);
      const strides = this.#layouts.get(x);
      storage = strides === undefined ? contiguous(slot, x.shape) : { slot: { ...slot, elements: reachOf(x.shape, strides) }, offset: 0, strides };
    } else if (view !== undefined) {
      const base = this.storageOf(view.base);
      const place = base === undefined ? undefined : viewStorage(view, base);
      if (base !== undefined && place !== undefined) storage = { slot: view.words === undefined ? base.slot : this.#asWords(base.slot, view.words), ...place };
    }
    if (storage !== undefined) this.#known.set(x, storage);
    return storage;
  }

  #asWords(slot: MemorySlot, parts: WordParts): MemorySlot {
    let words = this.#words.get(slot);
    if (words === undefined) this.#words.set(slot, (words = wordsOf(slot, parts)));
    return words;
  }

  isWithin(constant: Operand, size: number): boolean {
    let reach = this.#reaches.get(constant);
    if (reach === undefined) this.#reaches.set(constant, (reach = reachOfTable(this.#graph.constants.get(constant))));
    return reach.least >= 0 && reach.most < size;
  }

  literalOf(x: Operand): number | bigint | undefined {
    if (this.#literals.has(x)) return this.#literals.get(x);
    const constant = elementCount(x.shape) === 1 ? this.#graph.constants.get(x) : undefined;
    const tensor = constant?.read();
    const isNumeric = tensor !== undefined && tensor.dtype !== 'string';
    const wide = x.dtype === 'i64' || x.dtype === 'u64';
    const value = isNumeric ? (wide ? bigintReader(tensor)(0) : numberReader(tensor)(0)) : undefined;
    this.#literals.set(x, value);
    return value;
  }
}

/** Longer tables are not looked through. */
const MOST_LOOKED_THROUGH = 1 << 16;
function reachOfTable(constant: Constant | undefined): { readonly least: number; readonly most: number } {
  const tensor = constant !== undefined && elementCount(constant.shape) <= MOST_LOOKED_THROUGH ? constant.read() : undefined;
  if (tensor === undefined || tensor.dtype === 'string') return { least: -Infinity, most: Infinity };
  const read = numberReader(tensor);
  let [least, most] = [Infinity, -Infinity];
  for (let i = 0; i < tensor.data.length; i++) {
    least = Math.min(least, read(i));
    most = Math.max(most, read(i));
  }
  return { least, most };
}

/** Kernels of one program, in the order in which they will run. */
class Program implements RootContext {
  readonly family: Family;
  readonly init: Call[] = [];
  readonly run: Call[] = [];
  readonly #values: Storages;
  readonly #origins: Origins;
  readonly #loadTime = new Set<MemorySlot>();
  readonly #packed = new Map<MemorySlot, Map<string, MemorySlot>>();

  constructor(graph: PrimGraph, values: Storages, family: Family) {
    this.#values = values;
    this.#origins = new Origins(graph, values);
    this.family = family;
  }

  createEvaluator(): Evaluator {
    return new Evaluator(this.#values);
  }
  storageOf(x: Operand): Storage {
    const storage = this.#values.storageOf(x);
    invariant(storage !== undefined, 'an operand that should lie in memory does not');
    return storage;
  }
  isLoadTime(slot: MemorySlot): boolean {
    return slot.kind === 'constant' || this.#loadTime.has(ownerOf(slot));
  }
  originOf(x: Operand, at: Position): PointExpr | undefined {
    return this.#origins.at(x, at);
  }
  addPacking(key: string, source: MemorySlot, make: () => { readonly kernel: LoweredKernel; readonly slot: MemorySlot }): MemorySlot {
    let byKey = this.#packed.get(source);
    if (byKey === undefined) this.#packed.set(source, (byKey = new Map()));
    let slot = byKey.get(key);
    if (slot === undefined) {
      const made = make();
      this.init.push({ kernel: made.kernel, nodes: [] });
      this.#loadTime.add(made.slot);
      byKey.set(key, (slot = made.slot));
    }
    return slot;
  }

  lowerRoots(fusion: Fusion): void {
    const run: LoweredRoot[] = [];
    for (const root of fusion.roots) {
      const shape = root.source?.shape ?? root.node.outputs[0]!.shape;
      if (root.atLoad) for (const x of root.node.outputs) this.#loadTime.add(this.storageOf(x).slot);
      if (elementCount(shape) === 0) continue;
      const lowered = lowerRoot(this, root);
      if (root.atLoad) for (const kernel of lowered.kernels) this.init.push({ kernel, nodes: lowered.nodes });
      else run.push(lowered);
    }
    for (const { kernels, nodes } of joinChains(run, this.family)) for (const kernel of kernels) this.run.push({ kernel, nodes });
  }

  /** Outputs that no kernel makes: inputs, constants, and results asked for twice. */
  copyOutputs(graph: PrimGraph): void {
    graph.outputs.forEach((x, port) => {
      const { slot } = this.storageOf(x);
      if ((slot.kind === 'output' && slot.port === port) || elementCount(x.shape) === 0) return;
      for (const kernel of lowerCopy(this, x, contiguous(createSlot('output', x, { port }), x.shape))) this.run.push({ kernel, nodes: [] });
    });
  }
}

/** Equal kernels are kept once; only their buffers differ. */
class KernelTable {
  readonly kernels: Kernel[] = [];
  readonly #known = new Map<string, number>();

  indexOf(kernel: Kernel): number {
    const key = kernelKey(kernel);
    let index = this.#known.get(key);
    if (index === undefined) {
      index = this.kernels.length;
      this.#known.set(key, index);
      this.kernels.push({ ...kernel, name: `${kernel.name}_${index}` });
    }
    return index;
  }
}

function reportOf({ kernel, nodes }: Call, name: string): CallReport {
  const { params, cost } = kernel.kernel;
  const bytes = (access: 'read' | 'write'): number => params.reduce((sum, p) => sum + (p.access === access || p.access === 'readwrite' ? p.elements * byteWidth(p.dtype) : 0), 0);
  const { readBytes, writeBytes } = kernel.traffic ?? { readBytes: bytes('read'), writeBytes: bytes('write') };
  const { question } = kernel;
  return { kernel: name, nodes: nodes.map((n) => n.name), readBytes, writeBytes, flops: cost.flops, ...(question === undefined ? {} : { question }) };
}

/** Kernels of `init` that make what `run`, or another of them, works on: of a weight that is read from what it is made of nothing else is computed. */
function neededAtLoad(init: readonly LoweredKernel[], run: readonly LoweredKernel[]): LoweredKernel[] {
  const used = new Set(run.flatMap((kernel) => kernel.args.map((a) => a.slot)));
  const needed = init.toReversed().filter(({ kernel, args }) => {
    if (!args.some(({ slot }, i) => kernel.params[i]!.access !== 'read' && used.has(slot))) return false;
    for (const { slot } of args) used.add(slot);
    return true;
  });
  return needed.reverse();
}

/** A chip has blocks of limited size; what does not fit is refused before anything is compiled. */
function checkLimits(capabilities: Capabilities, memory: MemoryPlan): void {
  for (const [what, bytes] of [
    ['intermediates', memory.arenaBytes],
    ['weights', memory.weightsBytes],
  ] as const) {
    if (bytes <= capabilities.maxBufferBytes) continue;
    throw new AnychipError('limit', `the ${what} need ${bytes} bytes, and a buffer of this device holds ${capabilities.maxBufferBytes}`, {
      hint: 'Bind smaller dimensions, or use a device with larger buffers.',
      facts: { ...memory },
    });
  }
}

/** What is fused, and how what is kept lies: words are views of their parts only where those turn out to be neighbours. */
function fuseAndLayOut(graph: PrimGraph, family: Family): { readonly fusion: Fusion; readonly layouts: Layouts } {
  const wished = wishedLayouts(graph, family.channelLanes);
  const views = new Map(findViews(graph.nodes, wished));
  for (;;) {
    const fusion = fuse(graph, family, views);
    const { layouts, lost } = chooseLayouts(wished, fusion);
    if (lost.length === 0) return { fusion, layouts };
    for (const x of lost) views.delete(x);
  }
}

/** Schedules `graph` for a machine with these capabilities; `allow`: what of exactness may be given up for speed; `decide` takes what is left open. */
export function scheduleGraph(graph: PrimGraph, capabilities: Capabilities, allow: readonly Allowance[] = [], decide: Decide = decideByModel): Schedule {
  const family = createFamily(allowedCapabilities(capabilities, allow), decide);
  const { fusion, layouts } = fuseAndLayOut(graph, family);
  const program = new Program(graph, new Storages(graph, fusion, layouts), family);
  program.lowerRoots(fusion);
  program.copyOutputs(graph);
  const init = neededAtLoad(
    program.init.map((c) => c.kernel),
    program.run.map((c) => c.kernel),
  );
  const atLoad = new Set(init.flatMap((kernel) => kernel.args.map((a) => a.slot)));
  const { calls, reuse } = workInPlace(program.run, (slot) => slot.kind !== 'value' || atLoad.has(slot));
  const run = calls.map((c) => c.kernel);
  const placement = placeSlots(init, run, graph.inputs.length, reuse);
  const table = new KernelTable();
  const callsOf = (list: readonly LoweredKernel[], args: readonly KernelCall['args'][]): KernelCall[] => list.map((k, i) => ({ kernel: table.indexOf(k.kernel), args: args[i]! }));
  const initCalls = callsOf(init, placement.initArgs);
  const runCalls = callsOf(run, placement.runArgs);
  const scratch = table.kernels.reduce((most, kernel) => Math.max(most, scratchBytes(kernel, byteWidth)), 0);
  const { arenaBytes, weightsBytes, intermediateBytes, lowerBoundBytes, loads, staged } = placement;
  const memory: MemoryPlan = { arenaBytes, weightsBytes, scratchBytes: scratch, intermediateBytes, lowerBoundBytes };
  checkLimits(capabilities, memory);
  return {
    module: { kernels: table.kernels, init: initCalls, run: runCalls },
    memory,
    loads,
    staged,
    report: calls.map((call, i) => reportOf(call, table.kernels[runCalls[i]!.kernel]!.name)),
    unfusedBytes: graph.nodes.reduce((sum, node) => sum + [...node.inputs, ...node.outputs].reduce((bytes, x) => bytes + tensorBytes(x.dtype, x.shape), 0), 0),
  };
}
