// The remainder of floats (C's fmod), exact as IEEE 754 arithmetic allows it to be.
import { binary, cast, compare, constant, declare, assign, index, loop, select, variable } from '../build.ts';
import type { Expr } from '../ir.ts';
import type { StatementWriter } from '../rewriteKernel.ts';
import { arithmeticOf } from './arithmetic.ts';
import { lanewise } from './exponential.ts';

/** Quotients below this leave a product with an f32 divisor exact in f64. */
const EXACT_QUOTIENT = 2 ** 28;
const EXPONENT_FIELD = 0x7ff;

/** By subtracting b·2^k for k from the difference of the exponents down to 0: each difference is exact. */
function subtractMultiples(a: Expr, b: Expr, out: StatementWriter): Expr {
  const m = arithmeticOf(a, out);
  const field = (x: Expr): Expr => m.and(m.shr(m.toBits(x), m.bits(52)), m.bits(EXPONENT_FIELD));
  const count = out.bind(cast('index', cast('i64', m.sub(field(a), field(b)))));
  const half = out.bind(binary('div', count, index(2)));
  const power = (k: Expr): Expr => m.fromBits(m.shl(cast('u64', binary('add', k, index(m.layout.bias))), m.bits(52)));
  const [rest, divisor, step] = [out.fresh(), out.fresh(), out.fresh()];
  out.push(declare(rest, a));
  out.push(declare(divisor, m.mul(m.mul(b, power(half)), power(binary('sub', count, half)))));
  const [r, d] = [variable(rest, 'f64'), variable(divisor, 'f64')];
  out.push(
    loop(step, index(0), binary('add', count, index(1)), [
      assign(rest, select(compare('ge', r, d), binary('sub', r, d), r)),
      assign(divisor, binary('mul', d, constant('f64', 0.5))),
    ]),
  );
  return r;
}

/** The remainder of f64 scalars; `exact` is the largest quotient whose product with the divisor is exact. */
function remainderWide(a: Expr, b: Expr, exact: number, out: StatementWriter): Expr {
  const [x, y] = [out.bind(a), out.bind(b)];
  const m = arithmeticOf(x, out);
  const [dividend, divisor] = [out.bind(m.unary('abs', x)), out.bind(m.unary('abs', y))];
  const quotient = out.bind(m.unary('trunc', m.div(dividend, divisor)));
  const isExact = out.bind(m.lt(quotient, exact));
  const isFinite = m.and(m.lt(dividend, Infinity), m.gt(divisor, 0));
  // A quotient rounded up leaves a negative rest.
  const direct = out.bind(m.sub(dividend, m.mul(quotient, divisor)));
  const corrected = m.select(m.lt(direct, 0), m.add(direct, divisor), direct);
  const needsLoop = m.and(isFinite, m.and(m.ge(dividend, divisor), m.ge(quotient, exact)));
  const result = out.bindIf(needsLoop, m.select(isExact, m.select(m.lt(dividend, divisor), dividend, corrected), NaN), () => subtractMultiples(dividend, divisor, out));
  const isDefined = m.and(m.lt(dividend, Infinity), m.gt(divisor, 0));
  return m.select(isDefined, m.withSignOf(result, x), NaN);
}

/** Bits of the dividend that are brought down at a time: a mantissa shifted by so many still has 32. */
const STEP = 8;

/** f32 scalars as integers m·2^e: long division, a few bits of the quotient at a time, keeps the rest alone. Exact. */
function remainderByIntegers(a: Expr, b: Expr, out: StatementWriter): Expr {
  const m = arithmeticOf(a, out);
  const { mantissa, bias } = m.layout;
  const [dividend, divisor] = [out.bind(m.unary('abs', a)), out.bind(m.unary('abs', b))];
  const field = (x: Expr): Expr => out.bind(cast('i32', m.shr(m.toBits(x), m.bits(mantissa))));
  const [fieldA, fieldB] = [field(dividend), field(divisor)];
  const exponentOf = (f: Expr): Expr => binary('max', f, m.int(1));
  const mantissaOf = (x: Expr, f: Expr): Expr => m.or(m.and(m.toBits(x), m.bits(2 ** mantissa - 1)), select(compare('eq', f, m.int(0)), m.bits(0), m.bits(2 ** mantissa)));
  const isDefined = out.bind(m.and(m.lt(dividend, Infinity), m.gt(divisor, 0)));
  const rest = out.bindIf(m.and(isDefined, m.ge(dividend, divisor)), dividend, () => {
    const by = out.bind(mantissaOf(divisor, fieldB));
    const [restName, leftName] = [out.fresh(), out.fresh()];
    const [r, left] = [variable(restName, 'u32'), variable(leftName, 'i32')];
    out.push(declare(restName, binary('rem', mantissaOf(dividend, fieldA), by)));
    out.push(declare(leftName, binary('sub', exponentOf(fieldA), exponentOf(fieldB))));
    const rounds = out.bind(cast('index', binary('div', binary('add', left, m.int(STEP - 1)), m.int(STEP))));
    const bits = binary('min', left, m.int(STEP));
    out.push(loop(out.fresh(), index(0), rounds, [assign(restName, binary('rem', binary('shl', r, cast('u32', bits)), by)), assign(leftName, binary('sub', left, bits))]));
    // 2^e as two factors: each is a normal number, and both products are exact.
    const e = out.bind(binary('sub', exponentOf(fieldB), m.int(bias + mantissa)));
    const half = out.bind(binary('shr', e, m.int(1)));
    const power = (k: Expr): Expr => m.fromBits(cast('u32', binary('shl', binary('add', k, m.int(bias)), m.int(mantissa))));
    return m.mul(m.mul(cast('f32', r), power(half)), power(binary('sub', e, half)));
  });
  return m.select(isDefined, m.withSignOf(rest, a), NaN);
}

/** `doubles`: whether the machine has f64, where all products of an f32 with small quotients are exact. */
export function remainder(a: Expr, b: Expr, out: StatementWriter, doubles: boolean): Expr {
  if (a.type.dtype === 'f64') return remainderWide(a, b, 1, out);
  return lanewise([out.bind(a), out.bind(b)], out, ([x, y]) =>
    doubles ? cast('f32', remainderWide(cast('f64', x!), cast('f64', y!), EXACT_QUOTIENT, out)) : remainderByIntegers(x!, y!, out),
  );
}
