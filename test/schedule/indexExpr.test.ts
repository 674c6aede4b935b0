// The index algebra: whatever it simplifies must have the same value at every point.
import { assert, constantFrom, integer, letrec, oneof, property, tuple } from 'fast-check';
import type { Arbitrary } from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addIndex,
  coefficientOf,
  constantIndex,
  delinearize,
  evaluateIndex,
  floorDiv,
  indexSymbol,
  isConstant,
  linearIndex,
  modIndex,
  scaleIndex,
  substituteIndex,
  symbolsIn,
} from '../../src/core/indexExpr.ts';
import type { IndexExpr } from '../../src/core/indexExpr.ts';
import { stridesOf } from '../../src/core/shape.ts';

/** An expression and the plain arithmetic it stands for. */
interface Pair {
  readonly expr: IndexExpr;
  readonly plain: (env: ReadonlyMap<string, number>) => number;
}
const extents = { i: 4, j: 6, k: 5 } as const;
const mod = (a: number, b: number): number => a - Math.floor(a / b) * b;

const leaf: Arbitrary<Pair> = oneof(
  constantFrom('i' as const, 'j' as const, 'k' as const).map((name) => ({
    expr: indexSymbol(name, 0, extents[name] - 1),
    plain: (env: ReadonlyMap<string, number>) => env.get(name)!,
  })),
  integer({ min: -5, max: 12 }).map((n) => ({ expr: constantIndex(n), plain: () => n })),
);
const pairs: Arbitrary<Pair> = letrec<{ pair: Pair }>((tie) => ({
  pair: oneof(
    { maxDepth: 5, depthSize: 'medium' },
    leaf,
    tuple(tie('pair'), tie('pair')).map(([a, b]) => ({ expr: addIndex(a.expr, b.expr), plain: (env: ReadonlyMap<string, number>) => a.plain(env) + b.plain(env) })),
    tuple(tie('pair'), integer({ min: -3, max: 12 })).map(([a, n]) => ({ expr: scaleIndex(a.expr, n), plain: (env: ReadonlyMap<string, number>) => a.plain(env) * n })),
    tuple(tie('pair'), constantFrom(1, 2, 3, 4, 6, 12)).map(([a, n]) => ({ expr: floorDiv(a.expr, n), plain: (env: ReadonlyMap<string, number>) => Math.floor(a.plain(env) / n) })),
    tuple(tie('pair'), constantFrom(1, 2, 3, 4, 6, 12)).map(([a, n]) => ({ expr: modIndex(a.expr, n), plain: (env: ReadonlyMap<string, number>) => mod(a.plain(env), n) })),
  ),
})).pair;

function forEachPoint(visit: (env: ReadonlyMap<string, number>) => void): void {
  for (let i = 0; i < extents.i; i++)
    for (let j = 0; j < extents.j; j++)
      for (let k = 0; k < extents.k; k++)
        visit(
          new Map([
            ['i', i],
            ['j', j],
            ['k', k],
          ]),
        );
}

describe('index algebra', () => {
  it('keeps the value of every expression and stays within its range', () => {
    assert(
      property(pairs, ({ expr, plain }) => {
        forEachPoint((env) => {
          const value = evaluateIndex(expr, (name) => env.get(name)!);
          expect(value).toBe(plain(env) + 0);
          expect(value).toBeGreaterThanOrEqual(expr.min);
          expect(value).toBeLessThanOrEqual(expr.max);
        });
      }),
      { numRuns: 400 },
    );
  });

  it('substitutes without changing values', () => {
    assert(
      property(pairs, ({ expr, plain }) => {
        const replaced = substituteIndex(expr, new Map([['j', addIndex(scaleIndex(indexSymbol('hi', 0, 1), 3), indexSymbol('lo', 0, 2))]]));
        forEachPoint((env) => {
          const j = env.get('j')!;
          const valueOf = (name: string): number => (name === 'hi' ? Math.floor(j / 3) : name === 'lo' ? j % 3 : env.get(name)!);
          expect(evaluateIndex(replaced, valueOf)).toBe(plain(env) + 0);
        });
      }),
      { numRuns: 200 },
    );
  });

  it('undoes a reshape by the reshape back', () => {
    const shapes = [[24], [2, 12], [2, 3, 4], [4, 6], [1, 24, 1], [3, 2, 2, 2], [8, 3]];
    for (const from of shapes) {
      for (const to of shapes) {
        const position = from.map((size, axis) => indexSymbol(`a${axis}`, 0, size - 1));
        const there = delinearize(linearIndex(position, stridesOf(from)), to);
        const back = delinearize(linearIndex(there, stridesOf(to)), from);
        expect(back.map((x) => x.key)).toEqual(position.map((x) => x.key));
      }
    }
  });

  it('knows the coefficient of a symbol, and that a division hides it', () => {
    const i = indexSymbol('i', 0, 9);
    const j = indexSymbol('j', 0, 9);
    const x = addIndex(scaleIndex(i, 7), floorDiv(j, 4));
    expect(coefficientOf(x, 'i')).toBe(7);
    expect(coefficientOf(x, 'j')).toBeUndefined();
    expect(coefficientOf(x, 'z')).toBe(0);
    expect([...symbolsIn(x)].sort()).toEqual(['i', 'j']);
    expect(isConstant(floorDiv(j, 10))).toBe(true);
  });
});
