// NVIDIA's GPUs, through the driver's own interface: no toolkit is needed but a compiler, as a library or a program.
import { createDriverTarget } from '../../driver/target.ts';
import type { DriverTarget } from '../../driver/target.ts';
import { cudaLanguage } from '../../render/cuda/language.ts';
import { CompileCache } from '../../runtime/compileCache.ts';
import type { Target } from '../../runtime/device.ts';
import { cudaTable } from './driver.ts';
import { LEAST_ARCHITECTURE, cudaLeast } from './facts.ts';
import { cudaVirtualChips } from './virtual.ts';

export function createCudaTarget(options: Partial<DriverTarget> = {}): Target {
  const { cache = new CompileCache() } = options;
  const target: Target = createDriverTarget({
    name: 'cuda',
    evidence: 'E1',
    rank: 200,
    table: cudaTable,
    language: cudaLanguage,
    least: cudaLeast,
    architecture: LEAST_ARCHITECTURE,
    virtual: cudaVirtualChips(
      cache,
      () => target,
      (table) => createCudaTarget({ cache, table }),
    ),
    ...options,
    cache,
  });
  return target;
}
