// Ascend C: kernels of the vector cores of Ascend processors, with tensors over the unified buffer and explicit flags between pipes.
// Names and rules from the Ascend C API reference (CANN 8): DataCopyPad, SetFlag/WaitFlag, vector calculations on the first n elements.
import type { Kernel } from '../../kernel/ir.ts';
import type { Dialect } from '../c/dialect.ts';
import type { LaunchedLanguage } from '../c/launched.ts';
import { bitcastByUnion, noVectors } from '../c/scalars.ts';
import { ascendTiles } from './tiles.ts';

// The scalar unit has no library: what C's would give is arithmetic here.
const HEAD = `#include "kernel_operator.h"
using namespace AscendC;
typedef int8_t i8;
typedef uint8_t u8;
typedef uint16_t u16;
typedef int64_t i64;
typedef uint64_t u64;
__aicore__ inline float any_float(unsigned bits) { union { unsigned from; float to; } x; x.from = bits; return x.to; }
__aicore__ inline unsigned any_bits(float value) { union { float from; unsigned to; } x; x.from = value; return x.to; }
__aicore__ inline float any_fabs(float a) { return any_float(any_bits(a) & 0x7fffffffu); }
__aicore__ inline float any_sign(float a, float from) { return any_float(any_bits(a) | (any_bits(from) & 0x80000000u)); }
__aicore__ inline float any_trunc(float a) { return any_fabs(a) < 8388608.0f ? any_sign((float)(int)a, a) : a; }
__aicore__ inline float any_floor(float a) { float t = any_trunc(a); return t > a ? t - 1.0f : t; }
__aicore__ inline float any_ceil(float a) { float t = any_trunc(a); return t < a ? any_sign(t + 1.0f, a) : t; }
__aicore__ inline float any_rint(float a) { return any_fabs(a) < 8388608.0f ? any_sign((any_fabs(a) + 8388608.0f) - 8388608.0f, a) : a; }
__aicore__ inline float any_sqrt(float a) {
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

const createDialect = (): Dialect => ({
  head: HEAD,
  index: 'i64',
  wideSuffix: 'll',
  helper: '__aicore__ inline',
  unroll: '#pragma unroll',
  barrier: '',
  nan: () => 'any_float(0x7fc00000u)',
  infinity: () => 'any_float(0x7f800000u)',
  real: (fn) => `any_${fn}`,
  fma: (p) => p.use('FMA_F32', () => '#define FMA_F32(a, b, c) ((a) * (b) + (c))\n'),
  bitcast: bitcastByUnion,
  vectors: noVectors,
  tiles: ascendTiles,
});

/** What scalar code stored into global memory lies in the core's cache until it is told to go. */
function flushes(kernel: Kernel): readonly string[] {
  const written = kernel.params.find((p) => p.access !== 'read');
  return written === undefined ? [] : [`DataCacheCleanAndInvalid<u8, CacheLine::ENTIRE_DATA_CACHE, DcciDst::CACHELINE_OUT>(${written.name}_lines);`];
}

export const ascendLanguage: LaunchedLanguage = {
  name: 'ascend-c',
  lacksDoubles: true,
  dialect: createDialect,
  head: (symbol) => `extern "C" __global__ __aicore__ void ${symbol}`,
  param: ({ name, elements }, element) => ({
    declaration: `GM_ADDR ${name}_at`,
    statement: `GlobalTensor<${element}> ${name}; ${name}.SetGlobalBuffer((__gm__ ${element} *)${name}_at, ${elements});`,
  }),
  enter: (kernel) => {
    const written = kernel.params.find((p) => p.access !== 'read');
    return [
      'KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);',
      'TPipe pipe;',
      ...(written === undefined ? [] : [`GlobalTensor<u8> ${written.name}_lines; ${written.name}_lines.SetGlobalBuffer((__gm__ u8 *)${written.name}_at, 1);`]),
    ];
  },
  scratch: ({ name, elements }, element) => [
    `TBuf<TPosition::VECCALC> ${name}_at; pipe.InitBuffer(${name}_at, ${elements} * sizeof(${element})); LocalTensor<${element}> ${name} = ${name}_at.Get<${element}>();`,
  ],
  leave: flushes,
  block: 'GetBlockIdx()',
  thread: '0',
};
