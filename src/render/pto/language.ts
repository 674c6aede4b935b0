// PTO: kernels of the vector cores and of the cube cores of Ascend processors in Huawei's library of tile instructions, with tiles at fixed
// addresses of a core's memories and flags between pipes. Names and rules from its pages (docs/isa of pto-isa, August 2026).
import { byteWidth } from '../../core/dtype.ts';
import type { Kernel } from '../../kernel/ir.ts';
import type { LaunchedLanguage } from '../c/launched.ts';
import { scalarDialect, scalarLibrary } from '../c/scalars.ts';
import { storageOf } from '../c/types.ts';
import { fragmentsOf } from './matrix.ts';
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

interface Placed {
  readonly name: string;
  /** Memories of a core have addresses of their own. */
  readonly memory: string;
  readonly bytes: number;
  /** The tile that scalar code reads and writes it by. */
  readonly tile?: string;
}

/** Where each buffer and each matrix lies in its memory, and in the unified buffer after them a block for instructions to work in. */
function memoryLines(kernel: Kernel): readonly string[] {
  const buffers = kernel.scratch.map(({ name, dtype, elements, fragment }): Placed => {
    const width = byteWidth(dtype);
    const place = { name, bytes: elements * width };
    return fragment === undefined ? { ...place, memory: 'scratch', tile: `Row<${storageOf(dtype).c}, ${padded(elements, width)}>` } : { ...place, memory: 'staging' };
  });
  const fragments = fragmentsOf(kernel);
  const ends = new Map<string, number>();
  const lines = [...buffers, ...fragments].map(({ name, memory, bytes, tile }: Placed) => {
    const at = ends.get(memory) ?? 0;
    ends.set(memory, at + Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES);
    return `constexpr u64 ${addressOf(name)} = ${at};${tile === undefined ? '' : ` ${tile} ${name}; TASSIGN(${name}, ${addressOf(name)});`}`;
  });
  return fragments.length > 0 ? lines : [...lines, `constexpr u64 ${WORK} = ${ends.get('scratch') ?? 0};`];
}

export const ptoLanguage: LaunchedLanguage = {
  name: 'pto',
  lacksDoubles: true,
  dialect: () => scalarDialect(HEAD, HELPER, ptoTiles),
  head: (symbol) => `extern "C" __global__ AICORE void ${symbol}`,
  // The cores of the two kinds have compilers of their own; the simulator takes all kernels.
  guard: (kernel) => (fragmentsOf(kernel).length > 0 ? 'defined(__DAV_CUBE__) || defined(__CPU_SIM)' : 'defined(__DAV_VEC__) || defined(__CPU_SIM)'),
  param: ({ name }, element) => ({ declaration: `__gm__ ${element} *${name}` }),
  enter: memoryLines,
  scratch: () => [],
  // What scalar code stored into global memory lies in the core's cache until it is told to go.
  leave: ({ params }) => {
    const written = params.find((p) => p.access !== 'read');
    return written === undefined ? [] : [`dcci((__gm__ void *)${written.name}, cache_line_t::ENTIRE_DATA_CACHE, dcci_dst_t::CACHELINE_OUT);`];
  },
  block: 'get_block_idx()',
  thread: '0',
};
