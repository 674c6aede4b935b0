// Moore Threads' GPUs as virtual chips: memory from the vendor's pages.
import type { DriverChips } from '../../driver/machine.ts';

export const musaChips: DriverChips = {
  s4000: { title: 'MTT S4000', architecture: 'mp_22', memoryBytes: 48 * 2 ** 30 },
  s5000: { title: 'MTT S5000', architecture: 'mp_31', memoryBytes: 80 * 2 ** 30 },
};
