// The value of each primitive at one point, given the values of its inputs: the total table behind the evaluator. Views only move the
// position; what lies outside a padded or joined operand is guarded, never read.
import { dtypes } from '../core/dtype.ts';
import type { NumericDType } from '../core/dtype.ts';
import { AnychipError } from '../core/error.ts';
import { addIndex, scaleIndex } from '../core/indexExpr.ts';
import { wordLayouts } from '../core/words.ts';
import type { WordLayout, WordParts } from '../core/words.ts';
import type { PrimName } from '../graph/prims.ts';
import type { Evaluator } from './evaluate.ts';
import { applyPoint, castPoint, guardPoint, indexPoint, literal, loadPoint, zeroOf } from './point.ts';
import type { Condition, ElementwiseNode, PointExpr } from './point.ts';
import { inputPositions } from './positions.ts';
import type { Position, PrimNodes } from './positions.ts';
import { wholeFloat } from './wholeNumbers.ts';

type ValueRule<P extends PrimName> = (node: PrimNodes[P], at: Position, evaluator: Evaluator) => PointExpr;

const elementwise = (node: ElementwiseNode, at: Position, evaluator: Evaluator): PointExpr => applyPoint(node, node.outputs[0]!.dtype, evaluator.inputs(node, at));

const view = (node: PrimNodes['reshape' | 'transpose' | 'expand' | 'slice' | 'window' | 'gather'], at: Position, evaluator: Evaluator): PointExpr =>
  evaluator.value(node.inputs[0]!, inputPositions(node.op, node, at, evaluator)[0]!);

const notPointwise = (node: PrimNodes['scan' | 'scatter' | 'topK']): PointExpr => {
  throw new AnychipError('internal', `${node.op} has no value point by point`);
};

/** Whether a position lies in a tensor: only axes that may leave it need a test. */
const inside = (shape: readonly number[], at: Position): Condition[] => at.map((value, i) => ({ value, low: 0, high: shape[i]! }));

const product = (a: PointExpr, b: PointExpr, dtype: NumericDType): PointExpr =>
  applyPoint({ op: 'binary', attrs: { fn: 'mul' } }, dtype, [castPoint(a, dtype), castPoint(b, dtype)]);

/** Part `i` of a word of i32, as i32. */
function partOf(word: PointExpr, i: number, { bits, dtypes: sides }: WordLayout, side: 0 | 1): PointExpr {
  const whole = applyPoint({ op: 'bitcast', attrs: { to: 'u32' } }, 'u32', [word]);
  const moved = i === 0 ? whole : applyPoint({ op: 'binary', attrs: { fn: 'shr' } }, 'u32', [whole, literal('u32', i * bits)]);
  return castPoint(castPoint(moved, sides[side]), 'i32');
}

/** a·b, or the sum of the products of their parts. */
function multiplied(a: PointExpr, b: PointExpr, dtype: NumericDType, words: WordParts | undefined): PointExpr {
  if (words === undefined) return product(a, b, dtype);
  const layout = wordLayouts[words];
  const parts = Array.from({ length: layout.count }, (_, i) => product(partOf(a, i, layout, 0), partOf(b, i, layout, 1), dtype));
  return parts.reduce((sum, part) => applyPoint({ op: 'binary', attrs: { fn: 'add' } }, dtype, [sum, part]));
}

/** Σ over the contracted axes of a·b in the accumulator's dtype, as a stage. */
function contraction(node: PrimNodes['matmul' | 'conv'], at: Position, evaluator: Evaluator): PointExpr {
  const [a, b] = [node.inputs[0]!, node.inputs[1]!];
  const { dtype } = node.outputs[0]!;
  const { result, axes } = evaluator.reducing(() => {
    const [atA, atB] = inputPositions(node.op, node, at, evaluator);
    const x = evaluator.value(a, atA!);
    // Only the spatial axes of a convolution can leave the operand.
    const padded = node.op === 'conv' ? guardPoint(inside(a.shape, atA!), x, zeroOf(a.dtype)) : x;
    return multiplied(padded, evaluator.value(b, atB!), dtype, node.attrs.words);
  });
  return evaluator.addStage((local) => ({ kind: 'reduce', fn: 'sum', dtype, local, axes, value: result }), dtype);
}

