// Kernel expressions as instructions that leave one value on the stack: a total table from kind to rule.
import { invariant } from '../../core/error.ts';
import { expandDot } from '../../kernel/expandDot.ts';
import type { Expr, ExprKind } from '../../kernel/ir.ts';
import type { ExprOf } from '../../kernel/rewriteKernel.ts';
import { pushAddress } from './address.ts';
import { pushBitcast, pushCast, pushNarrow } from './cast.ts';
import { compareOp, pushBinary, pushConstant, pushUnary } from './functions.ts';
import type { Scope } from './scope.ts';
import { LANES, valueType } from './scope.ts';
import { loadLanes, storageOf } from './storage.ts';

type ExprRule<K extends ExprKind> = (e: ExprOf[K], scope: Scope, push: (e: Expr) => void) => void;

const float = new Float32Array(1);
const floatBits = new Uint32Array(float.buffer);

/** The 32 bits of a lane. */
function laneBits(dtype: Expr['type']['dtype'], value: number | bigint): number {
  if (dtype === 'bool') return Number(value) === 0 ? 0 : 0xffffffff;
  if (dtype !== 'f32') return Number(BigInt.asUintN(32, BigInt(value)));
  float[0] = Number(value);
  return floatBits[0]!;
}

const pushLanes = (dtype: Expr['type']['dtype'], values: readonly (number | bigint)[], scope: Scope): void =>
  scope.code.emit('v128.const', ...values.map((x) => laneBits(dtype, x)));

const laneShape = (dtype: Expr['type']['dtype']): 'f32x4' | 'i32x4' => (dtype === 'f32' ? 'f32x4' : 'i32x4');

/** A load of four bytes, whose lanes can be filled from memory. */
const isWordLoad = (e: Expr, scope: Scope): e is ExprOf['load'] => e.kind === 'load' && e.type.lanes === 1 && storageOf(scope.buffer(e.buffer).dtype).bytes === 4;

const address = (e: ExprOf['load'], scope: Scope, push: (e: Expr) => void): number => pushAddress(e.buffer, e.index, storageOf(scope.buffer(e.buffer).dtype).bytes, scope, push);

function pushSplat(x: Expr, scope: Scope, push: (e: Expr) => void): void {
  const { dtype } = x.type;
  if (x.kind === 'const')
    return pushLanes(
      dtype,
      Array.from({ length: LANES }, () => x.value),
      scope,
    );
  if (isWordLoad(x, scope)) return scope.code.emit('v128.load32_splat', address(x, scope, push));
  push(x);
  scope.code.emit(`${laneShape(dtype)}.splat`);
  if (dtype === 'bool') scope.code.emit('i32x4.neg');
}

const LANE_BYTES = 4;

/** Lanes of one or two named vectors in another order are one instruction. */
function pushShuffle(items: readonly Expr[], scope: Scope, push: (e: Expr) => void): boolean {
  const vectors = new Map<string, Expr>();
  const places = items.flatMap((item) => {
    if (item.kind !== 'extract' || item.x.kind !== 'var') return [];
    if (!vectors.has(item.x.name)) vectors.set(item.x.name, item.x);
    return [[...vectors.keys()].indexOf(item.x.name) * LANES + item.lane];
  });
  const [first, second = first] = vectors.values();
  if (places.length < items.length || vectors.size > 2 || first === undefined || second === undefined) return false;
  push(first);
  push(second);
  scope.code.emit('i8x16.shuffle', ...places.flatMap((place) => Array.from({ length: LANE_BYTES }, (_, i) => place * LANE_BYTES + i)));
  return true;
}

function pushPack(e: ExprOf['pack'], scope: Scope, push: (e: Expr) => void): void {
  const { dtype } = e.type;
  const constants = e.items.flatMap((x) => (x.kind === 'const' ? [x.value] : []));
  if (constants.length === e.items.length) return pushLanes(dtype, constants, scope);
  const { code } = scope;
  if (pushShuffle(e.items, scope, push)) return;
  const shape = laneShape(dtype);
  e.items.forEach((x, lane) => {
    if (lane === 0) {
      push(x);
      return code.emit(`${shape}.splat`);
    }
    push(x);
    code.emit(`${shape}.replace_lane`, lane);
  });
  if (dtype === 'bool') code.emit('i32x4.neg');
}

/** For each step of a pairwise combination: the lanes that come to lanes 0 (and 1). */
const HALVES = [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7];
const PAIRS = [4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11];

