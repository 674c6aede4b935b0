// Whether lanes of masks are set, as GCC and Clang are told: x86 has instructions that bring a bit of each lane together.
import type { ExprType } from '../../kernel/ir.ts';
import type { Prelude } from './prelude.ts';

interface Gathering {
  /** What compilers define where there is the instruction. */
  readonly feature: string;
  /** Leaves the bits in `m`. */
  readonly statement: string;
}

/** By the number of lanes. */
const gatherings: Readonly<Partial<Record<number, Gathering>>> = {
  16: { feature: '__AVX512F__', statement: 'unsigned short m; __asm__("vptestmd %1, %1, %0" : "=Yk"(m) : "v"(v));' },
  8: { feature: '__AVX__', statement: 'int m; __asm__("vmovmskps %1, %0" : "=r"(m) : "x"(v));' },
  4: { feature: '__SSE__', statement: 'int m; __asm__("%vmovmskps %1, %0" : "=r"(m) : "x"(v));' },
};

/** 1 where all lanes of the masks `x` are set (`and`) or any (`or`), else 0; `plain` is the function for machines without an instruction for it. */
export function lanesSet(p: Prelude, type: ExprType, fn: 'and' | 'or', plain: string, x: string): string {
  const gathering = gatherings[type.lanes];
  if (gathering === undefined) return `${plain}(${x})`;
  const test = fn === 'and' ? `m == ${2 ** type.lanes - 1}` : 'm != 0';
  const vector = p.type(type);
  const name = `lanes_${fn}_${vector}`;
  return `${p.inline(name, `int ${name}(${vector} v)`, `\n#ifdef ${gathering.feature}\n${gathering.statement} return ${test};\n#else\nreturn ${plain}(v);\n#endif\n`)}(${x})`;
}
