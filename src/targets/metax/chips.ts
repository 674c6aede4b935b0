// MetaX's GPUs as virtual chips: memory and compute units from the vendor's pages.
import type { DriverChips } from '../../driver/machine.ts';

export const metaxChips: DriverChips = { c500: { title: 'MetaX C500', architecture: 'xcore1000', memoryBytes: 64 * 2 ** 30, attributes: { units: 104 } } };
