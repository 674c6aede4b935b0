// Which pipe uses which memory in a statement of a tile kernel: buffers by their names, fragments of a matrix unit by theirs.
import type { Expr, MatrixStep, Pipe, Stmt } from '../../kernel/ir.ts';
import { placeOf } from '../../kernel/matrix.ts';
import { stepPipe, storePipe } from '../../kernel/pipes.ts';
import { operandsOf } from '../../kernel/rewriteKernel.ts';

export interface Use {
  readonly pipe: Pipe;
  readonly buffer: string;
  readonly writes: boolean;
}

function loadsOf(e: Expr, uses: Use[]): Use[] {
  if (e.kind === 'load') uses.push({ pipe: e.type.lanes > 1 ? 'vector' : 'scalar', buffer: e.buffer, writes: false });
  for (const x of operandsOf(e)) loadsOf(x, uses);
  return uses;
}
const loads = (...list: readonly Expr[]): Use[] => list.flatMap((e) => loadsOf(e, []));

function stepUses(step: MatrixStep): readonly Use[] {
  if (step.do === 'declare') return [];
  const pipe = stepPipe(step);
  const place = placeOf(step);
  const sizes = place === undefined ? [] : loads(place.index, ...[place.lines, place.elements].flatMap((e) => e ?? []));
  const read = (buffer: string): Use => ({ pipe, buffer, writes: false });
  const written = (buffer: string): Use => ({ pipe, buffer, writes: true });
  if (step.do === 'load') return [...sizes, read(step.from.buffer), written(step.name)];
  if (step.do === 'store') return [...sizes, read(step.name), written(step.to.buffer)];
  return step.do === 'multiply' ? [read(step.a), read(step.b), written(step.sum)] : [];
}

/** Uses of the statement itself, without those of statements within; `params` are in global memory. */
export function usesOf(s: Stmt, params: ReadonlySet<string>): readonly Use[] {
  switch (s.kind) {
    case 'for':
      return loads(s.from, s.to);
    case 'let':
    case 'assign':
      return loads(s.value);
    case 'if':
      return loads(s.condition);
    case 'store':
      return [...loads(s.index, s.value), { pipe: storePipe(s), buffer: s.buffer, writes: true }];
    case 'copy': {
      const pipe = params.has(s.to.buffer) ? 'out' : 'in';
      const sizes = loads(s.to.index, s.from.index, s.rows, s.elements);
      return [...sizes, { pipe, buffer: s.from.buffer, writes: false }, { pipe, buffer: s.to.buffer, writes: true }];
    }
    case 'matrix':
      return stepUses(s.step);
    case 'barrier':
    case 'shuffle':
    case 'fetch':
    case 'commit':
    case 'await':
    case 'signal':
    case 'wait':
      return [];
  }
}
