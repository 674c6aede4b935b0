// The devices of this build under Node, and those that a package registered.
import { AnychipError } from '../core/error.ts';
import { debugLevel } from '../core/trace.ts';
import type { Engine } from '../runtime/device.ts';
import { createTargets } from '../targets/targets.ts';
import type { Compile } from './compiler.ts';
import { keepPlans } from './keptPlans.ts';
import { MeasuredWays } from './measuredWays.ts';
import { AUTO, REFERENCE, chooseAmong, findTarget, listAmong, resolveAmong } from './choose.ts';
import type { Choice, ChooseDevice, DeviceStatus } from './choose.ts';

const registered: Engine[] = [];
let keptPlans: Compile | undefined;

/** Fastest first. */
const allTargets = (): readonly Engine[] => [...createTargets(), ...registered].sort((a, b) => b.rank - a.rank);

/** Adds a chip that this build does not have, for this process. Throws `bad-argument` where the name is taken. */
export function registerTarget(target: Engine): void {
  if (target.name === REFERENCE || target.name === AUTO || findTarget(allTargets(), target.name) !== undefined) {
    throw new AnychipError('bad-argument', `there is a device '${target.name}' already`, { hint: 'Give the target another name, and register it once.' });
  }
  registered.push(target);
}

/** What is here: every target with whether it works, and the reference. */
export const listDevices = (): Promise<DeviceStatus[]> => listAmong(allTargets());

/** The first of `names` that works here; names of devices that anychip does not have are passed over where another works. */
export const chooseDevice: ChooseDevice = async (names, use) => {
  const choice = await chooseAmong(allTargets(), names, use);
  const made = { ...choice, decide: new MeasuredWays(machineOf(choice)).decide };
  // What is to be verified must be made.
  return debugLevel > 0 ? made : { ...made, compile: (keptPlans ??= keepPlans()) };
};

/** What tells the machine that was chosen from others. */
export const machineOf = ({ name, detail }: Choice): readonly string[] => [name, detail];

/** The target of this name, to compile for; it need not work here. */
export const resolveTarget = (name: string): Engine => resolveAmong(allTargets(), name);
