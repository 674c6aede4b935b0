// A model as a library that runs without this package: compiled, its weights prepared here once, and handed to the target to link.
import type { DType } from '../core/dtype.ts';
import { AnychipError, invariant } from '../core/error.ts';
import { identifier } from '../core/identifier.ts';
import type { Shape } from '../core/shape.ts';
import { bytesOf, numeric, tensorBytes } from '../core/tensor.ts';
import { compile } from '../compile.ts';
import type { CompileOptions } from '../compile.ts';
import { isTensor } from '../graph/graph.ts';
import type { Graph } from '../graph/graph.ts';
import type { InputBinding } from '../passes/binding.ts';
import type { DeviceStep, ExecutionPlan } from '../plan.ts';
import { takesModels } from '../runtime/device.ts';
import type { Engine, Source, Target } from '../runtime/device.ts';
import type { LibraryDescription, LibraryFile, LibraryPlace, LibraryPort } from '../runtime/library.ts';
import { refuseHostSteps } from './planRunner.ts';
import { ProgramRunner } from './programRunner.ts';

export interface LibraryOptions extends CompileOptions {
  /** What the library is called; an identifier of C is made of it. */
  readonly name: string;
  /** The model, for people. */
  readonly title: string;
}

/** More data than this does not fit beside code that addresses it by 32 bits. */
const MOST_DATA_BYTES = 2 ** 30;
const ALIGN_BYTES = 64;

/** The files of a library of `graph`. Rejects with `unsupported` where a node needs the host, with all of them named, or the target makes no libraries. */
export async function buildLibrary(graph: Graph, target: Engine | undefined, bindings: readonly InputBinding[], options: LibraryOptions): Promise<readonly LibraryFile[]> {
  if (target === undefined || takesModels(target) || target.createLibrary === undefined)
    throw new AnychipError('unsupported', `${target?.name ?? 'the reference'} makes no libraries`, {
      hint: 'Take --device cpu, or save a plan (savePlan) and run it with this package.',
    });
  let source: Source | undefined;
  const watched: Target = {
    ...target,
    capabilities: target.capabilities,
    createCompiler: () => ({
      compile: (given) => {
        source = given;
        return target.createCompiler().compile(given);
      },
    }),
  };
  const plan = await compile(graph, watched, bindings, options);
  refuseHostSteps(plan, 'A library has no host: build the parts of the model before and after these nodes, or run it with this package.');
  const steps = plan.steps.filter((step) => step.kind === 'device');
  if (steps.length !== plan.steps.length || steps.length > 1)
    throw new AnychipError('unsupported', `the model becomes ${plan.steps.length} parts, some of which wait for shapes that depend on data`, { hint: 'Run it with this package.' });
  const weights = await preparedWeights(target, steps[0], options.maxMemoryBytes ?? Infinity);
  return target.createLibrary(source, describe(graph, plan, bindings, steps[0], weights, options));
}

/** As the kernels that run once at load leave them. */
async function preparedWeights(target: Target, step: DeviceStep | undefined, maxMemoryBytes: number): Promise<Uint8Array> {
  if (step === undefined) return new Uint8Array();
  const device = await target.openDevice();
  try {
    const runner = await ProgramRunner.load(device, step, maxMemoryBytes);
    try {
      return await runner.readWeights();
    } finally {
      runner.dispose();
    }
  } finally {
    device.dispose();
  }
}

interface Type {
  readonly dtype: DType;
  readonly shape: Shape;
}
const noNumbers = (): never => {
  throw new AnychipError('unsupported', 'an input or output of the model is no tensor of numbers', { hint: 'Run it with this package.' });
};
const numericType = (type: Type | undefined): Pick<LibraryPort, 'dtype' | 'shape'> =>
  type === undefined || type.dtype === 'string' ? noNumbers() : { dtype: type.dtype, shape: type.shape };

/** Pieces one after the other, each where vectors may begin. */
class Data {
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;

  add(piece: Uint8Array): number {
    const at = this.#bytes;
    const rest = (ALIGN_BYTES - (piece.byteLength % ALIGN_BYTES)) % ALIGN_BYTES;
    this.#pieces.push(piece, new Uint8Array(rest));
    this.#bytes += piece.byteLength + rest;
    return at;
  }

  get bytes(): Uint8Array {
    if (this.#bytes > MOST_DATA_BYTES)
      throw new AnychipError('limit', `${this.#bytes} bytes of weights and constants, over the ${MOST_DATA_BYTES} that a library holds`, {
        hint: 'Run the model with this package.',
      });
    return Buffer.concat(this.#pieces);
  }
}

function describe(
  graph: Graph,
  plan: ExecutionPlan,
  bindings: readonly InputBinding[],
  step: DeviceStep | undefined,
  weights: Uint8Array,
  { name, title }: LibraryOptions,
): LibraryDescription {
  const ports = graph.inputs.map((value, i): LibraryPort => ({ name: value.name, ...numericType(bindings[i]?.type) }));
  const isFixed = (i: number): boolean => bindings[i]?.value !== undefined;
  const asked = ports.map((_, i) => i).filter((i) => !isFixed(i));
  const data = new Data();
  data.add(weights);
  const kept = new Map<number, LibraryPlace>();
  /** Of a value that no kernel makes. */
  const given = (slot: number): LibraryPlace => {
    const input = asked.findIndex((i) => plan.inputs[i] === slot);
    if (input >= 0) return { at: 'input', index: input };
    let place = kept.get(slot);
    if (place === undefined) {
      const value = plan.constants.get(slot)?.read() ?? plan.hostValues.get(slot) ?? bindings[plan.inputs.indexOf(slot)]?.value;
      if (value === undefined || !isTensor(value)) return noNumbers();
      kept.set(slot, (place = { at: 'data', offsetBytes: data.add(bytesOf(numeric(value))) }));
    }
    return place;
  };
  const made = new Map((step?.outputs ?? []).map(({ slot }): [number, LibraryPlace] => [slot, { at: 'output', index: plan.outputs.indexOf(slot) }]));
  invariant(
    [...made.values()].every((place) => place.at === 'output' && place.index >= 0),
    'a program makes what is no output',
  );
  const known = (slot: number): Type | undefined => {
    const port = step?.outputs.find((p) => p.slot === slot);
    const constant = plan.constants.get(slot);
    return port ?? constant ?? bindings[plan.inputs.indexOf(slot)]?.type;
  };
  const outputs = plan.outputs.map((slot, i): LibraryPort => ({ name: graph.outputs[i]!.name, ...numericType(known(slot)) }));
  const copies = plan.outputs.flatMap((slot, to) => {
    const from = made.get(slot) ?? given(slot);
    return from.at === 'output' && from.index === to ? [] : [{ to, from, bytes: tensorBytes(outputs[to]!.dtype, outputs[to]!.shape) }];
  });
  const program = step && { ...step.memory, ports: [...step.inputs.map(({ slot }) => given(slot)), ...step.outputs.map(({ slot }) => made.get(slot)!)] };
  return { name: identifier(name, new Set()), title, inputs: asked.map((i) => ports[i]!), outputs, fixed: ports.filter((_, i) => isFixed(i)), data: data.bytes, program, copies };
}
