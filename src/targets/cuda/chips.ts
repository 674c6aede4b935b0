// NVIDIA's data-centre GPUs as virtual chips: memory and multiprocessors from NVIDIA's data sheets.
import type { DriverChips } from '../../driver/machine.ts';

const GIB = 2 ** 30;
const ampere = { architecture: 'sm_80', attributes: { units: 108, givenSharedBytes: 163 << 10 } };
const hopper = { architecture: 'sm_90', attributes: { units: 132, givenSharedBytes: 227 << 10 } };

export const cudaChips: DriverChips = {
  h100: { title: 'NVIDIA H100', memoryBytes: 80 * GIB, ...hopper },
  a100: { title: 'NVIDIA A100', memoryBytes: 80 * GIB, ...ampere },
  a800: { title: 'NVIDIA A800', memoryBytes: 80 * GIB, ...ampere },
  h20: { title: 'NVIDIA H20', memoryBytes: 96 * GIB, ...hopper, attributes: { ...hopper.attributes, units: 78 } },
  h200: { title: 'NVIDIA H200', memoryBytes: 141 * GIB, ...hopper },
};
