// Lanes that change places: vectors put together from others, lane by lane.
import { extract, pack } from '../../../kernel/build.ts';
import type { Expr } from '../../../kernel/ir.ts';
import type { Emitter } from '../../emit/emitter.ts';

/** As many lanes as `a` has, of those of `a` and then of `b`: numbers count through both. */
function pick(emitter: Emitter, a: Expr, b: Expr, lane: (i: number) => number): Expr {
  const { lanes } = a.type;
  const item = (i: number): Expr => extract(i < lanes ? a : b, i % lanes);
  return emitter.bind(pack(Array.from({ length: lanes }, (_, i) => item(lane(i)))));
}

/** Vectors that hold one element of each of `phases`, a power of two of vectors, in turn. */
export function joinPhases(emitter: Emitter, phases: readonly Expr[]): Expr[] {
  if (phases.length === 1) return [...phases];
  const [even, odd] = [0, 1].map((parity) =>
    joinPhases(
      emitter,
      phases.filter((_, i) => i % 2 === parity),
    ),
  );
  return even!.flatMap((a, i) => {
    const { lanes } = a.type;
    return [0, lanes / 2].map((first) => pick(emitter, a, odd![i]!, (lane) => first + Math.floor(lane / 2) + (lane % 2) * lanes));
  });
}
