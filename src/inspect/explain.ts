// What a compilation did, as data: kernels before and after fusion, bytes moved, memory beside its bounds, where each node runs.
// `anychip explain` prints it; nothing here runs a model.
import { byteWidth } from '../core/dtype.ts';
import { AnychipError } from '../core/error.ts';
import { elementCount } from '../core/shape.ts';
import { composeStep, scheduleStep, specializeFor } from '../compile.ts';
import type { CompileOptions } from '../compile.ts';
import type { PrimNode } from '../graph/builder.ts';
import { subgraphsOf, titleOf } from '../graph/graph.ts';
import type { Graph, Node, Value } from '../graph/graph.ts';
import { prims } from '../graph/prims.ts';
import type { InputBinding } from '../passes/binding.ts';
import type { PartitionStep } from '../passes/partition.ts';
import { requireKernels, takesModels } from '../runtime/device.ts';
import type { Engine, Target } from '../runtime/device.ts';
import type { CallReport, MemoryPlan } from '../schedule/schedule.ts';

export interface ExplainedProgram {
  /** Where an engine is given the program as a model: the opset of its operators, each of which is a call. */
  readonly opset?: number;
  /** Primitives that would each be a kernel without fusion (views are none). */
  readonly kernelsBefore: number;
  /** Kernel calls of a run. */
  readonly kernelsAfter: number;
  /** Different kernels among them. */
  readonly distinctKernels: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly memory: MemoryPlan;
  readonly calls: readonly CallReport[];
}

export interface Placement {
  readonly op: string;
  readonly name: string;
  /** 'device', 'folded' (computed while compiling), 'host', or 'later' (placed once its shapes are known). */
  readonly where: 'device' | 'folded' | 'host' | 'later';
  /** Why it is not on the device; empty where it is. */
  readonly reason: string;
  /** Kernels that compute it, wholly or in part. */
  readonly kernels: readonly string[];
}

export interface Explanation {
  readonly device: string;
  readonly model: string;
  readonly nodes: number;
  readonly inputs: readonly string[];
  readonly programs: readonly ExplainedProgram[];
  readonly placement: readonly Placement[];
}

type DevicePart = Extract<PartitionStep, { kind: 'device' }>;

/** Explains how `graph` compiles for `target` with these bindings of its inputs. */
export function explain(graph: Graph, target: Engine, bindings: readonly InputBinding[], options: CompileOptions = {}): Explanation {
  const parts = specializeFor(graph, target, bindings, options);
  const order = new Map(graph.nodes.map((node, i) => [titleOf(node), i]));
  const programs = deviceParts(parts.steps).map((part) => (takesModels(target) ? explainModel(part, target.capabilities.opset) : explainProgram(part, target, order, options)));
  return {
    device: target.name,
    model: graph.name,
    nodes: graph.nodes.length,
    inputs: graph.inputs.map((value) => value.name),
    programs,
    placement: placementOf(graph, parts.steps, programs),
  };
}

/** The rendered source of the first kernel called `name`. */
export function kernelSource(graph: Graph, engine: Engine, bindings: readonly InputBinding[], name: string, options: CompileOptions = {}): string {
  const target = requireKernels(engine);
  const known: string[] = [];
  for (const part of deviceParts(specializeFor(graph, target, bindings, options).steps)) {
    const { module } = scheduleStep(part, target, options);
    const at = module.kernels.findIndex((kernel) => kernel.name === name);
    if (at >= 0) return target.createRenderer().renderKernel(module, at);
    known.push(...module.kernels.map((kernel) => kernel.name));
  }
  throw new AnychipError('bad-argument', `there is no kernel '${name}'`, { hint: `Kernels: ${known.join(', ')}.`, facts: { known } });
}

const deviceParts = (steps: readonly PartitionStep[]): DevicePart[] => steps.filter((step) => step.kind === 'device');

