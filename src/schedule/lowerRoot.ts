// From a decision to kernels: each root of the fusion becomes one kernel, or a few, of the machine's family.
import { addIndex, coefficientOf, indexSymbol, linearIndex, scaleIndex } from '../core/indexExpr.ts';
import type { IndexExpr } from '../core/indexExpr.ts';
import { elementCount } from '../core/shape.ts';
import { wordLayouts } from '../core/words.ts';
import type { Operand, PrimNode } from '../graph/builder.ts';
import type { Family, ScheduleContext } from './family.ts';
import type { Root } from './fuse.ts';
import { axisIndex, farthestFirst } from './nest.ts';
import type { Axis, Nest, Stage } from './nest.ts';
import { broadcastTo } from './positions.ts';
import type { PrimNodes } from './positions.ts';
import type { LoweredKernel } from './emit/emitter.ts';
import type { Storage } from './storage.ts';

export interface RootContext extends ScheduleContext {
  readonly family: Family;
}

export interface LoweredRoot {
  readonly kernels: readonly LoweredKernel[];
  /** Primitives fused into them. */
  readonly nodes: readonly PrimNode[];
  readonly flops: number;
  /** What they compute, where one nest says it. */
  readonly nest?: Nest;
  readonly isContraction?: boolean;
}

/** Where the root writes: its part of the result. */
function targetOf(context: RootContext, root: Root): Storage {
  const { slot, offset, strides } = context.storageOf(root.node.outputs[0]!);
  return { slot, strides, offset: offset + root.begin.reduce((sum, begin, i) => sum + begin * strides[i]!, 0) };
}

const partsOf = ({ attrs: { words } }: PrimNodes['matmul' | 'conv']): number => (words === undefined ? 1 : wordLayouts[words].count);

/** Arithmetic operations of a primitive, as profiles count them. */
export function flopsOf(node: PrimNode): number {
  const out = elementCount(node.outputs[0]!.shape);
  switch (node.op) {
    case 'matmul':
      return 2 * out * node.inputs[0]!.shape.at(-1)! * partsOf(node);
    case 'conv':
      return 2 * out * elementCount(node.inputs[1]!.shape.slice(1)) * partsOf(node);
    case 'reduce':
    case 'argReduce':
    case 'scan':
    case 'topK':
      return elementCount(node.inputs[0]!.shape);
    case 'unary':
    case 'binary':
    case 'compare':
    case 'where':
      return out;
    default:
      return 0;
  }
}
const sumFlops = (nodes: Iterable<PrimNode>): number => [...nodes].reduce((sum, node) => sum + flopsOf(node), 0);

/** Axes in the order in which what they store lies in memory, the innermost last, where that is not in row-major order. */
function inStoredOrder(axes: readonly Axis[], { strides }: Storage, offset: IndexExpr): readonly Axis[] {
  if (strides.every((stride, i) => i === 0 || stride <= strides[i - 1]!)) return axes;
  return farthestFirst(axes, ({ name, extent }) => {
    const step = extent === 1 ? Infinity : coefficientOf(offset, name);
    return step === undefined ? undefined : Math.abs(step);
  });
}

function lowerStored(context: RootContext, root: Root): LoweredRoot {
  const evaluator = context.createEvaluator();
  const target = targetOf(context, root);
  if (root.outer !== undefined) evaluator.setRow({ outer: root.outer, kept: root.kept });
  const value = root.source === undefined ? evaluator.nodeValue(root.node, root.at) : evaluator.value(root.source, root.at);
  const nodes = [...evaluator.nodes];
  const flops = sumFlops(nodes);
  const isOuter = (a: Axis): boolean => root.outer === undefined || root.outer.has(a.name);
  const inner = root.axes.filter((a) => !isOuter(a));
  const offset = linearIndex(root.at, target.strides, target.offset);
  const store: Stage = { kind: 'store', axes: inStoredOrder(inner, target, offset), slot: target.slot, offset, value };
  const nest: Nest = { outer: inStoredOrder(root.axes.filter(isOuter), target, offset), stages: [...evaluator.stages, store], dynamic: evaluator.dynamicSymbols };
  if (root.contraction !== undefined) return { kernels: context.family.lowerContraction({ context, root, target, nest, nodes, flops }), nodes, flops, nest, isContraction: true };
  const reduces = nest.stages.length > 1;
  return { kernels: context.family.lowerNest(reduces ? 'reduce' : 'map', nest, flops), nodes, flops, nest };
}

