// Vectors of 32-bit lanes from integers of 8 or 16 bits in memory and back, as GCC and Clang are told: both have a conversion of vectors, but
// GCC takes it apart lane by lane, so on x86 the instruction is named, and elsewhere bytes take two steps, which it knows.
import type { ExprType } from '../../kernel/ir.ts';
import type { Prelude } from './prelude.ts';
import { typeName } from './types.ts';
import type { Storage } from './types.ts';

/** What compilers define where there is an instruction for so many lanes. */
const wideningFeatures: Readonly<Partial<Record<number, string>>> = { 4: '__AVX__', 8: '__AVX2__', 16: '__AVX512F__' };
const narrowingFeatures: Readonly<Partial<Record<number, string>>> = { 4: '__AVX512VL__', 8: '__AVX512VL__', 16: '__AVX512F__' };

const elementLetter = ({ bytes }: Storage): string => (bytes === 1 ? 'b' : 'w');
const isSigned = ({ c }: Storage): boolean => c === 'i8' || c === 'short';

/** A vector of 16-bit elements between: fewer lanes than 8 take no fewer instructions with it. */
function halfway(p: Prelude, storage: Storage, lanes: number): string | undefined {
  if (storage.bytes !== 1 || lanes < 8) return undefined;
  const element = isSigned(storage) ? 'short' : 'u16';
  const name = `${element}x${lanes}`;
  return p.use(name, () => `typedef ${element} ${name} __attribute__((vector_size(${lanes * 2})));\n`);
}

/** The statement `atOnce` where the feature is there, else `plain`. */
const choose = (feature: string | undefined, atOnce: string, plain: string): string =>
  feature === undefined ? plain : `\n#ifdef ${feature}\n${atOnce}\n#else\n${plain}\n#endif\n`;

/** The lanes of `type` from `memory`, a type of vectors of such elements, at `pointer`. */
export function loadNarrow(p: Prelude, storage: Storage, type: ExprType, memory: string, pointer: string): string {
  const full = p.type(type);
  const step = halfway(p, storage, type.lanes);
  const value = `*(const ${memory} *)p`;
  const plain = `return __builtin_convertvector(${step === undefined ? value : `__builtin_convertvector(${value}, ${step})`}, ${full});`;
  const instruction = `vpmov${isSigned(storage) ? 's' : 'z'}x${elementLetter(storage)}d`;
  const body = choose(wideningFeatures[type.lanes], `${full} r; __asm__("${instruction} %1, %0" : "=v"(r) : "m"(${value})); return r;`, plain);
  const name = `load_${storage.c}_${typeName(type)}`;
  return `${p.inline(name, `${full} ${name}(const ${storage.c} *p)`, body)}(${pointer})`;
}

/** Stores the lanes of `x`, cut off to the width of the elements. */
export function storeNarrow(p: Prelude, storage: Storage, type: ExprType, memory: string, pointer: string, x: string): string {
  const full = p.type(type);
  const step = halfway(p, storage, type.lanes);
  const plain = `*(${memory} *)p = __builtin_convertvector(${step === undefined ? 'x' : `__builtin_convertvector(x, ${step})`}, ${memory});`;
  const body = choose(narrowingFeatures[type.lanes], `__asm__("vpmovd${elementLetter(storage)} %1, %0" : "=m"(*(${memory} *)p) : "v"(x));`, plain);
  const name = `store_${storage.c}_${typeName(type)}`;
  return `${p.inline(name, `void ${name}(${storage.c} *p, ${full} x)`, body)}(${pointer}, ${x});`;
}