const rules: { readonly [P in PrimName]: ValueRule<P> } = {
  unary: elementwise,
  binary: elementwise,
  compare: elementwise,
  where: elementwise,
  cast: (node, at, evaluator) => {
    const args = evaluator.inputs(node, at);
    return (node.attrs.to === 'f32' ? wholeFloat(args[0]!) : undefined) ?? applyPoint(node, node.outputs[0]!.dtype, args);
  },
  bitcast: (node, at, evaluator) => {
    const [value] = evaluator.inputs(node, at);
    const { to } = node.attrs;
    // Narrow floats are held widened: their bits are seen only by loading them as the other dtype.
    const narrowFloat = [value!.dtype, node.outputs[0]!.dtype].some((d) => dtypes[d].class === 'float' && dtypes[d].bits < 32);
    if (!narrowFloat) return applyPoint({ op: 'bitcast', attrs: { to } }, node.outputs[0]!.dtype, [value!]);
    if (value!.kind !== 'load') throw new AnychipError('internal', `bitcast of ${value!.dtype} needs its operand in memory`);
    return loadPoint(value!.slot, value!.offset, node.outputs[0]!.dtype);
  },
  iota: (node, at) => indexPoint(node.outputs[0]!.dtype, at[node.attrs.axis]!),
  reshape: view,
  transpose: view,
  expand: view,
  slice: view,
  window: view,
  gather: view,
  words: ({ attrs: { parts, axis }, inputs: [x] }, at, evaluator) => {
    const { count, bits } = wordLayouts[parts];
    const part = (i: number): PointExpr => {
      const value = evaluator.value(
        x!,
        at.map((p, a) => (a === axis ? addIndex(scaleIndex(p, count), i) : p)),
      );
      const whole = castPoint(castPoint(value, bits === 8 ? 'u8' : 'u16'), 'u32');
      return i === 0 ? whole : applyPoint({ op: 'binary', attrs: { fn: 'shl' } }, 'u32', [whole, literal('u32', i * bits)]);
    };
    const word = Array.from({ length: count }, (_, i) => part(i)).reduce((a, b) => applyPoint({ op: 'binary', attrs: { fn: 'or' } }, 'u32', [a, b]));
    return applyPoint({ op: 'bitcast', attrs: { to: 'i32' } }, 'i32', [word]);
  },
  pad: (node, at, evaluator) => {
    const [x, value] = node.inputs;
    const [from, where] = inputPositions('pad', node, at, evaluator);
    return guardPoint(inside(x!.shape, from!), evaluator.value(x!, from!), evaluator.value(value!, where!));
  },
  concat: (node, at, evaluator) => {
    const { axis } = node.attrs;
    const parts = inputPositions('concat', node, at, evaluator).map((from, i) => ({ x: node.inputs[i]!, from: from! }));
    return parts.reduceRight<PointExpr | undefined>((rest, { x, from }) => {
      const value = (): PointExpr => evaluator.value(x, from);
      const range = { value: from[axis]!, low: -Infinity, high: x.shape[axis]! };
      if (rest === undefined) return value();
      return from[axis]!.min >= range.high ? rest : guardPoint([range], value(), rest);
    }, undefined)!;
  },
  reduce: (node, at, evaluator) => {
    const { dtype } = node.outputs[0]!;
    const { result, axes } = evaluator.reducing(() => evaluator.inputs(node, at)[0]!);
    return evaluator.addStage((local) => ({ kind: 'reduce', fn: node.attrs.fn, dtype, local, axes, value: result }), dtype);
  },
  argReduce: (node, at, evaluator) => {
    const { result, axes } = evaluator.reducing(() => evaluator.inputs(node, at)[0]!);
    const { fn, last } = node.attrs;
    return evaluator.addStage((local) => ({ kind: 'argReduce', fn, last, local, axes, value: result }), 'i64');
  },
  matmul: contraction,
  conv: contraction,
  scan: notPointwise,
  scatter: notPointwise,
  topK: notPointwise,
};

export function evaluateNode<P extends PrimName>(op: P, node: PrimNodes[P], at: Position, evaluator: Evaluator): PointExpr {
  return rules[op](node, at, evaluator);
}
