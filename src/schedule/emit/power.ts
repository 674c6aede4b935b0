// Powers: small constant exponents as products, integer powers by repeated squaring, all else left to the kernel's `pow`.
import { dtypes } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { binary, compare, select } from '../../kernel/build.ts';
import type { Expr } from '../../kernel/ir.ts';
import { like, narrowTo } from './compute.ts';
import type { LetScope } from './elementwise.ts';

const constantOf = (x: Expr): number | undefined => (x.kind === 'splat' ? constantOf(x.x) : x.kind === 'const' ? Number(x.value) : undefined);

/** Float powers; exponents 0, 1, 2 and −1 need no function and are exact. */
export function realPower(a: Expr, b: Expr, scope: LetScope): Expr {
  switch (constantOf(b)) {
    case 0:
      return like(a, 1);
    case 1:
      return a;
    case -1:
      return binary('div', like(a, 1), a);
    case 2: {
      const x = scope.bind(a);
      return binary('mul', x, x);
    }
    default:
      return binary('pow', a, b);
  }
}

/** Integer powers modulo 2^bits. Squarings beyond the exponent's bits cannot matter, so a constant exponent costs only its own. */
export function integerPower(a: Expr, b: Expr, dtype: NumericDType, scope: LetScope): Expr {
  const exponent = constantOf(b);
  const known = exponent !== undefined && exponent >= 0;
  const bits = known ? Math.max(Math.ceil(Math.log2(exponent + 1)), 1) : Math.min(dtypes[dtype].bits, 63);
  const base = scope.bind(a);
  const count = scope.bind(b);
  let square = base;
  let result = like(base, 1);
  for (let bit = 0; bit < bits; bit++) {
    const one = like(count, 1);
    const odd = known ? Math.floor(exponent / 2 ** bit) % 2 === 1 : undefined;
    const multiplied = odd === false ? result : scope.bind(narrowTo(dtype, binary('mul', result, square)));
    const isOdd = (): Expr => compare('eq', binary('and', binary('shr', count, like(count, bit)), one), one);
    result = odd === undefined ? scope.bind(select(isOdd(), multiplied, result)) : multiplied;
    if (bit + 1 < bits) square = scope.bind(narrowTo(dtype, binary('mul', square, square)));
  }
  if (dtypes[dtype].class !== 'int') return result;
  return exponent === undefined || exponent < 0 ? select(compare('ge', count, like(count, 0)), result, negativePower(base, count)) : result;
}

/** 1 / base^n for n > 0: 0 unless the base is 1 or −1. */
function negativePower(base: Expr, count: Expr): Expr {
  const one = like(base, 1);
  const isEven = compare('eq', binary('and', count, like(count, 1)), like(count, 0));
  const minusOne = select(isEven, one, like(base, -1));
  return select(compare('eq', base, one), one, select(compare('eq', base, like(base, -1)), minusOne, like(base, 0)));
}
