// How contractions become kernels: a table of templates tried in order. A template knows one fast way (a blocked matrix product, a
// direct convolution) for the sites it fits; what is fused behind the contraction is given to it as a function that stores.
import { substitute } from '../emit/places.ts';
import { byteWidth } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { coefficientOf, indexSymbol, linearIndex } from '../../core/indexExpr.ts';
import type { Shape } from '../../core/shape.ts';
import { extract, splat } from '../../kernel/build.ts';
import type { Expr, Kernel } from '../../kernel/ir.ts';
import type { SimdCapabilities } from '../../runtime/device.ts';
import type { ContractionRoot } from '../family.ts';
import { findPairs } from '../inPlace.ts';
import type { Nest } from '../nest.ts';
import { Substitution, localPoint } from '../point.ts';
import type { PointExpr } from '../point.ts';
import type { Position, PrimNodes } from '../positions.ts';
import { contiguous, createSlot, ownerOf } from '../storage.ts';
import type { MemorySlot, Storage } from '../storage.ts';
import { hasLanes } from '../emit/compute.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';

export type ContractionNode = PrimNodes['matmul' | 'conv'];

/** Writes a kernel that fills `target` (row-major) from `source`, once, at load. */
export type WritePacking = (emitter: Emitter, source: Storage, target: MemorySlot) => Kernel['grid'];

/** One contraction in a graph, with all that is fused to it. */
export interface ContractionSite {
  readonly node: ContractionNode;
  /** Where the operands lie: a and b of a matmul, x and w of a conv. Strided, not always row-major. */
  readonly operands: readonly [Storage, Storage];
  readonly capabilities: SimdCapabilities;
  /** Elements of the result, as the contraction has it (what is fused behind it may store them in another order). */
  readonly shape: Shape;
  /** Additions that the fused work on one element of the result costs. */
  readonly epilogueCost: number;
  /** Whether the operand is known at load, so that it can be packed. */
  isConstant(operand: 0 | 1): boolean;
  /** What an operand that is known at load is at a position, over loads of constants; undefined where it is not computed from them point by point. */
  origin(operand: 0 | 1, at: Position): PointExpr | undefined;
  /**
   * What is known at load in a layout of the template's choosing, made once at load. `layout` names it: equal names for the same operand share
   * the packed copy, and the operand itself is not kept if nothing else reads it.
   */
  pack(source: Storage, layout: string, dtype: NumericDType, elements: number, write: WritePacking): Storage;
  /** An emitter for a kernel of this site. */
  createEmitter(): Emitter;
  /**
   * Writes what stores one element, or with `emitter.withLanes` the lanes of a vector: `value` is the sum at position `at` of the
   * contraction's result, in its dtype's compute type. Must be called exactly once for every element.
   */
  store(emitter: Emitter, at: Position, value: Expr): void;
  /** Elements between results whose positions are one step of `symbol` apart, where they are stored; undefined where that is not the same everywhere. */
  storeStep(at: Position, symbol: string): number | undefined;
  /** Closes a kernel; `own` is what it computes where that is not the whole contraction. */
  finish(emitter: Emitter, name: string, grid: Kernel['grid'], own?: Kernel['cost']): LoweredKernel;
}

export interface ContractionTemplate {
  readonly name: string;
  /** How this template would lower the site, or undefined where it does not fit. */
  plan(site: ContractionSite): (() => readonly LoweredKernel[]) | undefined;
}

/** Whether sums and operands of the contraction can be vectors on this machine. */
export function hasVectors({ node, capabilities }: ContractionSite): boolean {
  const dtypes = [...node.inputs, ...node.outputs].map((x) => x.dtype);
  return capabilities.simd.vectorLanes > 1 && dtypes.every((dtype) => hasLanes(dtype) && dtype !== 'bool');
}

