// Half floats as GPUs convert them: NVIDIA's by the machine's own instruction (PTX ISA, "cvt"), which needs no header; where the compiler
// is Clang, by its type _Float16, which needs none either. Where another compiler gives CUDA a meaning, it brings the functions itself.
import type { FloatSyntax, FloatSyntaxes } from '../c/dialect.ts';
import type { Prelude } from '../c/prelude.ts';

/** A function that only the chip's compiler is shown; `plain` is for architectures before `since`. */
function define(p: Prelude, name: string, signature: string, { since = 0, body, plain = '' }: Body): string {
  const inside = since === 0 ? body : `\n#if __CUDA_ARCH__ >= ${since}\n${body}\n#else\n${plain}\n#endif\n`;
  return p.use(name, () => `#ifdef __CUDA_ARCH__\n${p.dialect.helper} ${signature} { ${inside} }\n#endif\n`);
}

interface Body {
  readonly body: string;
  /** The compute capability × 100 that has the instruction. */
  readonly since?: number;
  readonly plain?: string;
}

interface Conversion {
  readonly name: string;
  /** Bodies of functions of the bits `a`, and of the float `a`. */
  readonly widen: Body;
  readonly narrow: Body;
}

function converted({ name, widen, narrow }: Conversion): FloatSyntax {
  const from = (p: Prelude): string => define(p, `float_of_${name}`, `float float_of_${name}(u16 a)`, widen);
  const to = (p: Prelude): string => define(p, `${name}_of_float`, `u16 ${name}_of_float(float a)`, narrow);
  return {
    c: 'u16',
    load: (p, _, buffer, at) => `${from(p)}(${buffer}[${at}])`,
    store: (p, lanes, buffer, at, x) => (lanes === 4 ? `${storer(p, name, to(p))}(${buffer} + ${at}, ${x});` : `${buffer}[${at}] = ${to(p)}(${x});`),
    round: (p, _, x) => `${from(p)}(${to(p)}(${x}))`,
  };
}

/** Four at a time, at a multiple of their size. */
const storer = (p: Prelude, name: string, to: string): string =>
  p.inline(
    `store_${name}x4`,
    `void store_${name}x4(u16 *p, float4 v)`,
    `uint2 w; w.x = ${to}(v.x) | (unsigned)${to}(v.y) << 16; w.y = ${to}(v.z) | (unsigned)${to}(v.w) << 16; *(uint2 *)p = w;`,
  );

const rounded = (type: string): string => `u16 r; asm("cvt.rn.${type}.f32 %0, %1;" : "=h"(r) : "f"(a)); return r;`;

export const cudaFloats: FloatSyntaxes = {
  f16: converted({ name: 'f16', widen: { body: 'float r; asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(a)); return r;' }, narrow: { body: rounded('f16') } }),
  bf16: converted({
    name: 'bf16',
    widen: { body: 'return __uint_as_float((unsigned)a << 16);' },
    narrow: {
      since: 800,
      body: rounded('bf16'),
      plain: 'unsigned b = __float_as_uint(a); return a != a ? 0x7fc0 : (u16)((b + 0x7fff + ((b >> 16) & 1)) >> 16);',
    },
  }),
};

/** Of compilers that are Clang underneath. */
export const clangFloats: FloatSyntaxes = {
  f16: {
    c: '_Float16',
    load: (_, __, buffer, at) => `((float)${buffer}[${at}])`,
    store: (_, __, buffer, at, x) => `${buffer}[${at}] = (_Float16)${x};`,
    round: (_, __, x) => `((float)(_Float16)${x})`,
  },
};
