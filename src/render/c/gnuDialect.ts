// C as GCC and Clang speak it: builtins instead of headers, vector extensions.
import type { WordParts } from '../../core/words.ts';
import type { ComputeDType, ExprType } from '../../kernel/ir.ts';
import type { Dialect, Real, VectorSyntax } from './dialect.ts';
import { lanesSet } from './gnuMasks.ts';
import { loadNarrow, storeNarrow } from './gnuNarrow.ts';
import type { Prelude } from './prelude.ts';
import { typeName } from './types.ts';

const HEAD = `typedef signed char i8;
typedef unsigned char u8;
typedef unsigned short u16;
typedef long long i64;
typedef unsigned long long u64;
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 64")
#endif
`;

const suffix = (dtype: Real): string => (dtype === 'f32' ? 'f' : '');

/** Lanes of bools are masks of i32. */
const laneType = (p: Prelude, type: ExprType): string => p.scalar(type.dtype === 'bool' ? 'i32' : type.dtype);

/** A vector of elements as they lie in memory, at any address of an element. */
const memoryVector = (p: Prelude, element: string, lanes: number, bytes: number): string => {
  const name = `${element}x${lanes}_at`;
  return p.use(name, () => `typedef ${element} ${name} __attribute__((vector_size(${lanes * bytes}), aligned(${bytes}), may_alias));\n`);
};

const vectors: VectorSyntax = {
  type: (p, type) => {
    const name = typeName(type);
    return p.use(name, () => `typedef ${laneType(p, type)} ${name} __attribute__((vector_size(${type.lanes * 4})));\n`);
  },
  pack: (p, type, items) => `((${p.type(type)}){${items.join(', ')}})`,
  splat: (p, type, x) => {
    const name = p.type(type);
    const items = Array.from({ length: type.lanes }, () => 'a').join(', ');
    return `${p.inline(`splat_${name}`, `${name} splat_${name}(${laneType(p, type)} a)`, `return (${name}){${items}};`)}(${x})`;
  },
  lane: (x, lane) => `${x}[${lane}]`,
  convert: (p, type, x) => `__builtin_convertvector(${x}, ${p.type(type)})`,
  bitcast: (p, type, x) => `((${p.type(type)})${x})`,
  select: (p, type, m, a, b) => {
    const mask = p.type({ dtype: 'i32', lanes: type.lanes });
    const name = p.type(type);
    const select = p.inline(`select_${name}`, `${name} select_${name}(${mask} m, ${name} a, ${name} b)`, `return (${name})((m & (${mask})a) | (~m & (${mask})b));`);
    return `${select}(${m}, ${a}, ${b})`;
  },
  load: (p, storage, type, pointer) => {
    const memory = memoryVector(p, storage.c, type.lanes, storage.bytes);
    return storage.bytes === 4 ? `((${p.type(type)})(*(const ${memory} *)(${pointer})))` : loadNarrow(p, storage, type, memory, pointer);
  },
  store: (p, storage, type, pointer, x) => {
    const memory = memoryVector(p, storage.c, type.lanes, storage.bytes);
    return storage.bytes === 4 ? `*(${memory} *)(${pointer}) = (${memory})${x};` : storeNarrow(p, storage, type, memory, pointer, x);
  },
  lanesSet,
  // Compilers turn the loop into one instruction where there is one (fused multiply-add, rounding, square root, maximum).
  lanewise: (type, signature, lanes, body) => `${signature} { ${type} r; for (int i = 0; i < ${lanes}; i++) r[i] = ${body.replace(/\b[abc]\b/g, '$&[i]')}; return r; }\n`,
};

interface DotInstruction {
  /** What compilers define where the processor has it. */
  readonly feature: string;
  readonly lanes: readonly number[];
  readonly statement: string;
}
const adding = (instruction: string): string => `__asm__("${instruction} %2, %1, %0" : "+v"(c) : "v"(a), "v"(b)); return c;`;
const multiplying = '__asm__("vpmaddwd %2, %1, %0" : "=v"(a) : "v"(a), "v"(b)); return a + c;';

