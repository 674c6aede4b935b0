// One kernel as C: a function over its buffers that runs a range of grid steps, and the wrapper the call table points to.
import type { Kernel } from '../../kernel/ir.ts';
import { lowerSmallFloats } from '../../kernel/smallFloats.ts';
import { expandMath } from '../../kernel/math.ts';
import type { Prelude } from './prelude.ts';
import { block } from './statement.ts';
import type { Lines } from './statement.ts';
import { storageOf } from './types.ts';

/** As `scratchBytes` in kernel/ir.ts counts. */
const SCRATCH_ALIGNMENT = 64;

/** Any text as a part of an identifier. */
export const identifier = (name: string): string => name.replace(/\W/g, '_').slice(0, 48);

/**
 * The C of a kernel. `name` is its symbol; `disjoint` says for each parameter whether its memory overlaps no other's that is written, in
 * every call, so that it may be `restrict`.
 */
export function kernelText(source: Kernel, name: string, disjoint: readonly boolean[], prelude: Prelude): string {
  const kernel = expandMath(lowerSmallFloats(source));
  const buffers = new Map([...kernel.params, ...kernel.scratch].map((b) => [b.name, b.dtype] as const));
  const out: Lines = { prelude, buffers, lines: [] };
  const pointers = kernel.params.map((b) => `${b.access === 'read' ? 'const ' : ''}${storageOf(b.dtype).c} *`);
  const params = kernel.params.map((b, i) => `${pointers[i]}${disjoint[i] === true ? 'restrict ' : ''}${b.name}`);
  out.lines.push(`static void ${name}_steps(${[...params, 'char *scratch', 'i64 begin', 'i64 end'].join(', ')}) {`);
  let offset = 0;
  for (const s of kernel.scratch) {
    const { c, bytes } = storageOf(s.dtype);
    out.lines.push(`  ${c} *restrict ${s.name} = (${c} *)(scratch + ${offset});`);
    offset += Math.ceil((s.elements * bytes) / SCRATCH_ALIGNMENT) * SCRATCH_ALIGNMENT;
  }
  const grid = kernel.grid.var;
  out.lines.push(`  for (${prelude.dialect.index} ${grid} = begin; ${grid} < end; ${grid}++) {`);
  block(kernel.body, out, '    ');
  out.lines.push('  }', '}');
  const args = kernel.params.map((_, i) => `(${pointers[i]})p[${i}]`);
  out.lines.push(`HIDDEN void ${name}(char *const *p, char *scratch, i64 begin, i64 end) {`, `  ${name}_steps(${[...args, 'scratch', 'begin', 'end'].join(', ')});`, '}');
  return `${out.lines.join('\n')}\n`;
}

/** The symbol of the kernel at `position` in its module. */
export const kernelSymbol = (kernel: Kernel, position: number): string => `k${position}_${identifier(kernel.name)}`;