/** Lane i with lane i + 2, then the first with the second. */
function pushAcross(e: ExprOf['across'], scope: Scope, push: (e: Expr) => void): void {
  const { code } = scope;
  const { dtype } = e.x.type;
  if (dtype === 'bool') {
    push(e.x);
    code.emit(e.fn === 'and' || e.fn === 'mul' || e.fn === 'min' ? 'i32x4.all_true' : 'v128.any_true');
    return;
  }
  const partial = (local: number): ExprOf['var'] => ({ kind: 'var', type: e.x.type, name: `across ${local}` });
  scope.withLocals(['v128', 'v128'], (value = 0, moved = 0) => {
    push(e.x);
    for (const local of [value, moved]) scope.bind(partial(local).name, { local, plus: 0, depth: scope.depth, isNatural: false, isFixed: false });
    for (const lanes of [HALVES, PAIRS]) {
      code.set(value);
      code.get(value);
      code.emit('local.get', value);
      code.emit('i8x16.shuffle', ...lanes);
      code.set(moved);
      pushBinary(e.fn, e.x.type, partial(value), partial(moved), scope, push);
    }
  });
  code.emit(`${laneShape(dtype)}.extract_lane`, 0);
}

function boolFromMask(scope: Scope): void {
  scope.code.emit('i32.const', 1);
  scope.code.emit('i32.and');
}

const rules: { readonly [K in ExprKind]: ExprRule<K> } = {
  const: (e, scope) => (e.type.lanes === 1 ? pushConstant(e.type.dtype, e.value, scope) : pushSplat({ ...e, type: { ...e.type, lanes: 1 } }, scope, () => undefined)),
  var: (e, scope) => {
    const { local, plus } = scope.binding(e.name);
    const { code } = scope;
    if (local !== undefined) code.get(local);
    if (local !== undefined && plus === 0) return;
    code.emit('i32.const', plus);
    if (local !== undefined) code.emit('i32.add');
  },
  load: (e, scope, push) => {
    const { dtype } = scope.buffer(e.buffer);
    const storage = storageOf(dtype);
    invariant(storage.dtype === e.type.dtype, `a load from ${e.buffer} gives ${storage.dtype}, not ${e.type.dtype}`);
    const offset = address(e, scope, push);
    if (e.type.lanes === 1) scope.code.emit(storage.load, offset);
    else loadLanes(scope.code, dtype, offset);
  },
  unary: (e, scope, push) => pushUnary(e.fn, e.type, e.x, scope, push),
  binary: (e, scope, push) => pushBinary(e.fn, e.type, e.a, e.b, scope, push),
  compare: (e, scope, push) => {
    push(e.a);
    push(e.b);
    scope.code.emit(compareOp(e.fn, e.a.type));
  },
  select: (e, scope, push) => {
    push(e.a);
    push(e.b);
    push(e.condition);
    scope.code.emit(e.type.lanes > 1 ? 'v128.bitselect' : 'select');
  },
  fma: (e, scope, push) => {
    const { code, features } = scope;
    push(e.a);
    push(e.b);
    const isVector = e.type.lanes > 1;
    if (isVector && features.relaxed) {
      push(e.c);
      return code.emit('f32x4.relaxed_madd');
    }
    const shape = isVector ? 'f32x4' : e.type.dtype === 'f64' ? 'f64' : 'f32';
    code.emit(`${shape}.mul`);
    push(e.c);
    code.emit(`${shape}.add`);
  },
  dot: (e, scope, push) => {
    if (e.type.lanes === 1 || e.parts !== 'shorts') return push(expandDot(e));
    push(e.a);
    push(e.b);
    scope.code.emit('i32x4.dot_i16x8_s');
    push(e.c);
    scope.code.emit('i32x4.add');
  },
  cast: pushCast,
  bitcast: pushBitcast,
  narrow: pushNarrow,
  splat: (e, scope, push) => pushSplat(e.x, scope, push),
  pack: pushPack,
  extract: (e, scope, push) => {
    push(e.x);
    scope.code.emit(`${laneShape(e.type.dtype)}.extract_lane`, e.lane);
    if (e.type.dtype === 'bool') boolFromMask(scope);
  },
  across: pushAcross,
};

const dispatch = <K extends ExprKind>(e: ExprOf[K] & { readonly kind: K }, scope: Scope, push: (e: Expr) => void): void => rules[e.kind](e, scope, push);

/** Writes instructions that leave the value of `e` on the stack. */
export function pushExpr(e: Expr, scope: Scope): void {
  valueType(e.type);
  dispatch(e, scope, (x) => pushExpr(x, scope));
}