/** Of x86, best first. Compilers name their builtins for them differently. */
const dotInstructions: { readonly [P in WordParts]: readonly DotInstruction[] } = {
  bytes: [
    { feature: 'defined(__AVX512VNNI__) && defined(__AVX512VL__)', lanes: [4, 8, 16], statement: adding('vpdpbusd') },
    { feature: 'defined(__AVXVNNI__)', lanes: [4, 8], statement: adding('%{vex%} vpdpbusd') },
  ],
  shorts: [
    { feature: 'defined(__AVX512VNNI__) && defined(__AVX512VL__)', lanes: [4, 8, 16], statement: adding('vpdpwssd') },
    { feature: 'defined(__AVX512BW__)', lanes: [16], statement: multiplying },
    { feature: 'defined(__AVX2__)', lanes: [4, 8], statement: multiplying },
    { feature: 'defined(__SSE2__) && !defined(__AVX__)', lanes: [4], statement: '__asm__("pmaddwd %1, %0" : "+x"(a) : "x"(b)); return a + c;' },
  ],
};

/** Copies the bytes; compilers see through it. */
function bitcastByCopy(p: Prelude, from: ComputeDType, to: ComputeDType, x: string): string {
  const name = `bits_${from}_${to}`;
  return `${p.inline(name, `${p.scalar(to)} ${name}(${p.scalar(from)} a)`, `${p.scalar(to)} r; __builtin_memcpy(&r, &a, sizeof r); return r;`)}(${x})`;
}

/** Of x86: where it has vectors of so many floats. The second operand is the result where either is no number, as in C's `a < b ? a : b`, of which GCC makes two instructions. */
const extremeFeatures: Readonly<Partial<Record<number, string>>> = { 8: '__AVX__', 16: '__AVX512F__' };

/** Compilers stop inlining where a function grows, and a call in the midst of a tile sends all of its registers to memory. */
const HELPER = 'static inline __attribute__((always_inline))';

export const gnuDialect: Dialect = {
  head: HEAD,
  index: 'i64',
  wideSuffix: 'll',
  helper: HELPER,
  unroll: 'UNROLL',
  barrier: '',
  nan: (dtype) => `__builtin_nan${suffix(dtype)}("")`,
  infinity: (dtype) => `__builtin_inf${suffix(dtype)}()`,
  // On machines that lack the instruction it is the C library's.
  real: (fn, dtype) => `__builtin_${fn}${suffix(dtype)}`,
  // A fused one would be a slow call where the machine has none.
  fma: (p, dtype) => {
    p.use('FMA', () =>
      [
        '#if defined(__FMA__) || defined(__FP_FAST_FMAF) || defined(__ARM_FEATURE_FMA)',
        '#define FMA_F32(a, b, c) __builtin_fmaf(a, b, c)',
        '#define FMA_F64(a, b, c) __builtin_fma(a, b, c)',
        '#else',
        '#define FMA_F32(a, b, c) ((a) * (b) + (c))',
        '#define FMA_F64(a, b, c) ((a) * (b) + (c))',
        '#endif\n',
      ].join('\n'),
    );
    return dtype === 'f32' ? 'FMA_F32' : 'FMA_F64';
  },
  dot: (p, parts, type, plain) => {
    const lane = p.lanewise(`dot_${parts}`, type, [type, type, type], plain);
    const choices = dotInstructions[parts].filter(({ lanes }) => lanes.includes(type.lanes));
    if (choices.length === 0) return lane;
    const full = p.type(type);
    const name = `dot_${parts}_at_once_${full}`;
    const lines = choices.map(({ feature, statement }, i) => `#${i === 0 ? 'if' : 'elif'} ${feature}\n${statement}\n`);
    return p.use(name, () => `${HELPER} ${full} ${name}(${full} a, ${full} b, ${full} c) {\n${lines.join('')}#else\nreturn ${lane}(a, b, c);\n#endif\n}\n`);
  },
  extreme: (p, fn, type, plain) => {
    const lane = p.lanewise(fn, type, [type, type], plain);
    const feature = type.dtype === 'f32' ? extremeFeatures[type.lanes] : undefined;
    if (feature === undefined) return lane;
    const full = p.type(type);
    const name = `${fn}_at_once_${full}`;
    const atOnce = `${full} r; __asm__("v${fn}ps %2, %1, %0" : "=v"(r) : "v"(a), "vm"(b)); return r;`;
    return p.use(name, () => `${HELPER} ${full} ${name}(${full} a, ${full} b) {\n#ifdef ${feature}\n${atOnce}\n#else\nreturn ${lane}(a, b);\n#endif\n}\n`);
  },
  bitcast: bitcastByCopy,
  vectors,
};
