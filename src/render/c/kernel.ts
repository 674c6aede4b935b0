// One kernel as C: a function over its buffers that runs a range of grid steps, and the wrapper the call table points to.
import type { Kernel } from '../../kernel/ir.ts';
import { lowerSmallFloats } from '../../kernel/smallFloats.ts';
import { parametrize } from '../../kernel/sizes.ts';
import { expandMath } from '../../kernel/math.ts';
import type { Prelude } from './prelude.ts';
import { exprText } from './expression.ts';
import { block } from './statement.ts';
import type { Lines } from './statement.ts';
import { constantText, convertedBy, storageIn } from './types.ts';

/** Any text as a part of an identifier. */
export const identifier = (name: string): string => name.replace(/\W/g, '_').slice(0, 48);

/**
 * The C of kernels that differ in sizes alone: one function, and for each a wrapper that calls it with its sizes. `names` are the
 * wrappers' symbols; `disjoint` says for each parameter whether its memory overlaps no other's that is written, in every call, so that it
 * may be `restrict`.
 */
export function kernelsText(sources: readonly Kernel[], names: readonly string[], disjoint: readonly boolean[], prelude: Prelude): string {
  const { kernel: sized, scratchOffsets, sizes, values } = parametrize(sources);
  const kernel = expandMath(lowerSmallFloats(sized, convertedBy(prelude.dialect)));
  const buffers = new Map([...kernel.params, ...kernel.scratch].map((b) => [b.name, b.dtype] as const));
  const out: Lines = { prelude, buffers, lines: [] };
  const pointers = kernel.params.map((b) => `${b.access === 'read' ? 'const ' : ''}${storageIn(prelude.dialect, b.dtype).c} *`);
  const params = kernel.params.map((b, i) => `${pointers[i]}${disjoint[i] === true ? 'restrict ' : ''}${b.name}`);
  const steps = `${names[0]}_steps`;
  const { index } = prelude.dialect;
  out.lines.push(
    `static ${sizes.length > 0 ? 'NOINLINE ' : ''}void ${steps}(${[...params, 'char *scratch', 'i64 begin', 'i64 end', ...sizes.map((s) => `${index} ${s}`)].join(', ')}) {`,
  );
  kernel.scratch.forEach((s, i) => {
    const { c } = storageIn(prelude.dialect, s.dtype);
    out.lines.push(`  ${c} *restrict ${s.name} = (${c} *)(scratch + ${exprText(scratchOffsets[i]!, out)});`);
  });
  const grid = kernel.grid.var;
  out.lines.push(`  for (${index} ${grid} = begin; ${grid} < end; ${grid}++) {`);
  block(kernel.body, out, '    ');
  out.lines.push('  }', '}');
  const args = kernel.params.map((_, i) => `(${pointers[i]})p[${i}]`);
  names.forEach((name, i) => {
    const own = values[i]!.map((value) => constantText(prelude.dialect, 'index', value));
    out.lines.push(`HIDDEN void ${name}(char *const *p, char *scratch, i64 begin, i64 end) {`, `  ${steps}(${[...args, 'scratch', 'begin', 'end', ...own].join(', ')});`, '}');
  });
  return `${out.lines.join('\n')}\n`;
}

/** The symbol of the kernel at `position` in its module. */
export const kernelSymbol = (kernel: Kernel, position: number): string => `k${position}_${identifier(kernel.name)}`;
