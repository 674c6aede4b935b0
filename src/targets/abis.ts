// Which vendors' headers each target's row can be held to. Nothing that runs a model needs it.
import type { AbiPart } from '../driver/abi.ts';
import type { DriverTable } from '../driver/table.ts';
import { cudaAbi } from './cuda/abi.ts';
import { cudaTable } from './cuda/driver.ts';

export const abis: Readonly<Record<string, { readonly table: DriverTable; readonly parts: readonly AbiPart[] }>> = {
  cuda: { table: cudaTable, parts: cudaAbi },
};
