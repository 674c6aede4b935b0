// What is known at load, as it follows from constants of the graph alone: for those who would rather compute a value where they need it
// than read it, because what it is made of is smaller.
import { elementCount } from '../core/shape.ts';
import type { Operand, PrimGraph, PrimNode } from '../graph/builder.ts';
import { prims } from '../graph/prims.ts';
import type { PrimFacts } from '../graph/prims.ts';
import { Evaluator } from './evaluate.ts';
import type { Values } from './evaluate.ts';
import type { PointExpr } from './point.ts';
import type { Position } from './positions.ts';

/** Kinds of primitives whose value at a point follows from values of their inputs at points that are known beforehand. */
const POINTWISE: ReadonlySet<PrimFacts['kind']> = new Set(['elementwise', 'view', 'source']);

export class Origins {
  readonly #values: Values;
  readonly #graph: PrimGraph;
  readonly #pointwise = new Map<Operand, boolean>();

  /** `values`: where constants lie, and what made each operand. */
  constructor(graph: PrimGraph, values: Values) {
    this.#graph = graph;
    this.#values = {
      producerOf: (x) => values.producerOf(x),
      literalOf: (x) => values.literalOf(x),
      isWithin: (x, size) => values.isWithin(x, size),
      storageOf: (x) => (graph.constants.has(x) ? values.storageOf(x) : undefined),
    };
  }

  /** The value of `x` at `at` over loads of constants; undefined where it is not computed from them point by point. */
  at(x: Operand, at: Position): PointExpr | undefined {
    return this.#isPointwise(x) ? new Evaluator(this.#values).value(x, at) : undefined;
  }

  #isPointwise(x: Operand): boolean {
    const known = this.#pointwise.get(x);
    if (known !== undefined) return known;
    const node = this.#values.producerOf(x);
    const result = this.#graph.constants.has(x) ? elementCount(x.shape) > 0 : node !== undefined && this.#isEach(node);
    this.#pointwise.set(x, result);
    return result;
  }

  #isEach(node: PrimNode): boolean {
    return POINTWISE.has(prims[node.op].kind) && node.inputs.every((x) => this.#isPointwise(x));
  }
}
