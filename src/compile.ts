// The way of a model through the house, top to bottom: Graph → primitives and placement → kernels and memory → source → binary → plan.
import type { Allowance } from './core/allowance.ts';
import { blameKernel } from './core/blame.ts';
import { within } from './core/error.ts';
import { tensorBytes } from './core/tensor.ts';
import { trace } from './core/trace.ts';
import { verifyIfDebugging } from './core/verified.ts';
import { exportModel } from './formats/onnx/export.ts';
import { isIn } from './formats/onnx/forms.ts';
import type { Operand } from './graph/builder.ts';
import { titleOf } from './graph/graph.ts';
import type { Graph } from './graph/graph.ts';
import { verifyGraph, verifyPrimGraph } from './graph/verify.ts';
import type { InputBinding } from './passes/binding.ts';
import { compose } from './passes/compose/compose.ts';
import type { Partition, PartitionStep } from './passes/partition.ts';
import { specialize } from './passes/specialize.ts';
import { createFolder } from './reference/fold.ts';
import { createContext, evaluateNode } from './reference/interpret.ts';
import { integerProducts, takesModels } from './runtime/device.ts';
import type { CompileReport, Engine, Source, Target } from './runtime/device.ts';
import { checkProgramMemory } from './plan.ts';
import type { DeviceStep, ExecutionPlan, PlanStep } from './plan.ts';
import type { Decide } from './schedule/decide.ts';
import { scheduleGraph } from './schedule/scheduleGraph.ts';
import type { CallReport, Schedule } from './schedule/schedule.ts';
import { verifySchedule } from './schedule/verify.ts';

type DevicePart = Extract<PartitionStep, { kind: 'device' }>;

export interface CompileOptions {
  /** Loops of at most this many steps become straight-line code. */
  readonly unrollLimit?: number;
  /** Refuse what needs more memory than this, bytes, before anything is allocated for it. */
  readonly maxMemoryBytes?: number;
  /** What of exactness may be given up for speed. */
  readonly allow?: readonly Allowance[];
  /** Takes what schedules leave open; by default as their models of the machine say. */
  readonly decide?: Decide;
}

/** Compiles `graph` for `target` and one binding of its inputs (types, and values where shapes depend on them), in the graph's order. */
export async function compile(graph: Graph, target: Engine, bindings: readonly InputBinding[], options: CompileOptions = {}): Promise<ExecutionPlan> {
  const start = performance.now();
  const parts = specializeFor(graph, target, bindings, options);
  trace(3, () => ({ kind: 'pass', message: `specialised ${graph.name} into ${parts.steps.length} steps`, facts: { millis: performance.now() - start } }));
  let cached = true;
  const steps: PlanStep[] = [];
  for (const step of parts.steps) {
    if (step.kind !== 'device') {
      steps.push(step);
      continue;
    }
    const program = await compileProgram(step, target, options);
    cached &&= program.cached;
    steps.push(program.step);
  }
  const millis = performance.now() - start;
  trace(2, () => ({ kind: 'plan', message: `compiled ${graph.name} for ${target.name}`, facts: { millis, cached } }));
  const names = { inputNames: graph.inputs.map((value) => value.name), outputNames: graph.outputs.map((value) => value.name) };
  return { ...parts, ...names, target: target.name, bindings, steps, compile: { millis, cached } };
}

/** Primitives, and where each part runs: the first half of `compile`. */
export function specializeFor(graph: Graph, target: Engine, bindings: readonly InputBinding[], options: CompileOptions = {}): Partition {
  const { maxMemoryBytes } = options;
  const context = createContext(maxMemoryBytes === undefined ? {} : { maxMemoryBytes });
  return within(graph.name, () => {
    verifyIfDebugging('the graph is not valid', () => verifyGraph(graph));
    return specialize(graph, bindings, {
      storage: target.capabilities.storage,
      simulated: target.capabilities.simulated ?? [],
      integers: integerProducts(target.capabilities),
      fold: createFolder(),
      evaluate: (node, inputs) => evaluateNode(node, inputs, context),
      ...options,
    });
  });
}

