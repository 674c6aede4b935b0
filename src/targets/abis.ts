// Which vendors' headers each target's row can be held to. Nothing that runs a model needs it.
import type { AbiPart } from '../driver/abi.ts';
import type { DriverTable } from '../driver/table.ts';
import { ascendAbi } from './ascend/abi.ts';
import { ascendTable } from './ascend/driver.ts';
import { birenAbi } from './biren/abi.ts';
import { birenTable } from './biren/driver.ts';
import { cambriconAbi } from './cambricon/abi.ts';
import { cambriconTable } from './cambricon/driver.ts';
import { cudaAbi } from './cuda/abi.ts';
import { cudaTable } from './cuda/driver.ts';
import { hipAbi } from './hip/abi.ts';
import { hipTable } from './hip/driver.ts';
import { kunlunAbi } from './kunlun/abi.ts';
import { kunlunTable } from './kunlun/driver.ts';
import { metaxAbi } from './metax/abi.ts';
import { metaxTable } from './metax/driver.ts';
import { musaAbi } from './musa/abi.ts';
import { musaTable } from './musa/driver.ts';

export const abis: Readonly<Record<string, { readonly table: DriverTable; readonly parts: readonly AbiPart[] }>> = {
  ascend: { table: ascendTable, parts: ascendAbi },
  biren: { table: birenTable, parts: birenAbi },
  cambricon: { table: cambriconTable, parts: cambriconAbi },
  cuda: { table: cudaTable, parts: cudaAbi },
  hip: { table: hipTable, parts: hipAbi },
  kunlun: { table: kunlunTable, parts: kunlunAbi },
  metax: { table: metaxTable, parts: metaxAbi },
  musa: { table: musaTable, parts: musaAbi },
};
