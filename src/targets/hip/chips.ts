// Hygon's DCUs as virtual chips: what is public of them.
import type { DriverChips } from '../../driver/machine.ts';

export const hipChips: DriverChips = { z100: { title: 'Hygon DCU Z100', architecture: 'gfx906', memoryBytes: 16 * 2 ** 30 } };
