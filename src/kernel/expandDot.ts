// Products of the parts of words, written out in shifts, products and sums: for machines and languages that have no instruction for them.
import { wordLayouts } from '../core/words.ts';
import { add, binary, constant, mul, splat } from './build.ts';
import type { Expr } from './ir.ts';
import type { ExprOf } from './rewriteKernel.ts';

/** The same value in plain arithmetic; `a` and `b` are asked for several times. */
export function expandDot({ parts, a, b, c }: ExprOf['dot']): Expr {
  const { count, bits, dtypes } = wordLayouts[parts];
  const number = (value: number): Expr => splat(constant('i32', value), c.type.lanes);
  const shifted = (fn: 'shl' | 'shr', x: Expr, by: number): Expr => (by === 0 ? x : binary(fn, x, number(by)));
  const part = (x: Expr, i: number, isSigned: boolean): Expr =>
    isSigned ? shifted('shr', shifted('shl', x, 32 - (i + 1) * bits), 32 - bits) : binary('and', shifted('shr', x, i * bits), number(2 ** bits - 1));
  let sum = c;
  for (let i = 0; i < count; i++) sum = add(sum, mul(part(a, i, dtypes[0] !== 'u8'), part(b, i, true)));
  return sum;
}
