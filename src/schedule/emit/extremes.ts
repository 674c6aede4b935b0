// Positions of extremes: along an axis one by one, in vectors along it, or in vectors across rows that are walked together. The first of
// equals wins (the last where asked); NaN beats everything but an earlier (later) NaN.
import { addIndex, constantIndex, indexSymbol, linearIndex } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { isFloat } from '../../core/dtype.ts';
import { stridesOf } from '../../core/shape.ts';
import { assign, binary, cast, compare, constant, extract, index, select, splat, store as storeTo, unary } from '../../kernel/build.ts';
import type { Expr, Stmt } from '../../kernel/ir.ts';
import { axisIndex } from '../nest.ts';
import type { Axis, Stage } from '../nest.ts';
import type { PointExpr } from '../point.ts';
import { substitute } from './places.ts';
import { laneOf } from './emitter.ts';
import type { Emitter } from './emitter.ts';
import { declareAccumulator, loopAll, nameOf } from './walk.ts';
import type { StageContext } from './walk.ts';

type ArgReduce = Extract<Stage, { readonly kind: 'argReduce' }>;

/** The best value so far, and where it was. */
interface Best {
  readonly value: Expr;
  readonly position: Expr;
}

/** Fewer vectors than this along an axis are not worth joining. */
const LEAST_VECTORS = 3;

/** `lanes`: of vectors along the axis; 1 for none. */
export function writeArgReduce(context: StageContext, stage: ArgReduce, lanes: number): void {
  const { emitter, substitution } = context;
  const value = substitution.point(stage.value);
  const [axis, ...more] = stage.axes;
  const inVectors = axis !== undefined && more.length === 0 && lanes > 1 && axis.extent >= LEAST_VECTORS * lanes;
  const best = inVectors ? alongVectors(emitter, stage, value, axis, lanes) : startAt(emitter, stage, value, 'i64');
  const from = inVectors ? Math.floor(axis.extent / lanes) * lanes : 0;
  const one = (): void => {
    emitter.countUses(value);
    takeBetter(emitter, best, emitter.bind(emitter.point(value)), emitter.index(positionIn(stage)), beats(stage, value));
  };
  if (inVectors) emitter.loop(axis.name, index(from), index(axis.extent), 1, one);
  else loopAll(emitter, stage.axes, one);
  emitter.define(stage.local, best.position);
}

/** Where along all of the axes a point lies: an axis that was split counts on in row-major order. */
const positionIn = ({ axes }: ArgReduce): IndexExpr => linearIndex(axes.map(axisIndex), stridesOf(axes.map((a) => a.extent)));

function startAt(emitter: Emitter, stage: ArgReduce, value: PointExpr, type: 'i32' | 'i64', lanes = 1): Best {
  const first = substitute(emitter, new Map(stage.axes.map((a) => [a.name, constantIndex(0)]))).point(value);
  const position = declareAccumulator(emitter, splat(constant(type, type === 'i64' ? 0n : 0), lanes));
  return { position, value: declareAccumulator(emitter, splat(emitter.point(first), lanes)) };
}

type Beats = (x: Expr, best: Expr) => Expr;

function takeBetter(emitter: Emitter, best: Best, x: Expr, position: Expr, isBetter: Beats): void {
  const [value, at] = [nameOf(best.value), nameOf(best.position)];
  const { dtype, lanes } = best.position.type;
  const place = splat(cast(dtype, position), lanes);
  if (lanes === 1) {
    const take: Stmt[] = [assign(value, x), assign(at, place)];
    emitter.push({ kind: 'if', condition: isBetter(x, best.value), then: take, else: [] });
    return;
  }
  const better = emitter.bind(isBetter(x, best.value));
  emitter.push(assign(value, select(better, x, best.value)), assign(at, select(better, place, best.position)));
}

/** The best of whole vectors along the axis: each lane keeps its own, and at the end they are joined. */
function alongVectors(emitter: Emitter, stage: ArgReduce, value: PointExpr, axis: Axis, lanes: number): Best {
  const lane = emitter.fresh('lane');
  const at = (base: IndexExpr): Expr => {
    const e = substitute(emitter, new Map([[axis.name, addIndex(base, indexSymbol(lane, 0, lanes - 1))]])).point(value);
    emitter.countUses(e);
    return emitter.bind(splat(emitter.point(e), lanes));
  };
  let bests: Best | undefined;
  emitter.withLanes(lane, lanes, () => {
    const first = { value: declareAccumulator(emitter, at(constantIndex(0))), position: declareAccumulator(emitter, splat(constant('i32', 0), lanes)) };
    const name = emitter.fresh(`${axis.name}_`);
    const end = Math.floor(axis.extent / lanes) * lanes;
    emitter.loop(name, index(lanes), index(end), lanes, () => {
      const base = indexSymbol(name, 0, end - lanes);
      takeBetter(emitter, first, at(base), emitter.index(base), beats(stage, value));
    });
    bests = first;
  });
  const { value: values, position: places } = bests!;
  const strictly = beats({ ...stage, last: false }, value);
  const placeOf = (i: number): Expr => cast('i64', binary('add', extract(places, i), constant('i32', i)));
  const best = { value: declareAccumulator(emitter, extract(values, 0)), position: declareAccumulator(emitter, placeOf(0)) };
  for (let i = 1; i < lanes; i++) {
    const place = emitter.bind(placeOf(i));
    const isNext = (x: Expr, held: Expr): Expr =>
      binary('or', strictly(x, held), binary('and', unary('not', strictly(held, x)), compare(stage.last ? 'gt' : 'lt', place, best.position)));
    takeBetter(emitter, best, emitter.bind(extract(values, i)), place, isNext);
  }
  return best;
}

/** The extremes of as many rows as the outer axis has lanes, walked together; what is stored of them is stored row by row. */
export function writeArgRows(context: StageContext, stage: ArgReduce, store: Extract<Stage, { readonly kind: 'store' }>): void {
  const { emitter, substitution, outerLanes } = context;
  const value = substitution.point(stage.value);
  const best = startAt(emitter, stage, value, 'i32', outerLanes);
  loopAll(emitter, stage.axes, () => {
    emitter.countUses(value);
    takeBetter(emitter, best, emitter.bind(splat(emitter.point(value), outerLanes)), emitter.index(positionIn(stage)), beats(stage, value));
  });
  emitter.scoped(() => {
    emitter.define(stage.local, best.position);
    const [stored, offset] = [substitution.point(store.value), substitution.index(store.offset)];
    for (let i = 0; i < outerLanes; i++) {
      // Positions have 64 bits, and so no vectors.
      emitter.define(laneOf(stage.local, i), cast('i64', extract(best.position, i)));
      const lane = emitter.inLane(i);
      emitter.push(storeTo(emitter.buffer(store.slot, 'write'), emitter.index(lane.index(offset)), emitter.point(lane.point(stored))));
    }
  });
}

/** Whether a value takes the place of the best so far. */
function beats({ fn, last }: ArgReduce, { dtype }: PointExpr): Beats {
  return (x, best) => {
    const [a, b] = [x, best].map((v) => (v.type.dtype === 'bool' ? cast('i32', v) : v));
    const better = compare(last ? (fn === 'max' ? 'ge' : 'le') : fn === 'max' ? 'gt' : 'lt', a!, b!);
    if (!isFloat(dtype)) return better;
    const isNaN = compare('ne', a!, a!);
    const held = compare('ne', b!, b!);
    return last ? binary('or', isNaN, better) : binary('or', binary('and', isNaN, unary('not', held)), better);
  };
}
