// The public face of running a model, in the shape of onnxruntime-common, so that code written for onnxruntime-node runs with the
// import changed. Tensors of every dtype, sequences and optionals pass through `runValues`.
import type { InferenceSession as Ort, OnnxValue, Tensor as OrtTensor } from 'onnxruntime-common';
import { AnychipError, within } from '../core/error.ts';
import { formatShape } from '../core/shape.ts';
import type { DType } from '../core/dtype.ts';
import { trace } from '../core/trace.ts';
import type { Model } from '../formats/onnx/import.ts';
import { isTensor, requiredInputs, titleOf } from '../graph/graph.ts';
import type { Graph, HostValue, TensorType, Value } from '../graph/graph.ts';
import type { InputBinding } from '../passes/binding.ts';
import type { ExecutionPlan } from '../plan.ts';
import { AUTO } from './choose.ts';
import type { Choice, ChooseDevice } from './choose.ts';
import { DEFAULT_MAX_MEMORY_BYTES } from './limits.ts';
import { DeviceRunner } from './deviceRunner.ts';
import { closeDefaults, lowerFor } from './modelRunner.ts';
import type { ModelContext, Narrowing } from './modelRunner.ts';
import { findBeyond, isFinite } from './range.ts';
import { PlacementLog } from './placement.ts';
import type { HostNode, Placement } from './placement.ts';
import { copyValue } from './planRunner.ts';
import type { Destinations } from './planRunner.ts';
import { destinationOf, fromOrt, ortName, toOrt } from './ortTensor.ts';
import { checkOptions } from './options.ts';
import { loadReference } from './reference.ts';
import type { SessionOptions } from './options.ts';
import { dimsOf } from './shapes.ts';

interface Parts {
  readonly runner: DeviceRunner | undefined;
  readonly placement: PlacementLog;
  readonly narrowing: GrowingNarrowing | undefined;
}

/** It grows as runs find out. */
type GrowingNarrowing = Narrowing & { readonly beyond: Map<Value, number> };

export interface Widened {
  /** As people call the node. */
  readonly title: string;
  /** The largest magnitude of what it gave in f32. */
  readonly reach: number;
}

export class InferenceSession implements Ort {
  readonly model: Model;
  /** The device that was chosen, why, and what was found of it. */
  readonly device: { readonly name: string; readonly why: string; readonly detail: string };
  readonly #runner: DeviceRunner | undefined;
  readonly #options: SessionOptions;
  readonly #placement: PlacementLog;
  readonly #narrowing: GrowingNarrowing | undefined;
  /** Runs that have not ended. */
  readonly #running = new Set<Promise<unknown>>();
  #released: Promise<void> | undefined;

  private constructor(model: Model, choice: Choice, parts: Parts, options: SessionOptions) {
    this.model = model;
    this.device = { name: choice.name, why: choice.why, detail: choice.detail };
    this.#options = options;
    this.#runner = parts.runner;
    this.#placement = parts.placement;
    this.#narrowing = parts.narrowing;
  }

  /** A session over a model in memory, on the device that `choose` takes for the names asked for. Faces give it: create.ts, web/create.ts. */
  static async open(model: Model, options: SessionOptions, choose: ChooseDevice): Promise<InferenceSession> {
    checkOptions(options);
    const names = (options.executionProviders ?? []).map((provider) => (typeof provider === 'string' ? provider : provider.name));
    const choice = await choose(names.length === 0 ? [AUTO] : names);
    trace(1, () => ({ kind: 'placement', message: `device ${choice.name}: ${choice.why}` }));
    const placement = new PlacementLog();
    const narrowing = options.precision === undefined ? undefined : { precision: options.precision, beyond: new Map<Value, number>() };
    const runner = await openRunner(model, choice, { placement, ...(narrowing === undefined ? {} : { narrowing }) }, options);
    const session = new InferenceSession(model, choice, { runner, placement, narrowing }, options);
    try {
      await session.#prepare();
      return session;
    } catch (error) {
      await session.release();
      throw error;
    }
  }

  /** Compiles now where the declared shapes leave nothing open; else the first run does. */
  async #prepare(): Promise<void> {
    const runner = (await this.#runner?.ready())?.variantFor(new Set(this.#requiredInputs()));
    if (runner === undefined || runner.dependsOnValues) return;
    const bindings = this.#declaredBindings();
    if (bindings !== undefined) await runner.prepare(bindings);
  }

