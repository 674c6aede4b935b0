// Huawei's Ascend processors: vector cores, through the ACL runtime and its compiler at run time.
import { createDriverTarget } from '../../driver/target.ts';
import type { DriverTarget } from '../../driver/target.ts';
import { ascendLanguage } from '../../render/ascendc/language.ts';
import type { Target } from '../../runtime/device.ts';
import { ascendTable } from './driver.ts';
import { ascendCapabilities, ascendChips, ascendLeast } from './facts.ts';

export const createAscendTarget = (options: Partial<DriverTarget> = {}): Target =>
  createDriverTarget({
    name: 'ascend',
    evidence: 'E2',
    rank: 190,
    table: ascendTable,
    language: ascendLanguage,
    least: ascendLeast,
    capabilities: ascendCapabilities,
    architecture: 'dav-2201',
    chips: ascendChips,
    ...options,
  });
