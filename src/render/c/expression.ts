// Kernel expressions as C: one total table from kind to text. Every text can stand as an operand without parentheses around it.
import { invariant } from '../../core/error.ts';
import { dtypes } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import type { Expr, ExprKind, ExprType } from '../../kernel/ir.ts';
import type { ExprOf } from '../../kernel/rewriteKernel.ts';
import { binaryText, compareText, fmaText, selectText, unaryText } from './functions.ts';
import type { Prelude } from './prelude.ts';
import { constantText, scalarType, storageOf, typeTag } from './types.ts';

export interface Scope {
  readonly prelude: Prelude;
  /** The dtype of each buffer of the kernel. */
  readonly buffers: ReadonlyMap<string, NumericDType>;
}

export function bufferDType(scope: Scope, name: string): NumericDType {
  const dtype = scope.buffers.get(name);
  invariant(dtype !== undefined, `the kernel has no buffer ${name}`);
  return dtype;
}

const splatText = (p: Prelude, type: ExprType, x: string): string => {
  const name = p.type(type);
  const items = Array.from({ length: type.lanes }, () => 'a').join(', ');
  const splat = p.inline(`splat_${name}`, `${name} splat_${name}(${scalarType(type.dtype === 'bool' ? 'i32' : type.dtype)} a)`, `return (${name}){${items}};`);
  return `${splat}(${type.dtype === 'bool' ? `-${x}` : x})`;
};

function loadText(e: ExprOf['load'], scope: Scope): string {
  const storage = storageOf(bufferDType(scope, e.buffer));
  const { dtype, lanes } = e.type;
  invariant(storage.dtype === dtype, `a load from ${e.buffer} gives ${storage.dtype}, not ${dtype}`);
  const at = exprText(e.index, scope);
  if (lanes === 1) return dtype === storage.dtype && storage.bytes >= 4 ? `${e.buffer}[${at}]` : `((${scalarType(dtype)})${e.buffer}[${at}])`;
  const p = scope.prelude;
  const memory = p.memoryVector(storage.c, lanes, storage.bytes);
  const value = `*(const ${memory} *)(${e.buffer} + ${at})`;
  if (storage.bytes === 4) return `((${p.type(e.type)})(${value}))`;
  const wide = `__builtin_convertvector(${value}, ${p.type(e.type)})`;
  return dtype === 'bool' ? `(-${wide})` : wide;
}

/** By value; vectors of bools are masks, so they turn into numbers by their sign. */
function castText(e: ExprOf['cast'], scope: Scope): string {
  const x = exprText(e.x, scope);
  const { dtype, lanes } = e.type;
  const from = e.x.type.dtype;
  if (dtype === 'bool') return from === 'bool' ? x : lanes === 1 ? `(${x} != 0)` : `(${x} != ${splatText(scope.prelude, e.x.type, constantText(from, 0))})`;
  const type = scope.prelude.type(e.type);
  if (lanes === 1) return `((${type})${x})`;
  if (from !== 'bool') return `__builtin_convertvector(${x}, ${type})`;
  return dtype === 'i32' ? `(-${x})` : `__builtin_convertvector(-${x}, ${type})`;
}

function bitcastText(e: ExprOf['bitcast'], scope: Scope): string {
  const p = scope.prelude;
  const x = exprText(e.x, scope);
  const [from, to] = [p.type(e.x.type), p.type(e.type)];
  if (e.type.lanes > 1) return `((${to})${x})`;
  const name = `bits_${typeTag(e.x.type)}_${typeTag(e.type)}`;
  return `${p.inline(name, `${to} ${name}(${from} a)`, `${to} r; __builtin_memcpy(&r, &a, sizeof r); return r;`)}(${x})`;
}

/** Wraps integers to the width of `to`; dtypes as wide as the compute type change nothing. */
function narrowText(e: ExprOf['narrow'], scope: Scope): string {
  const x = exprText(e.x, scope);
  const { bits, class: kind } = dtypes[e.to];
  if (kind === 'float') {
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

const acrossOperators = { add: 'add', mul: 'mul', min: 'min', max: 'max', and: 'and', or: 'or' } as const;

/** Lane i with lane i + n/2, then the same over half as many: as exact as sums in pairs are. */
function acrossText(e: ExprOf['across'], scope: Scope): string {
  const p = scope.prelude;
  const vector = e.x.type;
  const fold = (from: number, stride: number): string => {
    if (stride === vector.lanes) return `v[${from}]`;
    return binaryText(p, acrossOperators[e.fn], { dtype: vector.dtype, lanes: 1 }, fold(from, stride * 2), fold(from + stride, stride * 2));
  };
  const type = scalarType(e.type.dtype);
  const name = `across_${e.fn}_${typeTag(vector)}${vector.dtype === 'bool' ? '_bool' : ''}`;
  const folded = fold(0, 1);
  const body = `return ${vector.dtype === 'bool' ? `${folded} & 1` : folded};`;
  return `${p.inline(name, `${type} ${name}(${p.type(vector)} v)`, body)}(${exprText(e.x, scope)})`;
}

const texts: { readonly [K in ExprKind]: (e: ExprOf[K], scope: Scope) => string } = {
  const: (e, scope) => (e.type.lanes === 1 ? constantText(e.type.dtype, e.value) : splatText(scope.prelude, e.type, constantText(e.type.dtype, e.value))),
  var: (e) => e.name,
  load: loadText,
  unary: (e, scope) => unaryText(scope.prelude, e.fn, e.type, exprText(e.x, scope)),
  binary: (e, scope) => {
    // Two constant indices would be computed in C's int.
    const wide = e.type.dtype === 'index' && e.a.kind === 'const' && e.b.kind === 'const';
    return binaryText(scope.prelude, e.fn, e.type, wide ? `(i64)${exprText(e.a, scope)}` : exprText(e.a, scope), exprText(e.b, scope));
  },
  compare: (e, scope) => compareText(e.fn, exprText(e.a, scope), exprText(e.b, scope)),
  select: (e, scope) => selectText(scope.prelude, e.type, exprText(e.condition, scope), exprText(e.a, scope), exprText(e.b, scope)),
  fma: (e, scope) => fmaText(scope.prelude, e.type, exprText(e.a, scope), exprText(e.b, scope), exprText(e.c, scope)),
  cast: castText,
  bitcast: bitcastText,
  narrow: narrowText,
  splat: (e, scope) => splatText(scope.prelude, e.type, exprText(e.x, scope)),
  pack: (e, scope) => `((${scope.prelude.type(e.type)}){${e.items.map((x) => (e.type.dtype === 'bool' ? `-${exprText(x, scope)}` : exprText(x, scope))).join(', ')}})`,
  extract: (e, scope) => (e.type.dtype === 'bool' ? `(${exprText(e.x, scope)}[${e.lane}] & 1)` : `${exprText(e.x, scope)}[${e.lane}]`),
  across: acrossText,
};

const dispatch = <K extends ExprKind>(e: ExprOf[K] & { readonly kind: K }, scope: Scope): string => texts[e.kind](e, scope);

/** `e` as a C expression. */
export const exprText = (e: Expr, scope: Scope): string => dispatch(e, scope);
