// Ascend C: kernels of the vector cores and of the cube cores of Ascend processors, with tensors over their buffers and explicit flags
// between pipes.
// Names and rules from the Ascend C API reference (CANN 8): DataCopyPad, SetFlag/WaitFlag, vector calculations on the first n elements.
import type { BufferParam, Kernel } from '../../kernel/ir.ts';
import { allStatements } from '../../kernel/statements.ts';
import type { LaunchedLanguage } from '../c/launched.ts';
import { scalarDialect, scalarLibrary } from '../c/scalars.ts';
import { matrixMemory } from './matrix.ts';
import { ascendTiles } from './tiles.ts';

const HELPER = '__aicore__ inline';
const HEAD = `#include "kernel_operator.h"
using namespace AscendC;
typedef int8_t i8;
typedef uint8_t u8;
typedef uint16_t u16;
typedef int64_t i64;
typedef uint64_t u64;
${scalarLibrary(HELPER)}`;

/** A buffer in global memory that scalar code stores into. */
function storedInto({ params, body }: Kernel): BufferParam | undefined {
  const stores = allStatements(body).some((s) => s.kind === 'store' && params.some((p) => p.name === s.buffer));
  return stores ? params.find((p) => p.access !== 'read') : undefined;
}

/** What scalar code stored into global memory lies in the core's cache until it is told to go. */
function flushes(kernel: Kernel): readonly string[] {
  const written = storedInto(kernel);
  return written === undefined ? [] : [`DataCacheCleanAndInvalid<u8, CacheLine::ENTIRE_DATA_CACHE, DcciDst::CACHELINE_OUT>(${written.name}_lines);`];
}

export const ascendLanguage: LaunchedLanguage = {
  name: 'ascend-c',
  lacksDoubles: true,
  dialect: () => scalarDialect(HEAD, HELPER, ascendTiles),
  head: (symbol) => `extern "C" __global__ __aicore__ void ${symbol}`,
  param: ({ name, elements }, element) => ({
    declaration: `GM_ADDR ${name}_at`,
    statement: `GlobalTensor<${element}> ${name}; ${name}.SetGlobalBuffer((__gm__ ${element} *)${name}_at, ${elements});`,
  }),
  enter: (kernel) => {
    const written = storedInto(kernel);
    const matrix = matrixMemory(kernel);
    return [
      `KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_${matrix.length > 0 ? 'AIC' : 'AIV'}_ONLY);`,
      'TPipe pipe;',
      ...matrix,
      ...(written === undefined ? [] : [`GlobalTensor<u8> ${written.name}_lines; ${written.name}_lines.SetGlobalBuffer((__gm__ u8 *)${written.name}_at, 1);`]),
    ];
  },
  scratch: ({ name, elements, fragment }, element) => [
    `TBuf<TPosition::${fragment === undefined ? 'VECCALC' : 'A1'}> ${name}_at; pipe.InitBuffer(${name}_at, ${elements} * sizeof(${element})); LocalTensor<${element}> ${name} = ${name}_at.Get<${element}>();`,
  ],
  leave: flushes,
  block: 'GetBlockIdx()',
  thread: '0',
};
