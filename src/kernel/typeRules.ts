// The types that expressions of the kernel IR may have: one total table from kind to what is wrong with an expression.
import type { BinaryFn, ComputeDType, Expr, ExprKind, ExprType, UnaryFn } from './ir.ts';
import { computeType, isLaneType } from './computeType.ts';
import type { ExprOf } from './rewriteKernel.ts';

type Domain = (dtype: ComputeDType) => boolean;
const FLOATS: ReadonlySet<ComputeDType> = new Set(['f32', 'f64']);
const WIDE: ReadonlySet<ComputeDType> = new Set(['i64', 'u64']);
const real: Domain = (dtype) => FLOATS.has(dtype);
const number: Domain = (dtype) => dtype !== 'bool';
const integer: Domain = (dtype) => number(dtype) && !real(dtype);
const bits: Domain = (dtype) => !real(dtype);
const bool: Domain = (dtype) => dtype === 'bool';

const unaryDomains: { readonly [F in UnaryFn]: Domain } = {
  neg: number,
  abs: number,
  floor: real,
  ceil: real,
  rint: real,
  trunc: real,
  sqrt: real,
  not: bool,
  bitNot: integer,
  exp: real,
  log: real,
  sin: real,
  cos: real,
  tan: real,
  asin: real,
  acos: real,
  atan: real,
  sinh: real,
  cosh: real,
  tanh: real,
  asinh: real,
  acosh: real,
  atanh: real,
  erf: real,
};

const binaryDomains: { readonly [F in BinaryFn]: Domain } = {
  add: number,
  sub: number,
  mul: number,
  div: number,
  rem: number,
  min: number,
  max: number,
  and: bits,
  or: bits,
  xor: bits,
  shl: integer,
  shr: integer,
  pow: real,
};

const WIDTHS: { readonly [D in ComputeDType]?: number } = { f32: 32, i32: 32, u32: 32, f64: 64, i64: 64, u64: 64 };

const same = (a: ExprType, b: ExprType): boolean => a.dtype === b.dtype && a.lanes === b.lanes;
const isScalar = (type: ExprType): boolean => type.lanes === 1;
/** The first problem whose condition does not hold. */
const require = (...checks: readonly (readonly [ok: boolean, problem: string])[]): string | undefined => checks.find(([ok]) => !ok)?.[1];

const constProblem = ({ type, value }: ExprOf['const']): string | undefined =>
  require([(typeof value === 'bigint') === WIDE.has(type.dtype), 'integers of 64 bits are bigints, and nothing else is'], [
    real(type.dtype) || Number.isInteger(Number(value)),
    `${value} is no integer`,
  ]);

const problems: { readonly [K in ExprKind]: (e: ExprOf[K]) => string | undefined } = {
  const: constProblem,
  var: () => undefined,
  load: () => undefined,
  unary: (e) => require([same(e.x.type, e.type), 'the type changes'], [unaryDomains[e.fn](e.type.dtype), 'not defined on this type']),
  binary: (e) => require([same(e.a.type, e.type) && same(e.b.type, e.type), 'the types differ'], [binaryDomains[e.fn](e.type.dtype), 'not defined on this type']),
  // Masks of −1 would order the other way round.
  compare: (e) =>
    require([same(e.a.type, e.b.type), 'the types differ'], [e.type.dtype === 'bool' && e.type.lanes === e.a.type.lanes, 'the result is not a bool for each lane'], [
      e.a.type.dtype !== 'bool',
      'not defined on this type',
    ]),
  select: (e) =>
    require([e.condition.type.dtype === 'bool' && e.condition.type.lanes === e.type.lanes, 'the condition is not a bool for each lane'], [
      same(e.a.type, e.type) && same(e.b.type, e.type),
      'the types differ',
    ]),
  fma: (e) => require([[e.a, e.b, e.c].every((x) => same(x.type, e.type)), 'the types differ'], [real(e.type.dtype), 'not defined on this type']),
  dot: (e) => require([[e.a, e.b, e.c].every((x) => same(x.type, e.type)), 'the types differ'], [e.type.dtype === 'i32', 'not defined on this type']),
  cast: (e) => require([e.x.type.lanes === e.type.lanes, 'the lanes differ']),
  bitcast: (e) =>
    require([e.x.type.lanes === e.type.lanes, 'the lanes differ'], [WIDTHS[e.type.dtype] !== undefined && WIDTHS[e.x.type.dtype] === WIDTHS[e.type.dtype], 'the widths differ']),
  narrow: (e) => require([same(e.x.type, e.type), 'the type changes'], [e.to !== 'string' && computeType(e.to) === e.type.dtype, `${e.to} is not computed in this type`]),
  splat: (e) => require([isScalar(e.x.type) && e.x.type.dtype === e.type.dtype, 'not a scalar of the same type'], [e.type.lanes > 1, 'not a vector']),
  pack: (e) =>
    require([e.items.length === e.type.lanes && e.items.every((x) => isScalar(x.type) && x.type.dtype === e.type.dtype), 'not one scalar for each lane'], [
      e.type.lanes > 1,
      'not a vector',
    ]),
  extract: (e) =>
    require([isScalar(e.type) && e.x.type.dtype === e.type.dtype && e.x.type.lanes > 1, 'not a scalar of a vector'], [
      Number.isInteger(e.lane) && e.lane >= 0 && e.lane < e.x.type.lanes,
      `there is no lane ${e.lane}`,
    ]),
  across: (e) =>
    require([isScalar(e.type) && e.x.type.dtype === e.type.dtype && e.x.type.lanes > 1, 'not a scalar of a vector'], [
      binaryDomains[e.fn](e.type.dtype),
      'not defined on this type',
    ]),
};

const dispatch = <K extends ExprKind>(e: ExprOf[K] & { readonly kind: K }): string | undefined => problems[e.kind](e);

/** What is wrong with the type of `e`, given those of its operands. */
export function typeProblem(e: Expr): string | undefined {
  const { dtype, lanes } = e.type;
  return require([Number.isInteger(lanes) && lanes >= 1, `${lanes} lanes`], [lanes === 1 || isLaneType(dtype), `vectors have no lanes of ${dtype}`]) ?? dispatch(e);
}
