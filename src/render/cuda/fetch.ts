// Copies into memory of the block that a thread begins and awaits later (PTX ISA, "cp.async"). Where another compiler gives CUDA a meaning,
// it brings the functions itself.
import type { FetchSyntax } from '../c/dialect.ts';
import type { Prelude } from '../c/prelude.ts';

/** Functions that only the chip's compiler is shown. What is read in 16 bytes passes by the first cache. */
const functions = (p: Prelude): string => {
  const head = (number: string): string => `template <int ${number}> ${p.dialect.helper} void`;
  const copy = (kind: string, rest: string, operands: string): string =>
    `asm volatile("cp.async.${kind}.shared.global [%0], [%1], %2${rest};" :: "r"((unsigned)__cvta_generic_to_shared(to)), "l"(from), "n"(bytes)${operands} : "memory");`;
  const either = (rest: string, operands: string): string => `{
  if (bytes == 16) ${copy('cg', rest, operands)}
  else ${copy('ca', rest, operands)}
}`;
  return `#ifdef __CUDA_ARCH__
${head('bytes')} fetch(void *to, const void *from) ${either('', '')}
${head('bytes')} fetch(void *to, const void *from, int is_there) ${either(', %3', ', "r"(is_there ? bytes : 0)')}
${p.dialect.helper} void fetch_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
${head('pending')} fetch_await() { asm volatile("cp.async.wait_group %0;" :: "n"(pending) : "memory"); }
#endif
`;
};
const use = (p: Prelude): void => void p.use('fetch', () => functions(p));

export const cudaFetch: FetchSyntax = {
  fetch: (p, to, from, bytes, when) => {
    use(p);
    return `fetch<${bytes}>(${[to, from, ...(when === undefined ? [] : [when])].join(', ')});`;
  },
  commit: (p) => {
    use(p);
    return 'fetch_commit();';
  },
  await: (p, pending) => {
    use(p);
    return `fetch_await<${pending}>();`;
  },
};