/** Whether channels lie side by side where the input of a convolution is read, where its results are stored, and in both. */
export const isInputLast = (site: ContractionSite): boolean => site.operands[0].strides[1] === 1;
export function isOutputLast(site: ContractionSite): boolean {
  const filter = indexSymbol('filter', 0, site.shape[1]! - 1);
  const position = site.shape.map((size, axis) => (axis === 1 ? filter : indexSymbol(`p${axis}`, 0, size - 1)));
  return site.storeStep(position, 'filter') === 1;
}
export const isChannelsLast = (site: ContractionSite): boolean => isInputLast(site) && isOutputLast(site);

const ACCUMULATOR = 'acc';

export function createSite(capabilities: SimdCapabilities, { context, root, target, flops }: ContractionRoot, epilogueCost: number): ContractionSite {
  const node = root.contraction;
  if (node?.op !== 'matmul' && node?.op !== 'conv') throw new TypeError('a site without a contraction');
  const result = node.outputs[0]!;
  const evaluator = context.createEvaluator();
  evaluator.give(result, () => localPoint(ACCUMULATOR, result.dtype));
  const value: PointExpr =
    root.node === node ? localPoint(ACCUMULATOR, result.dtype) : root.source === undefined ? evaluator.nodeValue(root.node, root.at) : evaluator.value(root.source, root.at);
  const offset = linearIndex(root.at, target.strides, target.offset);
  const fused: Nest = { outer: root.axes, stages: [{ kind: 'store', axes: [], slot: target.slot, offset, value }], dynamic: evaluator.dynamicSymbols };
  const inPlace = findPairs(fused).filter((pair) => node.inputs.every((x) => ownerOf(context.storageOf(x).slot) !== pair.read));
  const operands = [context.storageOf(node.inputs[0]!), context.storageOf(node.inputs[1]!)] as const;
  return {
    node,
    operands,
    capabilities,
    shape: result.shape,
    epilogueCost,
    isConstant: (operand) => context.isLoadTime(operands[operand].slot),
    origin: (operand, at) => (context.isLoadTime(operands[operand].slot) ? context.originOf(node.inputs[operand]!, at) : undefined),
    pack: (source, layout, dtype, elements, write) => {
      const key = `${layout}|${dtype}|${elements}|${source.offset}|${source.strides.join()}`;
      const slot = context.addPacking(key, source.slot, () => {
        const packed = createSlot('value', { dtype, shape: [elements] });
        const emitter = new Emitter();
        const grid = write(emitter, source, packed);
        return { slot: packed, kernel: emitter.finish('pack', grid, { flops: 0, bytes: 2 * elements * byteWidth(dtype) }) };
      });
      return contiguous(slot, [elements]);
    },
    createEmitter: () => new Emitter(evaluator.dynamicSymbols),
    store: (emitter, at, sum) => {
      const put = (position: Position, acc: Expr): void =>
        emitter.scoped(() => {
          emitter.define(ACCUMULATOR, emitter.bind(acc));
          const bindings = new Map(root.axes.map((axis, i) => [axis.name, position[i]!]));
          const substitution = substitute(emitter, bindings);
          const e = substitution.point(value);
          emitter.countUses(e);
          emitter.store(target.slot, substitution.index(offset), splat(emitter.point(e), acc.type.lanes));
        });
      if (sum.type.lanes === 1 || hasLanes(value.dtype)) return put(at, sum);
      // Results of 64 bits have no vectors: the lanes are stored one by one.
      const bound = emitter.bind(sum);
      for (let lane = 0; lane < sum.type.lanes; lane++) {
        put(
          at.map((x) => emitter.atLane(x, lane)),
          extract(bound, lane),
        );
      }
    },
    storeStep: (at, symbol) => {
      const bindings = new Map(root.axes.map((axis, i) => [axis.name, at[i]!]));
      const substitution = new Substitution(bindings, evaluator.dynamicSymbols, (_definition, old) => indexSymbol(old, 0, Number.MAX_SAFE_INTEGER));
      return coefficientOf(substitution.index(offset), symbol);
    },
    finish: (emitter, name, grid, own = { flops, bytes: 0 }) => ({ ...emitter.finish(name, grid, own), inPlace }),
  };
}
