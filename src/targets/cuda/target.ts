// NVIDIA's GPUs, through the driver's own interface: no toolkit is needed but a compiler, as a library or a program.
import { createDriverTarget } from '../../driver/target.ts';
import type { DriverTarget } from '../../driver/target.ts';
import { nvidiaLanguage } from '../../render/cuda/language.ts';
import type { Target } from '../../runtime/device.ts';
import { cudaChips } from './chips.ts';
import { cudaTable } from './driver.ts';
import { LEAST_ARCHITECTURE, cudaLeast } from './facts.ts';

export const createCudaTarget = (options: Partial<DriverTarget> = {}): Target =>
  createDriverTarget({
    name: 'cuda',
    evidence: 'E4',
    rank: 200,
    table: cudaTable,
    language: nvidiaLanguage,
    least: cudaLeast,
    architecture: LEAST_ARCHITECTURE,
    chips: cudaChips,
    ...options,
  });
