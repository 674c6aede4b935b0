// The devices of this build in a browser.
import type { Engine } from '../../runtime/device.ts';
import { createWebTargets } from '../../targets/webTargets.ts';
import { chooseAmong, listAmong, resolveAmong } from '../choose.ts';
import type { ChooseDevice, DeviceStatus } from '../choose.ts';

/** What is here: every target with whether it works, and the reference. */
export const listDevices = (): Promise<DeviceStatus[]> => listAmong(createWebTargets());

/** The first of `names` that works here; names of devices that anychip does not have are passed over where another works. */
export const chooseDevice: ChooseDevice = (names, use) => chooseAmong(createWebTargets(), names, use);

/** The target of this name, to compile for; it need not work here. */
export const resolveTarget = (name: string): Engine => resolveAmong(createWebTargets(), name);
