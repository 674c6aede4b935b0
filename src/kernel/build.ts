// Short constructors for kernel IR, with the small simplifications that keep rendered source readable. Types are checked by verify.ts.
import type { WordParts } from '../core/words.ts';
import type { BinaryFn, CompareFn, ComputeDType, Expr, ExprType, Stmt, UnaryFn } from './ir.ts';

export const exprType = (dtype: ComputeDType, lanes = 1): ExprType => ({ dtype, lanes });
export const constant = (dtype: ComputeDType, value: number | bigint): Expr => ({ kind: 'const', type: exprType(dtype), value });
export const index = (value: number): Expr => constant('index', value);
export const variable = (name: string, dtype: ComputeDType = 'index', lanes = 1): Expr => ({ kind: 'var', type: exprType(dtype, lanes), name });
export const load = (buffer: string, at: Expr, dtype: ComputeDType, lanes = 1): Expr => ({ kind: 'load', type: exprType(dtype, lanes), buffer, index: at });
export const unary = (fn: UnaryFn, x: Expr): Expr => ({ kind: 'unary', type: x.type, fn, x });
export const compare = (fn: CompareFn, a: Expr, b: Expr): Expr => ({ kind: 'compare', type: exprType('bool', a.type.lanes), fn, a, b });
export const select = (condition: Expr, a: Expr, b: Expr): Expr => ({ kind: 'select', type: a.type, condition, a, b });
export const fma = (a: Expr, b: Expr, c: Expr): Expr => ({ kind: 'fma', type: c.type, a, b, c });
export const dot = (parts: WordParts, a: Expr, b: Expr, c: Expr): Expr => ({ kind: 'dot', type: c.type, parts, a, b, c });
export const cast = (to: ComputeDType, x: Expr): Expr => (x.type.dtype === to ? x : { kind: 'cast', type: exprType(to, x.type.lanes), x });
export const bitcast = (to: ComputeDType, x: Expr): Expr => (x.type.dtype === to ? x : { kind: 'bitcast', type: exprType(to, x.type.lanes), x });
export const splat = (x: Expr, lanes: number): Expr => (x.type.lanes === lanes ? x : { kind: 'splat', type: exprType(x.type.dtype, lanes), x });
export const extract = (x: Expr, lane: number): Expr => ({ kind: 'extract', type: exprType(x.type.dtype), x, lane });
export const pack = (items: readonly Expr[]): Expr => ({ kind: 'pack', type: exprType(items[0]?.type.dtype ?? 'f32', items.length), items });

export function binary(fn: BinaryFn, a: Expr, b: Expr): Expr {
  if (a.type.dtype === 'index' && a.kind === 'const' && b.kind === 'const') {
    const x = Number(a.value);
    const y = Number(b.value);
    if (fn === 'add') return index(x + y);
    if (fn === 'mul') return index(x * y);
  }
  if (a.type.dtype === 'index' && b.kind === 'const') {
    if (fn === 'add' && b.value === 0) return a;
    if (fn === 'mul' && b.value === 1) return a;
    if (fn === 'mul' && b.value === 0) return b;
    if (fn === 'div' && b.value === 1) return a;
  }
  if (b.type.dtype === 'index' && a.kind === 'const') {
    if (fn === 'add' && a.value === 0) return b;
    if (fn === 'mul' && a.value === 1) return b;
  }
  return { kind: 'binary', type: a.type, fn, a, b };
}
export const add = (a: Expr, b: Expr): Expr => binary('add', a, b);
export const mul = (a: Expr, b: Expr): Expr => binary('mul', a, b);

export const loop = (name: string, from: Expr, to: Expr, body: readonly Stmt[], step = 1): Stmt => ({ kind: 'for', var: name, from, to, step, body });
export const declare = (name: string, value: Expr): Stmt => ({ kind: 'let', name, value });
export const assign = (name: string, value: Expr): Stmt => ({ kind: 'assign', name, value });
export const shuffle = (name: string, value: Expr, mask: number): Stmt => ({ kind: 'shuffle', name, value, mask });
export const store = (buffer: string, at: Expr, value: Expr): Stmt => ({ kind: 'store', buffer, index: at, value });