/** `order`: places of nodes in the model, by title. */
function explainProgram(part: DevicePart, target: Target, order: ReadonlyMap<string, number>, options: CompileOptions): ExplainedProgram {
  const schedule = scheduleStep(part, target, options);
  return {
    kernelsBefore: part.graph.nodes.filter(isKernel).length,
    kernelsAfter: schedule.module.run.length,
    distinctKernels: new Set(schedule.module.run.map(({ kernel }) => kernel)).size,
    bytesBefore: schedule.unfusedBytes,
    bytesAfter: schedule.report.reduce((sum, call) => sum + call.readBytes + call.writeBytes, 0),
    memory: schedule.memory,
    calls: schedule.report.map((call) => ({ ...call, nodes: call.nodes.toSorted((a, b) => (order.get(a) ?? Infinity) - (order.get(b) ?? Infinity)) })),
  };
}

/** The operators that an engine is given; how it runs them is its own affair. */
function explainModel(part: DevicePart, opset: number): ExplainedProgram {
  const { nodes } = composeStep(part, opset);
  const bytesIn = (values: readonly (Value | null)[]): number => values.reduce((sum, value) => sum + sizeOf(value), 0);
  const calls = nodes.map((node): CallReport => {
    const [readBytes, writeBytes] = [bytesIn(node.inputs), bytesIn(node.outputs)];
    return { kernel: node.op, nodes: [node.name === '' ? titleOf(node) : node.name], readBytes, writeBytes, flops: 0 };
  });
  const moved = calls.reduce((sum, call) => sum + call.readBytes + call.writeBytes, 0);
  const memory = { arenaBytes: 0, weightsBytes: 0, scratchBytes: 0, intermediateBytes: 0, lowerBoundBytes: 0 };
  const distinctKernels = new Set(nodes.map(({ op }) => op)).size;
  return { opset, kernelsBefore: part.graph.nodes.filter(isKernel).length, kernelsAfter: nodes.length, distinctKernels, bytesBefore: moved, bytesAfter: moved, memory, calls };
}

function sizeOf(value: Value | null): number {
  if (value?.type?.kind !== 'tensor') return 0;
  const { dtype, shape = [] } = value.type;
  return shape.reduce<number>((bytes, dim) => bytes * (typeof dim === 'number' ? dim : 0), byteWidth(dtype));
}

const isKernel = (node: PrimNode): boolean => prims[node.op].kind !== 'view' && node.outputs.some((x) => elementCount(x.shape) * byteWidth(x.dtype) > 0);

function placementOf(graph: Graph, steps: readonly PartitionStep[], programs: readonly ExplainedProgram[]): Placement[] {
  const onDevice = new Set(deviceParts(steps).flatMap((step) => [...step.origins.values()]));
  const hosted = new Map(steps.flatMap((step) => (step.kind === 'host' ? [[step.node, step.reason] as const] : [])));
  const later = new Set(steps.flatMap((step) => (step.kind === 'rest' ? step.graph.nodes : [])));
  const sureOf = new Map(steps.flatMap((step) => (step.kind === 'rest' ? step.hosted.map(({ node, reason }) => [node, reason] as const) : [])));
  const kernelsOf = new Map<string, Set<string>>();
  for (const { kernel, nodes } of programs.flatMap(({ calls }) => calls)) for (const title of nodes) kernelsOf.set(title, (kernelsOf.get(title) ?? new Set()).add(kernel));
  return graph.nodes.map((node): Placement => {
    const place = { op: node.op, name: titleOf(node).slice(node.op.length + 1), kernels: [...(kernelsOf.get(titleOf(node)) ?? [])] };
    const reason = hosted.get(node) ?? (later.has(node) ? sureOf.get(titleOf(node)) : undefined);
    if (reason !== undefined) return { ...place, where: 'host', reason };
    if (later.has(node)) return { ...place, where: 'later', reason: 'its shapes depend on data' };
    const within = onDevice.has(node) || subgraphsOf(node).some((body) => bodyNodes(body).some((inner) => onDevice.has(inner)));
    return within ? { ...place, where: 'device', reason: '' } : { ...place, where: 'folded', reason: 'a view, a constant, or nothing that an output needs' };
  });
}

const bodyNodes = (graph: Graph): Node[] => graph.nodes.flatMap((node) => [node, ...subgraphsOf(node).flatMap(bodyNodes)]);
