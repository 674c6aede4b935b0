// `anychip devices`: what is here, whether it works, and how well its support is proven.
import { Command } from 'commander';
import { chooseDevice, listDevices } from '../session/devices.ts';
import { options } from './options.ts';
import { print, printJson, table } from './print.ts';

export const devices = new Command('devices')
  .description('list the devices that anychip knows and whether they work here')
  .addOption(options.json)
  .action(async (given: { readonly json?: boolean }) => {
    const found = await listDevices();
    const { name: auto, why } = await chooseDevice(['auto']);
    if (given.json === true) return printJson({ auto, why, devices: found });
    const rows = found.map(({ name, family, evidence, availability }) => [
      name === auto ? `${name} *` : name,
      family,
      evidence,
      availability.ok ? 'works' : 'no',
      availability.ok ? availability.detail : '',
    ]);
    print(table(['device', 'family', 'evidence', 'here', 'detail'], rows));
    for (const { name, availability } of found) if (!availability.ok) print(`\n${name}: ${availability.reason}\n  ${availability.hint}`);
    print(`\n* taken by --device auto: ${why}`);
  });
