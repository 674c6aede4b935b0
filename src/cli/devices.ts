// `anychip devices`: what is here, whether it works, and how well its support is proven.
import { Command } from 'commander';
import { chooseDevice, listDevices } from '../session/devices.ts';
import type { DeviceStatus } from '../session/choose.ts';

import { options } from './options.ts';
import { formatBytes, print, printJson, table } from './print.ts';

export const devices = new Command('devices')
  .description('list the devices that anychip knows and whether they work here')
  .addOption(options.json)
  .action(async (given: { readonly json?: boolean }) => {
    const found = await listDevices();
    const { name: auto, why } = await chooseDevice(['auto']);
    if (given.json === true) return printJson({ auto, why, devices: found });
    const rows = found.map(({ name, family, evidence, availability }) => [name === auto ? `${name} *` : name, family, evidence, stateOf(availability), detailOf(availability)]);
    print(table(['device', 'family', 'evidence', 'here', 'detail'], rows));
    for (const { name, availability } of found) if (!availability.ok) print(`\n${name} is not here: ${availability.reason}.\n  ${availability.hint}`);
    print(`\n* taken by --device auto: ${why}`);
    print(EVIDENCE);
  });

type Availability = DeviceStatus['availability'];

const EVIDENCE = 'evidence: E0 facts only, E1 renders, E2 passes on our virtual chip, E3 ran on the vendor’s own simulator or compiler, E4 ran on silicon';

/** A virtual chip proves logic, never speed, so it never just works. */
const stateOf = (availability: Availability): string => (!availability.ok ? 'no' : availability.isVirtual === true ? 'virtual' : 'works');

function detailOf(availability: Availability): string {
  if (!availability.ok) return '';
  const { detail, driver, memoryBytes } = availability;
  return [detail, ...(driver === undefined ? [] : [driver]), ...(memoryBytes === undefined ? [] : [`${formatBytes(memoryBytes)} of memory`])].join(', ');
}
