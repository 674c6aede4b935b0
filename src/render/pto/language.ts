// PTO: kernels of the vector cores of Ascend processors in Huawei's library of tile instructions, with tiles at fixed addresses of the
// unified buffer and flags between pipes. Names and rules from its pages (docs/isa of pto-isa, August 2026).
import { byteWidth } from '../../core/dtype.ts';
import type { Kernel } from '../../kernel/ir.ts';
import type { LaunchedLanguage } from '../c/launched.ts';
import { scalarDialect, scalarLibrary } from '../c/scalars.ts';
import { storageOf } from '../c/types.ts';
import { BLOCK_BYTES, WORK, addressOf, padded, ptoTiles } from './tiles.ts';

const HELPER = 'AICORE inline';
const HEAD = `#include <cstdint>
#include <pto/pto-inst.hpp>
using namespace pto;
typedef int8_t i8;
typedef uint8_t u8;
typedef uint16_t u16;
typedef int64_t i64;
typedef uint64_t u64;
template <typename T, int Count, int Stride, int Length> using Rows = Tile<TileType::Vec, T, Count, Stride, BLayout::RowMajor, Count, Length>;
template <typename T, int Stride, int Length = Stride> using Row = Rows<T, 1, Stride, Length>;
template <typename T, int Count, int Distance, int Length> using Lines = GlobalTensor<T, Shape<1, 1, 1, Count, Length>, Stride<1, 1, 1, Distance, 1>>;
${scalarLibrary(HELPER)}`;

/** Where each buffer lies in the unified buffer, and after them a block for instructions to work in. */
function scratchLines({ scratch }: Kernel): readonly string[] {
  let bytes = 0;
  const lines = scratch.map(({ name, dtype, elements }) => {
    const at = bytes;
    bytes += Math.ceil((elements * byteWidth(dtype)) / BLOCK_BYTES) * BLOCK_BYTES;
    const { c } = storageOf(dtype);
    return `constexpr u64 ${addressOf(name)} = ${at}; Row<${c}, ${padded(elements, byteWidth(dtype))}> ${name}; TASSIGN(${name}, ${addressOf(name)});`;
  });
  return [...lines, `constexpr u64 ${WORK} = ${bytes};`];
}

export const ptoLanguage: LaunchedLanguage = {
  name: 'pto',
  lacksDoubles: true,
  dialect: () => scalarDialect(HEAD, HELPER, ptoTiles),
  head: (symbol) => `extern "C" __global__ AICORE void ${symbol}`,
  param: ({ name }, element) => ({ declaration: `__gm__ ${element} *${name}` }),
  enter: scratchLines,
  scratch: () => [],
  // What scalar code stored into global memory lies in the core's cache until it is told to go.
  leave: ({ params }) => {
    const written = params.find((p) => p.access !== 'read');
    return written === undefined ? [] : [`dcci((__gm__ void *)${written.name}, cache_line_t::ENTIRE_DATA_CACHE, dcci_dst_t::CACHELINE_OUT);`];
  },
  block: 'get_block_idx()',
  thread: '0',
};
