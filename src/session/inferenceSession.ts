// The public face of running a model, in the shape of onnxruntime-common, so that code written for onnxruntime-node runs with the
// import changed. Tensors of every dtype, sequences and optionals pass through `runValues`.
import type { InferenceSession as Ort, OnnxValue, Tensor as OrtTensor } from 'onnxruntime-common';
import { AnychipError, within } from '../core/error.ts';
import { formatShape } from '../core/shape.ts';
import type { DType } from '../core/dtype.ts';
import { trace } from '../core/trace.ts';
import type { Model } from '../formats/onnx/import.ts';
import { isTensor } from '../graph/graph.ts';
import type { HostValue, TensorType, Value } from '../graph/graph.ts';
import type { InputBinding } from '../passes/binding.ts';
import { interpretGraph } from '../reference/interpret.ts';
import type { Device } from '../runtime/device.ts';
import type { ExecutionPlan } from '../plan.ts';
import { AUTO, chooseDevice } from './devices.ts';
import type { Choice } from './devices.ts';
import { GraphRunner } from './graphRunner.ts';
import { DEFAULT_MAX_MEMORY_BYTES } from './limits.ts';
import type { HostNode } from './planRunner.ts';
import { fromOrt, ortName, toOrt } from './ortTensor.ts';
import { dimsOf } from './shapes.ts';

/** onnxruntime-common's options, and what anychip adds. */
export interface SessionOptions extends Ort.SessionOptions {
  /** Refuse to run any node on the host. */
  readonly strict?: boolean;
  /** Upper bound for memory that a model makes us allocate, bytes. */
  readonly maxMemoryBytes?: number;
  /** Seed of random operators. */
  readonly seed?: number;
}

export class InferenceSession implements Ort {
  readonly model: Model;
  /** The device that was chosen, and why. */
  readonly device: { readonly name: string; readonly why: string };
  readonly #runner: GraphRunner | undefined;
  readonly #opened: Device | undefined;
  readonly #options: SessionOptions;
  readonly #hostNodes = new Map<string, HostNode>();