  #declaredBindings(): InputBinding[] | undefined {
    const bindings = this.#requiredInputs().map((value): InputBinding | undefined => {
      const type = concreteType(value, this.#options.freeDimensionOverrides ?? {});
      return type === undefined ? undefined : { type, value: undefined };
    });
    return bindings.every((binding) => binding !== undefined) ? bindings : undefined;
  }

  #graphInputs(): readonly Value[] {
    return this.model.graph.inputs;
  }
  #requiredInputs(): readonly Value[] {
    return requiredInputs(this.model.graph);
  }

  /** Inputs that a run must bring; those with a value in the model may be fed too. */
  get inputNames(): readonly string[] {
    return this.#requiredInputs().map((value) => value.name);
  }
  get outputNames(): readonly string[] {
    return this.model.graph.outputs.map((value) => value.name);
  }
  get inputMetadata(): readonly Ort.ValueMetadata[] {
    return this.#requiredInputs().map(metadataOf);
  }
  get outputMetadata(): readonly Ort.ValueMetadata[] {
    return this.model.graph.outputs.map(metadataOf);
  }
  /** Nodes that ran on the host so far. */
  get hostNodes(): readonly HostNode[] {
    return this.#placement.hostNodes;
  }
  /** How many of the model's nodes ran on the device and on the host so far, and the bytes that passed between them. */
  get placement(): Placement {
    const { graph } = this.model;
    return this.#runner === undefined ? { device: graph.nodes.length, host: 0, bytesMoved: 0 } : this.#placement.placementOf(graph);
  }
  /** Plans compiled so far; empty on the reference. */
  get plans(): readonly ExecutionPlan[] {
    return this.#runner?.plans ?? [];
  }

  run(feeds: Ort.FeedsType, options?: Ort.RunOptions): Promise<Ort.ReturnType>;
  run(feeds: Ort.FeedsType, fetches: Ort.FetchesType, options?: Ort.RunOptions): Promise<Ort.ReturnType>;
  async run(feeds: Ort.FeedsType, fetches?: Ort.FetchesType | Ort.RunOptions): Promise<Ort.ReturnType> {
    if (!isRecord(feeds) || isOrtTensor(feeds)) {
      throw new AnychipError('bad-argument', 'feeds must be an object of tensors by the names of inputs', { hint: `Inputs: ${this.inputNames.join(', ')}.` });
    }
    const wanted = wantedOutputs(fetches, this.outputNames);
    const values = new Map<string, HostValue>();
    for (const [name, value] of Object.entries(feeds)) {
      if (value !== null && value !== undefined) values.set(name, fromOrt(asTensor(value), name));
    }
    const outputs = await this.#execute(values, this.#destinations(wanted, values));
    const results: Record<string, OnnxValue> = {};
    for (const [name, into] of wanted) {
      const value = outputs.get(name) ?? null;
      if (!isTensor(value)) {
        throw new AnychipError('unsupported', `output '${name}' is not a tensor`, { hint: 'Use session.runValues, which returns sequences and optionals too.' });
      }
      results[name] = toOrt(value, name, into);
    }
    return results;
  }

  /** Runs on anychip's own values: every dtype, sequences (arrays) and empty optionals (null). Runs may overlap; they do not disturb each other. */
  runValues(feeds: ReadonlyMap<string, HostValue>): Promise<Map<string, HostValue>> {
    return this.#execute(feeds, []);
  }

  /** Tensors given for outputs that may be written to in the course of a run: no other tensor of the run lies in the same memory. */
  #destinations(wanted: ReadonlyMap<string, OrtTensor | undefined>, feeds: ReadonlyMap<string, HostValue>): Destinations {
    const given = this.outputNames.map((name) => destinationOf(wanted.get(name)));
    if (given.every((tensor) => tensor === undefined)) return [];
    const taken = [...feeds.values(), ...given].flatMap((value) => (value !== undefined && isTensor(value) && value.dtype !== 'string' ? [value.data.buffer] : []));
    return given.map((tensor) => (taken.filter((buffer) => buffer === tensor?.data.buffer).length === 1 ? tensor : undefined));
  }

  async #execute(feeds: ReadonlyMap<string, HostValue>, into: Destinations): Promise<Map<string, HostValue>> {
    if (this.#released !== undefined) throw new AnychipError('bad-argument', 'the session was released', { hint: 'Create another one.' });
    const run = this.#runInputs(this.#checkFeeds(feeds), into);
    this.#running.add(run);
    try {
      const outputs = await run;
      return new Map(this.outputNames.map((name, i) => [name, outputs[i] ?? null]));
    } finally {
      this.#running.delete(run);
    }
  }

  async #runInputs(feeds: ReadonlyMap<Value, HostValue>, into: Destinations): Promise<readonly HostValue[]> {
    for (;;) {
      const known = this.#narrowing?.beyond.size ?? 0;
      const outputs = await (this.#runner === undefined ? this.#interpret(feeds) : this.#runner.run(feeds, into));
      if (this.#narrowing !== undefined && !outputs.every(isFinite)) {
        // Another run may have found what reaches too far meanwhile.
        if (this.#narrowing.beyond.size > known || (await this.#widen(this.#narrowing, feeds, outputs))) continue;
      }
      this.#placement.handOver(outputs);
      return outputs;
    }
  }

  /** Whether values were found that narrow floats cannot hold; they are f32 from now on, and the run is to be done again. */
  async #widen({ precision, beyond }: GrowingNarrowing, feeds: ReadonlyMap<Value, HostValue>, outputs: readonly HostValue[]): Promise<boolean> {
    const graph = closeDefaults(this.model.graph, new Set(feeds.keys()));
    const inputs = graph.inputs.map((value) => feeds.get(value) ?? null);
    const found = await findBeyond(graph, precision, beyond, outputs, async (part) => this.#runner?.runOnce(part, inputs) ?? this.#interpretGraph(part, inputs));
    if (found.size === 0) return false;
    for (const [value, reach] of found) beyond.set(value, reach);
    trace(1, () => ({ kind: 'placement', message: `f32 in place of ${precision}: ${this.widened.map(({ title, reach }) => `${title} (${reach.toPrecision(3)})`).join(', ')}` }));
    await this.#runner?.renew();
    return true;
  }

  /** What runs found to reach too far for the narrow floats asked for, by the node that makes it; it is f32 since then. */
  get widened(): readonly Widened[] {
    const titles = new Map(this.model.graph.nodes.flatMap((node) => node.outputs.map((value) => [value, titleOf(node)] as const)));
    return [...(this.#narrowing?.beyond ?? [])].map(([value, reach]) => ({ title: titles.get(value) ?? `the input '${value.name}'`, reach }));
  }

  #interpret(feeds: ReadonlyMap<Value, HostValue>): Promise<readonly HostValue[]> {
    const { graph } = lowerFor(this.model.graph, new Set(feeds.keys()), this.#narrowing);
    return this.#interpretGraph(
      graph,
      graph.inputs.map((value) => feeds.get(value) ?? null),
    );
  }

  async #interpretGraph(graph: Graph, inputs: readonly HostValue[]): Promise<readonly HostValue[]> {
    const { interpretGraph } = await loadReference();
    const limits = { maxMemoryBytes: this.#options.maxMemoryBytes ?? DEFAULT_MAX_MEMORY_BYTES, seed: this.#options.seed ?? 0 };
    return within(graph.name, () => interpretGraph(graph, inputs, limits)).map(copyValue);
  }

  /** The values of the inputs that are fed, or one error that names what is wrong. */
  #checkFeeds(feeds: ReadonlyMap<string, HostValue>): Map<Value, HostValue> {
    const inputs = this.#graphInputs();
    for (const name of feeds.keys()) {
      if (!inputs.some((value) => value.name === name)) {
        throw new AnychipError('bad-argument', `the model has no input '${name}'`, { hint: `Inputs: ${this.inputNames.join(', ')}.` });
      }
    }
    const bound = new Map<string, number>(Object.entries(this.#options.freeDimensionOverrides ?? {}));
    const checked = new Map<Value, HostValue>();
    for (const value of inputs) {
      const given = feeds.get(value.name);
      if (given !== undefined) {
        checkInput(value, given, bound);
        checked.set(value, given);
      } else if (!this.model.graph.constants.has(value)) {
        throw new AnychipError('bad-argument', `input '${value.name}' is missing`, { hint: `Inputs: ${this.inputNames.join(', ')}.` });
      }
    }
    return checked;
  }

  /** Frees the device's memory once the runs that are under way have ended; later runs are refused. */
  release(): Promise<void> {
    this.#released ??= Promise.allSettled(this.#running).then(() => this.#runner?.dispose());
    return this.#released;
  }
  startProfiling(): void {
    throw new AnychipError('unsupported', 'profiling through onnxruntime-common', { hint: 'Set ANYCHIP_DEBUG=1..5 or use `anychip bench`.' });
  }
  endProfiling(): void {
    this.startProfiling();
  }
}

/** Undefined for the reference, which needs no device. */
async function openRunner(
  { graph }: Model,
  { target, decide, compile }: Choice,
  parts: Pick<ModelContext, 'placement' | 'narrowing'>,
  options: SessionOptions,
): Promise<DeviceRunner | undefined> {
  if (target === undefined) return undefined;
  const { intraOpNumThreads: threads, maxMemoryBytes = DEFAULT_MAX_MEMORY_BYTES, seed = 0, strict = false, allow = [] } = options;
  return DeviceRunner.open(
    graph,
    { target, maxMemoryBytes, seed, strict, allow, ...parts, ...(decide === undefined ? {} : { decide }), ...(compile === undefined ? {} : { compile }) },
    () => target.openDevice(threads === undefined || threads === 0 ? {} : { threads }),
  );
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);
/** By shape, not by class: another copy of onnxruntime-common may have made it. */
const isOrtTensor = (value: unknown): value is OrtTensor => isRecord(value) && 'dims' in value && 'type' in value && 'location' in value;

function asTensor(value: unknown): OrtTensor {
  if (isOrtTensor(value)) return value;
  throw new AnychipError('bad-argument', 'a feed that is not a Tensor', { hint: "Feeds are tensors: new Tensor('float32', data, dims)." });
}

/** The outputs asked for, each with the tensor to write it to if one was given. Without any name the second argument of `run` holds options. */
function wantedOutputs(fetches: unknown, all: readonly string[]): ReadonlyMap<string, OrtTensor | undefined> {
  const hint = `Outputs: ${all.join(', ')}.`;
  if (fetches === undefined) return new Map(all.map((name) => [name, undefined]));
  if (Array.isArray(fetches)) {
    const unknown = fetches.find((name) => !all.includes(name));
    if (unknown !== undefined) throw new AnychipError('bad-argument', `there is no output '${String(unknown)}'`, { hint });
    if (fetches.length === 0) throw new AnychipError('bad-argument', 'an empty list of outputs', { hint: `${hint} Leave the list out to get all.` });
    return new Map(fetches.map((name: string) => [name, undefined]));
  }
  if (!isRecord(fetches) || isOrtTensor(fetches)) throw new AnychipError('bad-argument', 'fetches must be names of outputs, or an object of tensors by them', { hint });
  const named = all.flatMap((name): (readonly [string, OrtTensor | undefined])[] => {
    const given = fetches[name];
    return given === null ? [[name, undefined]] : isOrtTensor(given) ? [[name, given]] : [];
  });
  return new Map(named.length > 0 ? named : all.map((name) => [name, undefined]));
}

function metadataOf(value: Value): Ort.ValueMetadata {
  const type = value.type?.kind === 'tensor' ? ortName(value.type.dtype) : undefined;
  if (value.type?.kind !== 'tensor' || type === undefined) return { name: value.name, isTensor: false };
  return { name: value.name, isTensor: true, type, shape: value.type.shape ?? [] };
}

function concreteType(value: Value, overrides: Readonly<Record<string, number>>): InputBinding['type'] {
  const { type } = value;
  if (type?.kind !== 'tensor' || type.dtype === 'string' || type.shape === undefined) return undefined;
  const shape = dimsOf(type.shape, overrides);
  return shape === undefined ? undefined : { dtype: type.dtype, shape };
}

function checkInput(value: Value, given: HostValue, bound: Map<string, number>): void {
  const { name, type } = value;
  if (type === undefined || given === null || type.kind === 'optional') return;
  if (type.kind !== 'tensor' || !isTensor(given)) {
    if (type.kind === 'tensor' || isTensor(given)) throw new AnychipError('bad-argument', `input '${name}' must be a ${type.kind}`);
    return;
  }
  checkDType(name, type, given.dtype);
  if (type.shape === undefined) return;
  const fits =
    given.shape.length === type.shape.length &&
    type.shape.every((dim, i) => {
      const size = given.shape[i]!;
      if (typeof dim === 'number') return dim === size;
      const earlier = bound.get(dim);
      if (earlier === undefined) bound.set(dim, size);
      return earlier === undefined || earlier === size;
    });
  if (!fits) {
    throw new AnychipError('bad-argument', `input '${name}' has the shape ${formatShape(given.shape)}, the model wants ${formatShape(type.shape)}`, {
      hint: 'Named dimensions may have any size, the same for all inputs that name them.',
      facts: { given: given.shape, wanted: type.shape },
    });
  }
}

function checkDType(name: string, type: TensorType, given: DType): void {
  if (given !== type.dtype) throw new AnychipError('bad-argument', `input '${name}' is ${given}, the model wants ${type.dtype}`, { facts: { given, wanted: type.dtype } });
}
