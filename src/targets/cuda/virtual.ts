// CUDA on virtual chips: the same binding on another library.
import type { DriverTable } from '../../driver/table.ts';
import { storedDTypes } from '../../kernel/storedDTypes.ts';
import type { CompileCache } from '../../runtime/compileCache.ts';
import type { SimtCapabilities, Target, VirtualChips } from '../../runtime/device.ts';
import { createVirtualTarget } from '../../runtime/virtualTarget.ts';
import { cudaChips, cudaCommon } from './chips.ts';
import { cudaTable } from './driver.ts';

export const cudaVirtualChips = (cache: CompileCache, real: () => Target, onTable: (table: DriverTable) => Target): VirtualChips => ({
  names: Object.keys(cudaChips),
  open: (name, called) => {
    const chip = Object.entries(cudaChips).find(([own]) => own === name)?.[1];
    if (chip === undefined) return undefined;
    const { title, ...facts } = chip;
    const { maxThreads, subgroupThreads, sharedBytes } = cudaCommon;
    const capabilities: SimtCapabilities = {
      family: 'simt',
      storage: storedDTypes,
      simt: { maxThreads, subgroupThreads, sharedBytes, vectorLanes: 1, units: chip.units, matrixUnits: [] },
      maxBufferBytes: chip.memoryBytes,
    };
    return createVirtualTarget({
      name: called,
      chip: { vendor: 'cuda', family: 'simt', title, facts: { ...facts, ...cudaCommon } },
      capabilities,
      real: real(),
      cache,
      on: (library, identity) => {
        const libraries = { other: [library] };
        const compiler = { ...cudaTable.compiler, title: `virtual NVRTC ${identity}`, library: { ...cudaTable.compiler.library!, names: libraries } };
        return onTable({ ...cudaTable, title: 'virtual CUDA', libraries, compiler });
      },
    });
  },
});
