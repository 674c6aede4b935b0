// CUDA C++ as a run-time compiler takes it, without headers; and the languages that are its dialects, as settings of the same printer.
import type { Dialect, FetchSyntax, FloatSyntaxes, MatrixSyntax } from '../c/dialect.ts';
import type { LaunchedLanguage } from '../c/launched.ts';
import { SWIZZLE } from '../../kernel/matrix.ts';
import { bitcastByUnion } from '../c/scalars.ts';
import { cudaFetch } from './fetch.ts';
import { cudaFloats } from './halves.ts';
import { cudaMatrix } from './matrix.ts';
import { wholeVectors } from './vectors.ts';

const HEAD = `typedef signed char i8;
typedef unsigned char u8;
typedef unsigned short u16;
typedef long long i64;
typedef unsigned long long u64;
`;

type Shuffle = NonNullable<Dialect['shuffle']>;
/** The first operand names the threads of the subgroup, a bit for each: all of them. */
const shuffleOf32: Shuffle = (x, mask) => `__shfl_xor_sync(0xffffffffu, ${x}, ${mask})`;

/** A buffer in the memory that a launch gives. Where another compiler gives CUDA a meaning, it says what this is. */
const GIVEN = `#ifdef __CUDA_ARCH__
#define GIVEN_SHARED(type, name, elements, offset) \\
  extern __shared__ __attribute__((aligned(1024))) char given_shared[]; \\
  type *const name = (type *)(given_shared + offset)
#endif
`;

/** What a dialect says differently. */
export interface CudaSettings {
  readonly name: string;
  /** Stands before everything: what its compiler needs to know the language. */
  readonly head?: string;
  /** How threads of a subgroup take each other's values, where not as 32 of them do in CUDA. */
  readonly shuffle?: Shuffle;
  /** Small floats that its compiler is known to convert in one instruction. */
  readonly floats?: FloatSyntaxes;
  /** Where its machines have matrix units. */
  readonly matrix?: MatrixSyntax;
  /** Where they copy beside other work. */
  readonly fetch?: FetchSyntax;
  /** Where launches give memory of the block beyond what kernels may declare, bytes. */
  readonly declaredBytes?: number;
  /** The number of the block, and of the thread in it, where CUDA's words are not its own. */
  readonly indices?: Pick<LaunchedLanguage, 'block' | 'thread'>;
  /** Functions that it calls otherwise. */
  readonly builtins?: Partial<Pick<Dialect, 'nan' | 'infinity' | 'fma'>>;
  readonly lacksDoubles?: boolean;
}

const createDialect = ({ head = '', shuffle = shuffleOf32, floats = {}, matrix, fetch, builtins = {} }: CudaSettings, wide: boolean): Dialect => ({
  head: `${head}${HEAD}`,
  index: wide ? 'i64' : 'int',
  wideSuffix: 'll',
  helper: 'static __device__ __forceinline__',
  unroll: '#pragma unroll',
  barrier: '__syncthreads();',
  shuffle,
  nan: (dtype) => (dtype === 'f32' ? '__int_as_float(0x7fc00000)' : '__longlong_as_double(0x7ff8000000000000ll)'),
  infinity: (dtype) => (dtype === 'f32' ? '__int_as_float(0x7f800000)' : '__longlong_as_double(0x7ff0000000000000ll)'),
  real: (fn, dtype) => (dtype === 'f32' ? `${fn}f` : fn),
  fma: (_, dtype) => (dtype === 'f32' ? '__fmaf_rn' : '__fma_rn'),
  bitcast: bitcastByUnion,
  vectors: wholeVectors,
  floats,
  ...builtins,
  ...(matrix === undefined ? {} : { matrix }),
  ...(fetch === undefined ? {} : { fetch }),
});

export const createCudaLanguage = (settings: CudaSettings): LaunchedLanguage => ({
  name: settings.name,
  ...(settings.lacksDoubles === undefined ? {} : { lacksDoubles: settings.lacksDoubles }),
  dialect: (wide) => createDialect(settings, wide),
  head: (symbol, threads, block) => `extern "C" __global__ void __launch_bounds__(${threads}${block?.together === undefined ? '' : `, ${block.together}`})\n${symbol}`,
  param: (buffer, element, disjoint) => ({ declaration: `${buffer.access === 'read' ? 'const ' : ''}${element} *${disjoint ? '__restrict__ ' : ''}${buffer.name}` }),
  // Fragments of matrix units begin at a multiple of 32 bytes.
  scratch: ({ name, elements, shared, swizzled }, element) => [
    `${shared === true ? `__shared__ __attribute__((aligned(${swizzled === true ? SWIZZLE.periodBytes : 64}))) ` : ''}${element} ${name}[${elements}];`,
  ],
  ...(settings.declaredBytes === undefined
    ? {}
    : { given: { beyond: settings.declaredBytes, head: GIVEN, scratch: ({ name, elements }, element, offset) => [`GIVEN_SHARED(${element}, ${name}, ${elements}, ${offset});`] } }),
  ...(settings.indices ?? { block: 'blockIdx.x', thread: 'threadIdx.x' }),
});

const nvidia = { name: 'cuda-c', matrix: cudaMatrix, fetch: cudaFetch, declaredBytes: 48 << 10 };

/** What other chips' dialects start from: NVIDIA's own instructions are in it only where facts ask for them. */
export const cudaLanguage = createCudaLanguage(nvidia);

/** For NVIDIA's compilers. */
export const nvidiaLanguage = createCudaLanguage({ ...nvidia, floats: cudaFloats });
