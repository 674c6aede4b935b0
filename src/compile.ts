// The way of a model through the house, top to bottom: Graph → primitives and placement → kernels and memory → source → binary → plan.
import { blameKernel } from './core/blame.ts';
import { within } from './core/error.ts';
import { trace } from './core/trace.ts';
import { verifyIfDebugging } from './core/verified.ts';
import { titleOf } from './graph/graph.ts';
import type { Graph } from './graph/graph.ts';
import { verifyGraph, verifyPrimGraph } from './graph/verify.ts';
import type { InputBinding } from './passes/binding.ts';
import type { Partition, PartitionStep } from './passes/partition.ts';
import { specialize } from './passes/specialize.ts';
import { createFolder } from './reference/fold.ts';
import { createContext, evaluateNode } from './reference/interpret.ts';
import type { CompileReport, Source, Target } from './runtime/device.ts';
import { checkProgramMemory } from './plan.ts';
import type { DeviceStep, ExecutionPlan, PlanStep } from './plan.ts';
import { scheduleGraph } from './schedule/scheduleGraph.ts';
import type { CallReport, Schedule } from './schedule/schedule.ts';
import { verifySchedule } from './schedule/verify.ts';

export interface CompileOptions {
  /** Loops of at most this many steps become straight-line code. */
  readonly unrollLimit?: number;
  /** Refuse what needs more memory than this, bytes, before anything is allocated for it. */
  readonly maxMemoryBytes?: number;
}

/** Compiles `graph` for `target` and one binding of its inputs (types, and values where shapes depend on them), in the graph's order. */
export async function compile(graph: Graph, target: Target, bindings: readonly InputBinding[], options: CompileOptions = {}): Promise<ExecutionPlan> {
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
    const program = await compileProgram(step, target, options.maxMemoryBytes ?? Infinity);
    cached &&= program.cached;
    steps.push(program.step);
  }
  const millis = performance.now() - start;
  trace(2, () => ({ kind: 'plan', message: `compiled ${graph.name} for ${target.name}`, facts: { millis, cached } }));
  const names = { inputNames: graph.inputs.map((value) => value.name), outputNames: graph.outputs.map((value) => value.name) };
  return { ...parts, ...names, target: target.name, bindings, steps, compile: { millis, cached } };
}

/** Primitives, and where each part runs: the first half of `compile`. */
export function specializeFor(graph: Graph, target: Target, bindings: readonly InputBinding[], options: CompileOptions = {}): Partition {
  const { maxMemoryBytes } = options;
  const context = createContext(maxMemoryBytes === undefined ? {} : { maxMemoryBytes });
  return within(graph.name, () => {
    verifyIfDebugging('the graph is not valid', () => verifyGraph(graph));
    return specialize(graph, bindings, {
      storage: target.capabilities.storage,
      fold: createFolder(),
      evaluate: (node, inputs) => evaluateNode(node, inputs, context),
      ...options,
    });
  });
}

/** Kernels and memory of one device program; its report names the nodes that the model has. */
export function scheduleStep(step: Extract<PartitionStep, { kind: 'device' }>, target: Target): Schedule {
  const schedule = within(step.graph.name, () => {
    verifyIfDebugging('the primitive graph is not valid', () => verifyPrimGraph(step.graph));
    const made = scheduleGraph(step.graph, target.capabilities);
    verifyIfDebugging('the kernels are not valid', () => verifySchedule(step.graph, made));
    return made;
  });
  const origin = new Map([...step.origins].map(([prim, node]) => [prim.name, titleOf(node)]));
  return { ...schedule, report: schedule.report.map((call) => ({ ...call, nodes: [...new Set(call.nodes.map((name) => origin.get(name) ?? name))] })) };
}

async function compileProgram(part: Extract<PartitionStep, { kind: 'device' }>, target: Target, maxMemoryBytes: number): Promise<{ step: DeviceStep; cached: boolean }> {
  const begin = performance.now();
  const schedule = scheduleStep(part, target);
  const scheduled = performance.now();
  const inputs = part.graph.inputs.map((x, i) => ({ slot: part.inputs[i]!, dtype: x.dtype, shape: x.shape }));
  const outputs = part.graph.outputs.map((x, i) => ({ slot: part.outputs[i]!, dtype: x.dtype, shape: x.shape }));
  checkProgramMemory({ memory: schedule.memory, inputs, outputs }, maxMemoryBytes);
  const source = target.createRenderer().render(schedule.module);
  const rendered = performance.now();
  const { binary, cached } = await compileSource(source, target, schedule.report);
  trace(3, () => ({
    kind: 'time',
    message: 'device program',
    facts: { kernels: schedule.module.kernels.length, scheduleMillis: scheduled - begin, renderMillis: rendered - scheduled, compilerMillis: performance.now() - rendered, cached },
  }));
  const constant = (x: Parameters<typeof part.graph.constants.get>[0]) => part.graph.constants.get(x)!;
  const step: DeviceStep = {
    kind: 'device',
    binary,
    nodes: [...new Set([...part.origins.values()].map(titleOf))],
    memory: schedule.memory,
    loads: schedule.loads.map((l) => ({ constant: constant(l.constant), offsetBytes: l.offsetBytes })),
    staged: schedule.staged.map((list) => list.map(constant)),
    inputs,
    outputs,
    report: schedule.report,
    unfusedBytes: schedule.unfusedBytes,
  };
  return { step, cached };
}

/** What the compiler of `target` makes; an error says which kernel it could not compile, where the compiler names it. */
async function compileSource(source: Source, target: Target, report: readonly CallReport[]): Promise<CompileReport> {
  try {
    return await target.createCompiler().compile(source);
  } catch (error) {
    throw blameKernel(error, report);
  }
}
