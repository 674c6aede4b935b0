// What kernels a device is given follows from what its driver says of it: on virtual chips that differ from what is assumed where there is none.
import { describe, expect, it } from 'vitest';
import { factsOf } from '../../src/driver/machine.ts';
import type { DriverChip, LeastMachine, MachineFacts } from '../../src/driver/machine.ts';
import type { DriverTarget } from '../../src/driver/target.ts';
import type { DriverTable } from '../../src/driver/table.ts';
import { onVirtual, virtualChip } from '../../src/driver/virtualChips.ts';
import { CompileCache } from '../../src/runtime/compileCache.ts';
import type { Capabilities, Target } from '../../src/runtime/device.ts';
import { buildVirtualChip } from '../../src/runtime/virtualChip.ts';
import { ascendTable } from '../../src/targets/ascend/driver.ts';
import { ascendCapabilities, ascendChips, ascendLeast } from '../../src/targets/ascend/facts.ts';
import { createAscendTarget } from '../../src/targets/ascend/target.ts';
import { cambriconTable } from '../../src/targets/cambricon/driver.ts';
import { cambriconCapabilities, cambriconChips, cambriconLeast } from '../../src/targets/cambricon/facts.ts';
import { createCambriconTarget } from '../../src/targets/cambricon/target.ts';
import { kunlunTable } from '../../src/targets/kunlun/driver.ts';
import { kunlunCapabilities, kunlunChips, kunlunLeast } from '../../src/targets/kunlun/facts.ts';
import { createKunlunTarget } from '../../src/targets/kunlun/target.ts';

interface Kind {
  readonly table: DriverTable;
  readonly least: LeastMachine;
  readonly capabilities: (machine: MachineFacts) => Capabilities;
  readonly create: (options: Partial<DriverTarget>) => Target;
  /** What its compiler is made from. */
  readonly program?: string;
}
const ascend: Kind = { table: ascendTable, least: ascendLeast, capabilities: ascendCapabilities, create: createAscendTarget };
const cambricon: Kind = { table: cambriconTable, least: cambriconLeast, capabilities: cambriconCapabilities, create: createCambriconTarget };
const kunlun: Kind = { table: kunlunTable, least: kunlunLeast, capabilities: kunlunCapabilities, create: createKunlunTarget, program: 'xtdk' };

const cache = new CompileCache();
const isVirtualHere = (await createAscendTarget().virtual!.open('910b4', 'ascend:virtual')!.probe()).ok;

/** The target as it is, on a driver that has this chip. */
async function targetWith(vendor: string, { table, least, capabilities, create, program }: Kind, chip: DriverChip): Promise<Target> {
  const built = await buildVirtualChip(virtualChip(vendor, chip, capabilities(factsOf(least, chip)), program), cache);
  // What the row says of a chip must not come from the chip at hand.
  return create({ cache, table: { ...onVirtual(table, chip, built), architecture: table.architecture } });
}

const odd: DriverChip = { title: 'Cambricon MLU590-M9', architecture: 'mtp_592', memoryBytes: 3 * 2 ** 30, attributes: { units: 20, sharedBytes: 640 << 10 } };

describe.skipIf(!isVirtualHere)('a device', () => {
  it.each([
    ['ascend', ascend, ascendChips['310p3'], 'dav-2002', 8],
    ['ascend', ascend, ascendChips['910b2'], 'dav-2201', 48],
    ['cambricon', cambricon, cambriconChips['mlu590']!, 'mtp_592', 32],
    ['cambricon', cambricon, odd, 'mtp_592', 20],
    ['kunlun', kunlun, kunlunChips.p800, 'xpu3', 12],
  ] as const)(
    'of %s is asked what it is',
    async (vendor, kind, chip, architecture, cores) => {
      const target = await targetWith(vendor, kind, chip);
      expect(target.capabilities).not.toEqual(kind.capabilities(factsOf(kind.least, chip)));
      const here = await target.probe();
      expect(here).toMatchObject({ ok: true, detail: expect.stringContaining(`(${architecture}, ${cores} `) });
      expect(target.capabilities).toEqual(kind.capabilities(factsOf(kind.least, { ...chip, memoryBytes: target.capabilities.maxBufferBytes })));
    },
    120_000,
  );

  it('of a name that no kernels are made for is refused', async () => {
    const target = await targetWith('ascend', ascend, { ...ascendChips['910b2'], title: 'Ascend 950PR' });
    expect(await target.probe()).toMatchObject({ ok: false, needs: 'hardware', reason: 'Ascend950PR is no chip of virtual Ascend that kernels are made for' });
  }, 120_000);
});
