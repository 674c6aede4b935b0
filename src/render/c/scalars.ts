// What languages of C's family without vectors, and without a C library, have in common.
import { AnychipError } from '../../core/error.ts';
import type { ComputeDType } from '../../kernel/ir.ts';
import type { VectorSyntax } from './dialect.ts';
import type { Prelude } from './prelude.ts';

const none = (): never => {
  throw new AnychipError('internal', 'the language has no vectors of its own: the schedule must not ask for them');
};
export const noVectors: VectorSyntax = {
  type: none,
  pack: none,
  splat: none,
  lane: none,
  convert: none,
  bitcast: none,
  select: none,
  load: none,
  store: none,
  lanewise: none,
};

/** No function of the C library is needed, so a compiler without its headers takes it. */
export function bitcastByUnion(p: Prelude, from: ComputeDType, to: ComputeDType, x: string): string {
  const name = `bits_${from}_${to}`;
  const [source, target] = [p.scalar(from), p.scalar(to)];
  return `${p.inline(name, `${target} ${name}(${source} a)`, `union { ${source} from; ${target} to; } bits; bits.from = a; return bits.to;`)}(${x})`;
}
