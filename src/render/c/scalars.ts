// What languages of C's family without vectors, and without a C library, have in common.
import { AnychipError } from '../../core/error.ts';
import type { ComputeDType } from '../../kernel/ir.ts';
import type { Dialect, TileSyntax, VectorSyntax } from './dialect.ts';
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

/** Functions of C's library on f32, as arithmetic; `helper` stands before a function. */
export const scalarLibrary = (helper: string): string => `${helper} float any_float(unsigned bits) { union { unsigned from; float to; } x; x.from = bits; return x.to; }
${helper} unsigned any_bits(float value) { union { float from; unsigned to; } x; x.from = value; return x.to; }
${helper} float any_fabs(float a) { return any_float(any_bits(a) & 0x7fffffffu); }
${helper} float any_sign(float a, float from) { return any_float(any_bits(a) | (any_bits(from) & 0x80000000u)); }
${helper} float any_trunc(float a) { return any_fabs(a) < 8388608.0f ? any_sign((float)(int)a, a) : a; }
${helper} float any_floor(float a) { float t = any_trunc(a); return t > a ? t - 1.0f : t; }
${helper} float any_ceil(float a) { float t = any_trunc(a); return t < a ? any_sign(t + 1.0f, a) : t; }
${helper} float any_rint(float a) { return any_fabs(a) < 8388608.0f ? any_sign((any_fabs(a) + 8388608.0f) - 8388608.0f, a) : a; }
${helper} float any_sqrt(float a) {
  if (!(a > 0.0f)) return a == 0.0f ? a : any_float(0x7fc00000u);
  if (a == any_float(0x7f800000u)) return a;
  float scale = 1.0f;
  if (a < 1.1754944e-38f) { a *= 16777216.0f; scale = 1.0f / 4096.0f; }
  float r = any_float(0x5f3759dfu - (any_bits(a) >> 1));
  for (int i = 0; i < 4; i++) r = r * (1.5f - 0.5f * a * r * r);
  float s = a * r;
  return (s + 0.5f * r * (a - s * s)) * scale;
}
`;

/** The dialect of a language for cores with scratchpads; its head holds `scalarLibrary`, whose functions have `helper` before them. */
export const scalarDialect = (head: string, helper: string, tiles: TileSyntax): Dialect => ({
  head,
  index: 'i64',
  wideSuffix: 'll',
  helper,
  unroll: '#pragma unroll',
  barrier: '',
  nan: () => 'any_float(0x7fc00000u)',
  infinity: () => 'any_float(0x7f800000u)',
  real: (fn) => `any_${fn}`,
  fma: (p) => p.use('FMA_F32', () => '#define FMA_F32(a, b, c) ((a) * (b) + (c))\n'),
  bitcast: bitcastByUnion,
  vectors: noVectors,
  tiles,
});
