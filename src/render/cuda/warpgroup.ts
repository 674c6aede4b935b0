// Matrix units that read swizzled memory themselves, beside what the 128 threads that hold a sum do (PTX ISA, "Asynchronous Warpgroup Level
// Matrix Multiply-Accumulate Instructions"). Where another compiler gives CUDA a meaning, it brings the functions itself.
import type { ColumnRange, MatrixUnit } from '../../kernel/ir.ts';
import { SWIZZLE } from '../../kernel/matrix.ts';
import type { FactorText, MatrixSyntax } from '../c/dialect.ts';
import type { Prelude } from '../c/prelude.ts';

/** Rows of a sum are those of four warps; a thread has two neighbours in every eight columns of two of its warp's rows. */
const THREADS = 128;
const registersOf = ({ m, n }: MatrixUnit): number => (m * n) / THREADS;
const elementBytes: Partial<Record<MatrixUnit['in'], number>> = { f16: 2, bf16: 2, tf32: 4 };

const list = (from: number, count: number): string => Array.from({ length: count }, (_, i) => `%${from + i}`).join(', ');

/**
 * Where a factor lies, for the unit: its address, the distance of parts of its lines, that of the lines after which places are the same again
 * (all in 16 bytes), and that it is swizzled in lines of 128 bytes. Warps meet first: the instructions are aligned.
 */
const DESCRIPTOR = `#ifdef __CUDA_ARCH__
static __device__ __forceinline__ u64 matrix_place(const void *p, int panel) {
  return (u64)(((unsigned)__cvta_generic_to_shared(p) & 0x3ffff) >> 4) | (u64)(panel >> 4) << 16 | (u64)(${SWIZZLE.periodBytes} >> 4) << 32 | (u64)1 << 62;
}
static __device__ __forceinline__ void matrix_open() { __syncwarp(); asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
static __device__ __forceinline__ void matrix_close() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
static __device__ __forceinline__ void matrix_publish() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
template <int pending> static __device__ __forceinline__ void matrix_settle() { __syncwarp(); asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(pending) : "memory"); }
enum matrix_input { in_f16, in_bf16, in_tf32 };
template <matrix_input in, int n, int turn_a, int turn_b> struct matrix_product;
#endif
`;
const useUnits = (p: Prelude): void => void p.use('matrix_place', () => DESCRIPTOR);

/** `turn`: whether a factor's lines run along its own axes rather than along the sum. */
function useProduct(p: Prelude, unit: MatrixUnit, turnA: number, turnB: number): string {
  useUnits(p);
  const count = registersOf(unit);
  const name = `matrix_product<in_${unit.in}, ${unit.n}, ${turnA}, ${turnB}>`;
  // Only factors of 16 bits may be turned.
  const turns = elementBytes[unit.in] === 2 ? `, ${turnA}, ${turnB}` : '';
  const text = `wgmma.mma_async.sync.aligned.m${unit.m}n${unit.n}k${unit.k}.f32.${unit.in}.${unit.in} {${list(0, count)}}, ${list(count, 2)}, 1, 1, 1${turns};`;
  const sums = Array.from({ length: count }, (_, i) => `"+f"(d[${i}])`).join(', ');
  return p.use(
    name,
    () => `#ifdef __CUDA_ARCH__
template <> struct ${name} {
  static __device__ __forceinline__ void begin(float (&d)[${count}], const void *a, const void *b, int panel_a, int panel_b) {
    asm volatile("${text}" : ${sums} : "l"(matrix_place(a, panel_a)), "l"(matrix_place(b, panel_b)));
  }
};
#endif
`,
  );
}

/** Bytes between parts of a factor's lines; where a line is one part, nobody asks. */
const panelBytes = ({ panel }: FactorText, { in: input }: MatrixUnit): number => (panel === undefined ? SWIZZLE.partBytes : panel * elementBytes[input]!);

export const declareSum = (name: string, unit: MatrixUnit): string => `float ${name}[${registersOf(unit)}] = {0};`;

/** Columns of a sum, two by two, from a multiple of 8 on. */
export function storeSum(p: Prelude, name: string, unit: MatrixUnit, pointer: string, stride: number, { from, count }: ColumnRange = { from: 0, count: unit.n }): string {
  const full = p.use(
    'matrix_store_columns',
    () => `template <int from, int count, int all> ${p.dialect.helper} void matrix_store_columns(float *p, const float (&d)[all], int stride) {
  p += (threadIdx.x % 128 / 32 * 16 + threadIdx.x % 32 / 4) * stride + threadIdx.x % 4 * 2;
  ${p.dialect.unroll}
  for (int i = 0; i < count / 8; i++) {
    float2 x, y;
    x.x = d[(from / 8 + i) * 4], x.y = d[(from / 8 + i) * 4 + 1], y.x = d[(from / 8 + i) * 4 + 2], y.y = d[(from / 8 + i) * 4 + 3];
    *(float2 *)(p + i * 8) = x;
    *(float2 *)(p + i * 8 + 8 * stride) = y;
  }
}
`,
  );
  return `${full}<${from}, ${count}>(${pointer}, ${name}, ${stride});`;
}

export const warpgroupMatrix: Required<Pick<MatrixSyntax, 'begin' | 'settle' | 'publish'>> = {
  begin: (p, products, { a: { unit, order: orderA }, b: { order: orderB } }) => {
    const product = useProduct(p, unit, orderA === 'rows' ? 0 : 1, orderB === 'columns' ? 0 : 1);
    const lines = products.map(({ sum, a, b }) => `${product}::begin(${sum}, ${a.pointer}, ${b.pointer}, ${panelBytes(a, unit)}, ${panelBytes(b, unit)});`);
    return ['matrix_open();', ...lines, 'matrix_close();'];
  },
  settle: (p, pending) => {
    useUnits(p);
    return `matrix_settle<${pending}>();`;
  },
  publish: (p) => {
    useUnits(p);
    return 'matrix_publish();';
  },
};
