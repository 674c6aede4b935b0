// Cambricon's MLU chips, through their driver interface and their compiler at run time.
import { createDriverTarget } from '../../driver/target.ts';
import type { DriverTarget } from '../../driver/target.ts';
import { bangLanguage } from '../../render/bang/language.ts';
import type { Target } from '../../runtime/device.ts';
import { cambriconTable } from './driver.ts';
import { cambriconCapabilities, cambriconChips, cambriconLeast } from './facts.ts';

export const createCambriconTarget = (options: Partial<DriverTarget> = {}): Target =>
  createDriverTarget({
    name: 'cambricon',
    evidence: 'E0',
    rank: 185,
    table: cambriconTable,
    language: bangLanguage,
    least: cambriconLeast,
    capabilities: cambriconCapabilities,
    architecture: 'mtp_372',
    chips: cambriconChips,
    ...options,
  });
