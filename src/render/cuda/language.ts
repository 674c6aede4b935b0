// CUDA C++ as NVRTC compiles it, without headers.
import { AnychipError } from '../../core/error.ts';
import type { ComputeDType } from '../../kernel/ir.ts';
import type { Dialect, VectorSyntax } from '../c/dialect.ts';
import type { Prelude } from '../c/prelude.ts';
import type { LaunchedLanguage } from '../c/launched.ts';

const HEAD = `typedef signed char i8;
typedef unsigned char u8;
typedef unsigned short u16;
typedef long long i64;
typedef unsigned long long u64;
`;

const noVectors = (): never => {
  throw new AnychipError('internal', 'threads of CUDA are scalar: the schedule must not ask for vectors');
};
const vectors: VectorSyntax = {
  type: noVectors,
  pack: noVectors,
  splat: noVectors,
  lane: noVectors,
  convert: noVectors,
  bitcast: noVectors,
  select: noVectors,
  load: noVectors,
  store: noVectors,
  lanewise: noVectors,
};

/** No function of the C library is needed, so a compiler without its headers takes it. */
function bitcastByUnion(p: Prelude, from: ComputeDType, to: ComputeDType, x: string): string {
  const name = `bits_${from}_${to}`;
  const [source, target] = [p.scalar(from), p.scalar(to)];
  return `${p.inline(name, `${target} ${name}(${source} a)`, `union { ${source} from; ${target} to; } bits; bits.from = a; return bits.to;`)}(${x})`;
}

const createDialect = (wide: boolean): Dialect => ({
  head: HEAD,
  index: wide ? 'i64' : 'int',
  wideSuffix: 'll',
  helper: 'static __device__ __forceinline__',
  unroll: '#pragma unroll',
  barrier: '__syncthreads();',
  nan: (dtype) => (dtype === 'f32' ? '__int_as_float(0x7fc00000)' : '__longlong_as_double(0x7ff8000000000000ll)'),
  infinity: (dtype) => (dtype === 'f32' ? '__int_as_float(0x7f800000)' : '__longlong_as_double(0x7ff0000000000000ll)'),
  real: (fn, dtype) => (dtype === 'f32' ? `${fn}f` : fn),
  fma: (_, dtype) => (dtype === 'f32' ? '__fmaf_rn' : '__fma_rn'),
  bitcast: bitcastByUnion,
  vectors,
});

export const cudaLanguage: LaunchedLanguage = {
  name: 'cuda-c',
  dialect: createDialect,
  head: (symbol, threads) => `extern "C" __global__ void __launch_bounds__(${threads})\n${symbol}`,
  param: (buffer, element, disjoint) => ({ declaration: `${buffer.access === 'read' ? 'const ' : ''}${element} *${disjoint ? '__restrict__ ' : ''}${buffer.name}` }),
  shared: '__shared__',
  block: 'blockIdx.x',
  thread: 'threadIdx.x',
};
