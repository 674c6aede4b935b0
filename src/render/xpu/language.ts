// XPU C++: kernels of the cluster cores of Kunlunxin's chips, with variables in a core's local memory, copies between it and global memory,
// and fences. Names and rules from the XPU C/C++ guide (KL2) and from open kernels for P800. A core has no other way to global memory than
// copies, so scalar code copies single elements.
import type { LaunchedLanguage } from '../c/launched.ts';
import { scalarDialect, scalarLibrary } from '../c/scalars.ts';
import { xpuTiles } from './tiles.ts';

const HELPER = 'static inline __device__';
const HEAD = `#include "xpu/kernel/xtdk.h"
#include "xpu/kernel/xtdk_bf16.h"
#include "xpu/kernel/xtdk_simd.h"
typedef signed char i8;
typedef unsigned char u8;
typedef unsigned short u16;
typedef long long i64;
typedef unsigned long long u64;
template <class T> ${HELPER} T gm_read(__global_ptr__ const T *from) { T x; GM2LM(from, &x, sizeof(T)); return x; }
template <class T> ${HELPER} void gm_write(__global_ptr__ T *to, T x) { mfence_lm(); LM2GM(&x, to, sizeof(T)); }
${scalarLibrary(HELPER)}`;

/** Cores of a cluster: the guide asks for launches with all of them. */
const CLUSTER_CORES = 64;
const CORE = 'cluster_id() * core_num() + core_id()';

export const xpuLanguage: LaunchedLanguage = {
  name: 'xpu-c++',
  lacksDoubles: true,
  alone: true,
  // Addresses of local memory have 32 bits, and arithmetic on 64 is emulated.
  dialect: (wide) => ({ ...scalarDialect(HEAD, HELPER, xpuTiles), index: wide ? 'i64' : 'int' }),
  head: (symbol) => `extern "C" __global__ void ${symbol}`,
  param: ({ name, access }, element) => ({ declaration: `__global_ptr__ ${access === 'read' ? 'const ' : ''}${element} *${name}` }),
  enter: ({ grid }) => (grid.extent % CLUSTER_CORES === 0 ? [] : [`if (${CORE} >= ${grid.extent}) return;`]),
  scratch: ({ name, elements }, element) => [`__simd__ ${element} ${name}[${elements}];`],
  // Copies that are under way end before the kernel does.
  leave: () => ['mfence();'],
  launch: ({ grid }) => ({ blocks: Math.ceil(grid.extent / CLUSTER_CORES), threads: CLUSTER_CORES }),
  block: CORE,
  thread: '0',
};
