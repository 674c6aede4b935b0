// Half floats as GCC and Clang convert them on processors that have instructions for it. Clang makes one instruction of a conversion of
// vectors; GCC would take them apart, so on x86 it is given the instruction's own function.
import type { Dialect, FloatSyntax } from './dialect.ts';
import { gnuDialect } from './gnuDialect.ts';
import type { Prelude } from './prelude.ts';

interface Builtins {
  /** Where the compiler has them. */
  readonly where: string;
  /** Types of vectors that they take, with the type of their elements and the bytes of all. */
  readonly types: readonly (readonly [name: string, element: string, bytes: number])[];
  /** Bodies of functions of the pointer `p`, and of `p` and the value `x`. */
  readonly load: string;
  readonly store: string;
}

const [SHORTS, LONGS] = [['s16x8', 'short', 16] as const, ['i64x2', 'i64', 16] as const];

/** By lanes. Memory is at any multiple of 2 bytes. */
const builtins: Readonly<Partial<Record<number, Builtins>>> = {
  1: {
    where: 'defined(__F16C__)',
    types: [SHORTS, ['f32x4', 'float', 16]],
    load: 'return __builtin_ia32_vcvtph2ps((s16x8){(short)*p})[0];',
    store: '*p = (u16)__builtin_ia32_vcvtps2ph((f32x4){x}, 0)[0];',
  },
  4: {
    where: 'defined(__F16C__)',
    types: [SHORTS, LONGS],
    load: 'i64 a; __builtin_memcpy(&a, p, 8); return (f32x4)__builtin_ia32_vcvtph2ps((s16x8)(i64x2){a, 0});',
    store: 'i64 a = ((i64x2)__builtin_ia32_vcvtps2ph(x, 0))[0]; __builtin_memcpy(p, &a, 8);',
  },
  8: {
    where: 'defined(__F16C__)',
    types: [SHORTS],
    load: 's16x8 a; __builtin_memcpy(&a, p, 16); return (f32x8)__builtin_ia32_vcvtph2ps256(a);',
    store: 's16x8 a = (s16x8)__builtin_ia32_vcvtps2ph256(x, 0); __builtin_memcpy(p, &a, 16);',
  },
  16: {
    where: 'defined(__AVX512F__)',
    types: [['s16x16', 'short', 32]],
    load: 's16x16 a; __builtin_memcpy(&a, p, 32); return (f32x16)__builtin_ia32_vcvtph2ps512_mask(a, (f32x16){0}, -1, 4);',
    store: 's16x16 a = (s16x16)__builtin_ia32_vcvtps2ph512_mask(x, 0, (s16x16){0}, -1); __builtin_memcpy(p, &a, 32);',
  },
};

const vectorType = (p: Prelude, name: string, element: string, bytes: number, more = ''): string =>
  p.use(name, () => `typedef ${element} ${name} __attribute__((vector_size(${bytes})${more}));\n`);

/** A function whose body is the instruction where the compiler has it for so many lanes, else a conversion of its own. */
function convert(p: Prelude, name: string, signature: string, lanes: number, special: string | undefined, plain: string): string {
  const { where, types = [] } = builtins[lanes] ?? {};
  for (const [type, element, bytes] of types) vectorType(p, type, element, bytes);
  const head = `${p.dialect.helper} ${signature} {`;
  return p.use(name, () => (special === undefined ? `${head} ${plain} }\n` : `#if ${where} && !defined(__clang__)\n${head} ${special} }\n#else\n${head} ${plain} }\n#endif\n`));
}

const memoryType = (p: Prelude, lanes: number): string =>
  lanes === 1 ? p.use('f16_at', () => 'typedef _Float16 f16_at __attribute__((may_alias));\n') : vectorType(p, `f16x${lanes}_at`, '_Float16', 2 * lanes, ', aligned(2), may_alias');

function loader(p: Prelude, lanes: number): string {
  const [type, memory] = [p.type({ dtype: 'f32', lanes }), memoryType(p, lanes)];
  const value = `*(const ${memory} *)p`;
  const plain = `return ${lanes === 1 ? value : `__builtin_convertvector(${value}, ${type})`};`;
  return convert(p, `load_f16x${lanes}`, `${type} load_f16x${lanes}(const u16 *p)`, lanes, builtins[lanes]?.load, plain);
}

function storer(p: Prelude, lanes: number): string {
  const [type, memory] = [p.type({ dtype: 'f32', lanes }), memoryType(p, lanes)];
  const plain = `*(${memory} *)p = ${lanes === 1 ? '(_Float16)x' : `__builtin_convertvector(x, ${memory})`};`;
  return convert(p, `store_f16x${lanes}`, `void store_f16x${lanes}(u16 *p, ${type} x)`, lanes, builtins[lanes]?.store, plain);
}

const halves: FloatSyntax = {
  c: 'u16',
  load: (p, lanes, buffer, at) => `${loader(p, lanes)}(${buffer} + ${at})`,
  store: (p, lanes, buffer, at, x) => `${storer(p, lanes)}(${buffer} + ${at}, ${x});`,
  // Compilers see through the memory.
  round: (p, lanes, x) => {
    const [load, store, type, name] = [loader(p, lanes), storer(p, lanes), p.type({ dtype: 'f32', lanes }), `round_f16x${lanes}`];
    return `${p.inline(name, `${type} ${name}(${type} x)`, `u16 a[${lanes}]; ${store}(a, x); return ${load}(a);`)}(${x})`;
  },
};

/** C for processors that convert half floats. */
export const gnuHalfDialect: Dialect = { ...gnuDialect, floats: { f16: halves } };
