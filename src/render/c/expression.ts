// Kernel expressions as C: one total table from kind to text. Every text can stand as an operand without parentheses around it.
import { invariant } from '../../core/error.ts';
import { dtypes } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { variable } from '../../kernel/build.ts';
import { expandDot } from '../../kernel/expandDot.ts';
import type { ComputeDType, Expr, ExprKind, ExprType } from '../../kernel/ir.ts';
import type { ExprOf } from '../../kernel/rewriteKernel.ts';
import type { BufferText } from './dialect.ts';
import { binaryText, compareText, dotText, fmaText, selectText, unaryText } from './functions.ts';
import type { Prelude } from './prelude.ts';
import { swizzledText } from './swizzle.ts';
import { constantText, storageIn, storageOf, typeTag } from './types.ts';

export interface Scope {
  readonly prelude: Prelude;
  /** The dtype of each buffer of the kernel. */
  readonly buffers: ReadonlyMap<string, NumericDType>;
  /** Those that are parameters, where the language tells them apart. */
  readonly globals?: ReadonlySet<string>;
  /** Those in swizzled memory. */
  readonly swizzled?: ReadonlySet<string>;
}

/** The position in a buffer that the index stands for. */
export const positionText = (scope: Scope, buffer: string, at: Expr): string =>
  scope.swizzled?.has(buffer) === true ? swizzledText(scope.prelude, at, storageOf(bufferDType(scope, buffer)).bytes, (e) => exprText(e, scope)) : exprText(at, scope);

export function bufferDType(scope: Scope, name: string): NumericDType {
  const dtype = scope.buffers.get(name);
  invariant(dtype !== undefined, `the kernel has no buffer ${name}`);
  return dtype;
}

export const bufferText = (scope: Scope, name: string): BufferText => ({
  name,
  storage: storageIn(scope.prelude.dialect, bufferDType(scope, name)),
  isGlobal: scope.globals?.has(name) === true,
});

const splatText = (p: Prelude, type: ExprType, x: string): string => p.dialect.vectors.splat(p, type, type.dtype === 'bool' ? `-${x}` : x);
const constantOf = (p: Prelude, dtype: ComputeDType, value: number | bigint): string => constantText(p.dialect, dtype, value);

function loadText(e: ExprOf['load'], scope: Scope): string {
  const storage = storageIn(scope.prelude.dialect, bufferDType(scope, e.buffer));
  const { dtype, lanes } = e.type;
  invariant(storage.dtype === dtype, `a load from ${e.buffer} gives ${storage.dtype}, not ${dtype}`);
  const at = positionText(scope, e.buffer, e.index);
  const p = scope.prelude;
  if (storage.float !== undefined) return storage.float.load(p, lanes, e.buffer, at);
  if (lanes === 1) {
    const element = p.dialect.tiles?.element(bufferText(scope, e.buffer), at) ?? `${e.buffer}[${at}]`;
    return storage.bytes >= 4 ? element : `((${p.scalar(dtype)})${element})`;
  }
  const value = p.dialect.vectors.load(p, storage, e.type, `${e.buffer} + ${at}`);
  return dtype === 'bool' ? `(-${value})` : value;
}

/** By value; vectors of bools are masks, so they turn into numbers by their sign. */
function castText(e: ExprOf['cast'], scope: Scope): string {
  const x = exprText(e.x, scope);
  const { dtype, lanes } = e.type;
  const from = e.x.type.dtype;
  const p = scope.prelude;
  if (dtype === 'bool') return from === 'bool' ? x : lanes === 1 ? `(${x} != 0)` : `(${x} != ${splatText(p, e.x.type, constantOf(p, from, 0))})`;
  if (lanes === 1) return `((${p.scalar(dtype)})${x})`;
  if (from !== 'bool') return p.dialect.vectors.convert(p, e.type, x);
  return dtype === 'i32' ? `(-${x})` : p.dialect.vectors.convert(p, e.type, `(-${x})`);
}

function bitcastText(e: ExprOf['bitcast'], scope: Scope): string {
  const p = scope.prelude;
  const x = exprText(e.x, scope);
  return e.type.lanes > 1 ? p.dialect.vectors.bitcast(p, e.type, x) : p.dialect.bitcast(p, e.x.type.dtype, e.type.dtype, x);
}

/** Wraps integers to the width of `to`; dtypes as wide as the compute type change nothing. */
function narrowText(e: ExprOf['narrow'], scope: Scope): string {
  const x = exprText(e.x, scope);
  const { bits, class: kind } = dtypes[e.to];
  if (kind === 'float') {
    const { tiles, floats } = scope.prelude.dialect;
    if ((e.to === 'f16' || e.to === 'bf16') && floats?.[e.to] !== undefined) return floats[e.to]!.round(scope.prelude, e.type.lanes, x);
    if (bits < 32 && tiles !== undefined && e.to !== 'string') return tiles.rounded(storageOf(e.to), x);
    invariant(bits >= 32, `narrowing to ${e.to} has not been lowered`);
    return x;
  }
  if (bits >= 32 || e.to === 'bool') return x;
  const p = scope.prelude;
  const shift = `${32 - bits}`;
  const signed = p.type({ dtype: 'i32', lanes: e.type.lanes });
  const plain = p.type(e.type);
  return kind === 'uint' ? `(${x} & ${2 ** bits - 1}${e.type.dtype === 'u32' ? 'u' : ''})` : `((${plain})((${signed})(${x} << ${shift}) >> ${shift}))`;
}

