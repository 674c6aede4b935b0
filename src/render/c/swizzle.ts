// Positions in swizzled memory (kernel/matrix.ts): parts of lines that change places.
import { binary, index } from '../../kernel/build.ts';
import type { Expr } from '../../kernel/ir.ts';
import { SWIZZLE } from '../../kernel/matrix.ts';
import type { Prelude } from './prelude.ts';

/** `e` as two summands: multiples of `period`, and the rest. */
function splitBy(e: Expr, period: number): readonly [whole: Expr, rest: Expr] {
  if (e.kind === 'const') {
    const rest = Number(e.value) % period;
    return [index(Number(e.value) - rest), index(rest)];
  }
  if (e.kind !== 'binary') return [index(0), e];
  if (e.fn === 'mul' && e.b.kind === 'const' && Number(e.b.value) % period === 0) return [e, index(0)];
  if (e.fn !== 'add') return [index(0), e];
  const [a, b] = [splitBy(e.a, period), splitBy(e.b, period)];
  return [binary('add', a[0], b[0]), binary('add', a[1], b[1])];
}

/** Where element `at`, of so many bytes, lies. Whole periods stay outside, so that what is left is the same in every step of a loop. */
export function swizzledText(p: Prelude, at: Expr, bytes: number, text: (e: Expr) => string): string {
  const [whole, rest] = splitBy(at, SWIZZLE.periodBytes / bytes);
  const type = p.dialect.index;
  const name = `swizzled_${bytes}`;
  const mask = ((SWIZZLE.lineBytes / SWIZZLE.partBytes - 1) * SWIZZLE.partBytes) / bytes;
  p.inline(name, `${type} ${name}(${type} i)`, `return i ^ ((i >> 3) & ${mask});`);
  const moved = `${name}(${text(rest)})`;
  return whole.kind === 'const' && Number(whole.value) === 0 ? moved : `(${text(whole)} + ${moved})`;
}