  private constructor(model: Model, choice: Choice, opened: Device | undefined, options: SessionOptions) {
    this.model = model;
    this.device = { name: choice.name, why: choice.why };
    this.#options = options;
    this.#opened = opened;
    if (choice.target !== undefined && opened !== undefined) {
      this.#runner = new GraphRunner(model.graph, {
        target: choice.target,
        device: opened,
        maxMemoryBytes: options.maxMemoryBytes ?? DEFAULT_MAX_MEMORY_BYTES,
        seed: options.seed ?? 0,
        strict: options.strict ?? false,
        onHostNode: (node) => void this.#hostNodes.set(`${node.op}:${node.name}`, node),
      });
    }
  }

  /** A session over a model already in memory; use `InferenceSession.create` of the package for paths and bytes. */
  static async fromModel(model: Model, options: SessionOptions = {}): Promise<InferenceSession> {
    const names = (options.executionProviders ?? [AUTO]).map((provider) => (typeof provider === 'string' ? provider : provider.name));
    const choice = await chooseDevice(names);
    trace(1, () => ({ kind: 'placement', message: `device ${choice.name}: ${choice.why}` }));
    const threads = options.intraOpNumThreads;
    const opened = await choice.target?.openDevice(threads === undefined || threads === 0 ? {} : { threads });
    const session = new InferenceSession(model, choice, opened, options);
    await session.#prepare();
    return session;
  }

  /** Compiles now where the declared shapes leave nothing open; else the first run does. */
  async #prepare(): Promise<void> {
    if (this.#runner === undefined) return;
    const bindings = this.#declaredBindings();
    if (bindings !== undefined) await this.#runner.prepare(bindings);
  }

  #declaredBindings(): InputBinding[] | undefined {
    const runner = this.#runner;
    if (runner === undefined || runner.dependsOnValues) return undefined;
    const bindings = this.#graphInputs().map((value): InputBinding | undefined => {
      const type = concreteType(value, this.#options.freeDimensionOverrides ?? {});
      return type === undefined ? undefined : { type, value: undefined };
    });
    return bindings.every((binding) => binding !== undefined) ? bindings : undefined;
  }

  #graphInputs(): readonly Value[] {
    return this.model.graph.inputs;
  }

  get inputNames(): readonly string[] {
    return this.#graphInputs().map((value) => value.name);
  }
  get outputNames(): readonly string[] {
    return this.model.graph.outputs.map((value) => value.name);
  }
  get inputMetadata(): readonly Ort.ValueMetadata[] {
    return this.#graphInputs().map(metadataOf);
  }
  get outputMetadata(): readonly Ort.ValueMetadata[] {
    return this.model.graph.outputs.map(metadataOf);
  }
  /** Nodes that ran on the host so far. */
  get hostNodes(): readonly HostNode[] {
    return [...this.#hostNodes.values()];
  }
  /** Plans compiled so far; empty on the reference. */
  get plans(): readonly ExecutionPlan[] {
    return this.#runner?.plans ?? [];
  }

  run(feeds: Ort.FeedsType, options?: Ort.RunOptions): Promise<Ort.ReturnType>;
  run(feeds: Ort.FeedsType, fetches: Ort.FetchesType, options?: Ort.RunOptions): Promise<Ort.ReturnType>;
  async run(feeds: Ort.FeedsType, fetches?: Ort.FetchesType | Ort.RunOptions): Promise<Ort.ReturnType> {
    const values = new Map<string, HostValue>();
    for (const [name, value] of Object.entries(feeds)) {
      if (value !== null && value !== undefined) values.set(name, fromOrt(asTensor(value), name));
    }
    const wanted = wantedNames(fetches, this.outputNames);
    const outputs = await this.runValues(values);
    const results: Record<string, OnnxValue> = {};
    for (const name of wanted) {
      const value = outputs.get(name);
      if (value === undefined) throw new AnychipError('bad-argument', `there is no output '${name}'`, { hint: `Outputs: ${this.outputNames.join(', ')}.` });
      if (value === null || !isTensor(value)) {
        throw new AnychipError('unsupported', `output '${name}' is not a tensor`, { hint: 'Use session.runValues, which returns sequences and optionals too.' });
      }
      results[name] = toOrt(value, name);
    }
    return results;
  }

  /** Runs on anychip's own values: every dtype, sequences (arrays) and empty optionals (null). */
  async runValues(feeds: ReadonlyMap<string, HostValue>): Promise<Map<string, HostValue>> {
    const inputs = this.#checkFeeds(feeds);
    const outputs = await this.#runInputs(inputs);
    return new Map(this.outputNames.map((name, i) => [name, outputs[i] ?? null]));
  }

  async #runInputs(inputs: readonly HostValue[]): Promise<readonly HostValue[]> {
    if (this.#runner !== undefined) return this.#runner.run(inputs);
    return within(this.model.graph.name, () =>
      interpretGraph(this.model.graph, inputs, { maxMemoryBytes: this.#options.maxMemoryBytes ?? DEFAULT_MAX_MEMORY_BYTES, seed: this.#options.seed ?? 0 }),
    );
  }

  /** Inputs in the graph's order, or one error that names what is wrong. */
  #checkFeeds(feeds: ReadonlyMap<string, HostValue>): HostValue[] {
    const inputs = this.#graphInputs();
    for (const name of feeds.keys()) {
      if (!inputs.some((value) => value.name === name)) {
        throw new AnychipError('bad-argument', `the model has no input '${name}'`, { hint: `Inputs: ${this.inputNames.join(', ')}.` });
      }
    }
    const bound = new Map<string, number>(Object.entries(this.#options.freeDimensionOverrides ?? {}));
    return inputs.map((value) => {
      const given = feeds.get(value.name);
      if (given === undefined) {
        const fallback = this.model.graph.constants.get(value);
        if (fallback !== undefined) return fallback.read();
        throw new AnychipError('bad-argument', `input '${value.name}' is missing`, { hint: `Inputs: ${this.inputNames.join(', ')}.` });
      }
      checkInput(value, given, bound);
      return given;
    });
  }

  async release(): Promise<void> {
    this.#runner?.dispose();
    this.#opened?.dispose();
  }
  startProfiling(): void {
    throw new AnychipError('unsupported', 'profiling through onnxruntime-common', { hint: 'Set ANYCHIP_DEBUG=1..5 or use `anychip bench`.' });
  }
  endProfiling(): void {
    this.startProfiling();
  }
}

function asTensor(value: OnnxValue): OrtTensor {
  if (typeof value === 'object' && value !== null && 'dims' in value && 'location' in value) return value;
  throw new AnychipError('bad-argument', 'a feed that is not a Tensor', { hint: "Feeds are tensors: new Tensor('float32', data, dims)." });
}

function wantedNames(fetches: Ort.FetchesType | Ort.RunOptions | undefined, all: readonly string[]): readonly string[] {
  if (Array.isArray(fetches)) return fetches.map(String);
  const named = Object.keys(fetches ?? {}).filter((key) => all.includes(key));
  return named.length > 0 ? named : all;
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