/** Lane i with lane i + n/2, then the same over half as many: as exact as sums in pairs are, and one instruction for each half. */
function acrossText(e: ExprOf['across'], scope: Scope): string {
  const p = scope.prelude;
  const vector = e.x.type;
  const { lane, pack } = p.dialect.vectors;
  const name = `across_${e.fn}_${typeTag(vector)}${vector.dtype === 'bool' ? '_bool' : ''}`;
  const lines: string[] = [];
  let value = 'v';
  let { lanes } = vector;
  for (; lanes > PAIRED_LANES; lanes /= 2) {
    const half = { dtype: vector.dtype, lanes: lanes / 2 };
    const part = (from: number): string =>
      pack(
        p,
        half,
        Array.from({ length: lanes / 2 }, (_, i) => lane(value, from + i)),
      );
    lines.push(`${p.type(half)} v${lanes} = ${binaryText(p, e.fn, half, part(0), part(lanes / 2))};`);
    value = `v${lanes}`;
  }
  const fold = (from: number, stride: number): string =>
    stride === lanes ? lane(value, from) : binaryText(p, e.fn, { dtype: vector.dtype, lanes: 1 }, fold(from, stride * 2), fold(from + stride, stride * 2));
  lines.push(`return ${vector.dtype === 'bool' ? `${fold(0, 1)} & 1` : fold(0, 1)};`);
  const plain = p.inline(name, `${p.scalar(e.type.dtype)} ${name}(${p.type(vector)} v)`, lines.join(' '));
  const x = exprText(e.x, scope);
  const { lanesSet } = p.dialect.vectors;
  return lanesSet !== undefined && vector.dtype === 'bool' && (e.fn === 'and' || e.fn === 'or') ? lanesSet(p, vector, e.fn, plain, x) : `${plain}(${x})`;
}

/** So few lanes are combined one by one. */
const PAIRED_LANES = 4;

const texts: { readonly [K in ExprKind]: (e: ExprOf[K], scope: Scope) => string } = {
  const: (e, { prelude }) => {
    const text = constantOf(prelude, e.type.dtype, e.value);
    return e.type.lanes === 1 ? text : splatText(prelude, e.type, text);
  },
  var: (e) => e.name,
  load: loadText,
  unary: (e, scope) => unaryText(scope.prelude, e.fn, e.type, exprText(e.x, scope)),
  binary: (e, scope) => {
    // Two constant indices would be computed in C's int.
    const wide = e.type.dtype === 'index' && e.a.kind === 'const' && e.b.kind === 'const';
    return binaryText(scope.prelude, e.fn, e.type, wide ? `(${scope.prelude.dialect.index})${exprText(e.a, scope)}` : exprText(e.a, scope), exprText(e.b, scope));
  },
  compare: (e, scope) => compareText(e.fn, exprText(e.a, scope), exprText(e.b, scope)),
  select: (e, scope) => selectText(scope.prelude, e.type, exprText(e.condition, scope), exprText(e.a, scope), exprText(e.b, scope)),
  fma: (e, scope) => fmaText(scope.prelude, e.type, exprText(e.a, scope), exprText(e.b, scope), exprText(e.c, scope)),
  dot: (e, scope) => {
    const [a, b, c] = (['a', 'b', 'c'] as const).map((name) => variable(name, 'i32'));
    const plain = exprText(expandDot({ kind: 'dot', type: c!.type, parts: e.parts, a: a!, b: b!, c: c! }), scope);
    return dotText(scope.prelude, e.parts, e.type, plain, [exprText(e.a, scope), exprText(e.b, scope), exprText(e.c, scope)]);
  },
  cast: castText,
  bitcast: bitcastText,
  narrow: narrowText,
  splat: (e, scope) => splatText(scope.prelude, e.type, exprText(e.x, scope)),
  pack: (e, scope) => {
    const items = e.items.map((x) => (e.type.dtype === 'bool' ? `-${exprText(x, scope)}` : exprText(x, scope)));
    return scope.prelude.dialect.vectors.pack(scope.prelude, e.type, items);
  },
  extract: (e, scope) => {
    const lane = scope.prelude.dialect.vectors.lane(exprText(e.x, scope), e.lane);
    return e.type.dtype === 'bool' ? `(${lane} & 1)` : lane;
  },
  across: acrossText,
};

const dispatch = <K extends ExprKind>(e: ExprOf[K] & { readonly kind: K }, scope: Scope): string => texts[e.kind](e, scope);

/** `e` as a C expression. */
export const exprText = (e: Expr, scope: Scope): string => dispatch(e, scope);
