// Kunlunxin's chips, through the XPU runtime and XTDK's compiler.
import { createDriverTarget } from '../../driver/target.ts';
import type { DriverTarget } from '../../driver/target.ts';
import { text } from '../../driver/table.ts';
import { xpuLanguage } from '../../render/xpu/language.ts';
import type { Target } from '../../runtime/device.ts';
import { kunlunTable } from './driver.ts';
import { kunlunCapabilities, kunlunChips, kunlunLeast } from './facts.ts';

/** The runtime has its texts of errors in its header alone; the library of a virtual chip says which rule was broken. */
const virtualTable = { ...kunlunTable, calls: { ...kunlunTable.calls, errorText: text('anychip_message', 'status') } };

export const createKunlunTarget = (options: Partial<DriverTarget> = {}): Target =>
  createDriverTarget({
    name: 'kunlun',
    evidence: 'E2',
    rank: 183,
    table: kunlunTable,
    language: xpuLanguage,
    least: kunlunLeast,
    capabilities: kunlunCapabilities,
    architecture: 'xpu2',
    chips: kunlunChips,
    virtual: { table: virtualTable, program: 'xtdk' },
    ...options,
  });