/** Kernels and memory of one device program; its report names the nodes that the model has. */
export function scheduleStep(step: DevicePart, target: Target, { allow, decide }: Pick<CompileOptions, 'allow' | 'decide'> = {}): Schedule {
  const schedule = within(step.graph.name, () => {
    verifyIfDebugging('the primitive graph is not valid', () => verifyPrimGraph(step.graph));
    const made = scheduleGraph(step.graph, target.capabilities, allow, decide);
    verifyIfDebugging('the kernels are not valid', () => verifySchedule(step.graph, made));
    return made;
  });
  const origin = new Map([...step.origins].map(([prim, node]) => [prim.name, titleOf(node)]));
  return { ...schedule, report: schedule.report.map((call) => ({ ...call, nodes: [...new Set(call.nodes.map((name) => origin.get(name) ?? name))] })) };
}

/** A device program before it is compiled: what the compiler is given, and where every byte lives. */
type Prepared = Pick<DeviceStep, 'memory' | 'loads' | 'staged' | 'report' | 'unfusedBytes'> & { readonly source: Source };

/** Kernels, rendered. */
function prepareKernels(part: DevicePart, target: Target, options: CompileOptions): Prepared {
  const begin = performance.now();
  const { module, memory, loads, staged, report, unfusedBytes } = scheduleStep(part, target, options);
  const scheduled = performance.now();
  const source = target.createRenderer().render(module);
  trace(3, () => ({
    kind: 'time',
    message: 'device program',
    facts: { kernels: module.kernels.length, scheduleMillis: scheduled - begin, renderMillis: performance.now() - scheduled },
  }));
  const constant = (x: Operand) => part.graph.constants.get(x)!;
  return {
    source,
    memory,
    loads: loads.map((l) => ({ constant: constant(l.constant), offsetBytes: l.offsetBytes })),
    staged: staged.map((list) => list.map(constant)),
    report,
    unfusedBytes,
  };
}

/** The program as a model of its own, weights inside: the engine sees to kernels and memory. */
function prepareModel(part: DevicePart, opset: number): Prepared {
  const graph = composeStep(part, opset);
  const source = { language: MODEL_LANGUAGE, units: [within(graph.name, () => exportModel(graph, { opset }))] };
  const memory = { arenaBytes: 0, weightsBytes: 0, scratchBytes: 0, intermediateBytes: 0, lowerBoundBytes: 0 };
  return { source, memory, loads: [], staged: [], report: [modelReport(part)], unfusedBytes: 0 };
}
const MODEL_LANGUAGE = 'onnx';

/** The operators that an engine of this opset is given for a device program. */
export const composeStep = (part: DevicePart, opset: number): Graph => compose(part, (node) => isIn(node, opset));

const bytesIn = (xs: readonly Operand[]): number => xs.reduce((sum, { dtype, shape }) => sum + tensorBytes(dtype, shape), 0);
const modelReport = ({ graph, origins }: DevicePart): CallReport => ({
  kernel: 'model',
  nodes: [...new Set([...origins.values()].map(titleOf))],
  readBytes: bytesIn(graph.inputs),
  writeBytes: bytesIn(graph.outputs),
  flops: 0,
});

async function compileProgram(part: DevicePart, target: Engine, options: CompileOptions): Promise<{ step: DeviceStep; cached: boolean }> {
  const { maxMemoryBytes = Infinity } = options;
  const { source, ...prepared } = takesModels(target) ? prepareModel(part, target.capabilities.opset) : prepareKernels(part, target, options);
  const inputs = part.graph.inputs.map((x, i) => ({ slot: part.inputs[i]!, dtype: x.dtype, shape: x.shape }));
  const outputs = part.graph.outputs.map((x, i) => ({ slot: part.outputs[i]!, dtype: x.dtype, shape: x.shape }));
  checkProgramMemory({ memory: prepared.memory, inputs, outputs }, maxMemoryBytes);
  const start = performance.now();
  const { binary, cached } = await compileSource(source, target, prepared.report);
  trace(3, () => ({ kind: 'time', message: 'compiler', facts: { millis: performance.now() - start, cached } }));
  const nodes = [...new Set([...part.origins.values()].map(titleOf))];
  return { step: { kind: 'device', binary, nodes, inputs, outputs, ...prepared }, cached };
}

/** What the compiler of `target` makes; an error says which kernel it could not compile, where the compiler names it. */
async function compileSource(source: Source, target: Engine, report: readonly CallReport[]): Promise<CompileReport> {
  try {
    return await target.createCompiler().compile(source);
  } catch (error) {
    throw blameKernel(error, report);
  }
}