function lowerScan(context: RootContext, root: Root, node: PrimNodes['scan']): LoweredRoot {
  const { fn, axis, exclusive, reverse } = node.attrs;
  const evaluator = context.createEvaluator();
  const target = targetOf(context, root);
  const along = root.axes[axis]!;
  const at = root.at.map((x, i): IndexExpr => (i === axis && reverse ? addIndex(scaleIndex(x, -1), along.extent - 1) : x));
  const value = evaluator.value(node.inputs[0]!, at);
  const stage: Stage = { kind: 'scan', fn, exclusive, axes: [along], value, slot: target.slot, offset: linearIndex(at, target.strides, target.offset) };
  const nest = { outer: root.axes.filter((a) => a !== along), stages: [...evaluator.stages, stage], dynamic: evaluator.dynamicSymbols };
  const nodes = [node, ...evaluator.nodes];
  const flops = sumFlops(nodes);
  return { kernels: context.family.lowerNest('scan', nest, flops), nodes, flops };
}

/** Copies the data, then writes the updates: iteration axes that are data axes too never meet, so they are walked in any order. */
function lowerScatter(context: RootContext, root: Root, node: PrimNodes['scatter']): LoweredRoot {
  const [data, updates, ...indices] = node.inputs;
  const target = targetOf(context, root);
  const copier = context.createEvaluator();
  const copied = copier.value(data!, root.at);
  const copy: Stage = { kind: 'store', axes: [], slot: target.slot, offset: linearIndex(root.at, target.strides, target.offset), value: copied };
  const kernels = [...context.family.lowerNest('copy', { outer: root.axes, stages: [...copier.stages, copy], dynamic: copier.dynamicSymbols }, 0)];
  const evaluator = context.createEvaluator();
  const axes = updates!.shape.map((extent, i): Axis => ({ name: `u${i}`, extent }));
  const at = axes.map(axisIndex);
  const value = evaluator.value(updates!, at);
  const own = new Set<number>();
  const position = node.attrs.sources.map((source, axis) => {
    if ('axis' in source) {
      own.add(source.axis);
      return at[source.axis]!;
    }
    const x = indices[source.index]!;
    return evaluator.coordinate(x, broadcastTo(x.shape, at), data!.shape[axis]!);
  });
  const isFree = (i: number): boolean => own.has(i) || axes[i]!.extent === 1;
  const stage: Stage = {
    kind: 'update',
    fn: node.attrs.fn,
    axes: axes.filter((_, i) => !isFree(i)),
    slot: target.slot,
    offset: linearIndex(position, target.strides, target.offset),
    value,
  };
  const nest = { outer: axes.filter((_, i) => isFree(i)), stages: [...evaluator.stages, stage], dynamic: evaluator.dynamicSymbols };
  const flops = elementCount(updates!.shape);
  if (flops > 0) kernels.push(...context.family.lowerNest('scatter', nest, flops));
  return { kernels, nodes: [node, ...copier.nodes, ...evaluator.nodes], flops };
}

export function lowerRoot(context: RootContext, root: Root): LoweredRoot {
  const { node } = root;
  switch (node.op) {
    case 'scan':
      return lowerScan(context, root, node);
    case 'scatter':
      return lowerScatter(context, root, node);
    case 'topK': {
      const kernels = context.family.lowerTopK(
        node,
        context.storageOf(node.inputs[0]!),
        node.outputs.map((x) => context.storageOf(x)),
      );
      return { kernels, nodes: [node], flops: 0 };
    }
    default:
      return lowerStored(context, root);
  }
}

/** Copies one operand to another place of the same shape. */
export function lowerCopy(context: RootContext, x: Operand, target: Storage): readonly LoweredKernel[] {
  const evaluator = context.createEvaluator();
  const axes = x.shape.map((extent, i): Axis => ({ name: `c${i}`, extent }));
  const at = axes.map((a) => indexSymbol(a.name, 0, a.extent - 1));
  const stage: Stage = { kind: 'store', axes: [], slot: target.slot, offset: linearIndex(at, target.strides, target.offset), value: evaluator.value(x, at) };
  return context.family.lowerNest('copy', { outer: axes, stages: [stage], dynamic: evaluator.dynamicSymbols }, 0);
}
